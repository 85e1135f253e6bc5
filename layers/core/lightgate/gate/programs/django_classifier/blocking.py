"""The pending operations that block reads or writes of a large table while they run.

What is listed holds its lock for a time that grows with the table: PostgreSQL's manual, "ALTER
TABLE" and "CREATE INDEX"; MySQL's, "Online DDL Operations". An operation that only needs its lock
for a moment is not listed, whatever it waits for.
"""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import re
from typing import Any, Iterator

from django.db.migrations.utils import resolve_relation  # type: ignore[import-untyped]

from lightgate.gate.programs.django_classifier.columns import DIGITS, TEXT, bound
from lightgate.gate.programs.django_classifier.compatibility import Known, inner_steps
from lightgate.gate.programs.django_classifier.defaults import constant, has_default
from lightgate.gate.programs.django_classifier.relations import (
    concrete,
    has_no_table,
    referring,
    table_of,
)

# Of an expression that is the same for each row, PostgreSQL needs no new copy of the table.
STABLE = ("Now", "TransactionNow", "Pi")
# What keeps readers out while it works, and the operations that do so for a moment.
EXCLUSIVE = ("unique", "check", "NOT NULL", "rewrite", "ForeignKey")
ALTERING = ("AddField", "RemoveField", "RenameField", "AlterModelTable", "RemoveConstraint")
BLOCKING_SQL = re.compile(
    r"(?i)\b(?:create\s+(?:unique\s+)?index(?!\s+concurrently)|alter\s+table|lock\s+table|update|"
    r"delete\s+from|vacuum\s+full|cluster|reindex)\b[^;]*"
)


class Blocking:
    """Finds what one migration blocks. In a transaction each lock is held until its end."""

    def __init__(self, is_atomic: bool) -> None:
        self.is_atomic = is_atomic
        self.altered: set[str] = set()  # tables that nobody else can read until that end

    def find(
        self, operation: Any, app: str, state: Any, known: Known
    ) -> Iterator[tuple[str, str, bool]]:
        """Why each table is blocked, and whether reads are too. `state` is that before."""
        names = [one.__name__ for one in type(operation).__mro__ if one.__module__[:7] == "django."]
        name = names[0] if names else ""
        if name == "SeparateDatabaseAndState":
            for inner, then in inner_steps(operation, app, state):
                yield from self.find(inner, app, then, known)
            return
        if name == "RunSQL":
            for statement in BLOCKING_SQL.findall(str(operation.sql)):
                words = {word.lower() for word in re.findall(r"\w+", statement)}
                yield from (("sql", table, False) for table in known.large if table in words)
            return
        if name not in BLOCKS and name not in ALTERING:
            return
        model = (app, str(getattr(operation, "model_name", None) or operation.name).lower())
        if model not in state.models or model in known.created:
            return
        if has_no_table(state.models[model].options, model):
            return
        own = table_of(model, state)
        keeps_locks = self.is_atomic and known.connection.features.can_rollback_ddl
        if keeps_locks and name in ALTERING:
            self.altered.add(own)
        find = BLOCKS.get(name)
        for why, where in find(operation, model, state, known.connection) if find else ():
            table = where or own
            yield why, table, why in EXCLUSIVE or table in self.altered


def added_field(operation: Any, _: Any, __: Any, db: Any) -> Iterator[tuple[str, str]]:
    field, is_postgresql = operation.field, db.vendor == "postgresql"
    if field.many_to_many:
        return
    if is_postgresql:
        is_volatile = has_default(field) and hasattr(constant(field), "resolve_expression")
        if type(constant(field)).__name__ in STABLE:
            is_volatile = False
        is_counter = field.get_internal_type().endswith("AutoField")
        if is_volatile or is_counter or getattr(field, "generated", False):
            yield "rewrite", ""
        elif not field.remote_field and bound(operation.name, field).db_check(db):
            yield "check", ""
        if field.unique:
            yield "unique", ""
        elif field.db_index:
            yield "index", ""
    elif getattr(field, "db_persist", False) or (field.remote_field and field.db_constraint):
        yield "copy", ""


def altered_field(operation: Any, model: Any, state: Any, db: Any) -> Iterator[tuple[str, str]]:
    name, old, new = operation.name, state.models[model].fields[operation.name], operation.field
    if old.many_to_many or new.many_to_many:
        return
    is_postgresql = db.vendor == "postgresql"
    was, now = (column(name, one, model, state, db) for one in (old, new))
    if is_rewritten(was, now, db):
        what = "rewrite" if is_postgresql else "copy"
        yield what, ""
        if new.primary_key:
            for table in referring(model, state):
                yield what, table
    if now["check"] and was["check"] != now["check"]:
        yield ("check" if is_postgresql else "copy"), ""
    is_held = [bool(one.remote_field and one.db_constraint) for one in (old, new)]
    if is_held[1] and (not is_held[0] or is_altered(old, new)):
        # A constraint that is there is dropped, and comes back.
        what = ("ForeignKey" if is_held[0] else "reference") if is_postgresql else "copy"
        yield what, ""
        if is_postgresql:
            yield what, table_of(resolve_relation(new.remote_field.model, *model), state)
    if not is_postgresql:
        return
    if old.null and not new.null:
        yield "NOT NULL", ""
    if new.unique > old.unique:
        yield "unique", ""
    elif new.db_index > old.db_index:
        yield "index", ""


def is_altered(old: Any, new: Any) -> bool:
    """Whether Django changes the column: not for what only its own code looks at."""
    told = [one.deconstruct() for one in (old, new)]
    for _, _, _, options in told:
        for name in old.non_db_attrs:
            options.pop(name, None)
    return bool(told[0][1:] != told[1][1:])


def column(name: str, field: Any, model: Any, state: Any, db: Any) -> dict[str, Any]:
    """The type, the check and the collation of the column; that of a key for what refers to it."""
    to = field.remote_field
    if not to:
        found: dict[str, Any] = bound(name, field).db_parameters(db)
        return found
    key = concrete(resolve_relation(to.model, *model), state)
    fields = state.models[key].fields if key in state.models else {}
    keys = [
        one
        for label, one in fields.items()
        if (label == to.field_name if to.field_name else one.primary_key)
    ]
    kind = bound("id", keys[0]).rel_db_type(db) if keys and not keys[0].remote_field else None
    return {"type": kind, "check": None}


def is_rewritten(before: dict[str, Any], after: dict[str, Any], db: Any) -> bool:
    """Whether the server copies the whole table for the new type."""
    was, now = str(before["type"]), str(after["type"])
    if (was, before.get("collation")) == (now, after.get("collation")) or "None" in (was, now):
        return False
    texts = [TEXT.fullmatch(one) for one in (was, now)]
    if all(texts):
        sizes = [float(one[1] or "inf") for one in texts if one]
        # MySQL stores the length of up to 255 bytes, 63 characters, in one byte.
        kinds = [(size > 63) + (size == float("inf")) for size in sizes]
        return sizes[0] > sizes[1] or (db.vendor != "postgresql" and kinds[0] != kinds[1])
    digits = [DIGITS.fullmatch(one) for one in (was, now)]
    if all(digits) and db.vendor == "postgresql":
        (most, scale), (more, finer) = ((one[1], one[2]) for one in digits if one)
        return not (more is None or (scale == finer and int(most or 10**6) <= int(more)))
    return True


def added_index(_: Any, __: Any, ___: Any, db: Any) -> Iterator[tuple[str, str]]:
    if db.vendor == "postgresql":  # MySQL and MariaDB let others write meanwhile
        yield "index", ""


def added_constraint(operation: Any, _: Any, __: Any, db: Any) -> Iterator[tuple[str, str]]:
    constraint = operation.constraint
    if type(constraint).__name__ == "CheckConstraint":
        yield ("check" if db.vendor == "postgresql" else "copy"), ""
    elif db.vendor == "postgresql":
        parts = ("condition", "expressions", "include", "opclasses")
        is_index = any(getattr(constraint, part, None) for part in parts)
        yield ("index" if is_index else "unique"), ""


def added_sets(operation: Any, model: Any, state: Any, db: Any) -> Iterator[tuple[str, str]]:
    was = state.models[model].options.get(operation.option_name) or ()
    if db.vendor == "postgresql" and set(map(tuple, operation.option_value or ())) - set(
        map(tuple, was)
    ):
        yield ("unique" if "unique" in operation.option_name else "index"), ""


BLOCKS: dict[str, Any] = {
    "AddField": added_field,
    "AlterField": altered_field,
    "AddIndex": added_index,
    "AddConstraint": added_constraint,
    "AlterUniqueTogether": added_sets,
    "AlterIndexTogether": added_sets,
}
