"""Makes a program as small as it gets while it still is plain text that Python 3.8 can read."""

import ast
import builtins
import io
import keyword
import re
import string
import symtable
import tokenize
from collections.abc import Iterator

import python_minifier

_FUTURE = "from __future__ import annotations\n"


def minify(source: str, name: str) -> str:
    """The text without comments, docstrings and annotations, and with short names.

    It refuses what Python 3.8 cannot read, as far as that shows, and names that nothing binds.
    """
    text = python_minifier.minify(
        _with_positional_parameters(source),
        remove_annotations=python_minifier.RemoveAnnotationsOptions(
            remove_class_attribute_annotations=True
        ),
        remove_literal_statements=True,
        rename_globals=True,
        # The launcher calls the first of the Django helper, the helper both of the classifier.
        preserve_globals=["main", "measure"],
        # The programs travel compressed, and a text that comes twice costs less than a name for it.
        hoist_literals=False,
    )
    # Without annotations the text does not need the import that keeps them from being evaluated.
    text = text.removeprefix(_FUTURE)
    text = _without_globals_in_comprehensions(text)
    text = _with_plain_exec(text)
    # In JSON a tab takes two bytes.
    text = re.sub(r"^\t+", lambda tabs: " " * len(tabs[0]), text, flags=re.MULTILINE)
    text = _with_other_quotes_within_quotes(text)
    if places := list(_quotes_within_the_same_quotes(text)):
        place = f"{places[0].string} in {places[0].line.strip()[:100]}"
        raise ValueError(f"{name}: Python before 3.12 cannot read {place}; use a variable")
    ast.parse(text, f"<{name}>", feature_version=(3, 8))
    if unbound := sorted(_unbound(symtable.symtable(text, f"<{name}>", "exec"))):
        raise ValueError(f"{name}: nothing binds {', '.join(unbound)}")
    return text


def _with_positional_parameters(source: str) -> str:
    """The source with a `/` behind the parameters that no call names: only they get short names.

    A function that takes `**` may be called with names that nobody can see here.
    """
    tree = ast.parse(source)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    named = {keyword.arg for call in calls for keyword in call.keywords}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not (node.args.posonlyargs or node.args.kwarg):
            parameters = node.args.args
            is_named = (n for n, one in enumerate(parameters) if one.arg in named)
            first = next(is_named, len(parameters))
            node.args.posonlyargs, node.args.args = parameters[:first], parameters[first:]
    return ast.unparse(tree)


def _unbound(module: symtable.SymbolTable) -> set[str]:
    """The names that the text uses, and that neither the text nor Python defines."""
    tables, used = [module], set()
    for table in tables:
        tables += table.get_children()
        used |= {one.get_name() for one in table.get_symbols() if one.is_global()}
    bound = {one.get_name() for one in module.get_symbols() if one.is_local()}
    return used - bound - vars(builtins).keys() - {"__name__"}


def _without_globals_in_comprehensions(text: str) -> str:
    """The text without a comprehension whose variable has the name of a global that others use.

    In Python 3.12.1 a global has no value in one comprehension of a function if it has the name of
    the variable of another one there.
    """
    tree = ast.parse(text)
    globals_ = {one.get_name() for one in symtable.symtable(text, "", "exec").get_symbols()}
    letters = string.ascii_letters + "_"
    short = (before + letter for before in ["", *letters] for letter in letters)
    taken = globals_ | _names(tree)
    free = [name for name in short if name not in taken and not keyword.iskeyword(name)]
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        found = [node for node in ast.walk(function) if isinstance(node, _INLINED)]
        used = {name for node in found for name in _names(node) - _variables(node)} & globals_
        for node in found:
            new = dict(zip(sorted(_variables(node) & used), free, strict=False))
            outside = set(ast.walk(node.generators[0].iter))
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and inner not in outside:
                    inner.id = new.get(inner.id, inner.id)
                elif isinstance(inner, ast.arg) and inner not in outside:
                    inner.arg = new.get(inner.arg, inner.arg)
    return python_minifier.unparse(tree)


def _with_plain_exec(text: str) -> str:
    """The text with `exec` in place of `builtins.exec`, if nothing else of `builtins` is used.

    Beside a plain `exec` the minifier shortens no name, so the sources do not have it.
    """
    found = re.search(r"\bbuiltins as (\w+),", text)
    if found is None:
        return text
    uses = re.findall(rf"\b{found[1]}\b(?:\.exec\()?", text.replace(found[0], ""))
    if set(uses) != {f"{found[1]}.exec("}:
        return text
    return re.sub(rf"\b{found[1]}\.exec\(", "exec(", text.replace(found[0], ""))


_INLINED = (ast.ListComp, ast.SetComp, ast.DictComp)


def _variables(node: ast.ListComp | ast.SetComp | ast.DictComp) -> set[str]:
    return {name for one in node.generators for name in _names(one.target)}


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _with_other_quotes_within_quotes(text: str) -> str:
    """The text with `{a['b']}` in an f-string that has double quotes, and vice versa."""
    lines = text.splitlines(keepends=True)
    for token in _quotes_within_the_same_quotes(text):
        (row, start), (_, end) = token.start, token.end
        inner = token.string[1:-1]
        if not set(inner) & set("\"'\\"):
            other = "'" if token.string[0] == '"' else '"'
            line = lines[row - 1]
            lines[row - 1] = f"{line[:start]}{other}{inner}{other}{line[end:]}"
    return "".join(lines)


def _quotes_within_the_same_quotes(text: str) -> Iterator[tokenize.TokenInfo]:
    """The strings in f-strings that have the quotes of the f-string around them."""
    around: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.FSTRING_START:
            around.append(token.string[-1])
        elif token.type == tokenize.FSTRING_END:
            around.pop()
        elif token.type == tokenize.STRING and token.string[-1] in around:
            yield token
