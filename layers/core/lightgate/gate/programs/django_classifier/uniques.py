"""What old code knows to be unique, so that the database refuses nothing new."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from typing import Any, Iterable

from django.db.models import UniqueConstraint  # type: ignore[import-untyped]

from lightgate.gate.programs.django_classifier.relations import column_of

# With one of these a constraint allows other rows, or there are servers that do not make it.
UNSURE = {"condition", "deferrable", "include", "nulls_distinct", "opclasses"}


def uniques(model: Any, /) -> list[set[str]]:
    """The columns of each rule that no two rows may break, whatever else they have."""
    sets = [[name] for name, field in model.fields.items() if field.unique]
    sets += model.options.get("unique_together") or ()
    sets += [one.fields for one in model.options.get("constraints") or () if is_plain(one)]
    return [columns_of(names, model.fields) for names in sets]


def columns_of(names: Iterable[str], fields: Any, /) -> set[str]:
    """The columns of the fields. A rule may also name the column of a foreign key."""
    return {column_of(name, fields[name]) if name in fields else name for name in names}


def is_plain(rule: Any, /, *allowed: str) -> Any:
    """Whether a constraint compares the values of columns, without more options than these."""
    options = rule.deconstruct()[2].keys() - allowed
    return type(rule) is UniqueConstraint and "fields" in options and not UNSURE & options


def subjects(operation: Any, app: str, /) -> list[Any]:
    """The model that the operation names, and those that a change of the state alone names."""
    names = (getattr(operation, key, "") for key in ("model_name", "old_name", "name"))
    found = [(app, str(next(filter(None, names), "")).lower())]
    for inner in getattr(operation, "state_operations", ()):
        found += subjects(inner, app)
    return found
