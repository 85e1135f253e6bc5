"""Whether the database itself fills a column that old code leaves out."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError  # type: ignore[import-untyped]
from django.db.models import NOT_PROVIDED, JSONField, Value  # type: ignore[import-untyped]

# Expressions that have a value whatever the row is.
ALWAYS = ("Now", "Pi", "Random", "RandomUUID", "TransactionNow", "UUID4", "UUID7")


def has_default(field: Any) -> bool:
    """Whether the column has a default that is not NULL."""
    value = constant(field)
    return value is not NOT_PROVIDED and value is not None


def constant(field: Any) -> Any:
    default = getattr(field, "db_default", NOT_PROVIDED)
    return default.value if type(default) is Value else default


def is_filled(field: Any) -> bool:
    """Whether each row that comes without a value gets one."""
    is_given = has_default(field) and takes_default(field)
    return is_given or field.many_to_many or getattr(field, "generated", False)


def takes_default(field: Any) -> bool:
    """Whether the column is certain to take its default, as its own check sees it."""
    value, kind, given = constant(field), type(field), field.db_default
    if isinstance(field, JSONField) and type(given) is Value:
        return isinstance(given._output_field_or_none, JSONField)  # others are no JSON
    if hasattr(value, "resolve_expression"):
        if type(value).__name__ not in ALWAYS or not type(value).__module__.startswith("django."):
            return False
        made = value.output_field
        return bool(isinstance(field, type(made)) or isinstance(made, kind))
    if field.remote_field:
        return not field.db_constraint  # the row that it refers to may not be there
    if not kind.__module__.startswith("django.db.models."):
        # The items of an array or a range have checks of their own.
        return kind.__module__.startswith("django.contrib.postgres.") and not value
    _, _, arguments, options = field.deconstruct()
    options.pop("validators", None)  # those of the app are no check of the column
    twin = kind(*arguments, **options)
    try:
        value = twin.to_python(value)
        for check in twin.validators:
            if check not in twin.default_validators:
                check(value)
    except ValidationError:
        return False
    return bool(value != "" or twin.empty_strings_allowed)  # otherwise Django makes it NULL
