"""The database that is migrated, through the app's own connection."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from django.db import connections  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.channel import BEAT
from lightgate.gate.programs.django_helper.errors import StaysShut, read_refusal
from lightgate.gate.programs.django_helper.sql import ENGINES, FINGERPRINT, TABLE
from lightgate.gate.programs.django_helper.times import since

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.channel import Channel

LOOKED_AT = {"django_migrations": "app, name", TABLE: "release_id, container, state, detail"}


class Database:
    def __init__(self, channel: Channel, config: dict[str, Any], arguments: Any) -> None:
        self.channel, self.config = channel, config
        self.who = (config["release"], config["container"])
        self.alias = getattr(arguments, "database", None) or config["database"]
        self.db = connections[self.alias]
        # A pool's connections would outlive what is set for them.
        options = self.db.settings_dict["OPTIONS"]
        options.pop("pool", None)
        if self.db.vendor in ("postgresql", "mysql"):
            options.setdefault("connect_timeout", 5)
        self.engine: dict[str, str] = ENGINES.get(self.db.vendor, {})

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
            if monotonic() - began > (limit if reason == "unreachable" else limit / 6):
                raise StaysShut("database", why, detail=reason)
            self.channel.receive(BEAT)
        if reported:
            self.channel.emit("database", state="up", seconds=since(began))

    def rows(self, sql: str, values: Any = None, connection: Any = None, /) -> list[Any]:
        with (connection or self.db).cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    def sessions(self, which: str) -> list[dict[str, Any]]:
        """The sessions that are in the way. PostgreSQL hides the age of other roles' sessions."""
        sql = self.engine.get(which)
        found = self.rows(sql) if sql else []
        return [{"pid": pid, "application": who, "seconds": s} for pid, who, s in found[:10]]

    def busy(self) -> list[dict[str, Any]]:
        """The sessions of our commands: the lock may be free while one of them still migrates.

        A pooler keeps connections whose client has gone, with the name of the last client.
        """
        is_pooled = False
        if self.db.vendor == "postgresql":
            pid = self.rows("SELECT pg_backend_pid()")[0][0]
            is_pooled = pid != self.db.connection.info.backend_pid
        return self.sessions("busy in a pool" if is_pooled else "busy")

    def schema(self) -> str | None:
        """A hash of PostgreSQL's schema: a migration may be committed and not yet recorded."""
        return str(self.rows(FINGERPRINT)[0][0]) if "blockers" in self.engine else None

    def look(self) -> tuple[set[Any], str | None, list[Any]]:
        """The migrations on record, the schema, and the attempts of gates."""
        with self.db.cursor() as cursor:
            tables = self.db.introspection.table_names(cursor)
        queries = ((name, what) for name, what in LOOKED_AT.items() if name in tables)
        found = {name: self.rows(f"SELECT {what} FROM {name}") for name, what in queries}  # noqa: S608
        recorded = {".".join(row) for row in found.get("django_migrations", [])}
        return recorded, self.schema(), sorted(found.get(TABLE, []))

    def go_on_without(self, cause: str, why: str) -> str:
        if self.config["requireLock"]:
            raise StaysShut(cause, f"{why}; requireLock forbids to go on")
        return why
