"""What the source text of a migration shows without running it."""

import ast

# Attributes that may change after a migration was applied: they do not say what it does.
_WITHOUT_EFFECT = {"lightgate", "replaces"}


def line_of(source: str, operation: int | None, count: int) -> int:
    """The line of an operation, by its number, or of the class if the list is computed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return 1
    for migration in tree.body:
        if isinstance(migration, ast.ClassDef) and migration.name == "Migration":
            for statement in migration.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id="operations")], value=ast.List(elts=each)):
                        if operation is not None and len(each) == count:
                            return each[operation].lineno
            return migration.lineno
    return 1


def do_the_same(before: str, now: str) -> bool:
    """Whether two texts of a migration differ in nothing but format, comments and declarations."""
    try:
        return _meaning(before) == _meaning(now)
    except (SyntaxError, ValueError):
        return before == now


def _meaning(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module):
            node.body = [one for one in node.body if not _is_without_effect(one)]
    return ast.dump(tree)


def _is_without_effect(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in _WITHOUT_EFFECT
    return False
