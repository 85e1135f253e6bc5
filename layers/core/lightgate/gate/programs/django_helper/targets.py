"""The arguments and the targets of the app's own `migrate` command."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from typing import Any

from django.core.management import load_command_class  # type: ignore[import-untyped]


def read_arguments(command: list[str], manage: list[str]) -> Any:
    """The arguments of `migrate`, read as it reads them itself."""
    call = [*manage, "migrate"]
    for start in range(len(command)):
        end = start + len(call)
        if command[start:end] == call:
            migrate = load_command_class("django.core", "migrate")
            return migrate.create_parser("manage.py", "migrate").parse_known_args(command[end:])[0]
    return None


def find_targets(loader: Any, arguments: Any, /) -> list[Any]:
    """The migrations that the command migrates to, found as it finds them itself."""
    app, name = getattr(arguments, "app_label", None), getattr(arguments, "migration_name", None)
    leaves = loader.graph.leaf_nodes()
    if not app:
        return list(leaves)
    return find_target(loader, app, name) if name else [key for key in leaves if key[0] == app]


def find_target(loader: Any, app: str, name: str, /) -> list[Any]:
    if name == "zero":
        return [(app, None)]
    key = (app, loader.get_migration_by_prefix(app, name).name)
    if key not in loader.graph.nodes and key in loader.replacements:
        key = loader.replacements[key].replaces[-1]
    return [key]
