"""The pending migrations."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Sequence

from django.db.migrations import CreateModel, Migration  # type: ignore[import-untyped]
from django.db.migrations.recorder import MigrationRecorder  # type: ignore[import-untyped]
from django.db.migrations.state import ModelState  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.classes import ORDER, worst
from lightgate.gate.programs.django_helper.faked import find_faked, find_lacking
from lightgate.gate.programs.django_helper.reversal import find_reversal

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.command import Command

    # Describes the steps of a plan, from the connection and the state before them.
    Judge = Callable[[Any, List[Any], Any], List[Dict[str, Any]]]

RECENT = 10  # migrations on record in an event
PLAN_LIMIT = 6500  # characters of the migrations in an event, with the calls that reverse them
MOST_BLOCKING = 10  # operations in an event, those on the largest tables first
MOST_OPERATIONS = 10  # shown of each migration if the plan is too long


class JudgeMissing(Exception):  # noqa: N818
    """The plan has migrations, and what describes them is not there yet."""


def outline(_: Any, steps: list[Any], __: Any) -> list[dict[str, Any]]:
    """The names of the migrations only. Whatever they do counts as unknown."""
    no: dict[str, Any] = dict.fromkeys(("atomic", "shows", "single", "irreversible"), False)
    return [
        {**no, "name": ".".join(migration_key(step[0])), "class": "unknown", "operations": []}
        for step in steps
    ]


class Plan:
    """What `migrate` would apply, found without executing any of it."""

    migrations: list[dict[str, Any]] | None = None  # None: unknown
    hash = "unknown"
    applied = ""
    is_atomic = False
    shows = single = False  # of the first migration, see `describe`
    is_squashed = False  # whether a squash is still to be recorded, which `migrate` does
    is_shown = False  # whether the command prints each migration before it begins it
    recorded: set[Any] | None = None
    schema: Sequence[str] = ()
    reversal: Any = None  # the calls that reverse exactly this plan, or why there are none

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}  # by every name that a migration is recorded as
        self.declared: list[list[str]] = []  # migrations with their classes and reasons
        self.blocking: list[list[Any]] = []  # operations that block large tables, see `describe`
        self.tables: set[str] = set()  # the tables that its operations name
        self.named: set[str] = set()  # with those that are there after them
        self.loose: set[str] = set()  # those that it changes otherwise than the models
        self.unknown: dict[
            str, str
        ] = {}  # applied migrations that the code does not have, and when
        self.ahead: dict[str, str] = {}  # the later ones of them, and their classes
        self.faked: list[str] = []  # the migrations that are recorded without being run
        self.lacking: list[str] = []  # what the database would lack of them
        self.expected: set[str] = set()  # whatever it records or takes from the record
        self.apps: set[str] = set()
        self.found: dict[str, str] = {}  # a hash of what is on record, of each app
        self.recent: list[list[str]] = []  # what was recorded last, and when

    @classmethod
    def read(cls, command: Command, arguments: Any, judge: Judge | None, /) -> Plan:
        """The plan as `judge` describes its migrations.

        Raises:
            JudgeMissing: there are migrations, and no `judge`.
        """
        plan = cls()
        executor, targets = command.read_targets()
        connection = executor.connection
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
        synced = synced_steps(command.read_synced(executor))
        planned = executor.migration_plan(targets)
        steps = [*synced, *planned]
        state = executor.loader.project_state(ends) if steps else None
        if steps and not judge:
            raise JudgeMissing
        plan.migrations = judge(connection, steps, state) if steps and judge else []
        irreversible = [one.pop("irreversible") for one in plan.migrations]
        for one in plan.migrations:
            plan.blocking += [[one["name"], *each] for each in one.pop("blocking", ())]
            plan.tables.update(one.pop("tables", ()))
            plan.named.update(one.pop("named", ()))
            plan.loose.update(one.pop("loose", ()))
        plan.blocking.sort(key=lambda each: -each[-1])
        plan.declared = [
            [one["name"], *one.pop("declared")] for one in plan.migrations if "declared" in one
        ]
        shows, single = ([one.pop(key) for one in plan.migrations] for key in ("shows", "single"))
        plan.shows, plan.single = shows[:1] == [True], single[:1] == [True]
        if not connection.features.can_rollback_ddl:  # each statement commits what was before it
            for one in plan.migrations:
                one["atomic"] = False
        if steps:
            plan.reversal = (
                f"{plan.migrations[0]['name']}: no migration has created these tables"
                if synced
                else find_reversal(executor, steps, irreversible, arguments)
            )
        plan.read_faked(executor, planned, command.arguments)
        plan.is_shown = command.shows_migrations() and not synced
        plan.is_atomic = all(one["atomic"] for one in plan.migrations)
        # Texts of errors may differ from one process to the next.
        said = [dict(m, operations=[o[:4] for o in m["operations"]]) for m in plan.migrations]
        plan.hash = digest([connection.alias, said])
        plan.applied = digest(sorted(map(list, applied)))
        plan.schema = sorted(map(".".join, ends))
        rows = executor.recorder.applied_migrations()
        plan.recorded = set(rows)
        plan.read_record(executor.loader, rows)
        for key, row in applied.items():
            if not hasattr(row, "applied"):  # a squash: recording it changes nothing else
                plan.classes[".".join(key)] = "compatible"
                plan.is_squashed = plan.is_squashed or key not in rows
            elif key not in known:
                at = time.gmtime(row.applied.timestamp())
                plan.unknown[".".join(key)] = time.strftime("%Y%m%dt%H%M%Sz", at)
        for number, (migration, is_backwards) in enumerate(steps):
            if not is_backwards:
                one = plan.migrations[number]
                names = [one["name"], *map(".".join, migration.replaces)]
                plan.classes.update(dict.fromkeys(names, one["class"]))
            plan.expected.update(map(".".join, [migration_key(migration), *migration.replaces]))
        return plan

    def read_faked(self, executor: Any, steps: Any, arguments: Any, /) -> None:
        """Mark the migrations that are recorded without being run."""
        faked = find_faked(executor, steps, arguments)
        self.faked = [".".join(key) for key in faked]
        for one in self.migrations or []:
            if one["name"] in self.faked:
                one["fake"] = True
        undone = {migration_key(migration) for migration, is_backwards in steps if is_backwards}
        forwards = [key for key in faked if key not in undone]
        if forwards:
            self.lacking = find_lacking(executor, forwards)

    def is_told(self) -> bool:
        """Whether no operation may change the schema in a way that only its own code tells."""
        return all(
            one[0] != "unknown" and (one[0] != "breaking" or one[3:4] != ["declared"])
            for each in self.migrations or []
            for one in each["operations"]
        )

    def newly(self, recorded: set[Any] | None, /) -> list[str]:
        """The migrations of the plan whose record has changed, in the order of the plan."""
        changed = {".".join(key) for key in (recorded or set()) ^ (self.recorded or set())}
        return [one["name"] for one in self.migrations or [] if one["name"] in changed]

    def read_record(self, loader: Any, rows: Any, /) -> None:
        """What is on record of the apps of this code: others may share the database."""
        squashes = {key: one for key, one in loader.disk_migrations.items() if one.replaces}
        # To record a squash changes nothing else.
        self.expected = set(map(".".join, squashes))
        part_of = {old: key for key, squash in squashes.items() for old in squash.replaces}
        self.apps = set(loader.migrated_apps)
        names: dict[str, list[str]] = {}
        at: dict[str, float] = {}
        for key, row in rows.items():
            if key[0] in self.apps:
                names.setdefault(key[0], []).append(key[1])
                if key not in squashes:
                    at[".".join(part_of.get(key, key))] = row.applied.timestamp()
        self.found = {app: digest(sorted(each))[:6] for app, each in sorted(names.items())}
        newest = sorted(at, key=lambda name: at[name])[-RECENT:]
        self.recent = [[n, time.strftime("%FT%TZ", time.gmtime(at[n]))] for n in newest]

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
            f"{one['name']}: {'undo ' * ('reversed' in one)}{' '.join(told[:3])} ({label})"
            for one in self.migrations
            for label, *told in one["operations"]
            if label in classes
        ]

    def fields(self) -> dict[str, Any]:
        """The fields of the event `plan`: the most dangerous migrations first.

        The supervisor shortens an event that is too long, from its end. The class, and how many
        operations there are of each, are always those of all migrations.
        """
        told = sorted(self.migrations or [], key=danger)
        fields: dict[str, Any] = {
            "hash": self.hash, "count": len(told), "class": worst(one["class"] for one in told),
            "classes": Counter(one[0] for each in told for one in each["operations"]),
            "atomic": self.is_atomic, "migrations": told,
            "found": self.found, "recent": self.recent,
        }  # fmt: skip
        if self.migrations is None:
            fields.update({"count": None, "class": "unknown"})
        if len(json.dumps(told)) > PLAN_LIMIT:
            fields["migrations"] = list(map(without_compatible, told))
        if self.reversal and len(json.dumps([fields["migrations"], self.reversal])) <= PLAN_LIMIT:
            fields["takeBack"] = self.reversal
        if self.declared:
            fields["declared"] = self.declared[:20]
        if self.blocking:
            fields["blocking"] = self.blocking[:MOST_BLOCKING]
        if self.ahead:
            names = [name[:100] for name in self.ahead]
            fields["ahead"] = {"count": len(names), "class": worst(self.ahead.values()),
                             "names": names[:20]}  # fmt: skip
        return fields


def synced_steps(models: list[Any]) -> list[Any]:
    """The tables of apps without migrations, as a migration of each app."""
    found: dict[str, list[Any]] = {}
    for model in models:
        one = ModelState.from_model(model)
        made = CreateModel(one.name, list(one.fields.items()), one.options, one.bases)
        found.setdefault(one.app_label, []).append(made)
    steps = []
    for app, operations in found.items():
        migration = Migration("run_syncdb", app)
        migration.operations = operations
        steps.append((migration, False))
    return steps


def migration_key(migration: Any) -> tuple[str, str]:
    return migration.app_label, migration.name


def danger(migration: dict[str, Any]) -> int:
    """A key that sorts the worst class to the front."""
    return -ORDER.index(migration["class"])


def without_compatible(migration: dict[str, Any]) -> dict[str, Any]:
    """Its dangerous operations, and how many of its operations that leaves out."""
    told = [one for one in migration["operations"] if one[0] != "compatible"]
    shown = told[:MOST_OPERATIONS]
    return dict(migration, operations=shown, omitted=len(migration["operations"]) - len(shown))


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
