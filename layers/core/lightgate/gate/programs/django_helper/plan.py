"""The pending migrations."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, Sequence

from django.db.migrations.executor import MigrationExecutor  # type: ignore[import-untyped]
from django.db.migrations.recorder import MigrationRecorder  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.compatibility import worst
from lightgate.gate.programs.django_helper.operations import describe
from lightgate.gate.programs.django_helper.reversal import find_reversal
from lightgate.gate.programs.django_helper.targets import find_targets

PLAN_LIMIT = 6500  # characters of the migrations in an event, with the calls that reverse them


class Plan:
    """What `migrate` would apply, found without executing any of it."""

    migrations: list[dict[str, Any]] | None = None  # None: unknown
    hash = "unknown"
    applied = ""
    is_atomic = False
    shows = single = False  # of the first migration, see `describe`
    is_shown = False  # whether the command prints each migration before it begins it
    recorded: set[Any] | None = None
    leaves: Sequence[str] = ()
    schema: Sequence[str] = ()
    reversal: Any = None  # the calls that reverse exactly this plan, or why there are none

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}  # by every name that a migration is recorded as
        self.unknown: dict[
            str, str
        ] = {}  # applied migrations that the code does not have, and when
        self.ahead: dict[str, str] = {}  # the later ones of them, and their classes

    @classmethod
    def read(cls, connection: Any, arguments: Any, /) -> Plan:
        plan = cls()
        executor = MigrationExecutor(connection)
        graph, applied = executor.loader.graph, executor.loader.applied_migrations
        disk = executor.loader.disk_migrations
        known = {*disk, *(old for migration in disk.values() for old in migration.replaces)}
        ends = [
            key
            for key in graph.nodes
            if key in applied
            and not any(
                n.key[0] == key[0] and n.key in applied for n in graph.node_map[key].children
            )
        ]
        steps = executor.migration_plan(find_targets(executor.loader, arguments))
        state = executor.loader.project_state(ends) if steps else None
        created: set[tuple[str, str]] = set()
        with connection.cursor() as cursor:
            tables = connection.introspection.table_names(cursor, True) if steps else []
        existing = [name.lower() for name in tables]
        plan.migrations = [describe(step, state, created, existing) for step in steps]
        irreversible = [one.pop("irreversible") for one in plan.migrations]
        shows, single = ([one.pop(key) for one in plan.migrations] for key in ("shows", "single"))
        plan.shows, plan.single = shows[:1] == [True], single[:1] == [True]
        if not connection.features.can_rollback_ddl:  # each statement commits what was before it
            for one in plan.migrations:
                one["atomic"] = False
        if steps:
            plan.reversal = find_reversal(executor, steps, irreversible, arguments)
        plan.is_shown = getattr(arguments, "verbosity", 0) > 0
        plan.is_atomic = all(one["atomic"] for one in plan.migrations)
        # Texts of errors may differ from one process to the next.
        said = [dict(m, operations=[o[:2] for o in m["operations"]]) for m in plan.migrations]
        plan.hash = digest([connection.alias, said])
        plan.applied = digest(sorted(map(list, applied)))
        plan.leaves = sorted(map(".".join, graph.leaf_nodes()))
        plan.schema = sorted(map(".".join, ends))
        plan.recorded = set(executor.recorder.applied_migrations())
        for key, row in applied.items():
            if not hasattr(row, "applied"):  # a squash: recording it changes nothing else
                plan.classes[".".join(key)] = "additive"
            elif key not in known:
                at = time.gmtime(row.applied.timestamp())
                plan.unknown[".".join(key)] = time.strftime("%Y%m%dt%H%M%Sz", at)
        for number, (migration, is_backwards) in enumerate(steps):
            if not is_backwards:
                one = plan.migrations[number]
                names = [one["name"], *map(".".join, migration.replaces)]
                plan.classes.update(dict.fromkeys(names, one["class"]))
        return plan

    def is_outdated(self, connection: Any) -> bool:
        """Whether a migration was applied or reversed since the plan was read."""
        recorded = set(MigrationRecorder(connection).applied_migrations())
        return self.recorded not in (None, recorded)

    def is_done(self, found: dict[str, Any] | None) -> bool:
        """Whether nothing is pending. If the plan is unknown, only a recorded success shows it."""
        state = found and found["state"]
        if self.migrations is None:
            return state == "succeeded"
        return not self.migrations and state in (None, "succeeded")

    def pending(self) -> list[str]:
        """Why the code cannot run on the schema: the migrations that are not applied."""
        if self.migrations is None:
            return ["the pending migrations of the app's own migrate command are unknown"]
        return [one["name"] + " is pending" for one in self.migrations]

    def operations(self, *classes: str) -> list[str]:
        """The operations of these classes."""
        if self.migrations is None:
            return ["the app's own migrate command (unknown)"] if "unknown" in classes else []
        return [
            f"{migration['name']}: {what} ({label})"
            for migration in self.migrations
            for label, what, *_ in migration["operations"]
            if label in classes
        ]

    def fields(self) -> dict[str, Any]:
        """The fields of the event `plan`, which omits additive operations if it is too long."""
        shown = list(self.migrations or [])
        if len(json.dumps(shown)) > PLAN_LIMIT:
            shown = [
                dict(one, operations=[o for o in one["operations"] if o[0] != "additive"])
                for one in shown
            ]
        label = "unknown" if self.migrations is None else worst(one["class"] for one in shown)
        count = None if self.migrations is None else len(self.migrations)
        fields: dict[str, Any] = {
            "hash": self.hash, "count": count, "class": label, "atomic": self.is_atomic,
            "leaves": self.leaves, "migrations": shown,
        }  # fmt: skip
        if self.reversal and len(json.dumps([shown, self.reversal])) <= PLAN_LIMIT:
            fields["takeBack"] = self.reversal
        if self.ahead:
            names = [name[:100] for name in self.ahead]
            fields["ahead"] = {"count": len(names), "class": worst(self.ahead.values()),
                             "names": names[:20]}  # fmt: skip
        return fields


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
