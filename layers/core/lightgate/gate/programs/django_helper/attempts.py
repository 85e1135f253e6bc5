"""The attempts to migrate, in a table beside the app's own."""

# ruff: noqa: S608 - the names in our SQL are our own

from __future__ import annotations

import calendar
import json
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import Error, transaction  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.database import fingerprint
from lightgate.gate.programs.django_helper.errors import StaysShut, error_text, read_trouble
from lightgate.gate.programs.django_helper.leftovers import (
    columns_of,
    find_changes,
    find_leftovers,
    models_on_record,
)
from lightgate.gate.programs.django_helper.sessions import Sessions
from lightgate.gate.programs.django_helper.sql import CREATE_TABLE, TABLE
from lightgate.gate.programs.django_helper.times import utc
from lightgate.gate.programs.django_helper.unplanned import find_strays

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.database import Database
    from lightgate.gate.programs.django_helper.plan import Plan


class Attempts:
    """Of each release and container the table has the newest attempt."""

    def __init__(self, database: Database) -> None:
        self.database, self.db = database, database.db
        self.sessions = Sessions(database)
        self.attempt: dict[str, Any] = {}
        self.before: list[list[str]] | None = None  # the schema when the attempt began

    def read(self) -> list[dict[str, Any]] | None:
        """All attempts, the newest last; None if the table has another shape."""
        sql = f"SELECT release_id, container, state, detail FROM {TABLE}"
        try:
            rows = self.database.patiently(
                lambda: self.database.rows(sql) if self.has_table() else []
            )
            found = [dict(json.loads(row[3]), who=row[:2], state=row[2]) for row in rows]
        except StaysShut:
            raise
        except Exception:
            if not self.db.is_usable():
                raise
            return None
        return sorted(found, key=lambda one: str(one.get("at")))

    def find(self) -> dict[str, Any] | None:
        ours = (one for one in self.read() or [] if tuple(one["who"]) == self.database.who)
        return next(ours, None)

    def is_unfinished(self) -> bool:
        """Whether the last attempt of an earlier release ran `migrate`, and did not succeed.

        A later release does not count: the live version must open while it migrates.
        """
        release, container = self.database.who
        is_last_done = True
        for one in self.read() or []:
            # One of a rollback has no plan.
            if one["who"][1] == container and one["who"][0] < release and "plan" in one:
                is_last_done = one["state"] == "succeeded" or not one.get("ran", True)
        return not is_last_done

    def restored(self) -> dict[str, Any] | None:
        """The only attempt of the release that is reversed, if it has recorded what there was."""
        release = self.database.config["restores"]
        found = [one for one in self.read() or [] if one["who"][0] == release and "plan" in one]
        is_known = [(one["state"], bool(one.get("schema"))) for one in found] == [
            ("succeeded", True)
        ]
        return found[0] if is_known else None

    def classes(self) -> dict[str, str]:
        """The class of each migration when it was last to be applied, as far as it is recorded."""
        found: dict[str, str] = {}
        for one in self.read() or []:
            found.update(one.get("classes", {}))
        return found

    def half_applied(self) -> list[str]:
        """The attempts since the code's release that may have left a migration half applied."""
        attempts, now = self.read(), self.schema()
        if attempts is None:
            return ["the record of earlier attempts cannot be read"]
        found = []
        for number, one in enumerate(attempts):
            at, release = str(one.get("at")), one["who"][0]
            is_whole = one["state"] == "succeeded" or one.get("atomic", one.get("again"))
            is_later = re.sub("[-:]", "", at).lower() > self.database.config["code"]
            if is_whole or one.get("database") == "unchanged" or not is_later:
                continue
            # It is repaired if the schema equals that before it. Changed rows do not show.
            labels = set(one.get("classes", {}).values())
            schemas = [now, *(later.get("schema") for later in attempts[number + 1 :])]
            is_same = one.get("schema") is not None and one["schema"] in schemas
            if not (labels and labels <= {"compatible", "restricted", "breaking"} and is_same):
                what = one.get("migration") or "a migration"
                found.append(f"{what} may be half applied since {at} (release {release})")
        return found

    def record_start(self, plan: Plan, found: dict[str, Any] | None, is_named: bool) -> bool:
        """Record that an attempt begins, and return whether that could be recorded."""
        self.before = self.database.schema()
        self.attempt = {
            "at": utc(),
            "tries": (found["tries"] if found else 0) + 1,
            "plan": plan.hash,
            # With those that an earlier attempt of the same release has applied.
            "classes": {**(found or {}).get("classes", {}), **plan.classes},
            "atomic": plan.is_atomic,
            # Whether it may be repeated if it does not end.
            "again": plan.is_atomic and is_named,
            "applied": plan.applied,
            "schema": fingerprint(self.before),
            "sessions": self.sessions.known,
        }
        if found and found["state"] == "started":
            self.attempt.update({key: found[key] for key in ("applied", "schema")})
        try:
            self.record("started")
        except Error as error:
            why = f"the attempt cannot be recorded: {error_text(error)}"
            self.database.go_on_without("record", why, read_trouble(error))
            return False
        return True

    def notice(self, rows: list[Any]) -> None:
        """Put the command's sessions on record, for a gate that finds them without us."""
        if self.sessions.notice(rows):
            with suppress(Error):
                self.record("started")

    def strays(self, plan: Plan, after: Plan) -> list[str]:
        """What has changed in the app's own tables against the migrations on record."""
        with suppress(Exception):  # the app's own migrations and models
            models = models_on_record(self.db, after)
            changes = find_changes(self.before, self.database.schema(), columns_of(models))
            return find_strays(changes, plan, models)
        return []

    def record_end(
        self, plan: Plan, after: Plan, end: dict[str, Any], is_good: bool, /
    ) -> dict[str, Any]:
        """Record the end; return what is left in the database, and whether it could be recorded."""
        state = self.compare(plan, after, end["began"]) if end["ran"] else "unchanged"
        result: dict[str, Any] = {"database": state, "recorded": True}
        if state == "part-way" and not plan.is_atomic and not is_good:
            is_first = after.applied == self.attempt["applied"]
            left = find_leftovers(self.db, self.before, self.database.schema(), is_first, after)
            result["leftovers"] = left[:15]
        self.attempt.update(end, quiet=not self.busy(self.attempt), **result)
        try:
            self.record("succeeded" if is_good else "failed")
        except Error:
            result["recorded"] = False
        return result

    def record_rollback(self, plan: Plan) -> None:
        self.attempt = {"at": utc(), "ahead": plan.ahead}
        with suppress(Error):  # the gate opens without the right to write, too
            self.record("succeeded")

    def record_loading(self, error: str) -> bool:
        """Record that loading the app has changed the database: no second start would show it."""
        self.attempt = {"at": utc(), "error": error, "database": "part-way"}
        try:
            self.record("failed")
        except Error:
            return False
        return True

    def record(self, state: str) -> None:
        self.database.patiently(lambda: self.write(state))

    def write(self, state: str) -> None:
        rows, who = self.database.rows, self.database.who
        if not self.has_table():
            rows(CREATE_TABLE)
        with transaction.atomic(using=self.database.alias):
            rows(f"DELETE FROM {TABLE} WHERE release_id = %s AND container = %s", who)
            values = [*who, state, json.dumps(self.attempt)]
            rows(f"INSERT INTO {TABLE} VALUES (%s, %s, %s, %s)", values)

    def has_table(self) -> bool:
        with self.db.cursor() as cursor:
            return TABLE in self.db.introspection.table_names(cursor)

    # What the commands of an attempt have left

    def newest(self) -> dict[str, Any] | None:
        """Only its sessions can be left: each attempt begins after those of the one before."""
        return next((one for one in reversed(self.read() or []) if "tries" in one), None)

    def busy(self, attempt: dict[str, Any] | None, since: float = 0) -> list[dict[str, Any]]:
        """The sessions of our commands: the lock may be free while one of them still migrates.

        `since` is how many seconds ago nothing more of the attempt could begin. If its sessions are
        not known, it may be a statement of the same user that has begun in its time.
        """
        found = self.database.busy()
        if not attempt or attempt.get("state") == "succeeded":
            return found
        known = attempt.get("sessions")
        name = ("lightgate:%s:%s" % tuple(attempt.get("who", self.database.who)))[:63]
        is_unsure = self.db.vendor == "mysql" and not known and not attempt.get("quiet")
        age = time.time() - calendar.timegm(time.strptime(attempt["at"], "%Y-%m-%dT%H:%M:%SZ"))
        for row in self.sessions.read() if known or is_unsure else []:
            if [str(row[0]), row[3]] in (known or []):
                found.append({"pid": row[0], "application": name, "seconds": row[2]})
            elif is_unsure and row[7] and not row[5] and since < row[2] <= age + 2:
                found.append({"pid": row[0], "application": row[1], "seconds": row[2]})
        return found

    def schema(self) -> str | None:
        return fingerprint(self.database.schema())

    def is_untouched(self, after: Plan) -> bool:
        """Whether neither the schema nor the record of migrations shows anything of the attempt."""
        attempt = self.attempt
        is_known = after.migrations is not None and attempt["schema"] is not None
        return is_known and self.is_as_before(attempt, after)

    def is_as_before(self, attempt: dict[str, Any], after: Plan) -> bool:
        """Whether schema and record are as they were when the attempt began."""
        return bool(after.applied == attempt["applied"] and self.schema() == attempt["schema"])

    def compare(self, before: Plan, after: Plan, has_begun: bool) -> str:
        """The state that is left. `unchanged` needs proof, and MySQL commits DDL by itself.

        Proved is a plan that the server undoes as a whole, a first migration whose changes would
        show in the schema, and a command that has not come to its first migration, since Django
        prints each one before it begins it.
        """
        if before.migrations is None or after.migrations is None:
            return "not known"
        is_same = after.applied == self.attempt["applied"]
        if not is_same or self.schema() != self.attempt["schema"]:
            return "part-way"
        is_proved = before.is_atomic or (before.is_shown and not has_begun)
        is_proved = is_proved or (before.shows and self.is_untouched(after))
        return "unchanged" if is_proved and not self.busy(self.attempt) else "not known"
