"""Migrate a site step by step, and compare some migrations with what old code can do after them.

It runs in the site's own Python, and writes a line of JSON for each migration that was chosen.
"""

import importlib
import json
import random
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

STATEMENTS, MORE = 60, 60
TRIES = 3
"""With so many sets of rows, if the migration does not take the first ones."""
MOST_NEAR = 5
"""The most models that are compared because they refer to one of the migration's."""


def main(task: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    module, function = task["setup"]
    getattr(importlib.import_module(module), function)()
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    executor.recorder.ensure_schema()
    plan = [one for one, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    chosen = chosen_of(plan, task["seed"], task["count"])
    print(json.dumps({"migrations": len(plan), "chosen": len(chosen)}), flush=True)
    state = executor._create_project_state(with_applied_migrations=False)
    last = max(plan.index(one) for one in chosen)
    for migration in plan[: last + 1]:
        if migration in chosen:
            began = time.monotonic()
            for again in range(TRIES):
                line = compared(migration, state, f"{task['seed']} {again}")
                if not line["problem"]:
                    break
            line |= {"migration": str(migration), "seconds": round(time.monotonic() - began, 1)}
            print(json.dumps(line), flush=True)
        state = executor.apply_migration(state, migration)


def chosen_of(plan: list[Any], seed: int, count: int) -> list[Any]:
    """Any but the first, before which there is no old code."""
    rng = random.Random(f"{seed} migrations")  # noqa: S311 - no secret
    return rng.sample(plan[1:], min(count, len(plan) - 1))


def compared(migration: Any, state: Any, seed: str) -> dict[str, Any]:
    """Compare the class of the migration with what old code can do before and after it."""
    from tests.compatibility_fuzz.changes import bare_clone
    from tests.compatibility_fuzz.generate import fields_of
    from tests.compatibility_fuzz.statements import (
        first_rows,
        new_writes,
        old_statements,
        statements_about,
    )
    from tests.compatibility_fuzz.verdicts import judge
    from tests.compatibility_fuzz.world import Case, World

    rng = random.Random(f"{seed} {migration}")  # noqa: S311 - no secret
    old = bare_clone(state)
    concerned = [one for one in named_models(migration) if one in old.models]
    models = in_order(closure(old.apps, concerned))
    labels = frozenset(one._meta.label_lower for one in models)
    writes, rows = first_rows(models, rng)
    statements = old_statements(models, rng, rows, STATEMENTS)
    changed = {name for one in migration.operations for name in fields_of(one)}
    statements += statements_about(models, rng, rows, changed, MORE)
    world = World(Case((), tuple(writes), tuple(statements)), old, labels)

    def written(apps: Any) -> Any:
        wanted = {*labels, *(".".join(one) for one in named_models(migration))}
        new = [one for one in apps.get_models() if one._meta.label_lower in wanted]
        return new_writes(in_order(new), rng, rows)

    with world.standing():
        outcome = world.try_plan(migration, written)
    tables = {old.apps.get_model(*one)._meta.concrete_model for one in concerned}
    with_rows = {type(row) for row in world.rows.values()}
    return {
        "class": outcome.claim.label,
        "problem": outcome.problem,
        "verdict": "" if outcome.problem else judge(outcome.claim, outcome.symptoms),
        "statements": outcome.compared,
        "written": outcome.written,
        "models": len(tables),
        "with rows": len(tables & with_rows),
        "operations": outcome.claim.operations,
        "named": sorted(outcome.claim.named),
        "broken": [
            [one.verb, one.table, one.error, one.text, one.statement]
            for one in outcome.symptoms
            if not one.is_weak
        ][:5],
        "missed": [
            [one.verb, one.table, one.error, one.text, one.statement, sorted(one.touched)]
            for one in outcome.symptoms
            if not outcome.claim.allows(one)
        ][:5],
    }  # fmt: skip


def named_models(migration: Any) -> list[tuple[str, str]]:
    """The models that the operations name, and those that their fields refer to."""
    found: dict[tuple[str, str], None] = {}
    for operation in migration.operations:
        for one in inner(operation):
            found |= dict.fromkeys(models_of(one, migration.app_label))
    return list(found)


def inner(operation: Any) -> Iterator[Any]:
    yield operation
    for name in ("database_operations", "state_operations"):
        for one in getattr(operation, name, ()):
            yield from inner(one)


def models_of(operation: Any, app: str) -> Iterator[tuple[str, str]]:
    from django.db.migrations.utils import resolve_relation

    names = [getattr(operation, key, None) for key in ("model_name", "old_name", "name")]
    subject = next((str(one).lower() for one in names if isinstance(one, str)), "")
    yield app, subject
    if new := getattr(operation, "new_name", None):
        yield app, str(new).lower()
    fields = [one for _, one in getattr(operation, "fields", None) or () if hasattr(one, "column")]
    for field in [*fields, *filter(None, [getattr(operation, "field", None)])]:
        to = getattr(field, "remote_field", None)
        if to and to.model:
            yield resolve_relation(to.model, app, subject)
    for base in getattr(operation, "bases", ()):
        if isinstance(base, str):
            yield resolve_relation(base, app, subject)


def closure(apps: Any, concerned: list[tuple[str, str]]) -> list[Any]:
    """The models, a few that refer to them, and all whose rows one of these needs."""
    found = dict.fromkeys(apps.get_model(*one) for one in concerned)
    near = [
        one
        for one in apps.get_models()
        if any(f.remote_field and f.remote_field.model in found for f in one._meta.fields)
        and one not in found
    ]
    waiting = [*found, *near[:MOST_NEAR]]
    found = {}
    while waiting:
        model = waiting.pop(0)
        if model in found:
            continue
        found[model] = None
        waiting += [*model._meta.parents]
        waiting += [
            f.remote_field.model for f in model._meta.fields if f.remote_field and not f.null
        ]
    taken: dict[str, Any] = {}
    for model in found:  # statements name models by their class
        taken.setdefault(model.__name__, model)
    return list(taken.values())


def in_order(models: list[Any]) -> list[Any]:
    from tests.compatibility_fuzz.generate import depth

    return sorted(models, key=lambda one: (depth(one, ()), one._meta.label_lower))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
