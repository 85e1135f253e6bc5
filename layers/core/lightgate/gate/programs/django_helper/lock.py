"""The lock of the database: one migration at a time, whatever node runs it. `sql` has its SQL."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from django.db import Error  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.channel import BEAT
from lightgate.gate.programs.django_helper.errors import StaysShut, error_text
from lightgate.gate.programs.django_helper.sql import KEEPALIVE, NO_TIME_LIMITS
from lightgate.gate.programs.django_helper.times import since

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.attempts import Attempts
    from lightgate.gate.programs.django_helper.database import Database


class Lock:
    def __init__(self, database: Database, attempts: Attempts) -> None:
        self.database, self.attempts = database, attempts
        self.session = database.db.copy()

    def take(self, until: float) -> dict[str, Any]:
        """Wait until the lock is ours, and no session of a former holder is left."""
        database, vendor = self.database, self.session.vendor
        if not database.engine:
            why = database.go_on_without("lock", f"none is known for {vendor}")
            return {"lock": None, "why": why}
        began, limit = monotonic(), database.config["waitSeconds"]
        is_ours, why, taken = False, "", began
        before: dict[str, Any] | None = None  # the newest attempt
        reported: list[Any] = []
        while True:
            holder: list[dict[str, Any]] = []
            try:
                if is_ours:
                    self.keep()
                elif self.try_once():
                    is_ours, taken = True, monotonic()
                    before = self.attempts.newest()
                if is_ours:
                    holder = self.attempts.busy(before, since(taken))
                else:
                    holder = database.sessions("holder")
                if is_ours and not holder:
                    return {"lock": vendor if database.engine["take"] != "SELECT 1" else None,
                            "seconds": since(began)}  # fmt: skip
            except Error as error:  # the database restarts, or a limit of the role has struck
                is_ours, why = False, error_text(error)
                self.session.close()
                database.db.close()
                database.connect()
            else:
                why = "a session of an earlier attempt" if is_ours else "held by another gate"
            is_late = monotonic() > until  # the permit counts on a begin by then
            if is_late or (limit is not None and since(began) > limit):
                late = f"not free after {round(since(began))} s: {why}"
                raise StaysShut("lock", late, detail="not free", holder=holder)
            if [why, *(one["pid"] for one in holder)] != reported:
                reported = [why, *(one["pid"] for one in holder)]
                database.channel.emit("waiting", **{"for": ["lock"], "why": why, "holder": holder})
            database.channel.receive(BEAT)

    def try_once(self) -> bool:
        """Without leaving a transaction open: gates that wait must not use up a pool."""
        session, rows = self.session, self.database.rows
        is_postgres = session.vendor == "postgresql"
        session.ensure_connection()
        session.set_autocommit(not is_postgres)
        if is_postgres:
            # A stricter level keeps a snapshot, for which CREATE INDEX CONCURRENTLY would wait.
            rows("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", None, session)
            who = "lightgate gate %s %s" % self.database.who
            settings = dict(NO_TIME_LIMITS, **KEEPALIVE, application_name=who)
            sql = "SELECT set_config(name, %s, true) FROM pg_settings WHERE name = %s"
            for name, value in settings.items():
                rows(sql, [str(value)[:63], name], session)
        if rows(self.database.engine["take"], None, session)[0][0]:
            return True
        if is_postgres:
            session.rollback()
        return False

    def keep(self) -> None:
        engine = self.database.engine
        rows = self.database.rows(engine["keep"], None, self.session) if engine else [[1]]
        if not rows[0][0]:
            raise Error("the lock was lost")

    def check(self, database: str) -> None:
        """Keep the lock. If it is lost the gate stays shut, with this state of the database."""
        try:
            self.keep()
        except Exception as error:
            raise StaysShut("lock", error_text(error), database, detail="lost") from error

    def release(self) -> None:
        if self.session.connection and self.session.is_usable():
            self.session.rollback()  # a pooler would close a connection within a transaction
        self.session.close()
