"""What a module exports is used elsewhere, and what it keeps private is used nowhere else."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[3]
GATE_PROGRAMS = "lightgate.gate.programs."
"""They are read as texts, and each stands alone in the user's container."""

CALLED_FROM_OUTSIDE = {
    "handler": "Lambda calls it",
    "main": "the program starts there",
    "measure": "the Django helper calls it by its name",
    "readinto": "io.BufferedReader calls it",
    "_create_connection": "aiohttp calls it",
    "do_GET": "http.server calls it",
    "log_message": "http.server calls it",
    "format_commands": "click calls it",
    "on_config": "MkDocs calls it",
    "on_files": "MkDocs calls it",
    "on_page_markdown": "MkDocs calls it",
    "wait_seconds": "the patches of the engine read it by its path",
}
FOUND_BY_NAME = "local.lightsail.api.operations"
"""A request names the method that answers it."""


@dataclass
class Module:
    path: Path
    tree: ast.Module
    imported: set[tuple[str, str]] = field(default_factory=set)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    below = {"layers": 2, "cli": 1, "report": 1}.get(parts[0], 0)
    return ".".join(parts[below:]).removesuffix(".__init__")


@cache
def modules() -> dict[str, Module]:
    """The modules of the product and of the tests by their names."""
    tops = ("layers/core", "cli", "report", "functions", "local", "benchmarks", "tests")
    files = [file for top in tops for file in (ROOT / top).rglob("*.py")]
    found = {name_of(file): Module(file, ast.parse(file.read_text())) for file in files}
    for name, module in found.items():
        module.imported = {each for each in imported(module.tree, set(found)) if each[0] != name}
    return found


def product() -> dict[str, Module]:
    return {name: module for name, module in modules().items() if not name.startswith("tests.")}


def imported(tree: ast.Module, known: set[str]) -> Iterator[tuple[str, str]]:
    """The names of other modules that a module uses, as pairs of module and name."""
    bound: dict[str, str] = {}
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.module, alias.name
        elif isinstance(node, ast.Import):
            bound.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # The command line imports its commands by such names.
            module, _, name = node.value.partition(":")
            if module in known:
                yield module, name
    for node in nodes:
        if isinstance(node, ast.Attribute):
            module = bound.get(dotted(node.value))
            if module in known:
                yield module, node.attr


def dotted(node: ast.expr) -> str:
    """The name `a.b.c`; empty for any other expression."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name) if outer := dotted(value):
            return f"{outer}.{name}"
        case _:
            return ""


def definitions(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node
            case (
                ast.Assign(targets=[ast.Name() as target])
                | ast.AnnAssign(target=ast.Name() as target)
            ):
                yield target.id, node
            case ast.TypeAlias():
                yield node.name.id, node


def signature_names(node: ast.stmt) -> Iterator[str]:
    """The names in the annotations and bases of a function or class: part of what it exports."""
    inner: list[ast.expr | None] = []
    for each in [node, *(node.body if isinstance(node, ast.ClassDef) else [])]:
        match each:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                every = [*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs]
                inner += [each.returns, *(argument.annotation for argument in every)]
            case ast.AnnAssign():
                inner.append(each.annotation)
            case ast.ClassDef():
                inner += each.bases
            case ast.TypeAlias():
                inner.append(each.value)
    for expression in filter(None, inner):
        yield from (each.id for each in ast.walk(expression) if isinstance(each, ast.Name))


def test_every_public_name_of_a_package_is_used_by_another_module() -> None:
    """A class counts as used if a public name has it in its signature: others get its values."""
    used = {each for module in modules().values() for each in module.imported}
    unused = []
    for name, module in product().items():
        if not name.startswith(("lightgate", "build_gate")) or name.startswith(GATE_PROGRAMS):
            continue
        public = {each: node for each, node in definitions(module.tree) if each[0] != "_"}
        exported = {each for node in public.values() for each in signature_names(node)}
        unused += [
            f"{module.path.relative_to(ROOT)}:{node.lineno} {each}"
            for each, node in public.items()
            if (name, each) not in used and each not in CALLED_FROM_OUTSIDE
            if not (isinstance(node, ast.ClassDef) and (each in exported or is_error(node)))
        ]
    assert unused == [], "give them an underscore"


def is_error(node: ast.ClassDef) -> bool:
    """Callers may have to catch it, even if none does so today."""
    return node.name.endswith("Error")


def test_no_module_uses_a_private_name_of_another() -> None:
    known = set(modules())
    taken = [
        f"{module.path.relative_to(ROOT)}: {source}.{each}"
        for module in product().values()
        for source, each in module.imported
        if source in known and each.startswith("_") and not each.startswith("__")
    ]
    assert taken == []


def test_no_function_is_there_for_tests_alone() -> None:
    used = {each for module in product().values() for each in module.imported}
    mentions = {
        each
        for module in product().values()
        for node in ast.walk(module.tree)
        for each in mentioned(node)
    }
    unused = []
    for name, module in product().items():
        own = {each.id for each in ast.walk(module.tree) if is_read(each)}
        found = [
            *(
                one
                for one in definitions(module.tree)
                if not {one[0]} & own and (name, one[0]) not in used
            ),
            *(one for one in methods(module.tree) if one[0] not in mentions),
        ]
        unused += [
            f"{module.path.relative_to(ROOT)}:{node.lineno} {each}"
            for each, node in found
            if each not in CALLED_FROM_OUTSIDE and not each.startswith("__")
            if name != FOUND_BY_NAME
        ]
    assert unused == []


def is_read(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def mentioned(node: ast.AST) -> list[str]:
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return [name]
        case _:
            return []


def methods(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield each.name, each


def test_no_two_classes_and_no_two_modules_share_a_name() -> None:
    """The gate programs have no types in common with Lightgate. Its packages repeat no module."""
    own = {
        name: module.tree
        for name, module in product().items()
        if name.startswith("lightgate.") and not name.startswith(GATE_PROGRAMS)
    }
    classes = [
        node.name
        for tree in own.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    files = [module.path for name, module in product().items() if name in own]
    names = Counter([*classes, *(file.stem for file in files if file.stem != "__init__")])
    assert [name for name, count in names.items() if count > 1] == []


def test_handlers_may_import_no_package_that_the_contract_does_not_name() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    forbidden = next(
        set(contract["forbidden_modules"])
        for contract in contracts["contracts"]
        if contract["name"].startswith("A function imports its step")
    )
    packages = {f"lightgate.{name.split('.')[1]}" for name in product() if "lightgate." in name}
    assert forbidden == packages - {"lightgate.steps", "lightgate.runtime", "lightgate.state"}
