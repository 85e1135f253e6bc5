"""What blocks the command while it runs."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.django_helper.database import pids
from lightgate.gate.programs.django_helper.sql import MY_ROW_LOCKS, MY_SUSPECTS

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.attempts import Attempts
    from lightgate.gate.programs.django_helper.database import Database

DDL = re.compile(r"\s*(ALTER|CREATE|DROP|RENAME)\b", re.I)


class Watch:
    """Each look reports who blocks a session of the command, if that has changed."""

    def __init__(self, database: Database, attempts: Attempts, is_named: bool) -> None:
        self.database, self.attempts, self.is_named = database, attempts, is_named
        self.fields: dict[str, Any] = {"holder": []}  # of the last report
        self.blocked: Any = None  # what was last found, to tell news
        self.waiting: list[str] = []  # our sessions that wait, on MySQL, and since when
        self.since = monotonic()

    def look(self) -> None:
        rows = [] if self.is_named else self.attempts.sessions.read()
        self.attempts.notice(rows)
        is_mysql = self.database.db.vendor == "mysql"
        fields = (
            self.find_on_mysql(rows) if is_mysql else {"holder": self.database.sessions("blockers")}
        )
        blocked = [self.waiting, *map(pids, fields.values())]
        if any(blocked) and blocked != self.blocked:
            self.blocked, self.fields = blocked, fields
            self.report()

    def report(self, **more: Any) -> None:  # noqa: ANN401
        fields = {"for": ["database lock"], **self.fields, **more}
        self.database.channel.emit("waiting", **fields)

    def find_on_mysql(self, rows: list[Any]) -> dict[str, list[dict[str, Any]]]:
        known = self.attempts.sessions.known
        waits = [
            row
            for row in rows
            if row[6] and ([str(row[0]), row[3]] in known if known else DDL.match(row[7] or ""))
        ]
        ids = [str(row[0]) for row in waits]
        if ids != self.waiting:
            self.since, self.waiting = monotonic(), ids
        if not waits:
            slow = [str(row[0]) for row in rows if [str(row[0]), row[3]] in known and row[2]]
            return {"holder": self.database.first_of(MY_ROW_LOCKS, slow)} if slow else {}
        holder = self.database.holders_of(re.findall(r"\w+", waits[0][7] or "-") or [""], ids)
        return {
            "holder": holder,
            "suspects": [] if holder else self.database.others(MY_SUSPECTS, ids),
        }
