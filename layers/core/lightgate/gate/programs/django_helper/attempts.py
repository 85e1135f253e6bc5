"""The attempts to migrate, in a table beside the app's own."""

# ruff: noqa: S608 - the names in our SQL are our own

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import Error, transaction  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.errors import error_text
from lightgate.gate.programs.django_helper.sql import CREATE_TABLE, TABLE
from lightgate.gate.programs.django_helper.times import utc

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.database import Database
    from lightgate.gate.programs.django_helper.plan import Plan


class Attempts:
    """Of each release and container the table has the newest attempt."""

    def __init__(self, database: Database) -> None:
        self.database, self.db = database, database.db
        self.attempt: dict[str, Any] = {}

    def find(self) -> dict[str, Any] | None:
        try:
            if not self.has_table():
                return None
            sql = f"SELECT state, detail FROM {TABLE} WHERE release_id = %s AND container = %s"
            for state, detail in self.database.rows(sql, self.database.who):
                return {**json.loads(detail), "state": state}
        except Error:
            if not self.db.is_usable():
                raise
        return None

    def is_unfinished(self) -> bool:
        """Whether the last attempt of an earlier release ran `migrate`, and did not succeed.

        A later release does not count: the live version must open while it migrates.
        """
        last: list[Any] = ["", "succeeded", False]
        try:
            sql = f"SELECT state, detail FROM {TABLE} WHERE release_id < %s AND container = %s"
            for state, detail in self.database.rows(sql, self.database.who):
                one = json.loads(detail)
                if "plan" in one:  # not that of a rollback
                    last = max(last, [one["at"], state, one.get("ran", True)])
        except Exception:  # noqa: BLE001 - no table, or one of another shape
            return False
        return bool(last[1] != "succeeded" and last[2])

    def classes(self) -> dict[str, str]:
        """The class of each migration when it was last to be applied, as far as it is recorded."""
        found: dict[str, str] = {}
        try:
            rows = self.database.rows(f"SELECT detail FROM {TABLE}")
            attempts = [json.loads(row[0]) for row in rows]
            for one in sorted(attempts, key=lambda one: str(one.get("at"))):
                found.update(one.get("classes", {}))
        except Exception:  # noqa: BLE001 - no table, or one of another shape
            return {}
        return found

    def record_start(self, plan: Plan, found: dict[str, Any] | None, is_named: bool) -> bool:
        """Record that an attempt begins, and return whether that could be recorded."""
        self.attempt = {
            "at": utc(),
            "tries": (found["tries"] if found else 0) + 1,
            "plan": plan.hash,
            # With those that an earlier attempt of the same release has applied.
            "classes": {**(found or {}).get("classes", {}), **plan.classes},
            # Whether it may be repeated if it does not end.
            "again": plan.is_atomic and is_named,
            "applied": plan.applied,
            "schema": self.database.schema(),
        }
        if found and found["state"] == "started":
            self.attempt.update({key: found[key] for key in ("applied", "schema")})
        try:
            self.record("started")
        except Error as error:
            why = f"the attempt cannot be recorded: {error_text(error)}"
            self.database.go_on_without("record", why)
            return False
        return True

    def record_end(
        self, plan: Plan, after: Plan, end: dict[str, Any], is_good: bool, /
    ) -> tuple[str, bool]:
        """Record the end; return the state of the database, and whether that could be recorded."""
        state = self.compare(plan, after, end["began"]) if end["ran"] else "unchanged"
        self.attempt.update(end, database=state)
        try:
            self.record("succeeded" if is_good else "failed")
        except Error:
            return state, False
        return state, True

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

    def compare(self, before: Plan, after: Plan, has_begun: bool) -> str:
        """The state that is left. `unchanged` needs proof, and MySQL commits DDL by itself.

        Proved is a plan that the server undoes as a whole, and a command that has not come to its
        first migration, since Django prints each one before it begins it.
        """
        schema = self.database.schema()
        if before.migrations is None or after.migrations is None:
            return "not known"
        if after.applied != self.attempt["applied"] or schema != self.attempt["schema"]:
            return "part-way"
        is_undone = before.is_atomic and self.db.features.can_rollback_ddl
        is_proved = is_undone or (before.is_shown and not has_begun)
        return "unchanged" if is_proved and not self.database.busy() else "not known"
