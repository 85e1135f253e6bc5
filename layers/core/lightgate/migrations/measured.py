"""What a gate has measured while it rehearsed the migrations: durations, locks, rewritten tables.

The gate samples the locks of the command's sessions. So the times are those of the samples, and a
lock that was held for less than the time between two samples may be missing.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightgate.gate.log_lines import events, plain_text

_LONGEST_NAME = 200
_MOST = 100
_MOST_SECONDS = 1e7
_MOST_ROWS = 10**18


class Waits(enum.StrEnum):
    """Which queries of the live version wait for a lock. SAME_ROWS: writes of the same rows."""

    READS_AND_WRITES = "READS_AND_WRITES"
    WRITES = "WRITES"
    SAME_ROWS = "SAME_ROWS"
    NOTHING = "NOTHING"


# PostgreSQL's modes and those of MySQL's metadata locks. Any other mode lets nothing wait.
_WAITS: Mapping[str, Waits] = {
    "AccessExclusiveLock": Waits.READS_AND_WRITES,
    "ExclusiveLock": Waits.WRITES,
    "ShareRowExclusiveLock": Waits.WRITES,
    "ShareLock": Waits.WRITES,
    "RowExclusiveLock": Waits.SAME_ROWS,
    "EXCLUSIVE": Waits.READS_AND_WRITES,
    "SHARED_NO_READ_WRITE": Waits.READS_AND_WRITES,
    "SHARED_NO_WRITE": Waits.WRITES,
    "SHARED_READ_ONLY": Waits.WRITES,
    "SHARED_WRITE": Waits.SAME_ROWS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMigration:
    """How long a migration took; None if it did not end, or if that is unknown."""

    name: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLock:
    """A lock of a table in one mode. `seconds` is the longest time without a break.

    `migration` is None if it was taken outside of every migration, or if that is unknown.
    """

    migration: str | None
    table: str
    mode: str
    seconds: float
    total_seconds: float
    times: int

    @property
    def waits(self) -> Waits:
        return _WAITS.get(self.mode, Waits.NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTable:
    """A table that was written anew, or of which rows were changed. `rows` is from before.

    None: unknown. `changed_rows` counts inserted, updated and deleted rows.
    """

    name: str
    rows: int | None
    is_rewritten: bool
    changed_rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the gate has measured. `locks` and `tables` are None if they were not measured.

    `unread` are the tables of the plan that were not read before the run, and `is_upper_bound` says
    that the plan may have needed others: a restored volume loads what is read for the first time.
    `sample_seconds` is the longest time between two samples. `omitted` counts the locks, tables
    and migrations that the event had no room for, those with the shortest times first.
    """

    migrations: tuple[MeasuredMigration, ...]
    locks: tuple[MeasuredLock, ...] | None
    tables: tuple[MeasuredTable, ...] | None
    unread: tuple[str, ...]
    is_upper_bound: bool
    sample_seconds: float | None
    omitted: int

    @property
    def longest_lock(self) -> MeasuredLock | None:
        """The lock for which reads or writes of a whole table would wait longest."""
        found = [
            one for one in self.locks or () if one.waits in (Waits.READS_AND_WRITES, Waits.WRITES)
        ]
        return max(found, key=lambda one: one.seconds, default=None)


def read_measured(release: str, container: str, lines: Iterable[str]) -> Measured | None:
    """What the gate has measured in its last run; None if it has told nothing."""
    found = None
    for event in events(release, container, lines):
        if event["event"] in ("succeeded", "failed") and isinstance(event.get("measured"), dict):
            found = _measured(event["measured"])
    return found


def _measured(told: Mapping[str, Any]) -> Measured:
    locks, tables = told.get("locks"), told.get("tables")
    return Measured(
        migrations=tuple(_migrations(told.get("migrations")))[:_MOST],
        locks=tuple(_locks(locks))[:_MOST] if isinstance(locks, list) else None,
        tables=tuple(_tables(tables))[:_MOST] if isinstance(tables, list) else None,
        unread=tuple(_names(told.get("unread")))[:_MOST],
        is_upper_bound=told.get("upperBound") is not False,
        sample_seconds=_seconds(told.get("sampleSeconds")),
        omitted=_count(told.get("omitted")) or 0,
    )


def _migrations(told: object) -> Iterator[MeasuredMigration]:
    for one in told if isinstance(told, list) else []:
        match one:
            case [str(name), seconds] if name:
                yield MeasuredMigration(name=_name(name), seconds=_seconds(seconds))


def _locks(told: list[Any]) -> Iterator[MeasuredLock]:
    for one in told:
        match one:
            case [migration, str(table), str(mode), longest, total, int(times)] if table and mode:
                seconds, whole = _seconds(longest), _seconds(total)
                if seconds is not None and whole is not None:
                    yield MeasuredLock(
                        migration=plain_text(migration, _LONGEST_NAME),
                        table=_name(table),
                        mode=_name(mode),
                        seconds=seconds,
                        total_seconds=whole,
                        times=_count(times) or 1,
                    )


def _tables(told: list[Any]) -> Iterator[MeasuredTable]:
    for one in told:
        match one:
            case [str(name), rows, bool(is_rewritten), changed] if name:
                yield MeasuredTable(
                    name=_name(name),
                    rows=_count(rows),
                    is_rewritten=is_rewritten,
                    changed_rows=_count(changed),
                )


def _names(told: object) -> Iterator[str]:
    for one in told if isinstance(told, list) else []:
        if name := plain_text(one, _LONGEST_NAME):
            yield name


def _name(text: str) -> str:
    return plain_text(text, _LONGEST_NAME) or ""


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _MOST_SECONDS else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST_ROWS else None
