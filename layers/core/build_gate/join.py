"""Joins the modules of a program into one text, and refuses what it cannot join safely."""

import ast
import builtins
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_PACKAGE = "lightgate.gate.programs"
# What a program may import beside the standard library: the helper runs inside a Django app.
_IN_AN_APP = ("django_helper", "django_classifier", "django_rehearsal")
_LIBRARIES = {program: {"django"} for program in _IN_AN_APP}
# Names that mean something else in the joined text, or nothing.
_OF_A_MODULE = {"TYPE_CHECKING", "__name__", "__file__", "__doc__", "__package__", "__spec__"}


class JoinError(Exception):
    """The modules cannot be joined; the text says where and why."""


@dataclass
class _Module:
    """A module of a program, without its imports."""

    path: Path
    body: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)  # and the name that each one binds
    siblings: list[Path] = field(default_factory=list)  # modules of this or another program

    def names(self) -> Iterator[tuple[str, str]]:
        """Each name of the module, and what binds it: an import, or the module itself."""
        text = "\n".join(map(ast.unparse, self.body))
        for one in symtable.symtable(text, str(self.path), "exec").get_symbols():
            if one.is_assigned():
                yield one.get_name(), str(self.path)
        for statement, name in self.imports.items():
            yield name, statement


def join(sources: Path, program: str) -> str:
    """The program as one text.

    It is a module, or a package whose `__main__` is what runs. The modules of a package come in
    the order of their imports, with the modules of other packages that they import. Imports from
    `typing` and below `if TYPE_CHECKING:` are left out.
    """
    folder = sources / program
    if not folder.is_dir():
        return _text([_read(sources / f"{program}.py", program)])
    modules: dict[Path, _Module] = {}
    _add(folder / "__main__.py", (), modules)
    used = {path.stem for path in modules if path.parent == folder}
    unused = {path.stem for path in folder.glob("*.py")} - used - {"__init__"}
    if unused:
        raise JoinError(f"{folder}: nothing imports {', '.join(sorted(unused))}")
    if _read(folder / "__init__.py", program).body:
        raise JoinError(f"{folder / '__init__.py'}: code here would not be joined")
    return _text(list(modules.values()))


def _add(path: Path, importers: tuple[Path, ...], modules: dict[Path, _Module]) -> None:
    """Add the module behind those that it imports."""
    if path in importers:
        names = (one.stem for one in (*importers, path))
        raise JoinError(f"{path.parent}: import cycle {' -> '.join(names)}")
    if path not in modules:
        module = _read(path, path.parent.name)
        for sibling in module.siblings:
            _add(sibling, (*importers, path), modules)
        modules[path] = module


def _text(modules: list[_Module]) -> str:
    bound: dict[str, str] = {}
    for module in modules:
        for name, by in module.names():
            if name in vars(builtins):
                raise JoinError(f"{module.path}: {name} is the name of a builtin")
            if bound.setdefault(name, by) != by:
                raise JoinError(f"{module.path}: {name} is also bound by: {bound[name]}")
    imports = sorted({text for module in modules for text in module.imports})
    bodies = [ast.unparse(statement) for module in modules for statement in module.body]
    return "\n".join(["from __future__ import annotations", *imports, *bodies])


def _read(path: Path, program: str) -> _Module:
    tree = ast.parse(path.read_text("ascii"), str(path))
    package = f"{_PACKAGE}."
    libraries = sys.stdlib_module_names | _LIBRARIES.get(program, set())
    module = _Module(path)
    for statement in tree.body:
        match statement:
            case ast.Expr(value=ast.Constant()):
                pass  # the docstring
            case ast.ImportFrom(module="typing"):
                pass  # it is for annotations, which the minifier removes
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
                pass
            case ast.ImportFrom(module="__future__", names=[ast.alias(name="annotations")]):
                pass
            case ast.ImportFrom(module=str(origin), level=0) if origin.startswith(package):
                if any(one.asname or one.name == "*" for one in statement.names):
                    raise _refused(path, statement)
                folder, _, name = origin.removeprefix(package).partition(".")
                sibling = path.parents[1] / folder / f"{name}.py"
                if not sibling.is_file():
                    raise _refused(path, statement)
                module.siblings.append(sibling)
            case _:
                for node in ast.walk(statement):
                    if not _is_safe(node, libraries):
                        raise _refused(path, statement)
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    module.imports.update(_single_imports(statement))
                else:
                    module.body.append(statement)
    return module


def _is_safe(node: ast.AST, libraries: frozenset[str]) -> bool:
    match node:
        case ast.ImportFrom(module=origin, level=level, names=names):
            is_known = level == 0 and str(origin).partition(".")[0] in libraries - {"__future__"}
            return is_known and all(one.name != "*" for one in names)
        case ast.Import(names=names):
            return all(one.name.partition(".")[0] in libraries for one in names)
        case ast.Name(id=name):
            return name not in _OF_A_MODULE
    # If a module assigned a global later, the modules that import it would have the old value.
    return not isinstance(node, ast.Global)


def _single_imports(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """A statement for each name, and the name that it binds."""
    for one in statement.names:
        if isinstance(statement, ast.ImportFrom):
            single: ast.stmt = ast.ImportFrom(statement.module, [one], 0)
        else:
            single = ast.Import([one])
        yield ast.unparse(single), one.asname or one.name.partition(".")[0]


def _refused(path: Path, statement: ast.stmt) -> JoinError:
    first = ast.unparse(statement).partition("\n")[0]
    return JoinError(f"{path}:{statement.lineno}: cannot be joined: {first}")
