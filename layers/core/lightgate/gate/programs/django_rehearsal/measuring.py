"""Measures the command while it runs: its locks, the tables that it writes anew, its migrations."""

# ruff: noqa: ANN401 - Django has no types, and the helper comes in a text of its own

from __future__ import annotations

import json
from contextlib import suppress
from time import monotonic
from typing import Any

from django.db import Error  # type: ignore[import-untyped]

from lightgate.gate.programs.django_rehearsal.sql import (
    MY_LOCKS,
    MY_MODES,
    PG_BLOCKS,
    PG_CHUNK,
    PG_LOCKS,
    PG_TABLES,
)

PAUSE = 0.02  # seconds between two samples
CHUNK = 2048  # blocks that one query reads, which takes seconds even if they are loaded from S3
READ_LIMIT = 600  # seconds to read tables before the run if the command has no time limit
ROOM = 1500  # characters of each list in the event
CHUNKS_SINCE = 140000  # older versions of PostgreSQL read the whole table for each chunk


class Measuring:
    """Reads the tables of the plan, and then samples the locks on a connection of its own."""

    def __init__(self, helper: Any, plan: Any) -> None:
        self.helper, self.database, self.channel = helper, helper.database, helper.channel
        self.session = helper.database.db.copy()
        self.held: dict[Any, float] = {}  # the locks of the last sample, and since when
        self.locks: list[Any] = []  # those that have ended: who, table, mode, from, to
        self.sampled: float | None = None  # when
        self.gap = 0.0  # the longest time between two samples
        self.counted: dict[str, int] = {}  # the rows of each table that was read
        self.unread: list[str] = []
        # SQL and changes of rows may need tables that the plan does not name.
        self.is_upper_bound = bool(plan.operations("data", "unknown"))
        self.query, self.values = self.choose_query()
        self.read_tables(sorted(plan.tables))
        self.tables = self.look_at_tables()

    def rows(self, sql: str, values: Any = None) -> list[Any]:
        rows: list[Any] = self.database.rows(sql, values, self.session)
        return rows

    def is_postgres(self) -> bool:
        return bool(self.session.vendor == "postgresql")

    def choose_query(self) -> tuple[str, Any]:
        """The query for the locks; empty if the server does not show them."""
        if self.is_postgres():
            return PG_LOCKS, [("lightgate:%s:%s" % self.database.who)[:63]]
        for check, query in MY_LOCKS if self.session.vendor == "mysql" else ():
            with suppress(Error):
                if self.rows(check) and isinstance(self.rows(query), list):
                    return query, None
        return "", None

    # Before the run

    def read_tables(self, tables: list[str]) -> None:
        """Read each table once: a volume that was restored loads its blocks when they are read."""
        end = monotonic() + (self.database.config["waitSeconds"] or READ_LIMIT)
        for table in tables:
            with suppress(Error):
                if self.read_table(table, end):
                    continue
            self.unread.append(table)
        self.is_upper_bound = self.is_upper_bound or bool(self.unread)

    def read_table(self, table: str, end: float, /) -> bool:
        if not self.is_postgres():
            return False
        found = self.rows(PG_BLOCKS, [self.session.ops.quote_name(table)])
        if not found:
            # A table that the plan creates has nothing to read.
            return not self.rows("SELECT to_regclass(%s)", [self.session.ops.quote_name(table)])[0][
                0
            ]
        if self.session.pg_version < CHUNKS_SINCE:
            return False
        [(name, blocks)], rows = found, 0
        for first in range(0, blocks, CHUNK):
            if monotonic() > end:
                return False
            rows += self.rows(PG_CHUNK.format(name, first, first + CHUNK))[0][0]
            self.channel.receive(0.001)  # a sign of life; nothing comes before the permit
        self.counted[name] = rows
        return True

    def look_at_tables(self) -> dict[int, Any] | None:
        with suppress(Error):
            if self.is_postgres():
                return {oid: rest for oid, *rest in self.rows(PG_TABLES)}
        return None

    # During the run

    def receive(self, seconds: float) -> Any:
        """Receive a message as the channel does, and sample meanwhile."""
        end = monotonic() + seconds
        while True:
            message = self.channel.receive(PAUSE)
            self.sample()
            if message or monotonic() >= end:
                return message

    def sample(self) -> None:
        if not self.query:
            return
        try:
            found = {tuple(map(str, row)) for row in self.rows(self.query, self.values)}
        except Error:
            self.session.close()  # the next sample connects again
            return
        now = monotonic()
        self.gap, self.sampled = max(self.gap, now - (self.sampled or now)), now
        if not self.is_postgres():
            found = {one for one in found if one[3] in MY_MODES.split()}
        for lock in [one for one in self.held if one not in found]:
            self.locks.append((lock, self.held.pop(lock), now))
        for lock in found:
            self.held.setdefault(lock, now)

    # After the run

    def end(self, times: list[Any]) -> dict[str, Any]:
        """What was measured. `times`: name, begin and, if it ended, seconds of each migration."""
        self.sample()
        self.locks += [(lock, began, monotonic()) for lock, began in self.held.items()]
        known = [one[0] for one in self.helper.attempts.sessions.known]
        ours = [one for one in self.locks if one[0][0] in ("", *known)]
        is_shown = self.sampled is not None and (self.is_postgres() or known)
        after = self.look_at_tables()
        self.session.close()
        took = {name: seconds[0] if seconds else None for name, _, *seconds in times}
        migrations, fewer = fitting([list(one) for one in took.items()], 1)
        order = list(took)
        locks, less = fitting(summed(ours, times), 3)
        tables, least = fitting(self.changed(after or {}), 1)
        return {
            "migrations": sorted(migrations, key=lambda one: order.index(one[0])),
            "locks": locks if is_shown else None,
            "tables": tables if self.tables is not None and after is not None else None,
            "unread": self.unread[:10],
            "upperBound": self.is_upper_bound or not self.is_postgres(),
            "sampleSeconds": round(self.gap, 3) if self.sampled else None,
            "omitted": fewer + less + least,
        }

    def changed(self, after: dict[int, Any]) -> list[Any]:
        """The tables that are in another file now, or of which rows were changed."""
        found = []
        for oid, (name, file, rows, changes) in (self.tables or {}).items():
            if oid in after:
                is_rewritten = after[oid][1] != file
                more = None if changes is None else max(0, (after[oid][3] or 0) - changes)
                if is_rewritten or more:
                    count = self.counted.get(name, rows)
                    found.append([name.replace('"', ""), count, is_rewritten, more])
        return found


def summed(locks: list[Any], times: list[Any], /) -> list[Any]:
    """The locks of each migration, table and mode: the longest time, all times, and how often."""
    found: dict[Any, list[float]] = {}
    for (_, _, table, mode), began, ended in locks:
        key = (find_migration(began, ended, times), table.replace('"', ""), mode)
        found.setdefault(key, []).append(ended - began)
    return [
        [*key, round(max(each), 3), round(sum(each), 3), len(each)] for key, each in found.items()
    ]


def find_migration(began: float, ended: float, times: list[Any], /) -> str | None:
    """The migration that ran for most of this time, if one did."""
    best, found = 0.0, None
    for name, start, *seconds in times:
        end = start + seconds[0] if seconds else ended
        if min(end, ended) - max(start, began) > best:
            best, found = min(end, ended) - max(start, began), name
    return found


def fitting(rows: list[Any], column: int, /) -> tuple[list[Any], int]:
    """As many of the rows as there is room for, those with the most in this column first."""
    kept, room = [], ROOM
    for row in sorted(rows, key=lambda one: -(one[column] or 0)):
        room -= len(json.dumps(row)) + 2
        if room > 0:
            kept.append(row)
    return kept, len(rows) - len(kept)
