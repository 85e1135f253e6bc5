"""Reads an app's pending migrations inside its own `migrate` command, and holds the lock meanwhile.

The launcher starts it, in a process that is the command to the app. It looks at the database before
the app is loaded, and works once Django has found the command. The channel is a socket to the
supervisor: JSON objects, one a line, both ways. The helper sends an `event` for the log, a `beat`,
or what the supervisor has to `do`. Standard output belongs to the app, whose settings may print.
Python 3.8 and Django 4.2, and later.

If the configuration has `restores`, the command reverses what that release has applied, once: the
schema and the record have to be afterwards as they were before that release.

In a deployment that rolls back to an old release the helper applies nothing and needs no permit. It
waits until no earlier attempt is in progress, and opens the gate if the code can run on the schema
as it is now. Otherwise it reports why the code cannot.
"""

from __future__ import annotations

import builtins
import hashlib
import os
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, NoReturn
from warnings import catch_warnings, simplefilter

from django.core.exceptions import AppRegistryNotReady  # type: ignore[import-untyped]
from django.db import Error, connections  # type: ignore[import-untyped]
from django.db.backends.signals import connection_created  # type: ignore[import-untyped]

from lightgate.gate.programs.django_helper.attempts import Attempts
from lightgate.gate.programs.django_helper.channel import BEAT, Channel
from lightgate.gate.programs.django_helper.classes import ORDER, worst
from lightgate.gate.programs.django_helper.command import Command, has_own_handlers
from lightgate.gate.programs.django_helper.database import Database
from lightgate.gate.programs.django_helper.environment import choose_environment
from lightgate.gate.programs.django_helper.errors import (
    TROUBLES,
    StaysShut,
    error_text,
    listed,
    read_trouble,
)
from lightgate.gate.programs.django_helper.lock import Lock
from lightgate.gate.programs.django_helper.plan import JudgeMissing, Plan, digest, outline
from lightgate.gate.programs.django_helper.rollback_check import find_obstacles
from lightgate.gate.programs.django_helper.unplanned import CHANGED, find_unplanned
from lightgate.gate.programs.django_helper.watch import Watch

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.plan import Judge

PLAN_CHECK = 5  # seconds between two checks whether the plan that waits for its permit is outdated
OPEN_FOR = 60  # seconds after which an open transaction is reported
END_LIMIT = 10  # seconds for a database to end what a stopped command had begun


def main(socket: int, config: dict[str, Any]) -> Helper:
    """Look at the database before the app is loaded."""
    helper = Helper(Channel(socket), config)
    helper.report(helper.look_first, "settings")
    return helper


class Helper:
    """From the plan to the end of the command."""

    def __init__(self, channel: Channel, config: dict[str, Any]) -> None:
        self.channel, self.config = channel, config
        self.permitted: str | None = None  # the hash of a plan
        self.describe: Judge | None = None
        self.measuring: Any = None  # in a rehearsal what measures the command
        self.has_ended_wait = False  # of the command for a lock
        self.reported = ""  # the hash of the plan that was reported last
        self.until = monotonic() + 10**7  # the end of the permit

    def report(self, work: Callable[[], None], cause: str) -> None:
        """Do the work. If it fails the process ends, and the gate stays shut."""
        try:
            return work()
        except StaysShut as shut:
            self.channel.send(do="fail", cause=shut.cause, error=shut.error, **shut.more)
        except AppRegistryNotReady:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the gate stays shut and reports it
            cause = "database" if isinstance(error, Error) else cause
            more = {"database": "unchanged"} if cause == "settings" else {}
            if isinstance(error, Error):
                more["detail"] = read_trouble(error) or ""
            self.channel.send(do="fail", cause=cause, error=error_text(error), **more)
        os._exit(1)

    def look_first(self) -> None:
        alias = self.config["database"]
        if alias in connections:  # otherwise the command's own parser refuses it
            early = Database(self.channel, self.config, connections.create_connection(alias).copy())
            self.early, self.receivers = early, connection_created.receivers[:]
            self.before = self.look_early()

    def look_early(self) -> tuple[Any, ...]:
        """Look with a session as it was before the app was loaded, which may set a role or path."""
        usual, connection_created.receivers = connection_created.receivers, self.receivers
        try:
            with catch_warnings():
                simplefilter("ignore")  # Django warns of queries so early
                self.early.connect()
                return self.early.look()
        finally:
            self.early.db.close()
            connection_created.receivers = usual

    def take_over(self, command: Any, argv: list[str]) -> NoReturn:  # noqa: ANN401
        """Work in the place of the command."""
        self.channel.send(loaded=True)
        self.report(lambda: self.start(command, argv), "settings")
        self.report(self.work, "django")
        os._exit(0)

    def start(self, command: Any, argv: list[str]) -> None:  # noqa: ANN401
        self.command = Command(command, argv)
        alias = getattr(self.command.arguments, "database", self.config["database"])
        if alias != self.config["database"]:
            why = f"migrate uses the database {alias!r}, which its words do not name"
            raise StaysShut("arguments", f"{why}: add --database={alias}")
        self.database = Database(self.channel, self.config, connections[alias])
        self.attempts = Attempts(self.database)
        self.lock = Lock(self.database, self.attempts)

    def work(self) -> None:
        self.database.connect()
        self.check_loading()
        if self.config["restores"] and has_succeeded(self.attempts.find()):
            # A later release may have applied the migrations again, and they are its own.
            return self.open(Plan())
        if self.config["before"]:
            self.tell_state()
        plan = self.read_plan()
        self.report_plan(plan)
        if self.measuring:
            self.measuring = self.measuring(self, plan)
        found = self.attempts.find()
        if self.config["rollback"]:
            return self.open_for_rollback(plan, found)
        notes: dict[str, Any] = {}
        while not plan.is_done(found) or self.is_owed(plan, found):
            self.judge(plan, found, is_locked=bool(notes))
            if self.get_permit(plan, is_locked=bool(notes)):
                if notes:
                    return self.run(plan, found, notes)
                notes = self.lock.take(self.until)
            # Another node may have applied it meanwhile, or a part of it.
            plan = self.read_plan()
            found = self.attempts.find()
        return self.open(plan)

    def open(self, plan: Plan, **more: Any) -> None:  # noqa: ANN401
        self.lock.release()
        self.channel.send(do="open", schema=plan.schema, left=plan.found, **more)

    def tell_state(self) -> None:
        """Tell the supervisor the state of the database, and wait until it says to go on.

        Between two states another gate may have changed it, which is on record then.
        """
        recorded, schema, attempts = self.database.look()
        state = {"look": [sorted(recorded), digest(schema)], "attempts": digest(attempts)}
        old, changed = self.config["seen"], []
        if old and old["attempts"] == state["attempts"] and old["look"] != state["look"]:
            changed = sorted(recorded ^ set(old["look"][0]))[:20] or [CHANGED]
        done = has_succeeded(self.attempts.find())
        self.channel.send(do="state", done=done, changed=changed, **state)
        while not self.channel.receive(BEAT):
            pass

    def is_owed(self, plan: Plan, found: dict[str, Any] | None) -> bool:
        """Whether a command has to run though nothing is pending: once in a release."""
        return not has_succeeded(found) and (bool(self.config["then"]) or self.is_wanted(plan))

    def is_wanted(self, plan: Plan) -> bool:
        """Whether `migrate` has to run though nothing is pending.

        It may have a squash to record, or the app has handlers of its signals. If its last attempt
        failed, Django's own handlers may not have run.
        """
        has_handlers = plan.is_squashed or has_own_handlers(after=True)
        return has_handlers or self.attempts.is_unfinished()

    def open_for_rollback(self, plan: Plan, found: dict[str, Any] | None) -> None:
        """Open if the code can run on the schema, or if a person has overridden this check.

        The commands around the main one do not run either. Those of a preset are about what is
        to be applied (makemigrations --check, migrate --plan), or change rows (loaddata).
        """
        if found is None and self.database.engine:
            self.lock.take(self.until)  # nothing that is still in progress changes the schema later
        allowed = self.config["automaticRollback"]
        obstacles = find_obstacles(plan, found, self.attempts, allowed)
        if self.config["rollback"] == "unchecked":
            return self.open(plan, **({"overridden": obstacles} if obstacles else {}))
        if obstacles:
            raise StaysShut("schema", listed(obstacles))
        if found is None:
            self.attempts.record_rollback(plan)
        return self.open(plan)

    # The plan

    def check_loading(self) -> None:
        """Fail if the database has changed while the app was loaded, unless a gate did that."""
        (old, old_schema, attempts), (new, schema, now) = self.before, self.look_early()
        if (old, old_schema) == (new, schema) or attempts != now:
            return
        if not self.database.sessions("holder"):
            what = ", ".join(sorted(old ^ new)) or "its schema"
            error = f"while the app was loaded, the database has changed: {what}"[:500]
            recorded = self.attempts.record_loading(error)
            raise StaysShut("loading", error, "part-way", effect="unknown", recorded=recorded)

    def read_plan(self) -> Plan:
        plan: Plan
        if not self.command.is_djangos():
            return Plan()
        arguments = self.command.arguments if self.config["migrate"] else None
        judge = outline if self.config["rollback"] else self.describe
        try:
            try:
                plan = self.database.patiently(lambda: Plan.read(self.command, arguments, judge))
            except JudgeMissing:
                judge = self.describe = self.load_classifier()
                plan = self.database.patiently(lambda: Plan.read(self.command, arguments, judge))
        except (Error, StaysShut):
            raise
        except Exception as error:
            raise StaysShut("plan", error_text(error)) from error
        # The release that the code is from has run with what was applied before it.
        names = [name for name, at in plan.unknown.items() if at > self.config["code"]]
        classes = self.attempts.classes() if names else {}
        labels = {name: classes.get(name) for name in sorted(names)}
        plan.ahead = {n: label if label in ORDER else "unknown" for n, label in labels.items()}
        if isinstance(plan.reversal, list):
            call, options = [*self.config["manage"], "migrate"], self.command.options()
            plan.reversal = [[*call, *to, *options] for to in plan.reversal]
        return plan

    def load_classifier(self) -> Judge:
        """What describes migrations. Only the text with the hash that we were given is run."""
        self.channel.send(do="classifier")
        message = None
        while not message:
            message = self.channel.receive(BEAT)
        text = message["classifier"]
        if hashlib.sha256(text.encode()).hexdigest()[:32] != self.config["classifier"]:
            raise StaysShut("mailbox", "the classifier is not the one of this release")
        names: dict[str, Any] = {"__name__": "lightgate_classifier"}
        builtins.exec(text, names)  # noqa: S102
        self.measuring = names.get("measure")
        return lambda *given: names["main"](*given, self.config)

    def report_plan(self, plan: Plan) -> None:
        self.reported = plan.hash
        policy = {key: self.config[key] for key in ("policy", "allowDestructive")}
        fields = plan.fields()
        if plan.tables and (found := self.database.open_transactions(plan.tables, OPEN_FOR)):
            fields["transactions"] = found
        self.channel.emit("plan", **fields, **policy)

    def judge(self, plan: Plan, found: dict[str, Any] | None, is_locked: bool) -> None:
        """Refuse a plan that policy or earlier attempts rule out."""
        state = found and found["state"]
        if self.config["restores"] and not self.attempts.restored():
            raise StaysShut("refused", "what there was before the release is not on record")
        if found and state == "failed":
            more = {key: found.get(key) for key in ("migration", "leftovers") if found.get(key)}
            trouble = found.get("detail")
            more["detail"] = trouble if trouble in TROUBLES else "failed before"
            raise StaysShut("attempt", found["error"], found["database"], **more)
        # While the lock is ours, no attempt can be in progress. A migration that was committed but
        # not recorded would run twice; it shows as a schema that changed without a record.
        if found and state == "started" and is_locked and plan.migrations != []:
            changed = plan.applied != found["applied"], found["schema"] != self.attempts.schema()
            if changed == (False, True) or not found["again"]:
                began_at = found["at"]
                why = f"an attempt of this release began at {began_at} and never ended"
                database = "part-way" if any(changed) else "not known"
                raise StaysShut("attempt", why, database, detail="never ended")
        blocked = plan.operations("breaking", "unknown")
        if self.config["policy"] == "block" and blocked and not self.config["allowDestructive"]:
            self.channel.emit("refused", hash=plan.hash, operations=blocked)
            raise StaysShut("refused", "policy: " + listed(blocked))
        if plan.lacking and not self.config["allowDestructive"]:
            why = "would be recorded without being run, but the database lacks"
            error = f"{', '.join(plan.faked)[:200]} {why} {', '.join(plan.lacking)}"
            raise StaysShut("refused", error[:500], detail="lacking")
        large = [
            f"{name}: {what} ({table}, {rows} rows)"
            for name, what, _, _, table, rows, _ in plan.blocking
        ]
        if self.config["lockRisk"] == "block" and large and not self.config["allowDestructive"]:
            raise StaysShut("refused", "lockRisk: " + listed(large), detail="lock risk")

    def get_permit(self, plan: Plan, is_locked: bool) -> bool:
        """Wait until the supervisor has permitted this very plan: otherwise nothing is applied.

        False: the plan may be another one by now, because something was applied meanwhile.
        """
        if plan.migrations == [] or self.permitted == plan.hash:
            return True
        if self.reported != plan.hash:
            self.report_plan(plan)
        self.channel.send(do="permit", hash=plan.hash)
        next_check = monotonic() + PLAN_CHECK
        while self.permitted != plan.hash:
            if is_locked:
                self.lock.check("unchanged")
            if monotonic() > next_check:
                next_check = monotonic() + PLAN_CHECK
                try:
                    with self.database.limited():
                        if plan.is_outdated(self.database.db):
                            return False
                except Error:
                    self.database.db.close()  # the plan is read again with the permit
            message = self.channel.receive(BEAT) or {}
            self.permitted = message.get("permitted")
            if message.get("seconds"):
                self.until = monotonic() + message["seconds"]
        return True

    # The command

    def run(self, plan: Plan, found: dict[str, Any] | None, notes: dict[str, Any]) -> None:
        """Have the command run. Meanwhile keep the lock, and report what blocks the command."""
        is_main = plan.migrations != [] or found is not None or self.is_wanted(plan)
        self.looks = [self.database.look()]
        environment, limit = choose_environment(self.database, self.attempts.sessions, plan)
        if monotonic() > self.until:
            raise StaysShut("permit", "the permit has expired")
        is_named = limit.get("named", False)
        notes["recorded"] = self.attempts.record_start(plan, found, is_named)
        self.channel.emit("locked", lockTimeout=limit, **notes)
        is_pending = plan.migrations != []
        self.channel.send(do="run", main=is_main, pending=is_pending, **environment)
        watch = Watch(self.database, self.attempts, is_named)
        while True:
            message = (self.measuring or self.channel).receive(BEAT)
            if message and message["do"] == "end":
                return self.record_end(plan, message)
            if message and message["do"] == "look":
                self.looks.append(self.database.look())
                self.channel.send(do="looked")
                continue
            if message:
                may = self.is_passing(message) and self.may_repeat(plan)
                if may:
                    watch.report(**{"try": message["try"]})
                self.channel.send(do="again", may=may)
                continue
            self.lock.check("not known")
            try:
                with self.database.limited():
                    watch.look()
                if limit["seconds"] is not None:
                    self.limit_wait(watch, plan, limit["seconds"])
            except Error:
                self.database.db.close()  # a limit of the role; the next query connects again

    def limit_wait(self, watch: Watch, plan: Plan, seconds: float, /) -> None:
        """End a statement that waits on MySQL, where nothing would be left half applied.

        As long as it waits, every new query of the table waits behind it.
        """
        is_late = watch.waiting and monotonic() - watch.since > seconds
        if is_late and plan.shows and self.attempts.is_untouched(self.read_plan()):
            self.attempts.sessions.end(["QUERY " + one for one in watch.waiting])
            self.has_ended_wait = True

    def is_passing(self, end: dict[str, Any]) -> bool:
        """Whether the trouble passes: a statement that was interrupted, only if that was us."""
        if end["detail"] == "interrupted" and self.has_ended_wait:
            end["detail"] = "lock timeout"
        return bool(end["detail"] != "interrupted")

    def may_repeat(self, plan: Plan) -> bool:
        """Whether the command may run again after passing trouble, as nothing was half applied."""
        self.end_sessions()
        if self.attempts.attempt["again"]:
            return not self.attempts.busy(self.attempts.attempt)
        is_whole = plan.shows or plan.single
        return (
            is_whole
            and self.attempts.is_untouched(self.read_plan())
            and not self.attempts.busy(self.attempts.attempt)
        )

    def end_sessions(self) -> None:
        """End what the server still does for our command, which has ended or was stopped."""
        attempts, until = self.attempts, monotonic() + END_LIMIT
        name = ("lightgate:%s:%s" % self.database.who)[:63]
        while monotonic() < until:
            left = attempts.busy(attempts.attempt)
            if not left:
                return
            self.lock.keep()  # with the lock it is our command, and no other node's
            attempts.sessions.end([one["pid"] for one in left if one["application"] == name])
            self.channel.receive(BEAT)

    def record_end(self, plan: Plan, end: dict[str, Any]) -> None:
        times = end.pop("times", [])
        more = {"measured": self.measuring.end(times)} if self.measuring else {}
        self.database.db.close()  # it was idle, so the server or a proxy may have closed it
        self.database.connect()
        if not end["ok"]:
            with suppress(Error):
                self.end_sessions()
        after = self.read_plan()
        pending = [one["name"] for one in after.migrations or []] if end["ok"] else []
        cause = "pending"
        if pending:
            end["error"] = "still to be applied: " + listed(pending)
        unplanned = find_unplanned(plan, [*self.looks, self.database.look()])
        if not unplanned and after.migrations == [] and plan.is_told():
            unplanned = self.attempts.strays(plan, after)
        restored = self.config["restores"] and self.attempts.restored()
        if restored and not self.attempts.is_as_before(restored, after):
            unplanned.append("the schema or the record differs from that before the release")
        if unplanned and end["ok"]:
            cause, end["error"] = "unplanned", listed(unplanned)
        end["ran"] = end["ran"] or bool(unplanned)
        is_good = end["ok"] and not pending and not unplanned
        result = self.attempts.record_end(plan, after, end, is_good)
        done = plan.newly(after.recorded)
        faked = [name for name in done if name in plan.faked]
        result["applied"] = [name for name in done if name not in faked]
        if faked:
            result["faked"] = faked
        result.update(schema=after.schema, left=after.found)
        if not end["ok"] and end["ran"] and has_own_handlers():
            result["rows"] = "not known"
        if not end["ok"] and self.is_passing(end) and end["detail"]:
            result["detail"] = end["detail"]
        if unplanned:
            result["unplanned"] = [one[:200] for one in unplanned]
        elif result["database"] == "part-way" and plan.is_atomic:
            left = {one["name"] for one in after.migrations or []}
            result["effect"] = worst(
                m["class"] for m in plan.migrations or [] if m["name"] not in left
            )
        self.lock.release()
        error = None if is_good else end["error"]
        self.channel.send(do="ended", error=error, cause=cause, **result, **more)


def has_succeeded(found: dict[str, Any] | None) -> bool:
    return found is not None and found["state"] == "succeeded"
