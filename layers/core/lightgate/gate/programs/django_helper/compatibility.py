"""What each operation of a migration means for the release that still serves."""

# ruff: noqa: ANN401, SIM905 - Django has no types; a split text is shorter than a list

from __future__ import annotations

from typing import Any, Sequence

from django.db.migrations.utils import resolve_relation  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.defaults import has_default, is_filled, takes_default
from lightgate.gate.programs.django_helper.indexes import (
    LIMITED,
    LONGEST_KEY,
    column_length,
    find_index_hazard,
    key_length,
    kinds_of,
)

# The classes. `additive`: the release that still serves can go on reading and writing. `data`: rows
# change. `contract`: that release may break; without an index or with a new constraint old queries
# may time out and old writes be refused. `unknown` is never taken for safe.
# Only Django's own operations are known. Those that are not listed here count as `contract`. A
# subclass may do anything.
ORDER = ["additive", "data", "contract", "unknown"]
DJANGOS = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
ADDITIVE = (
    "CreateModel AddIndex AddIndexConcurrently RenameIndex AlterModelOptions AlterModelManagers "
    "AlterModelTableComment AlterConstraint ValidateConstraint CreateCollation"
).split()
# Arguments of a field that do not change the column.
UNSEEN = (
    "blank choices help_text verbose_name default validators error_messages editable related_name "
    "related_query_name on_delete limit_choices_to db_comment auto_now auto_now_add upload_to "
    "storage max_length"
).split()
WIDER = [
    ("CharField", "TextField"),
    ("SmallIntegerField", "IntegerField"),
    ("IntegerField", "BigIntegerField"),
    ("AutoField", "BigAutoField"),
]


def classify(
    operation: Any, app: str, state: Any, created: set[Any], existing: Sequence[str], /
) -> tuple[str, str]:
    """Its class, and what of it may break old code where its name does not say so.

    `created` are the models whose tables this very plan creates, which the release that serves
    does not know. An unmanaged model, or one whose table exists already, is not among them.
    """
    kind = type(operation)
    name = kind.__name__ if kind.__module__.startswith(DJANGOS) else ""
    subjects = (getattr(operation, key, None) for key in ("model_name", "old_name", "name"))
    model = (app, str(next((s for s in subjects if s), "")).lower())
    if name == "SeparateDatabaseAndState":
        state, created, found = state.clone(), set(created), [("additive", "")]
        for inner in operation.database_operations:
            found.append(classify(inner, app, state, created, existing))
            inner.state_forwards(app, state)
        return max(found, key=lambda one: ORDER.index(one[0]))
    if name == "RunPython":
        return "data", ""
    if name == "CreateModel":
        created.discard(model)
        table = (operation.options.get("db_table") or "%s_%s" % model).lower()
        if not operation.options.get("managed", True) or operation.options.get("proxy"):
            return "additive", ""  # whose table is another model's
        if table not in existing and '"' not in table and len(table) < 60:
            created.add(model)
    if name == "RenameModel" and model in created:
        created.add((app, operation.new_name.lower()))
    is_safe, why = model in created, ""
    if name == "AddField":
        if not is_safe and has_default(operation.field) and not takes_default(operation.field):
            return "contract", "db_default"
        is_safe = is_safe or adds_safely(operation.field)
    elif name == "AlterField":
        is_safe = is_safe or widens(state.models[model].fields[operation.name], operation.field)
    elif name in ADDITIVE or name.endswith("Extension"):
        is_safe = True
    elif name in ("", "RunSQL"):
        return "unknown", ""
    if is_safe:
        why = find_hazard(operation, model, state, created)
    return "additive" if is_safe and not why else "contract", why


def find_hazard(operation: Any, model: tuple[str, str], state: Any, created: set[Any], /) -> str:
    """What of an operation that looks safe makes a write of old code fail."""
    field: Any = getattr(operation, "field", None)
    index = getattr(operation, "index", None)
    if model in created:
        fields = [one for _, one in getattr(operation, "fields", ())] or [field]
        return "ForeignKey" if any(refers(one, model, created) for one in fields) else ""
    if index:
        return find_index_hazard(index, state.models[model].fields)
    if type(operation).__name__ == "AlterField":
        old = state.models[model].fields[operation.name]
        deletes = [getattr(one.remote_field, "on_delete", None) for one in (old, field)]
        if deletes[0] is not deletes[1] and any(hasattr(one, "on_delete_sql") for one in deletes):
            return "on_delete"
        if field.db_index > old.db_index and key_length(field) > LONGEST_KEY:
            return "unbounded"
        return "NULL" if field.null and not old.null else ""
    if getattr(field, "generated", False):
        return "GeneratedField"
    return "ForeignKey" if refers(field, model, created) else ""


def refers(field: Any, model: tuple[str, str], created: set[Any], /) -> bool:
    """Whether the database keeps old code from deleting rows that new rows refer to."""
    to = getattr(field, "remote_field", None)
    if not to or (field.many_to_many and to.through):
        return False
    holds = getattr(to if field.many_to_many else field, "db_constraint", False)
    deletes: Any = getattr(to, "on_delete", None)
    if hasattr(deletes, "on_delete_sql"):
        holds = holds and deletes.__name__ == "DB_SET_DEFAULT"
    ends = {resolve_relation(to.model, *model), *([model] if field.many_to_many else [])}
    return holds and not ends <= created


def adds_safely(field: Any) -> bool:
    """Whether old code can still insert rows. Django leaves no `default` on the new column."""
    return (field.null or is_filled(field)) and not field.unique


def widens(old: Any, new: Any) -> bool:
    """Whether the column still takes every value that it took before."""
    kinds = (type(old), type(new))
    if not all(kind.__module__.startswith("django.db.models.") for kind in kinds):
        return False
    if kinds[0] is not kinds[1] and tuple(kind.__name__ for kind in kinds) not in WIDER:
        return False
    was, now = old.deconstruct()[3], new.deconstruct()[3]
    for key in {*was, *now} - set(UNSEEN):
        is_relaxed = key in ("null", "db_index") and now.get(key) not in (None, False)
        if key == "db_default" and key in now:  # old code that knows no default gives every value
            is_relaxed = key not in was or (has_default(new) and takes_default(new))
        if was.get(key) != now.get(key) and not is_relaxed:
            return False
    return not kinds_of(new) & LIMITED or column_length(old) <= column_length(new)


def worst(labels: Any) -> str:
    return max(labels, key=ORDER.index, default=ORDER[0])
