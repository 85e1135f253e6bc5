"""How the pending migrations could be reversed after they have been applied."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from contextlib import suppress
from typing import Any

from lightgate.gate.programs.django_helper.command import find_target


def find_reversal(executor: Any, steps: Any, irreversible: list[str], arguments: Any, /) -> Any:
    """The targets with which `migrate` reverses these steps and no others, or why it cannot.

    By Django's own plan, `migrate` also reverses whatever depends on what it reverses.
    """
    loader, found = executor.loader, []
    left: dict[Any, None] = {}
    for number, (migration, _) in enumerate(steps):
        app, name = key = (migration.app_label, migration.name)
        is_first = migration.initial or not any(one[0] == app for one in migration.dependencies)
        if arguments is None or arguments.fake or (arguments.fake_initial and is_first):
            return f"{app}.{name}: it may be recorded without being run (--fake)"[:300]
        if irreversible[number]:
            return f"{app}.{name}: {irreversible[number]} cannot be reversed for certain"[:300]
        left[key] = None
    before = loader.applied_migrations
    loader.applied_migrations = {**before, **left}
    for app, name in list(left):
        parents = loader.graph.node_map[app, name].parents
        for target in [*sorted(one.key[1] for one in parents if one.key[0] == app), "zero"]:
            undone: set[Any] = set()
            with suppress(Exception):  # a name that begins another one is ambiguous
                plan = executor.migration_plan(find_target(loader, app, target))
                undone = {(migration.app_label, migration.name) for migration, _ in plan}
            if undone and undone <= left.keys():
                found.append([app, target])
                for key in undone:
                    del left[key], loader.applied_migrations[key]
    loader.applied_migrations = before
    for key in left:
        return "{}.{}: migrate takes it back only with others".format(*key)[:300]
    return found
