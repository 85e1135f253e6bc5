"""The tables behind models, and the rows that a new foreign key holds."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator

from django.conf import settings  # type: ignore[import-untyped]
from django.db.migrations.utils import resolve_relation  # type: ignore[import-untyped]

if TYPE_CHECKING:
    Finding = tuple[str, str, list[str]]

RESTRICTED = "restricted"
BREAKS: Finding = ("breaking", "", [])


def concrete(model: Any, state: Any, /) -> Any:
    """The model that has the table: a proxy has that of the model behind it."""
    found = state.models.get(model)
    while found and found.options.get("proxy"):
        model = next(resolve_relation(one, *model) for one in found.bases if isinstance(one, str))
        found = state.models.get(model)
    return model


def table_of(model: Any, state: Any, /) -> str:
    model = concrete(model, state)
    return table_name(state.models[model].options if model in state.models else {}, model)


def table_name(options: Any, model: Any, /) -> str:
    return str(options.get("db_table") or "%s_%s" % model)


def has_no_table(options: Any, model: Any, /) -> bool:
    """Whether Django makes no SQL for such a model."""
    swapped = getattr(settings, options.get("swappable") or "", None)
    if swapped and str(swapped).lower() != ("%s.%s" % model).lower():
        return True
    return bool(options.get("proxy")) or not options.get("managed", True)


def fields_of(model: Any, /) -> Iterator[tuple[str, Any]]:
    """The fields of a CreateModel or of a model's state, also those of its abstract bases."""
    yield from dict(model.fields).items()
    for base in model.bases:
        meta = getattr(base, "_meta", None)
        if meta:
            for field in (*meta.local_fields, *meta.local_many_to_many):
                yield field.name, field


def parents(operation: Any, model: Any, /) -> Iterator[Any]:
    """The models whose rows a new child of multi-table inheritance refers to."""
    for base in operation.bases:
        if isinstance(base, str) or (hasattr(base, "_meta") and not base._meta.abstract):
            yield resolve_relation(base, *model)


def held(field: Any, model: Any, state: Any, created: Any, /) -> Iterator[Finding]:
    """What old code cannot do any more once a new row refers to a row that it knows.

    `created` are the models whose tables old code does not know.
    """
    to = getattr(field, "remote_field", None)
    if not to or (field.many_to_many and to.through):
        return
    if not getattr(to if field.many_to_many else field, "db_constraint", False):
        return
    # The database may do something itself on a delete. That may fail as well: the rows that it
    # deletes may be held by others, and a check may refuse the NULL that it sets.
    ends = [resolve_relation(to.model, *model), *([model] if field.many_to_many else [])]
    for end in {concrete(end, state) for end in ends} - created:
        yield keeping(end, state, getattr(field, "to_fields", [None]) != [None])


def keeping(model: Any, state: Any, is_by_another: bool = False, /) -> Finding:
    """What cannot be done with a row that another one refers to by its key, or by another field.

    Nobody changes a key that Django numbers, or the link to the row of a parent.
    """
    found = state.models.get(model)
    for _, field in fields_of(found) if found else ():
        is_link = getattr(field.remote_field, "parent_link", False)
        if field.primary_key and not (is_link or "AutoField" in field.get_internal_type()):
            is_by_another = True
    tables = [table_of(model, state)]
    statements = on(tables[0], *["UPDATE"] * is_by_another)
    for table in tables:
        statements += on(table, "DELETE")
        for own, one in state.models.items():
            for _, field in fields_of(one) if table_of(own, state) == table else ():
                to = field.remote_field
                # The database deletes the row with the one that it refers to.
                if getattr(getattr(to, "on_delete", None), "__name__", "") == "DB_CASCADE":
                    other = table_of(resolve_relation(to.model, *own), state)
                    tables += [other] * (other not in tables)
    return RESTRICTED, "ForeignKey", statements


def on(table: str, *calls: str) -> list[str]:
    return [f"{call} {table}" for call in calls]


def column_of(name: str, field: Any, /) -> str:
    """The column of the field, or nothing if it has none."""
    if field.many_to_many:
        return ""
    is_key = getattr(field, "remote_field", None)
    return str(field.db_column or (name + "_id" if is_key else name))


def is_one_column(old: str, new: str, connection: Any, /) -> bool:
    """Whether the database takes both for the same name. PostgreSQL tells `Name` from `name`."""
    return old == new or (connection.vendor != "postgresql" and old.lower() == new.lower())


def is_ambiguous(column: str, model: Any, state: Any, created: Any, /) -> bool:
    """Whether a table that old code may join with the model's has a column of this name too.

    Whatever joins a child joins its parents too. SQL of old code may not quote the name, so its
    case does not count.
    """
    column = column.lower()
    names = {column, column[:-3]}  # without the `_id` of a relation
    others = [
        other
        for other, found in state.models.items()
        if other != model
        and other not in created
        # The names come first: a project has thousands of fields.
        and any(
            (name.lower() in names or field.db_column) and column_of(name, field).lower() == column
            for name, field in fields_of(found)
        )
    ]
    first, joined = root(model, state), set()
    for own in state.models if others else ():
        for pair in ({root(own, state), root(end, state)} for end in ends(own, state)):
            joined |= pair if first in pair else set()
    return any(root(other, state) in joined for other in others)


def root(model: Any, state: Any, /) -> Any:
    """The first parent of the first parent, and so on."""
    found = state.models.get(model)
    names = [base for base in found.bases if isinstance(base, str)] if found else []
    return root(resolve_relation(names[0], *model), state) if names else model


def ends(own: Any, state: Any, /) -> list[Any]:
    """The models that the model has a relation to, and its parents."""
    found = state.models[own]
    names = [one.remote_field.model for _, one in fields_of(found) if one.remote_field]
    names += [base for base in found.bases if isinstance(base, str)]
    return [resolve_relation(name, *own) for name in names]


def refers(own: Any, other: Any, state: Any, /) -> bool:
    """Whether the model has a relation to the other one, or is its child."""
    return any(concrete(end, state) == other for end in ends(own, state))


def referring(model: Any, state: Any, /) -> list[str]:
    """The tables whose columns have the type of the model's key, also by way of other keys."""
    tables, models = [], [model]
    for each in models:
        for own, found in state.models.items():
            for name, field in fields_of(found):
                if field.many_to_many and not field.remote_field.through:
                    to = resolve_relation(field.remote_field.model, *own)
                    if each in (own, concrete(to, state)):
                        tables.append(field.db_table or f"{table_of(own, state)}_{name}")
            if refers(own, each, state):
                tables.append(table_of(own, state))
                is_key = any(one.primary_key and one.remote_field for _, one in fields_of(found))
                has_parent = any(isinstance(base, str) for base in found.bases)
                models += [own] * ((is_key or has_parent) and own not in models)
    return tables


def is_referred(name: str, model: Any, state: Any, /) -> bool:
    """Whether a foreign key refers to this field, which is not the key of the model."""
    return any(
        getattr(field, "to_fields", [None])[0] == name
        and concrete(resolve_relation(field.remote_field.model, *own), state) == model
        for own, found in state.models.items()
        for _, field in fields_of(found)
    )


def is_joined(model: Any, state: Any, /) -> bool:
    """Whether a table that Django makes itself has columns named after the model."""
    made = (
        {own, resolve_relation(field.remote_field.model, *own)}
        for own, found in state.models.items()
        for _, field in fields_of(found)
        if field.many_to_many and not field.remote_field.through
    )
    return any(model in ends for ends in made)
