"""The changes that a migration left when it failed half-way, and the SQL that undoes them."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.migrations.loader import MigrationLoader  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.plan import Plan

NO_TABLES = ("v", "m", "f", "c", "None")  # views and others; MySQL's have no engine
# In the order in which they can be undone.
KINDS = ["constraint", "invalid index", "index", "column", "table"]


def find_leftovers(
    connection: Any,
    before: list[list[str]] | None,
    now: list[list[str]] | None,
    is_first: bool,
    after: Plan,
    /,
) -> list[list[Any]]:
    """Each difference of the schema, with the SQL that undoes it or None.

    It leaves out what the migrations ask for that the attempt has applied as a whole. `is_first`:
    it has applied none. There is no SQL where it could be wrong: what was renamed must not be
    dropped, and an index may belong to a migration that was applied.
    """
    wanted = None if is_first else columns_of(models_on_record(connection, after))
    changes = find_changes(before, now, wanted)
    removed = {row[:3] for row in map(tuple, before or [])} - {tuple(r[:3]) for r in now or []}
    shrunk = {row[1] for row in removed if row[0] == "column"}
    found = []
    for what, row in changes:
        undo, kind, table = None, row[0], row[1]
        if what.startswith("added"):
            undo = undo_of(connection, row)
            if kind in ("constraint", "index"):
                undo = undo if is_first else None
            elif kind != "invalid index" and (shrunk if kind == "table" else table in shrunk):
                undo = None
        found.append([what, undo])
    return found


def find_changes(
    before: list[list[str]] | None,
    now: list[list[str]] | None,
    wanted: dict[str, set[str]] | None,
    /,
) -> list[tuple[str, Any]]:
    """Each difference of the schema, in words and as its row.

    It leaves out columns and tables that are as `wanted`.
    """
    old, new = ({tuple(row) for row in rows or []} for rows in (before, now))
    added, removed = new - old, old - new
    changed = {row[:3] for row in added} & {row[:3] for row in removed}
    tables = {row[1] for row in added ^ removed if row[0] == "table" and row[:3] not in changed}
    found: dict[Any, Any] = {}
    for row in sorted(
        added | removed, key=lambda row: KINDS.index(row[0]) if row[0] in KINDS else 9
    ):
        kind, table, name, detail = row
        place, is_added = row[:3], row in added
        what = "changed" if place in changed else "added" if is_added else "removed"
        if (kind != "table" and table in tables) or detail == "S" or place in found:
            continue
        if ("constraint", table, name.strip('"')) in found:
            continue  # the index of a constraint
        if wanted is not None and what != "changed" and kind in ("column", "table"):
            columns = wanted.get(bare(table))
            if is_added == (columns is not None if kind == "table" else name in (columns or ())):
                continue
        found[place] = " ".join([what, kind, ".".join(one for one in row[1:3] if one)]), row
    return list(found.values())


def undo_of(connection: Any, row: Any) -> str | None:
    kind, table, name, detail = row
    quote, is_mysql = connection.ops.quote_name, connection.vendor == "mysql"
    if is_mysql:
        table = quote(table)
    if kind in ("constraint", "column"):
        return f"ALTER TABLE {table} DROP {kind.upper()} {quote(name)}"
    if kind == "table":
        return None if detail in NO_TABLES else f"DROP TABLE {table}"
    return f"DROP INDEX {quote(name)} ON {table}" if is_mysql else f"DROP INDEX {name}"


def bare(table: str) -> str:
    """The name of the table without its schema and quotes."""
    return table.rpartition(".")[2].strip('"')


def models_on_record(connection: Any, after: Plan) -> list[Any]:
    """The models by the migrations that are recorded as applied."""
    ends = [tuple(name.split(".", 1)) for name in after.schema]
    apps = MigrationLoader(connection).project_state(ends).apps
    return list(apps.get_models(include_auto_created=True))


def columns_of(models: list[Any]) -> dict[str, set[str]]:
    """The columns of each of their tables."""
    return {
        model._meta.db_table: {field.column for field in model._meta.local_concrete_fields}
        for model in models
    }
