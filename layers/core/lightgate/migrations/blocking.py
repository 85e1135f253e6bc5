"""Which pending operations block a large table, and who may keep them waiting.

Both explain. The gate itself refuses a plan by `migrations.lockRisk`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightgate.gate.log_lines import plain_text

_MOST = 10
_LONGEST_NAME = 200
_LARGEST = 10**18
_NOT_VALID = (
    "AddConstraintNotValid and then, in a second migration, ValidateConstraint (both of "
    "django.contrib.postgres)"
)
_CONCURRENTLY = (
    "AddIndexConcurrently (of django.contrib.postgres) in a migration of its own with "
    "atomic = False"
)
_VALIDATE = "add the constraint with ADD CONSTRAINT ... NOT VALID and VALIDATE CONSTRAINT (RunSQL)"
_IN_STEPS = (
    "a new column with the new type: add it with null=True, fill it in batches, then release code "
    "that uses it"
)
# Why it takes long, and what to use instead.
_RULES: Mapping[str, tuple[str, str]] = {
    "index": (
        "while it builds the index",
        f"Use {_CONCURRENTLY}; a new field gets db_index=False for that.",
    ),
    "unique": (
        "while it builds the unique index",
        "Build the unique index with CREATE UNIQUE INDEX CONCURRENTLY first, then add the "
        "constraint with ADD CONSTRAINT ... UNIQUE USING INDEX (RunSQL with state_operations).",
    ),
    "check": ("while it checks all rows", f"Use {_NOT_VALID}."),
    "NOT NULL": (
        "while it searches all rows for NULL",
        f"First add a CheckConstraint that the column is not NULL with {_NOT_VALID}. PostgreSQL "
        "then needs no search.",
    ),
    "rewrite": (
        "while it writes a new copy of the table with its indexes",
        f"Use {_IN_STEPS}.",
    ),
    "ForeignKey": (
        "while it drops the constraint, adds it again and checks all references",
        f"Split the change so that the constraint stays, or use {_VALIDATE}.",
    ),
    "reference": (
        "while it checks all references",
        f"Use db_constraint=False, and {_VALIDATE}.",
    ),
    "copy": (
        "while it copies the table",
        "Run it when few people use the app, or with a tool for online schema changes.",
    ),
    "sql": (
        "for as long as its SQL runs",
        "Change rows in batches, and build indexes with CONCURRENTLY, in a migration with "
        "atomic = False.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedTable:
    """A large table whose writes an operation blocks. `why` is a code of the gate.

    `rows` and `size_bytes` are what the database has last counted.
    """

    migration: str
    operation: str
    why: str
    table: str
    rows: int
    size_bytes: int
    blocks_reads: bool

    def __str__(self) -> str:
        while_, advice = _RULES[self.why]
        blocked = "reads and writes" if self.blocks_reads else "writes"
        return (
            f"{self.migration}: {self.operation} blocks {blocked} of the table {self.table} "
            f"(about {self.rows:,} rows, {_size(self.size_bytes)}) {while_}. {advice}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """A transaction that has been open for more than a minute. `tables` may be empty."""

    pid: int
    application: str
    seconds: int
    tables: str
    query: str

    def __str__(self) -> str:
        of = f" of {self.tables}" if self.tables else ""
        last = f" Its last statement: {self.query}" if self.query else ""
        return (
            f'Session {self.pid} ("{self.application}") has a transaction open for '
            f"{self.seconds} s, whose locks{of} may keep a migration waiting, and every query "
            f"behind it.{last}"
        )


def read_blocking(event: Mapping[str, Any]) -> tuple[BlockedTable, ...]:
    """The blocked tables of a plan, those with the largest first."""
    return tuple(_blocked(event.get("blocking")))[:_MOST]


def read_transactions(event: Mapping[str, Any]) -> tuple[OpenTransaction, ...]:
    return tuple(_transactions(event.get("transactions")))[:_MOST]


def _blocked(found: object) -> Iterator[BlockedTable]:
    for one in found if isinstance(found, list) else []:
        match one:
            case [str(name), str(what), str(why), bool(reads), str(table), int(rows), int(size)]:
                if why in _RULES and 0 <= rows < _LARGEST and 0 <= size < _LARGEST:
                    yield BlockedTable(
                        migration=plain_text(name, _LONGEST_NAME) or "a migration",
                        operation=plain_text(what, _LONGEST_NAME) or "an operation",
                        why=why,
                        table=plain_text(table, _LONGEST_NAME) or "a table",
                        rows=rows,
                        size_bytes=size,
                        blocks_reads=reads,
                    )


def _transactions(found: object) -> Iterator[OpenTransaction]:
    for one in found if isinstance(found, list) else []:
        match one:
            case {"pid": int(pid), "seconds": int(seconds), **more}:
                told = {
                    key: plain_text(more.get(key), _LONGEST_NAME) or ""
                    for key in ("application", "tables", "query")
                }
                yield OpenTransaction(
                    pid=pid,
                    application=told["application"] or "no name",
                    seconds=seconds,
                    tables=told["tables"],
                    query=" ".join(told["query"].split()),
                )


def _size(size_bytes: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:,.1f} {unit}"
    return f"{size_bytes / 1000:,.0f} kB"
