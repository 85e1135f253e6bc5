"""The operations of a migration, as the plan lists them."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from typing import Any, Sequence

from django.db.migrations import Migration  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.compatibility import DJANGOS, classify, is_filled, worst


def describe(
    step: Any, state: Any, created: set[Any], existing: Sequence[str], /
) -> dict[str, Any]:
    """The migration for an event; `irreversible` says what of it cannot be reversed."""
    migration, is_backwards = step
    app, operations, irreversible = migration.app_label, [], "undo" if is_backwards else ""
    own = {type(migration).apply, type(migration).unapply} - {Migration.apply, Migration.unapply}
    if own:
        operations.append(["unknown", irreversible := "Migration.apply"])
    for operation in migration.operations:
        what = [getattr(operation, key, None) for key in ("model_name", "old_name", "name")]
        label, kind = "contract", type(operation).__name__
        if is_backwards:
            kind = "undo " + kind
        else:
            try:
                label, why = classify(operation, app, state, created, existing)
                if not is_reversible(operation, app, state):
                    irreversible = irreversible or kind
                kind += why
                operation.state_forwards(app, state)
            except Exception:  # noqa: BLE001 - the app's own operations
                label, irreversible = "unknown", irreversible or kind
        name = ".".join(one for one in what if isinstance(one, str))
        operations.append([label, f"{kind} {name}".strip()])
    return {
        "name": f"{app}.{migration.name}",
        "class": worst(label for label, _ in operations),
        "atomic": migration.atomic is True,
        "operations": operations,
        "irreversible": irreversible,
    }


def is_reversible(operation: Any, app: str, state: Any, /) -> bool:
    """Whether Django can reverse it, and no column comes back without a value for its rows."""
    kind = type(operation)
    if not kind.__module__.startswith(DJANGOS) or not operation.reversible:
        return False
    if kind.__name__ == "RemoveField":
        field = state.models[app, operation.model_name_lower].fields[operation.name]
        return field.null or field.blank or field.has_default() or is_filled(field)
    inner = getattr(operation, "database_operations", ())
    return all(is_reversible(one, app, state) for one in inner)
