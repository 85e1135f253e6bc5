"""Whether the database may refuse a row of old code because of a new index."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import re
from typing import Any

from django.db.models import F  # type: ignore[import-untyped]

# In bytes: an entry of PostgreSQL's B-tree has at most 2704 with its header.
LONGEST_KEY = 2690
# The types whose values are not longer than their digits or characters say, or always short.
SHORT = re.compile(
    r"varchar\((\d+)\)|numeric\((\d+), \d+\)|(small|big)?(int(eger)?|serial)|boolean|date|time|"
    "timestamp with time zone|interval|double precision|uuid|inet|(int.|date|ts|tstz)range"
)
# The kinds of index that keep no value, or only pieces of it, with the types and operators.
PIECES = re.compile(
    "(Hash|Bloom|SpGist)Index|GinIndex (jsonb|tsvector|.*gin_trgm_ops)|"
    "GistIndex (hstore|tsvector|geometry|geography)"
)


def find_index_hazard(index: Any, fields: Any, connection: Any) -> str:
    """Why a row of old code may not get into the index."""
    kind = type(index).__name__
    names = [name for name, _ in index.fields_orders] or column_names(index.expressions)
    if not names or is_computed(index.condition):
        return "expression"
    keys = [
        entry_length(kind, find_field(name, fields), operators, connection)
        for name, operators in zip(names, index.opclasses or [""] * 99)
    ]
    rest = [key_length(find_field(name, fields), connection) for name in index.include]
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


def entry_length(kind: str, field: Any, operators: str, connection: Any) -> float:
    """The most bytes of an entry for the field in an index of this kind."""
    column = "" if field.remote_field else field.db_type(connection)
    if PIECES.match(f"{kind} {column} {operators}"):
        return 0
    if kind == "GinIndex" and hasattr(field, "base_field"):
        return entry_length(kind, field.base_field, operators, connection)
    return key_length(field, connection)


def key_length(field: Any, connection: Any) -> float:
    """The most bytes of a value. Other servers take no index whose entries may be too long."""
    if connection.vendor != "postgresql" or field.remote_field:
        return 16
    found = SHORT.fullmatch(getattr(field, "output_field", field).db_type(connection) or "")
    if not found:
        return float("inf")
    characters, digits = found[1], found[2]
    # A character has up to four bytes.
    return 4 * int(characters) + 8 if characters else int(digits or 48) // 2 + 16
