"""The database that is migrated, through the app's own connection."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, Iterator, Sequence

from django.conf import settings  # type: ignore[import-untyped]
from django.db import Error, connections, transaction  # type: ignore[import-untyped]
from django.db.backends.signals import connection_created  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.channel import BEAT
from lightgate.gate.programs.django_helper.errors import (
    PASSING,
    StaysShut,
    error_text,
    read_refusal,
    read_trouble,
)
from lightgate.gate.programs.django_helper.sql import (
    ENGINES,
    MY_SESSION,
    MY_TABLE_LOCKS,
    OPEN,
    OUR_TABLES,
    TABLE,
)
from lightgate.gate.programs.django_helper.times import since

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.channel import Channel

# A query of ours waits for a lock so long, and is then tried again. MySQL's own limits are days.
LIMITS = {"lock_timeout": "2s", "statement_timeout": "30s"}
MY_LIMITS = (
    "SET SESSION lock_wait_timeout = 2, innodb_lock_wait_timeout = 2, wait_timeout = 28800, %s"
)
# The table of attempts may have another shape, and is only compared.
LOOKED_AT = {"django_migrations": "app, name", TABLE: "*"}


class Database:
    def __init__(self, channel: Channel, config: dict[str, Any], db: Any) -> None:
        self.channel, self.config, self.db, self.alias = channel, config, db, db.alias
        self.who = (config["release"], config["container"])
        # A pool's connections would outlive what is set for them.
        options = self.db.settings_dict["OPTIONS"]
        options.pop("pool", None)
        if self.db.vendor in ("postgresql", "mysql"):
            options.setdefault("connect_timeout", 5)
        self.engine: dict[str, str] = ENGINES.get(self.db.vendor, {})
        connection_created.connect(set_limits, weak=False)

    def connect(self) -> None:
        """Wait until the database answers."""
        began, reported = monotonic(), ""
        while True:
            try:
                self.db.ensure_connection()
                self.db.set_autocommit(True)
                break
            except Exception as error:
                reason, why = read_refusal(error)
                self.db.close()
                if type(error).__name__ == "ImproperlyConfigured":
                    raise StaysShut("settings", why) from error
            if reason != reported:
                reported = reason
                self.channel.emit("database", state="down", reason=reason, error=why)
            # Waiting mends no password or name, unless the database is still being set up.
            limit = self.config["databaseTimeoutSeconds"]
            is_set_up = reason in ("not allowed", "no such database")
            if monotonic() - began > (limit / 6 if is_set_up else limit):
                raise StaysShut("database", why, detail=reason)
            self.channel.receive(BEAT)
        if reported:
            self.channel.emit("database", state="up", seconds=since(began))

    def patiently(self, work: Callable[[], Any]) -> Any:
        """Do what queries tables of ours. While another session has locked them, report who.

        `work` is done again after passing trouble, so it may be done twice.
        """
        began = monotonic()
        reported: list[dict[str, Any]] | None = None
        while True:
            try:
                with self.limited():
                    return work()
            except Error as error:
                trouble, why = read_trouble(error), error_text(error)
                is_lost = trouble is None and not self.db.is_usable()
                limit = self.config["waitSeconds"] if trouble == "lock timeout" else 60
                if not (trouble in PASSING or is_lost) or (
                    limit is not None and since(began) > limit
                ):
                    if trouble != "lock timeout":
                        raise
                    late = f"a query of the gate was blocked for {round(since(began))} s: {why}"
                    holder = reported or []
                    raise StaysShut("lock", late, detail="not free", holder=holder) from error
            if is_lost or trouble == "connection lost":
                self.db.close()
                self.connect()
            elif trouble == "lock timeout":
                holder = self.holders_of(OUR_TABLES)
                if reported is None or pids(holder) != pids(reported):
                    reported = holder
                    fields = {"for": ["database lock"], "why": why, "holder": holder}
                    self.channel.emit("waiting", **fields)
            self.channel.receive(BEAT)

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Limit how long a query may wait. In a transaction, so that no pooler keeps the limits."""
        self.db.ensure_connection()
        self.db.set_autocommit(True)
        if self.db.vendor != "postgresql":
            yield
            return
        is_shared = getattr(connections._connections, self.alias, None) is self.db
        with transaction.atomic(using=self.alias) if is_shared else self.reading():
            for item in LIMITS.items():
                self.rows("SELECT set_config(%s, %s, true)", item)
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction of a connection that Django does not list."""
        self.db.set_autocommit(False)
        try:
            yield
        finally:
            self.db.rollback()
            self.db.set_autocommit(True)

    def rows(self, sql: str, values: Any = None, connection: Any = None, /) -> list[Any]:
        with (connection or self.db).cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    def sessions(self, which: str) -> list[dict[str, Any]]:
        """The sessions that are in the way. PostgreSQL hides the age of other roles' sessions."""
        sql = self.engine.get(which)
        return shown(self.rows(sql)) if sql else []

    def open_transactions(self, tables: set[str], seconds: int) -> list[dict[str, Any]]:
        """Those that have been open for so long and may keep a migration of these tables waiting.

        On MySQL, of any tables.
        """
        keys = ("pid", "application", "seconds", "tables", "query")
        names: Any = sorted(tables) if self.db.vendor == "postgresql" else "any"
        with suppress(Error):
            if self.db.vendor in OPEN:
                found = self.rows(OPEN[self.db.vendor], [seconds, names])
                return [dict(zip(keys, row)) for row in found]
        return []

    def busy(self) -> list[dict[str, Any]]:
        """The sessions of our commands, by their name on PostgreSQL.

        A pooler keeps connections whose client has gone, with the name of the last client.
        """
        is_pooled = False
        if self.db.vendor == "postgresql":
            pid = self.rows("SELECT pg_backend_pid()")[0][0]
            is_pooled = pid != self.db.connection.info.backend_pid
        return self.sessions("busy in a pool" if is_pooled else "busy")

    def holders_of(self, tables: Sequence[str], but: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The sessions that hold locks of these tables, as far as the server shows them."""
        if self.db.vendor == "mysql":
            return self.first_of(MY_TABLE_LOCKS, tables, but)
        with suppress(Error):
            return self.sessions("locked tables")
        return []

    def first_of(
        self, sources: Sequence[str], values: Sequence[str], but: Sequence[str] = (), /
    ) -> list[dict[str, Any]]:
        """The sessions by the first source that shows any for these values."""
        names = ", ".join(["%s"] * len(values))
        found = (self.others(f"{source} IN ({names})", but, values) for source in sources)
        return next(filter(None, found), [])

    def others(
        self, source: str, but: Sequence[str], values: Sequence[str] = (), /
    ) -> list[dict[str, Any]]:
        """The sessions but these on a MySQL server that do not wait themselves."""
        numbers = ", ".join(["connection_id()", *but])
        rest = f" AND p.id NOT IN ({numbers}) AND coalesce(p.state, '') NOT LIKE %s"
        with suppress(Error):
            return shown(self.rows(f"{MY_SESSION}{source}{rest}", [*values, "Waiting for %"]))
        return []

    def schema(self) -> list[list[str]] | None:
        """What the schema consists of; None if we cannot read it from this kind of database.

        A table of a cache is none of it: createcachetable makes it without a migration.
        """
        sql = self.engine.get("schema")
        if not sql:
            return None
        found = self.patiently(lambda: self.rows(sql))
        ours = [*OUR_TABLES, *(one.get("LOCATION") for one in settings.CACHES.values())]
        return sorted(
            [str(one) for one in row]
            for row in found
            if row[1].rpartition(".")[2].strip('"') not in ours
        )

    def look(self) -> tuple[set[Any], str | None, list[Any]]:
        """The migrations on record, the schema, and the attempts of gates."""
        recorded, attempts = self.patiently(self.read_records)
        return recorded, fingerprint(self.schema()), attempts

    def read_records(self) -> tuple[set[Any], list[str]]:
        with self.db.cursor() as cursor:
            tables = self.db.introspection.table_names(cursor)
        queries = ((name, what) for name, what in LOOKED_AT.items() if name in tables)
        found = {name: self.rows(f"SELECT {what} FROM {name}") for name, what in queries}  # noqa: S608
        recorded = {".".join(row) for row in found.get("django_migrations", [])}
        return recorded, sorted(map(str, found.get(TABLE, [])))

    def go_on_without(self, cause: str, why: str, trouble: str | None = None) -> str:
        if self.config["requireLock"]:
            more = {"detail": trouble} if trouble else {}
            raise StaysShut(cause, f"{why}; requireLock forbids to go on", **more)
        return why


def fingerprint(schema: list[list[str]] | None) -> str | None:
    return None if schema is None else hashlib.sha256(json.dumps(schema).encode()).hexdigest()[:32]


def shown(rows: list[Any]) -> list[dict[str, Any]]:
    return [{"pid": pid, "application": who, "seconds": s} for pid, who, s in rows[:10]]


def pids(sessions: list[dict[str, Any]]) -> list[int]:
    return [one["pid"] for one in sessions]


def set_limits(connection: Any, **_: Any) -> None:
    """Limit how long a new connection of ours to MySQL waits: by default it is for days."""
    if connection.vendor == "mysql":
        with suppress(Error), connection.cursor() as cursor:
            name = "max_statement_time" if connection.mysql_is_mariadb else "max_execution_time"
            cursor.execute(MY_LIMITS % f"{name} = {30 if connection.mysql_is_mariadb else 30000}")
