"""What each operation of a migration means for the release that still serves."""

# ruff: noqa: ANN401, SIM905 - Django has no types; a split text is shorter than a list

from __future__ import annotations

from typing import Any, Iterable, Sequence

from django.db.migrations import RunPython  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.columns import (
    BREAKING,
    PLAIN,
    RESTRICTED,
    bound,
    differences,
)
from lightgate.gate.programs.django_helper.defaults import has_default, is_filled, takes_default
from lightgate.gate.programs.django_helper.indexes import LONGEST_KEY, find_index_hazard, key_length
from lightgate.gate.programs.django_helper.relations import (
    column_of,
    has_no_table,
    held,
    is_ambiguous,
    is_joined,
    new_fields,
    parents,
    table_of,
)

# `compatible`: the release that still serves can go on reading and writing. `restricted`: it works
# but for the statements that are named. `data`: rows change. `breaking`: its usual reads or writes
# fail, or rely on what the database promises no more. `unknown` is never taken for safe.
# Only Django's own operations are known. A subclass may do anything.
ORDER = ["compatible", RESTRICTED, "data", BREAKING, "unknown"]
DJANGOS = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
SILENT = (
    "RenameIndex AlterModelOptions AlterModelManagers AlterModelTableComment AlterConstraint "
    "ValidateConstraint CreateCollation"
).split()
# They add types, functions and operators of their own, and change no others.
EXTENSIONS = (
    "bloom btree_gin btree_gist citext cube fuzzystrmatch hstore ltree pg_trgm pgcrypto unaccent "
    "uuid-ossp"
).split()
Finding = tuple[str, str, list[str]]
COMPATIBLE: Finding = ("compatible", "", [])


class Known:
    """What there is before the plan, and `created`: the models whose tables old code cannot know.

    `declared` is what the spec says of migrations that cannot be read.

    An unmanaged model, or one whose table exists already, is not among them.
    """

    def __init__(
        self,
        connection: Any,
        tables: Iterable[str] = (),
        extensions: Iterable[str] = (),
        declared: dict[str, str] | None = None,
    ) -> None:
        self.declared = declared or {}
        self.connection, self.extensions = connection, set(extensions)
        self.tables = {name.lower() for name in tables}
        self.created: set[Any] = set()


def classify(operation: Any, app: str, state: Any, known: Known, /) -> Finding:
    """Its class, what decides it where its name does not say so, and the statements named by it.

    Each statement is `DELETE table`, or another of the four.
    """
    kind = type(operation)
    name = kind.__name__ if kind.__module__.startswith(DJANGOS) else ""
    subjects = (getattr(operation, key, None) for key in ("model_name", "old_name", "name"))
    model = (app, str(next((s for s in subjects if s), "")).lower())
    if name == "SeparateDatabaseAndState":
        state, created, found = state.clone(), known.created, [COMPATIBLE]
        known.created = set(created)
        for inner in operation.database_operations:
            found.append(classify(inner, app, state, known))
            inner.state_forwards(app, state)
        known.created = created
        return most(found)
    if name == "RunPython":
        return COMPATIBLE if operation.code is RunPython.noop else ("data", "", [])
    if name == "RunSQL":
        return COMPATIBLE if operation.sql == operation.noop else ("unknown", "", [])
    if name.endswith("Extension"):
        is_known = operation.name in (*EXTENSIONS, *known.extensions)
        return COMPATIBLE if is_known else ("unknown", "extension", [])
    if not name:
        return "unknown", "", []
    if name in SILENT:
        return COMPATIBLE
    if name == "CreateModel":
        return create(operation, model, state, known)
    options = state.models[model].options if model in state.models else {}
    if has_no_table(options, "%s.%s" % model):
        return COMPATIBLE
    if model in known.created:
        if name == "RenameModel":
            known.created.add((app, operation.new_name.lower()))
        field = getattr(operation, "field", None)
        statements = held(field, model, state, known.created)
        return (RESTRICTED, "ForeignKey", statements) if statements else COMPATIBLE
    judge = JUDGES.get(name.replace("Concurrently", ""))
    return judge(operation, model, state, known) if judge else (BREAKING, "", [])


def most(found: list[Finding], /) -> Finding:
    """The worst, with the statements of all."""
    label, why, _ = max(found, key=lambda one: ORDER.index(one[0]))
    return label, why, sorted({s for one in found for s in one[2]}) if label == RESTRICTED else []


def create(operation: Any, model: Any, state: Any, known: Known, /) -> Finding:
    known.created.discard(model)
    options = operation.options
    if has_no_table(options, "%s.%s" % model):
        return COMPATIBLE
    table = (options.get("db_table") or "%s_%s" % model).lower()
    if table in known.tables or '"' in table or len(table) >= 60:
        return COMPATIBLE  # the database refuses it, or somebody else has made it
    known.created.add(model)
    found = [held(field, model, state, known.created) for field in new_fields(operation)]
    for parent in parents(operation, model):
        if parent not in known.created:
            found.append(["DELETE " + table_of(parent, state)])
    statements = sorted({one for each in found for one in each})
    return (RESTRICTED, "ForeignKey", statements) if statements else COMPATIBLE


def judge_add_field(operation: Any, model: Any, state: Any, known: Known, /) -> Finding:
    field, name = operation.field, operation.name
    found = [COMPATIBLE]
    statements = held(field, model, state, known.created)
    if statements:
        found.append((RESTRICTED, "ForeignKey", statements))
    if field.many_to_many:
        return most(found)
    if getattr(field, "generated", False):
        return BREAKING, "GeneratedField", []
    if has_default(field) and (not takes_default(field) or field.unique):
        return BREAKING, "db_default", []
    if not (field.null or is_filled(field)) or field.primary_key:
        return BREAKING, "", []
    if not field.remote_field:
        one = bound(name, field).db_parameters(known.connection)
        if one["type"] is None:
            return COMPATIBLE
        if one["check"] and not is_django(field, "db_check"):
            return BREAKING, "check", []
        if not PLAIN.fullmatch(one["type"]):
            return "unknown", "type", []
    if is_ambiguous(column_of(name, field), model, state, known.created):
        found.append((RESTRICTED, "ambiguous", ["SELECT " + table_of(model, state)]))
    return most(found)


def is_django(field: Any, method: str, /) -> bool:
    """Whether the method of the field is one of Django's."""
    owner = next(one for one in type(field).__mro__ if method in one.__dict__)
    return owner.__module__.startswith("django.")


def judge_alter_field(operation: Any, model: Any, state: Any, known: Known, /) -> Finding:
    name, old, new = operation.name, state.models[model].fields[operation.name], operation.field
    return most([COMPATIBLE, *differences(name, old, new, model, state, known.connection)])


def judge_remove_field(operation: Any, model: Any, state: Any, known: Known, /) -> Finding:
    field = state.models[model].fields[operation.name]
    if field.many_to_many:
        return COMPATIBLE if field.remote_field.through else (BREAKING, "", [])
    has_column = (
        field.remote_field or bound(operation.name, field).db_parameters(known.connection)["type"]
    )
    return (BREAKING, "", []) if has_column else COMPATIBLE


def judge_rename_field(operation: Any, model: Any, state: Any, _: Known, /) -> Finding:
    field = state.models[model].fields[operation.old_name]
    names = operation.old_name, operation.new_name
    if field.many_to_many:
        is_same = bool(field.remote_field.through or field.db_table)
    else:
        is_same = column_of(names[0], field) == column_of(names[1], field)
    return COMPATIBLE if is_same else (BREAKING, "", [])


def judge_rename_model(_: Any, model: Any, state: Any, __: Known, /) -> Finding:
    has_table = bool(state.models[model].options.get("db_table"))
    return COMPATIBLE if has_table and not is_joined(model, state) else (BREAKING, "", [])


def judge_alter_model_table(operation: Any, model: Any, state: Any, _: Known, /) -> Finding:
    new = operation.table or "%s_%s" % model
    return COMPATIBLE if new == table_of(model, state) else (BREAKING, "", [])


def judge_alter_unique_together(operation: Any, model: Any, state: Any, _: Known, /) -> Finding:
    return COMPATIBLE if sets(operation, model, state) == (set(), set()) else (BREAKING, "", [])


def judge_alter_index_together(operation: Any, model: Any, state: Any, _: Known, /) -> Finding:
    added, removed = sets(operation, model, state)
    fields, table = state.models[model].fields, table_of(model, state)
    found = [COMPATIBLE]
    if any(sum(key_length(fields[name]) for name in one) > LONGEST_KEY for one in added):
        found.append((RESTRICTED, "unbounded", ["INSERT " + table, "UPDATE " + table]))
    if removed:
        found.append((RESTRICTED, "slow", ["SELECT " + table]))
    return most(found)


def sets(operation: Any, model: Any, state: Any, /) -> tuple[set[Any], set[Any]]:
    """The sets of fields that the option gets, and those that it loses."""
    now = set(map(tuple, operation.option_value or ()))
    was = set(map(tuple, state.models[model].options.get(operation.option_name) or ()))
    return now - was, was - now


def judge_alter_order_with_respect_to(
    operation: Any, model: Any, state: Any, _: Known, /
) -> Finding:
    now, was = operation.order_with_respect_to, state.models[model].options.get
    return COMPATIBLE if bool(now) == bool(was("order_with_respect_to")) else (BREAKING, "", [])


def judge_add_index(operation: Any, model: Any, state: Any, _: Known, /) -> Finding:
    why = find_index_hazard(operation.index, state.models[model].fields)
    table = table_of(model, state)
    return (RESTRICTED, why, ["INSERT " + table, "UPDATE " + table]) if why else COMPATIBLE


def judge_remove_index(_: Any, model: Any, state: Any, __: Known, /) -> Finding:
    return RESTRICTED, "slow", ["SELECT " + table_of(model, state)]


def judge_remove_constraint(operation: Any, model: Any, state: Any, _: Known, /) -> Finding:
    constraints: Sequence[Any] = state.models[model].options.get("constraints", [])
    names = {one.name: type(one).__name__ for one in constraints}
    if names.get(operation.name) in ("CheckConstraint", "ExclusionConstraint"):
        return RESTRICTED, "free", ["SELECT " + table_of(model, state)]
    return BREAKING, "", []


def worst(labels: Any) -> str:
    return max(labels, key=ORDER.index, default=ORDER[0])


JUDGES: dict[str, Any] = {
    "AddField": judge_add_field,
    "AlterField": judge_alter_field,
    "RemoveField": judge_remove_field,
    "RenameField": judge_rename_field,
    "RenameModel": judge_rename_model,
    "AlterModelTable": judge_alter_model_table,
    "AlterUniqueTogether": judge_alter_unique_together,
    "AlterIndexTogether": judge_alter_index_together,
    "AlterOrderWithRespectTo": judge_alter_order_with_respect_to,
    "AddIndex": judge_add_index,
    "RemoveIndex": judge_remove_index,
    "RemoveConstraint": judge_remove_constraint,
}
