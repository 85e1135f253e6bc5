"""The operations of a migration, as the plan lists them."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Iterator

from django.db.migrations import Migration  # type: ignore[import-untyped]
from django.db.migrations.utils import resolve_relation  # type: ignore[import-untyped]

from lightgate.gate.programs.django_classifier.blocking import Blocking
from lightgate.gate.programs.django_classifier.compatibility import (
    DJANGOS,
    Known,
    classify,
    inner_steps,
)
from lightgate.gate.programs.django_classifier.declared import read_declaration
from lightgate.gate.programs.django_classifier.defaults import is_filled
from lightgate.gate.programs.django_classifier.relations import table_of
from lightgate.gate.programs.django_helper.classes import worst
from lightgate.gate.programs.django_helper.errors import error_text

# A statement of which nothing is done, or something that the schema shows.
DDL = re.compile(
    r"(?is)\s*(alter\s+table\s+\S+\s+(add|drop|modify|change|rename)|create\s+(unique\s+)?index"
    r"|(create|drop)\s+table|drop\s+index)\b((?!\bpartition)[^;])*;?\s*"
)


def describe(step: Any, state: Any, known: Known, /) -> dict[str, Any]:
    """The migration for an event; `irreversible` says what of it cannot be reversed.

    `shows` says that whatever it changes shows in the schema, and `single` that all of it is one
    transaction, also on a server that commits DDL at once.

    Each operation has its class, its kind and its model or field. Three more follow if one of them
    is not empty: what decided its class, the error that kept it from being judged, and the
    statements of old code that it restricts. `blocking` are the large tables that an operation
    blocks: the operation, why, whether reads too, the table, its rows and bytes. `tables` are those
    that the operations name and that are there before them. `named` has also those after them.
    `loose` are those of operations that may change the database in another way than the models.
    """
    migration, is_backwards = step
    blocks, blocking = Blocking(migration.atomic), []
    tables: set[str] = set()
    after: set[str] = set()
    loose: set[str] = set()
    app, operations, irreversible = migration.app_label, [], "undo" if is_backwards else ""
    declared, named, reason = read_declaration(migration, known.declared)
    own = {type(migration).apply, type(migration).unapply} - {Migration.apply, Migration.unapply}
    if own:
        operations.append([declared or "unknown", irreversible := "Migration.apply"])
    shows, is_atomic = not (own or is_backwards), migration.atomic is True and not own
    known.is_atomic = migration.atomic
    single = shows and len(migration.operations) == 1 and is_single(migration)
    for operation in migration.operations:
        label, kind = "breaking", type(operation).__name__
        why, problem = "", ""
        statements: list[str] = []
        if not is_backwards:
            # An operation that cannot be judged is unknown, and the ones after it are judged.
            try:
                label, why, statements = classify(operation, app, state, known)
                shows = shows and not is_hidden(operation, app, state)
                statement = str(getattr(operation, "sql", ""))
                is_atomic = is_atomic and not re.search(r"(?i)\bcommit\b", statement)
            except Exception as error:  # noqa: BLE001 - the app's own operations and arguments
                label, problem, is_atomic = "unknown", error_text(error)[:200], False
                why, statements = "", []
            with suppress(Exception):  # whatever it is, its class says that it is unknown
                tables.update(named_tables(operation, app, state))
                told = f"{kind} {name_of(operation)}".strip()
                for what, table, reads in sorted(set(blocks.find(operation, app, state, known))):
                    if table in known.large:
                        blocking.append([told, what, reads, table, *known.large[table]])
            try:
                is_lasting = not is_reversible(operation, app, state)
                operation.state_forwards(app, state)
            except Exception as error:  # noqa: BLE001
                label, is_lasting, problem = "unknown", True, problem or error_text(error)[:200]
            irreversible = irreversible or (kind if is_lasting else "")
            with suppress(Exception):
                after.update(named_tables(operation, app, state))
                for inner in getattr(operation, "database_operations", ()):
                    loose.update(named_tables(inner, app, state))
        is_shown = kind == "RunSQL" and DDL.fullmatch(str(operation.sql))
        shows = shows and bool(is_shown or label in ("compatible", "restricted", "breaking"))
        if declared and label in ("data", "unknown") and not problem:
            label, why, statements = declared, "declared", named
        more: list[Any] = [why, problem] if why or problem else []
        more += [statements] if statements else []
        operations.append([label, kind, name_of(operation), *more])
    return {
        **({"reversed": True} if is_backwards else {}),
        **({"declared": [declared, reason]} if reason else {}),
        "name": f"{app}.{migration.name}",
        "class": worst(one[0] for one in operations),
        "atomic": is_atomic,
        "shows": shows,
        "single": single,
        "operations": operations,
        "irreversible": irreversible,
        "blocking": blocking,
        "tables": sorted(tables),
        "named": sorted(tables | after),
        "loose": sorted(loose),
    }


def is_single(migration: Any) -> bool:
    """Whether its only operation is one transaction, also outside that of the migration."""
    operation = migration.operations[0]
    if type(operation).__name__ == "RunSQL":
        return bool(re.fullmatch(r"(?i)\s*(insert|update|delete)\b[^;]*;?\s*", str(operation.sql)))
    own = getattr(operation, "atomic", None)
    return own or (migration.atomic and own is not False)


def is_hidden(operation: Any, app: str, state: Any, /) -> bool:
    """Whether it changes what the schema does not show, such as rows that it fills."""
    name = type(operation).__name__
    if name == "SeparateDatabaseAndState":
        return any(
            is_hidden(inner, app, then) for inner, then in inner_steps(operation, app, state)
        )
    if name != "AlterField":
        return name.endswith(("Extension", "Collation"))
    old = state.models[app, operation.model_name_lower].fields[operation.name]
    return old.null and not operation.field.null


def named_tables(operation: Any, app: str, state: Any, /) -> Iterator[str]:
    """The tables of the models that the operation names, if the state has them."""
    for name in ("database_operations", "state_operations"):
        for inner in getattr(operation, name, ()):
            yield from named_tables(inner, app, state)
    subject = getattr(operation, "model_name", getattr(operation, "name", None))
    to = getattr(getattr(operation, "field", None), "remote_field", None)
    names = (subject, getattr(operation, "new_name", None))
    models = [
        *((app, str(name).lower()) for name in names),
        *([resolve_relation(to.model, app)] if to else []),
    ]
    for model in models:
        if model in state.models:
            yield table_of(model, state)


def name_of(operation: Any) -> str:
    """The model or the field that the operation names."""
    try:
        found = [getattr(operation, key, None) for key in ("model_name", "old_name", "name")]
    except Exception:  # noqa: BLE001 - they may be properties of the app's
        return ""
    return ".".join(str(one) for one in found if isinstance(one, str))


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
