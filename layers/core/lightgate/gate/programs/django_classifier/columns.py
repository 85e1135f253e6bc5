"""What the change of a column means for the release that still serves."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Iterator

from django.db.migrations.utils import resolve_relation  # type: ignore[import-untyped]
from django.db.models import NOT_PROVIDED, Index  # type: ignore[import-untyped]

from lightgate.gate.programs.django_classifier.defaults import constant, has_default, takes_default
from lightgate.gate.programs.django_classifier.indexes import (
    LONGEST_KEY,
    find_index_hazard,
    key_length,
)
from lightgate.gate.programs.django_classifier.relations import (
    BREAKS,
    RESTRICTED,
    column_of,
    concrete,
    fields_of,
    is_one_column,
    is_referred,
    on,
    referring,
    table_of,
)

if TYPE_CHECKING:
    from lightgate.gate.programs.django_classifier.relations import Finding

TEXT = re.compile(r"(?i)(?:varchar|character varying)(?:\((\d+)\))?|text|longtext")
DIGITS = re.compile(r"(?i)(?:numeric|decimal)(?:\((\d+), ?(\d+)\))?")
WHOLE = re.compile(r"(?i)(small|big)?int(?:eger)?( unsigned)?( auto_increment)?")
# A type that is nothing but a type: no default, no check, no rule.
MORE = r"(?!.*\b(as|check|default|generated|key|not|null|references|unique)\b)"
PLAIN = re.compile(MORE + r"[\w ]+(\(\d+(, ?\d+)*\))?( unsigned| auto_increment)?(\[\d*\])*", re.I)


def differences(
    name: str, old: Any, new: Any, model: Any, state: Any, connection: Any, /
) -> Iterator[Finding]:
    """What old code may meet: a class, what decides it, and the statements that may fail."""
    table = table_of(model, state)
    reads, writes = on(table, "SELECT"), on(table, "INSERT", "UPDATE")
    if old.many_to_many or new.many_to_many:
        if joined(name, old, model, state) != joined(name, new, model, state):
            yield BREAKS
        return
    if not is_one_column(column_of(name, old), column_of(name, new), connection):
        yield BREAKS[0], "renamed", []
    if old.primary_key != new.primary_key:
        yield BREAKS
    if old.deconstruct()[1:] == new.deconstruct()[1:]:
        return
    if getattr(old, "generated", False) or getattr(new, "generated", False):
        yield BREAKS[0], "GeneratedField", []
    if old.remote_field or new.remote_field:
        yield from relation_differences(old, new, model, state, reads)
    else:
        yield from type_differences(name, old, new, model, state, connection)
    if old.null != new.null:
        yield (RESTRICTED, "NULL", reads) if new.null else BREAKS
    if old.unique != new.unique:
        yield BREAKS if new.unique else (RESTRICTED, "unique", on(table, "INSERT", "SELECT"))
    elif new.db_index > old.db_index and key_length(new, connection) > LONGEST_KEY:
        yield RESTRICTED, "unbounded", writes
    elif new.db_index < old.db_index:
        yield RESTRICTED, "slow", reads
    was = getattr(old, "db_default", NOT_PROVIDED)
    # Old code that knows no default gives every value itself.
    if was is not NOT_PROVIDED and constant(old) != constant(new):
        is_taken = takes_default(new) if has_default(new) else old.null and new.null
        in_rule = new.unique or is_in_a_rule(name, new, state.models[model])
        if not is_taken or in_rule or is_in_an_index(name, new, state.models[model], connection):
            yield BREAKS[0], "db_default", []
    kinds = (type(old), type(new))
    if kinds[0] is not kinds[1] and not all(one.__module__.startswith("django.") for one in kinds):
        yield RESTRICTED, "form", reads


def is_in_a_rule(name: str, field: Any, model: Any, /) -> bool:
    """Whether what the database checks or computes for a row may depend on the column."""
    get = model.options.get
    rules = [get("constraints"), get("unique_together")]
    rules += [one for one in get("indexes", ()) if one.expressions or one.condition]
    rules += [getattr(one, "expression", None) for _, one in fields_of(model)]
    return any(word in repr(rules) for word in (name, column_of(name, field)))


def is_in_an_index(name: str, field: Any, model: Any, connection: Any, /) -> bool:
    """Whether a new value of the column may be too long for an index that there is."""
    fields = {**model.fields, name: field}
    found = [Index(fields=names, name="i") for names in model.options.get("index_together") or ()]
    found += [one for one in model.options.get("indexes") or () if one.fields]
    found += [Index(fields=[name], name="i")] * field.db_index
    return any(
        name in (*(each for each, _ in one.fields_orders), *one.include)
        and find_index_hazard(one, fields, connection)
        for one in found
    )


def joined(name: str, field: Any, model: Any, state: Any, /) -> Any:
    """What tells the table of a many-to-many field from another."""
    if not field.many_to_many:
        return None
    to = field.remote_field
    if to.through:
        return resolve_relation(to.through, *model)
    table = field.db_table or f"{table_of(model, state)}_{name}"
    return table, concrete(resolve_relation(to.model, *model), state)


def relation_differences(
    old: Any, new: Any, model: Any, state: Any, reads: list[str], /
) -> Iterator[Finding]:
    ends = []
    for one in (old, new):
        to = one.remote_field
        ends.append(
            to and (concrete(resolve_relation(to.model, *model), state), to.field_name or None)
        )
    if ends[0] != ends[1]:
        yield BREAKS[0], "target", []
        return
    deletes = [getattr(one.remote_field, "on_delete", None) for one in (old, new)]
    if deletes[0] is not deletes[1] and any(hasattr(one, "on_delete_sql") for one in deletes):
        yield BREAKS[0], "on_delete", []
    if new.db_constraint > old.db_constraint:
        yield BREAKS[0], "constrained", []
    elif new.db_constraint < old.db_constraint:
        yield RESTRICTED, "dangling", reads


def type_differences(
    name: str, old: Any, new: Any, model: Any, state: Any, connection: Any, /
) -> Iterator[Finding]:
    """By the real types of the columns, so that the app's own fields are judged as well."""
    was, now = (bound(name, one) for one in (old, new))
    before, after = was.db_parameters(connection), now.db_parameters(connection)
    table = table_of(model, state)
    if before["type"] != after["type"]:
        how = widens(str(before["type"]), str(after["type"]), connection.vendor)
        if how == "wider" or how == "digits":
            calls = ("SELECT", "INSERT", "UPDATE") if how == "wider" else ("UPDATE",)
            is_key = new.primary_key or is_referred(name, model, state)
            for one in [table, *(referring(model, state) if is_key else ())]:
                yield RESTRICTED, how, on(one, *calls)
        elif how:
            yield BREAKS[0], how, []
    if was.db_type_suffix(connection) != now.db_type_suffix(connection):
        yield BREAKS[0], "type", []
    if before.get("collation") != after.get("collation"):
        yield BREAKS[0], "collation", []
    if before["check"] != after["check"]:
        has_check = bool(after["check"])
        yield (BREAKS[0], "check", []) if has_check else (RESTRICTED, "free", on(table, "SELECT"))


def bound(name: str, field: Any, /) -> Any:
    """The field with the name of its column, which its checks and type may need."""
    one = field.clone()
    one.set_attributes_from_name(name)
    return one


def widens(was: str, now: str, vendor: str, /) -> str:
    """What may fail after the change of type; nothing if the new one takes all that the old did."""
    texts = TEXT.fullmatch(was), TEXT.fullmatch(now)
    if all(texts):
        sizes = [float(one[1] or "inf") if one else 0 for one in texts]
        return "" if sizes[0] <= sizes[1] else "type"
    digits = DIGITS.fullmatch(was), DIGITS.fullmatch(now)
    if digits[0] and digits[1] and digits[0][1]:
        (most, places), (more, finer) = (
            (float(one[1] or "inf"), float(one[2] or 0)) for one in digits if one
        )
        if places <= (finer if digits[1][1] else places) and most - places <= more - finer:
            return "" if vendor == "postgresql" else "digits"
    wholes = WHOLE.fullmatch(was), WHOLE.fullmatch(now)
    if wholes[0] and wholes[1] and wholes[0][3] == wholes[1][3]:
        sizes = [("small", None, "big").index(one[1] and one[1].lower()) for one in wholes if one]
        if sizes[0] < sizes[1] and (wholes[0][2] or not wholes[1][2]):
            return "wider"
    return "type"
