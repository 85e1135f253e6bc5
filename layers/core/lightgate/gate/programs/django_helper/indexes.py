"""Whether the database may refuse a row of old code because of a new index."""

# ruff: noqa: ANN401, SIM905 - Django has no types; a split text is shorter than a list

from __future__ import annotations

from typing import Any

from django.db.models import F  # type: ignore[import-untyped]

# In bytes: an entry of PostgreSQL's B-tree has at most 2704 with its header.
LONGEST_KEY = 2690
# The kinds of field whose values are always short, and those whose column has the `max_length`.
SHORT = set(
    "IntegerField BooleanField DateField TimeField DurationField FloatField UUIDField "
    "IPAddressField GenericIPAddressField ForeignKey IntegerRangeField BigIntegerRangeField "
    "DateRangeField DateTimeRangeField".split()
)
LIMITED = {"CharField", "FileField", "FilePathField"}
# The kinds of index that keep no value, or only pieces of it.
CUT = ("HashIndex", "BloomIndex", "SpGistIndex")
CUT_BY = {
    "GinIndex": {"JSONField", "SearchVectorField"},
    "GistIndex": {"HStoreField", "SearchVectorField", "BaseSpatialField"},
}


def find_index_hazard(index: Any, fields: Any) -> str:
    """Why a row of old code may not get into the index."""
    kind = type(index).__name__
    names = [name for name, _ in index.fields_orders] or column_names(index.expressions)
    if (
        not type(index).__module__.startswith("django.")
        or not names
        or is_computed(index.condition)
    ):
        return "expression"
    keys = [
        0 if kind in CUT else entry_length(kind, find_field(name, fields), operators)
        for name, operators in zip(names, index.opclasses or [""] * 99)
    ]
    rest = [key_length(find_field(name, fields)) for name in index.include]
    # GIN has an entry of its own for each column.
    return "unbounded" if (max if kind == "GinIndex" else sum)(keys + rest) > LONGEST_KEY else ""


def column_names(expressions: Any) -> list[str]:
    """The columns that the expressions are; none if one of them is more than a column."""
    bare = [getattr(one, "expression", one) for one in expressions]
    return [one.name for one in bare] if all(type(one) is F for one in bare) else []


def is_computed(condition: Any) -> bool:
    """Whether the condition does more than compare columns with values."""
    return any(
        is_computed(one)
        if hasattr(one, "children")
        else type(one) is not tuple or hasattr(one[1], "resolve_expression")
        for one in getattr(condition, "children", ())
    )


def find_field(name: str, fields: Any) -> Any:
    """The field of this name. An index may also name the column of a foreign key."""
    is_column = name not in fields and name.endswith("_id")
    return fields[name[:-3] if is_column else name]


def entry_length(kind: str, field: Any, operators: str) -> float:
    """The most bytes of an entry for the field in an index of this kind."""
    names = kinds_of(field)
    if names & CUT_BY.get(kind, set()) or (kind, operators) == ("GinIndex", "gin_trgm_ops"):
        return 0
    if kind == "GinIndex" and "ArrayField" in names:
        return entry_length(kind, field.base_field, operators)
    return key_length(field)


def key_length(field: Any) -> float:
    """The most bytes of a value."""
    field = getattr(field, "output_field", field)
    names = kinds_of(field)
    if names & SHORT:
        return 40 if any("Range" in one for one in names) else 16
    if "DecimalField" in names:
        return int(field.max_digits) // 2 + 16 if field.max_digits else float("inf")
    # A character has up to four bytes.
    is_limited = names & LIMITED and field.max_length
    return 4 * int(field.max_length) + 8 if is_limited else float("inf")


def kinds_of(field: Any) -> set[str]:
    """The names of Django's classes that choose the type of the column; none if it is the app."""
    for kind in type(field).__mro__:
        if {"db_type", "get_internal_type"} & {*kind.__dict__}:
            return {one.__name__ for one in kind.__mro__ if kind.__module__.startswith("django.")}
    return set()
