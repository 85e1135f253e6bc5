"""Reads an app's pending migrations inside its own settings, and holds the lock while they run.

    <the app's manage.py> shell -v 0 -c SOURCE

Standard input is a socket to the supervisor: JSON objects, one a line, both ways. Ours are an
`event` to tell, a `beat`, or what the supervisor is to `do`. Standard output is the app's, whose
settings may print. Standard library and the app's Django only: Python 3.8, Django 4.2 and later.

In a deployment that goes back to an old release it applies nothing, takes no lock and asks nobody:
it opens if the code can run on the schema as it is by now, and otherwise says what stands against.
"""

# ruff: noqa: ANN401, S608, SIM905 - Django has no types; the names in our SQL are our own

from __future__ import annotations

import hashlib
import json
import os
import select
import sys
import time
from contextlib import suppress
from time import monotonic

from django.core.management import get_commands, load_command_class  # type: ignore[import-untyped]
from django.db import Error, connections, transaction  # type: ignore[import-untyped]
from django.db.migrations import Migration  # type: ignore[import-untyped]
from django.db.migrations.executor import MigrationExecutor  # type: ignore[import-untyped]
from django.db.migrations.recorder import MigrationRecorder  # type: ignore[import-untyped]
from django.db.migrations.utils import resolve_relation  # type: ignore[import-untyped]
from django.db.models import NOT_PROVIDED  # type: ignore[import-untyped]

TYPE_CHECKING = False  # type checkers take it for True
if TYPE_CHECKING:
    from typing import Any, Sequence

BEAT = 0.5  # seconds between two signs of life
LOOK = 5  # seconds after which what waits for its permit looks whether it is still to be done
SETTLE = 10  # seconds for a database to end what a stopped command had begun
EVENT_LIMIT = 6500  # characters of the migrations in an event, with what takes them back
TABLE = "lightgate_attempt"
NAMESPACE = 1279743045  # of our advisory locks: "LGTE"


def main() -> None:
    supervisor = Supervisor()
    try:
        Helper(supervisor).work()
    except Shut as shut:
        supervisor.say(do="fail", cause=shut.cause, error=shut.error, **shut.more)
    except Exception as error:  # noqa: BLE001 - whatever it is, the gate stays shut and says why
        cause = "database" if isinstance(error, Error) else "django"
        supervisor.say(do="fail", cause=cause, error=words(error))


class Shut(Exception):  # noqa: N818
    """Why the gate stays shut. Until the command was run, the database is as it was."""

    def __init__(self, cause: str, error: str, database: str = "unchanged", **more: Any) -> None:
        self.cause, self.error, self.more = cause, error, {"database": database, **more}


class Supervisor:
    """The other end of standard input."""

    def __init__(self) -> None:
        self.heard = b""

    def say(self, **message: Any) -> None:
        # After our last word we are killed, and what the app has printed must not go with us.
        with suppress(Exception):  # it may have put anything there
            sys.stdout.flush()
        data = json.dumps(message, default=str).encode() + b"\n"
        try:
            while data:
                data = data[os.write(0, data) :]
        except OSError:
            os._exit(1)  # nobody is left to work for

    def hear(self, seconds: float | None) -> dict[str, Any] | None:
        """What it says within that time, or a sign of life of ours."""
        while b"\n" not in self.heard:
            if not select.select([0], [], [], seconds)[0]:
                self.say(beat=1)
                return None
            data = os.read(0, 65536)
            if not data:
                os._exit(1)
            self.heard += data
        line, _, self.heard = self.heard.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


class Helper:
    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.config: dict[str, Any] = supervisor.hear(None) or {}
        self.who = (self.config["release"], self.config["container"])
        self.permitted: str | None = None
        self.told = ""  # the hash of the plan that was told last
        self.until = monotonic() + 10**7
        self.is_named = False
        self.attempt: dict[str, Any] = {}
        try:
            self.arguments = read_arguments(self.config["command"], self.config["manage"])
            self.alias = getattr(self.arguments, "database", None) or self.config["database"]
            self.db = connections[self.alias]
            self.prepare_connection()
            self.lock = self.db.copy()
            self.engine: dict[str, str] = ENGINES.get(self.db.vendor, {})
        except Exception as error:
            raise Shut("settings", words(error)) from error

    def prepare_connection(self) -> None:
        """Without a pool, whose connections outlive what is set for them, and without patience."""
        options = self.db.settings_dict["OPTIONS"]
        options.pop("pool", None)
        if self.db.vendor in ("postgresql", "mysql"):
            options.setdefault("connect_timeout", 5)

    def work(self) -> None:
        self.reach()
        plan = self.read_plan()
        self.tell_plan(plan)
        found = self.find_attempt()
        if self.config["rollback"]:
            return self.go_back(plan, found)
        notes: dict[str, Any] = {}
        while not plan.is_done(found):
            self.judge(plan, found, is_locked=bool(notes))
            if self.ask(plan, is_locked=bool(notes)):
                if notes:
                    return self.run(plan, found, notes)
                notes = self.take_lock()
            # Another node may have done it meanwhile, or a part of it.
            plan = self.read_plan()
            found = self.find_attempt()
        return self.open(plan)

    def run(self, plan: Plan, found: dict[str, Any] | None, notes: dict[str, Any]) -> None:
        environment, notes["lockTimeout"] = self.choose_environment(plan)
        if monotonic() > self.until:
            raise Shut("permit", "the permit has expired")
        notes["recorded"] = self.record_start(plan, found)
        self.tell("locked", **notes)
        self.supervisor.say(do="run", **environment)
        return self.stand_by(plan)

    def tell(self, event: str, **fields: Any) -> None:
        self.supervisor.say(event=event, **fields)

    def open(self, plan: Plan, **more: Any) -> None:
        self.release()
        self.supervisor.say(do="open", schema=plan.schema, **more)

    def go_back(self, plan: Plan, found: dict[str, Any] | None) -> None:
        """Open if the code can run on the schema, or if a person has overridden the question.

        None of the commands around the main one is run either. Those of a preset are about what is
        to be applied (makemigrations --check, migrate --plan), or change rows (loaddata).
        """
        against = [] if plan.is_done(found) else plan.missing()
        if found is None:  # once it has opened, a running app depends on nothing that comes later
            breaking = (item for item in plan.ahead.items() if item[1] != "additive")
            against += ["%s (%s) was applied since" % item for item in breaking]
        if self.config["rollback"] == "unchecked":
            return self.open(plan, **({"overridden": against[:10]} if against else {}))
        if against:
            raise Shut("schema", "; ".join(against)[:500])
        if found is None:
            self.attempt = {"at": utc(), "ahead": plan.ahead}
            try:
                self.make_table()
                self.record("succeeded")
            except Error:
                pass  # of the right to write, opening does not depend
        return self.open(plan)

    # The database

    def reach(self) -> None:
        """Wait until the database answers."""
        began, told = monotonic(), ""
        while True:
            try:
                self.db.ensure_connection()
                self.db.set_autocommit(True)
                break
            except Exception as error:
                reason, why = read_refusal(error)
                self.db.close()
                if type(error).__name__ == "ImproperlyConfigured":
                    raise Shut("settings", why) from error
            if reason != told:
                told = reason
                self.tell("database", state="down", reason=reason, error=why)
            # Nobody mends a password or a name by waiting; but one who sets the database up may.
            patience = self.config["databaseTimeoutSeconds"]
            if monotonic() - began > (patience if reason == "unreachable" else patience / 6):
                raise Shut("database", why, detail=reason)
            self.supervisor.hear(BEAT)
        if told:
            self.tell("database", state="up", seconds=since(began))

    def rows(self, sql: str, values: Any = None, connection: Any = None) -> list[Any]:
        with (connection or self.db).cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []

    def sessions(self, which: str) -> list[dict[str, Any]]:
        """Who is in the way; of other roles' sessions PostgreSQL does not tell the age."""
        sql = self.engine.get(which)
        found = self.rows(sql) if sql else []
        return [{"pid": pid, "application": who, "seconds": s} for pid, who, s in found[:10]]

    def busy(self) -> list[dict[str, Any]]:
        """The sessions of a command of ours: a free lock does not mean that nothing migrates.

        A pooler keeps connections when their client has gone, with the name of the last one.
        """
        is_pooled = False
        if self.db.vendor == "postgresql":
            pid = self.rows("SELECT pg_backend_pid()")[0][0]
            is_pooled = pid != self.db.connection.info.backend_pid
        return self.sessions("busy in a pool" if is_pooled else "busy")

    # The plan

    def read_plan(self) -> Plan:
        if get_commands()["migrate"] != "django.core":
            return Plan()
        try:
            plan = Plan.read(self.db, self.arguments)
        except Error:
            raise
        except Exception as error:
            raise Shut("plan", words(error)) from error
        # What was there when the code's own release began has not kept that from running.
        names = [name for name, at in plan.strange.items() if at > self.config["code"]]
        classes = self.recorded_classes() if names else {}
        labels = {name: classes.get(name) for name in sorted(names)}
        plan.ahead = {n: label if label in ORDER else "unknown" for n, label in labels.items()}
        if isinstance(plan.way_back, list):
            plan.way_back = [self.migrate(words) for words in plan.way_back]
        return plan

    def migrate(self, words: list[str]) -> list[str]:
        """A call with the options of the command that say what is migrated."""
        argv = [*self.config["manage"], "migrate", *words]
        for key in ("database", "settings", "pythonpath"):
            value = getattr(self.arguments, key)
            if value not in (None, "default"):
                argv += ["--" + key, value]
        return argv

    def recorded_classes(self) -> dict[str, str]:
        """What each migration meant when it was last to be applied, as far as that is on record."""
        found: dict[str, str] = {}
        try:
            attempts = [json.loads(row[0]) for row in self.rows(f"SELECT detail FROM {TABLE}")]
            for one in sorted(attempts, key=lambda one: str(one.get("at"))):
                found.update(one.get("classes", {}))
        except Exception:  # noqa: BLE001 - no table, or one of another shape
            return {}
        return found

    def tell_plan(self, plan: Plan) -> None:
        self.told = plan.hash
        policy = {key: self.config[key] for key in ("policy", "allowDestructive")}
        self.tell("plan", **plan.told(), **policy)

    def judge(self, plan: Plan, found: dict[str, Any] | None, is_locked: bool) -> None:
        """Whether this plan may be applied, as far as policy and earlier attempts are concerned."""
        state = found and found["state"]
        if found and state == "failed":
            told = {"detail": "failed before", "migration": found.get("migration")}
            raise Shut("attempt", found["error"], found["database"], **told)
        # Under the lock nobody can be at it any more. A migration that was committed but not
        # recorded would be run twice; it shows as a schema that changed without a record.
        if found and state == "started" and is_locked and plan.migrations != []:
            changed = plan.applied != found["applied"], found["schema"] != self.fingerprint()
            if changed == (False, True) or not found["again"]:
                began_at = found["at"]
                why = f"an attempt of this release began at {began_at} and never ended"
                database = "part-way" if any(changed) else "not known"
                raise Shut("attempt", why, database, detail="never ended")
        blocked = plan.named("contract", "unknown")
        if self.config["policy"] == "block" and blocked and not self.config["allowDestructive"]:
            self.tell("refused", hash=plan.hash, operations=blocked[:50])
            raise Shut("refused", "policy: " + "; ".join(blocked)[:400])

    def ask(self, plan: Plan, is_locked: bool) -> bool:
        """Nothing is applied unless the supervisor has permitted this very plan.

        False: it may be another one by now, for something was applied while this waited.
        """
        if plan.migrations == [] or self.permitted == plan.hash:
            return True
        if self.told != plan.hash:
            self.tell_plan(plan)
        self.supervisor.say(do="permit", hash=plan.hash)
        next_look = monotonic() + LOOK
        while self.permitted != plan.hash:
            if is_locked:
                self.hold("unchanged")
            if monotonic() > next_look:
                next_look = monotonic() + LOOK
                if plan.is_old(self.db):
                    return False
            message = self.supervisor.hear(BEAT) or {}
            self.permitted = message.get("permitted")
            if message.get("seconds"):
                self.until = monotonic() + message["seconds"]
        return True

    # The lock

    def take_lock(self) -> dict[str, Any]:
        """Wait until the lock is ours, and nobody who should have held it is left."""
        vendor = self.db.vendor
        if not self.engine:
            return {"lock": None, "why": self.do_without("lock", f"none is known for {vendor}")}
        began, limit = monotonic(), self.config["waitSeconds"]
        is_ours, why = False, ""
        told: list[Any] = []
        while True:
            holder: list[dict[str, Any]] = []
            try:
                if is_ours:
                    self.keep_lock()
                is_ours = is_ours or self.try_lock()
                holder = self.busy() if is_ours else self.sessions("holder")
                if is_ours and not holder:
                    return {"lock": vendor if self.engine["take"] != "SELECT 1" else None,
                            "seconds": since(began)}  # fmt: skip
            except Error as error:  # the database restarts, or a limit of the role has struck
                is_ours, why = False, words(error)
                self.lock.close()
                self.db.close()
                self.reach()
            else:
                why = "a session of an earlier attempt" if is_ours else "held by another gate"
            is_late = monotonic() > self.until  # whoever permitted it counts on its begin
            if is_late or (limit is not None and since(began) > limit):
                after = f"not free after {round(since(began))} s: {why}"
                raise Shut("lock", after, detail="not free", holder=holder)
            if [why, *(one["pid"] for one in holder)] != told:
                told = [why, *(one["pid"] for one in holder)]
                self.tell("waiting", **{"for": ["lock"], "why": why, "holder": holder})
            self.supervisor.hear(BEAT)

    def try_lock(self) -> bool:
        """Without leaving a transaction open: those who wait must not use up a pool."""
        lock, is_postgres = self.lock, self.lock.vendor == "postgresql"
        lock.ensure_connection()
        lock.set_autocommit(not is_postgres)
        if is_postgres:
            # Any stricter level keeps a snapshot, for which CREATE INDEX CONCURRENTLY would wait.
            self.rows("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", None, lock)
            mine = dict(NO_LIMIT, **GONE_SOON, application_name="lightgate gate %s %s" % self.who)
            sql = "SELECT set_config(name, %s, true) FROM pg_settings WHERE name = %s"
            for name, value in mine.items():
                self.rows(sql, [str(value)[:63], name], lock)
        if self.rows(self.engine["take"], None, lock)[0][0]:
            return True
        if is_postgres:
            lock.rollback()
        return False

    def keep_lock(self) -> None:
        rows = self.rows(self.engine["keep"], None, self.lock) if self.engine else [[1]]
        if not rows[0][0]:
            raise Error("the lock was lost")

    def hold(self, database: str) -> None:
        try:
            self.keep_lock()
        except Exception as error:
            raise Shut("lock", words(error), database, detail="lost") from error

    def release(self) -> None:
        if self.lock.connection and self.lock.is_usable():
            self.lock.rollback()  # a pooler would close what is left in the middle
        self.lock.close()

    def do_without(self, cause: str, why: str) -> str:
        if self.config["requireLock"]:
            raise Shut(cause, f"{why}; requireLock forbids to go on")
        return why

    def choose_environment(self, plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
        """For the command: a name for its sessions; limits for it, where they do what they should.

        A limit for locks also meets row locks and leaves an invalid index behind one that is made
        concurrently, so it is only for plans that are undone as a whole and change no data. A
        pooler refuses it, and the settings' own options replace it silently: it is tried first.
        """
        if self.db.vendor != "postgresql":
            return {"environment": {}, "options": {}, "retry": False}, {"seconds": None}
        limits = dict(GONE_SOON, client_connection_check_interval=500)
        proof = "client_connection_check_interval"
        why: str | None = "not all atomic, or not only schema"
        if plan.migrations and plan.is_atomic and not plan.named("data", "unknown"):
            proof, why = "lock_timeout", None
            limits[proof] = round(self.config["lockTimeoutSeconds"] * 1000)
        known = {row[0] for row in self.rows("SELECT name FROM pg_settings")}
        mine = ["-c %s=%s" % item for item in limits.items() if item[0] in known]
        # What the user has set comes later, and so prevails.
        options = {"PGOPTIONS": " ".join([*mine, os.environ.get("PGOPTIONS", "")]).strip()}
        name = {"PGAPPNAME": ("lightgate:%s:%s" % self.who)[:63]}
        shown = self.probe(dict(name, **options), proof)
        works = shown[1:] == [str(limits[proof])]
        if not works:
            why = why or "a pooler, the environment or the settings set options of their own"
            shown = self.probe(name, proof)
        self.is_named = shown[:1] == [name["PGAPPNAME"]]
        seconds = limits[proof] / 1000 if works and not why else None
        run = {"environment": name, "options": options if works else {}, "retry": bool(seconds)}
        return run, {"seconds": seconds, "why": why, "named": self.is_named}

    def probe(self, environment: dict[str, str], setting: str) -> list[str]:
        """What a command with this environment would find set."""
        before = {key: os.environ.get(key) for key in environment}
        os.environ.update(environment)
        connection = self.db.copy()
        try:
            sql = "SELECT current_setting('application_name'), setting FROM pg_settings"
            sql += " WHERE name = %s"
            return list(self.rows(sql, [setting], connection)[0])
        except Exception:  # noqa: BLE001 - what does not work is not used
            return []
        finally:
            connection.close()
            for key, value in before.items():
                os.environ.pop(key)
                if value is not None:
                    os.environ[key] = value

    # The attempt

    def find_attempt(self) -> dict[str, Any] | None:
        try:
            if not self.has_table():
                return None
            sql = f"SELECT state, detail FROM {TABLE} WHERE release_id = %s AND container = %s"
            for state, detail in self.rows(sql, self.who):
                return {**json.loads(detail), "state": state}
        except Error:
            if not self.db.is_usable():
                raise
        return None

    def has_table(self) -> bool:
        with self.db.cursor() as cursor:
            return TABLE in self.db.introspection.table_names(cursor)

    def make_table(self) -> None:
        if not self.has_table():
            self.rows(CREATE_TABLE)

    def record_start(self, plan: Plan, found: dict[str, Any] | None) -> bool:
        self.attempt = {
            "at": utc(),
            "tries": (found["tries"] if found else 0) + 1,
            "plan": plan.hash,
            # Of what an attempt of the same release has applied before, too.
            "classes": {**(found or {}).get("classes", {}), **plan.classes},
            # Whether it may be done again should it not come to an end.
            "again": plan.is_atomic and self.is_named,
            "applied": plan.applied,
            "schema": self.fingerprint(),
        }
        if found and found["state"] == "started":
            self.attempt.update({key: found[key] for key in ("applied", "schema")})
        try:
            self.make_table()
            self.record("started")
        except Error as error:
            self.do_without("record", f"the attempt cannot be recorded: {words(error)}")
            return False
        return True

    def record(self, state: str) -> None:
        with transaction.atomic(using=self.alias):
            self.rows(f"DELETE FROM {TABLE} WHERE release_id = %s AND container = %s", self.who)
            values = [*self.who, state, json.dumps(self.attempt)]
            self.rows(f"INSERT INTO {TABLE} VALUES (%s, %s, %s, %s)", values)

    def stand_by(self, plan: Plan) -> None:
        """Beside the command: keep the lock, and see who keeps the command waiting."""
        seen: list[dict[str, Any]] = []
        while True:
            message = self.supervisor.hear(BEAT)
            if message and message["do"] == "end":
                return self.record_end(plan, message)
            if message:
                told = {"for": ["database lock"], "holder": seen, "try": message["try"]}
                self.tell("waiting", **told)
                continue
            self.hold("not known")
            try:
                now = self.sessions("blockers")
            except Error:
                self.db.close()  # a limit of the role; the next look connects again
                continue
            if now and [one["pid"] for one in now] != [one["pid"] for one in seen]:
                self.tell("waiting", **{"for": ["database lock"], "holder": now})
            seen = now or seen

    def record_end(self, plan: Plan, end: dict[str, Any]) -> None:
        self.reach()
        until = monotonic() + SETTLE
        while not end["ok"] and self.busy() and monotonic() < until:
            self.supervisor.hear(BEAT)
        after = self.read_plan()
        pending = [one["name"] for one in after.migrations or []] if end["ok"] else []
        if pending:
            end["error"] = "still to be applied: " + ", ".join(pending)[:400]
        is_good = end["ok"] and not pending
        database = self.compare(plan, after) if end["ran"] else "unchanged"
        self.attempt.update(end, database=database)
        try:
            self.record("succeeded" if is_good else "failed")
            recorded = True
        except Error:
            recorded = False
        result = {"schema": after.schema, "database": database, "recorded": recorded}
        if database == "part-way" and plan.is_atomic:
            left = {one["name"] for one in after.migrations or []}
            result["effect"] = worst(
                m["class"] for m in plan.migrations or [] if m["name"] not in left
            )
        self.release()
        self.supervisor.say(do="ended", error=None if is_good else end["error"], **result)

    def compare(self, before: Plan, after: Plan) -> str:
        """What a failure has left. `unchanged` needs proof; MySQL's DDL commits by itself."""
        schema = self.fingerprint()
        if before.migrations is None or after.migrations is None:
            return "not known"
        if after.applied != self.attempt["applied"] or schema != self.attempt["schema"]:
            return "part-way"
        can = self.db.features.can_rollback_ddl
        return "unchanged" if before.is_atomic and can and not self.busy() else "not known"

    def fingerprint(self) -> str | None:
        """The schema, as PostgreSQL has it: a migration may be committed and not yet recorded."""
        return str(self.rows(FINGERPRINT)[0][0]) if "blockers" in self.engine else None


class Plan:
    """The pending migrations, without anything being executed."""

    migrations: list[dict[str, Any]] | None = None  # None: not known
    hash = "unknown"
    applied = ""
    is_atomic = False
    recorded: set[Any] | None = None
    leaves: Sequence[str] = ()
    schema: Sequence[str] = ()
    way_back: Any = None  # the calls that take exactly this back, or why there are none

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}  # of each migration, by every name that it is recorded as
        self.strange: dict[str, str] = {}  # what is applied and the code does not know, and when
        self.ahead: dict[str, str] = {}  # what of it came later than the code, and its class

    @classmethod
    def read(cls, connection: Any, arguments: Any) -> Plan:
        plan = cls()
        executor = MigrationExecutor(connection)
        graph, applied = executor.loader.graph, executor.loader.applied_migrations
        disk = executor.loader.disk_migrations
        known = {*disk, *(old for migration in disk.values() for old in migration.replaces)}
        ends = [
            key
            for key in graph.nodes
            if key in applied
            and not any(
                n.key[0] == key[0] and n.key in applied for n in graph.node_map[key].children
            )
        ]
        steps = executor.migration_plan(find_targets(executor.loader, arguments))
        state = executor.loader.project_state(ends) if steps else None
        created: set[tuple[str, str]] = set()
        with connection.cursor() as cursor:
            tables = connection.introspection.table_names(cursor, True) if steps else []
        existing = [name.lower() for name in tables]
        plan.migrations = [describe(step, state, created, existing) for step in steps]
        fixed = [one.pop("fixed") for one in plan.migrations]
        if steps:
            plan.way_back = find_way_back(executor, steps, fixed, arguments)
        plan.is_atomic = all(one["atomic"] for one in plan.migrations)
        plan.hash = digest([connection.alias, plan.migrations])
        plan.applied = digest(sorted(map(list, applied)))
        plan.leaves = sorted(map(".".join, graph.leaf_nodes()))
        plan.schema = sorted(map(".".join, ends))
        plan.recorded = set(executor.recorder.applied_migrations())
        for key, row in applied.items():
            if not hasattr(row, "applied"):  # a squash: recording it changes nothing else
                plan.classes[".".join(key)] = "additive"
            elif key not in known:
                at = time.gmtime(row.applied.timestamp())
                plan.strange[".".join(key)] = time.strftime("%Y%m%dt%H%M%Sz", at)
        for number, (migration, is_backwards) in enumerate(steps):
            if not is_backwards:
                one = plan.migrations[number]
                names = [one["name"], *map(".".join, migration.replaces)]
                plan.classes.update(dict.fromkeys(names, one["class"]))
        return plan

    def is_old(self, connection: Any) -> bool:
        """Whether something was applied or taken back since it was read, as far as that shows."""
        try:
            connection.ensure_connection()
            connection.set_autocommit(True)
            recorded = set(MigrationRecorder(connection).applied_migrations())
        except Error:
            connection.close()
            return False
        return self.recorded not in (None, recorded)

    def is_done(self, found: dict[str, Any] | None) -> bool:
        """Whether there is nothing to do. Without a plan only a success on record shows it."""
        state = found and found["state"]
        if self.migrations is None:
            return state == "succeeded"
        return not self.migrations and state in (None, "succeeded")

    def missing(self) -> list[str]:
        """What stands against running the code because it is not applied."""
        if self.migrations is None:
            return ["what is pending for the app's own migrate command is not known"]
        return [one["name"] + " is pending" for one in self.migrations]

    def named(self, *classes: str) -> list[str]:
        """The operations of these classes."""
        if self.migrations is None:
            return ["the app's own migrate command (unknown)"] if "unknown" in classes else []
        return [
            f"{migration['name']}: {what} ({label})"
            for migration in self.migrations
            for label, what in migration["operations"]
            if label in classes
        ]

    def told(self) -> dict[str, Any]:
        """For an event, which has little room: what is additive is left out first."""
        shown = list(self.migrations or [])
        if len(json.dumps(shown)) > EVENT_LIMIT:
            shown = [
                dict(one, operations=[o for o in one["operations"] if o[0] != "additive"])
                for one in shown
            ]
        label = "unknown" if self.migrations is None else worst(one["class"] for one in shown)
        count = None if self.migrations is None else len(self.migrations)
        told: dict[str, Any] = {
            "hash": self.hash, "count": count, "class": label, "atomic": self.is_atomic,
            "leaves": self.leaves, "migrations": shown,
        }  # fmt: skip
        if self.way_back and len(json.dumps([shown, self.way_back])) <= EVENT_LIMIT:
            told["takeBack"] = self.way_back
        if self.ahead:
            names = [name[:100] for name in self.ahead]
            told["ahead"] = {"count": len(names), "class": worst(self.ahead.values()),
                             "names": names[:20]}  # fmt: skip
        return told


def read_arguments(command: list[str], manage: list[str]) -> Any:
    """The arguments of `migrate`, read as it reads them itself."""
    call = [*manage, "migrate"]
    for start in range(len(command)):
        end = start + len(call)
        if command[start:end] == call:
            migrate = load_command_class("django.core", "migrate")
            return migrate.create_parser("manage.py", "migrate").parse_known_args(command[end:])[0]
    return None


def find_targets(loader: Any, arguments: Any) -> list[Any]:
    """What the command is to reach, as it works that out itself."""
    app, name = getattr(arguments, "app_label", None), getattr(arguments, "migration_name", None)
    leaves = loader.graph.leaf_nodes()
    if not app:
        return list(leaves)
    return find_target(loader, app, name) if name else [key for key in leaves if key[0] == app]


def find_target(loader: Any, app: str, name: str) -> list[Any]:
    if name == "zero":
        return [(app, None)]
    key = (app, loader.get_migration_by_prefix(app, name).name)
    if key not in loader.graph.nodes and key in loader.replacements:
        key = loader.replacements[key].replaces[-1]
    return [key]


def find_way_back(executor: Any, steps: Any, fixed: list[str], arguments: Any) -> Any:
    """What `migrate` has to be told to take these steps back and nothing else, or why it cannot.

    It goes back further than to a name: by Django's own plan, to whatever depends on it as well.
    """
    loader, found = executor.loader, []
    left: dict[Any, None] = {}
    for number, (migration, _) in enumerate(steps):
        app, name = key = (migration.app_label, migration.name)
        is_first = migration.initial or not any(one[0] == app for one in migration.dependencies)
        if arguments is None or arguments.fake or (arguments.fake_initial and is_first):
            return f"{app}.{name}: it may be recorded without being run (--fake)"[:300]
        if fixed[number]:
            return f"{app}.{name}: {fixed[number]} cannot be reversed for certain"[:300]
        left[key] = None
    before = loader.applied_migrations
    loader.applied_migrations = {**before, **left}
    for app, name in list(left):
        parents = loader.graph.node_map[app, name].parents
        for target in [*sorted(one.key[1] for one in parents if one.key[0] == app), "zero"]:
            undone: set[Any] = set()
            with suppress(Exception):  # a name that begins another one is ambiguous
                plan = executor.migration_plan(find_target(loader, app, target))
                undone = {(migration.app_label, migration.name) for migration, _ in plan}
            if undone and undone <= left.keys():
                found.append([app, target])
                for key in undone:
                    del left[key], loader.applied_migrations[key]
    loader.applied_migrations = before
    for key in left:
        return "{}.{}: migrate takes it back only with others".format(*key)[:300]
    return found


# What an operation means for the release that is still serving. `additive`: it can go on reading
# and writing. `contract`: it may break; without an index or with a new constraint old queries may
# time out and old writes be refused. `data`: rows change. `unknown` is never taken for safe.
# Only Django's own classes are known, of which all others count as `contract`; a subclass may do
# anything.
ORDER = ["additive", "data", "contract", "unknown"]
DJANGOS = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
ADDITIVE = (
    "CreateModel AddIndex AddIndexConcurrently RenameIndex AlterModelOptions AlterModelManagers "
    "AlterModelTableComment AlterConstraint ValidateConstraint CreateCollation"
).split()
# Arguments of a field that the database does not see.
UNSEEN = (
    "blank choices help_text verbose_name default validators error_messages editable related_name "
    "related_query_name on_delete limit_choices_to db_comment auto_now auto_now_add upload_to "
    "storage max_length"
).split()
WIDER = [
    ("CharField", "TextField"),
    ("SmallIntegerField", "IntegerField"),
    ("IntegerField", "BigIntegerField"),
    ("AutoField", "BigAutoField"),
]
LONG = {"CharField", "TextField", "BinaryField", "JSONField", "ArrayField", "HStoreField"}
# Characters of four bytes each: PostgreSQL's B-tree takes 2704 bytes.
LONGEST_KEY = 650


def describe(step: Any, state: Any, created: set[Any], existing: Sequence[str]) -> dict[str, Any]:
    """The migration as it is told; `fixed` is why it cannot be taken back."""
    migration, is_backwards = step
    app, operations, fixed = migration.app_label, [], "undo" if is_backwards else ""
    own = {type(migration).apply, type(migration).unapply} - {Migration.apply, Migration.unapply}
    if own:
        operations.append(["unknown", fixed := "Migration.apply"])
    for operation in migration.operations:
        what = [getattr(operation, key, None) for key in ("model_name", "old_name", "name")]
        label, kind = "contract", type(operation).__name__
        if is_backwards:
            kind = "undo " + kind
        else:
            try:
                label, why = classify(operation, app, state, created, existing)
                if not can_be_undone(operation, app, state):
                    fixed = fixed or kind
                kind += why
                operation.state_forwards(app, state)
            except Exception:  # noqa: BLE001 - the app's own operations
                label, fixed = "unknown", fixed or kind
        name = ".".join(one for one in what if isinstance(one, str))
        operations.append([label, f"{kind} {name}".strip()])
    return {
        "name": f"{app}.{migration.name}",
        "class": worst(label for label, _ in operations),
        "atomic": migration.atomic is True,
        "operations": operations,
        "fixed": fixed,
    }


def can_be_undone(operation: Any, app: str, state: Any) -> bool:
    """Whether Django knows the way, and it is no column without a value for the rows there are."""
    kind = type(operation)
    if not kind.__module__.startswith(DJANGOS) or not operation.reversible:
        return False
    if kind.__name__ == "RemoveField":
        field = state.models[app, operation.model_name_lower].fields[operation.name]
        return field.null or field.blank or field.has_default() or is_filled(field)
    inner = getattr(operation, "database_operations", ())
    return all(can_be_undone(one, app, state) for one in inner)


def classify(
    operation: Any, app: str, state: Any, created: set[Any], existing: Sequence[str]
) -> tuple[str, str]:
    """What it means, and what of it may break old code where its name does not say so.

    `created` are the tables that come with this very plan, which the serving release does not
    know: a model that is unmanaged, or whose table is there already, is none of them.
    """
    kind = type(operation)
    name = kind.__name__ if kind.__module__.startswith(DJANGOS) else ""
    subjects = (getattr(operation, key, None) for key in ("model_name", "old_name", "name"))
    model = (app, str(next((s for s in subjects if s), "")).lower())
    if name == "SeparateDatabaseAndState":
        state, created, found = state.clone(), set(created), [("additive", "")]
        for inner in operation.database_operations:
            found.append(classify(inner, app, state, created, existing))
            inner.state_forwards(app, state)
        return max(found, key=lambda one: ORDER.index(one[0]))
    if name == "RunPython":
        return "data", ""
    if name == "CreateModel":
        created.discard(model)
        table = (operation.options.get("db_table") or "%s_%s" % model).lower()
        if not operation.options.get("managed", True):
            return "additive", ""
        if table not in existing and '"' not in table and len(table) < 60:
            created.add(model)
    if name == "RenameModel" and model in created:
        created.add((app, operation.new_name.lower()))
    is_safe, why = model in created, ""
    if name == "AddField":
        is_safe = is_safe or adds_safely(operation.field)
    elif name == "AlterField":
        is_safe = is_safe or widens(state.models[model].fields[operation.name], operation.field)
    elif name in ADDITIVE or name.endswith("Extension"):
        is_safe = True
    elif name in ("", "RunSQL"):
        return "unknown", ""
    if is_safe:
        why = find_trap(operation, model, state, created)
    return "additive" if is_safe and not why else "contract", why


def find_trap(operation: Any, model: tuple[str, str], state: Any, created: set[Any]) -> str:
    """What makes a write of old code fail that knows nothing of it."""
    field: Any = getattr(operation, "field", None)
    index = getattr(operation, "index", None)
    if model in created:
        fields = [one for _, one in getattr(operation, "fields", ())] or [field]
        return "(ForeignKey)" if any(refers(one, model, created) for one in fields) else ""
    if index:
        return find_trap_of(index, state.models[model].fields)
    if type(operation).__name__ == "AlterField":
        old = state.models[model].fields[operation.name]
        deletes = [getattr(one.remote_field, "on_delete", None) for one in (old, field)]
        if deletes[0] is not deletes[1] and any(hasattr(one, "on_delete_sql") for one in deletes):
            return "(on_delete)"
        return "(unbounded)" if field.db_index > old.db_index and room(field) > LONGEST_KEY else ""
    if getattr(field, "generated", False):
        return "(GeneratedField)"
    return "(ForeignKey)" if refers(field, model, created) else ""


def find_trap_of(index: Any, fields: Any) -> str:
    kind = type(index)
    if not kind.__module__.startswith("django.") or index.expressions or computes(index.condition):
        return "(expression)"
    names = [*(name for name, _ in index.fields_orders), *index.include]
    is_tree = kind.__name__ in ("Index", "BTreeIndex")
    is_long = is_tree and sum(room(fields[name]) for name in names) > LONGEST_KEY
    return "(unbounded)" if is_long else ""


def computes(condition: Any) -> bool:
    """Whether it does more than compare columns with values."""
    return any(
        computes(one)
        if hasattr(one, "children")
        else type(one) is not tuple or hasattr(one[1], "resolve_expression")
        for one in getattr(condition, "children", ())
    )


def room(field: Any) -> float:
    """The characters that a value may have, where it is of those that may have many."""
    field = getattr(field, "output_field", field)
    is_long = any(kind.__name__ in LONG for kind in type(field).__mro__)
    return (field.max_length or float("inf")) if is_long else 0


def refers(field: Any, model: tuple[str, str], created: set[Any]) -> bool:
    """Whether the database keeps old code from deleting rows that new ones refer to."""
    to = getattr(field, "remote_field", None)
    if not to or (field.many_to_many and to.through):
        return False
    holds = getattr(to if field.many_to_many else field, "db_constraint", False)
    deletes: Any = getattr(to, "on_delete", None)
    if hasattr(deletes, "on_delete_sql"):
        holds = holds and deletes.__name__ == "DB_SET_DEFAULT"
    ends = {resolve_relation(to.model, *model), *([model] if field.many_to_many else [])}
    return holds and not ends <= created


def is_filled(field: Any) -> bool:
    """Whether the database itself has a value for a row that comes without one."""
    has_default = getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED
    return has_default or field.many_to_many or getattr(field, "generated", False)


def adds_safely(field: Any) -> bool:
    """Whether old code can insert rows: Django drops a mere `default` from the new column."""
    return (field.null or is_filled(field)) and not field.unique


def widens(old: Any, new: Any) -> bool:
    """Whether the column takes all that it took."""
    kinds = (type(old), type(new))
    if not all(kind.__module__.startswith("django.db.models.") for kind in kinds):
        return False
    if kinds[0] is not kinds[1] and tuple(kind.__name__ for kind in kinds) not in WIDER:
        return False
    was, now = old.deconstruct()[3], new.deconstruct()[3]
    for key in {*was, *now} - set(UNSEEN):
        is_relaxed = key in ("null", "db_index", "db_default") and now.get(key) not in (None, False)
        if was.get(key) != now.get(key) and not is_relaxed:
            return False
    return new.max_length is None or (old.max_length or new.max_length + 1) <= new.max_length


def worst(labels: Any) -> str:
    return max(labels, key=ORDER.index, default=ORDER[0])


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def utc() -> str:
    return time.strftime("%FT%TZ", time.gmtime())


def since(began: float) -> float:
    return round(monotonic() - began, 3)


def words(error: BaseException) -> str:
    kind = type(error)
    text = " ".join(str(error).split())
    return f"{kind.__module__}.{kind.__name__}: {text}"[:500].replace("builtins.", "", 1)


def read_refusal(error: BaseException) -> tuple[str, str]:
    """Why the database does not let us in, from the driver's words: a code it seldom gives."""
    why = words(error)
    number = error.args[0] if error.args else None
    if number in (1044, 1045, 1698) or "authentication failed" in why or "pg_hba.conf" in why:
        return "not allowed", why
    if number == 1049 or (why.endswith("does not exist") and "FATAL" in why):
        return "no such database", why
    return "unreachable", why


CREATE_TABLE = f"""CREATE TABLE {TABLE} (release_id varchar(128) NOT NULL,
container varchar(128) NOT NULL, state varchar(16) NOT NULL, detail text NOT NULL,
PRIMARY KEY (release_id, container))"""
# A node that was cut off must not keep the lock, nor a limit of the role end it.
GONE_SOON = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 13000,
}
NO_LIMIT = {
    "idle_in_transaction_session_timeout": 0,
    "statement_timeout": 0,
    "transaction_timeout": 0,
}
PG_SESSION = """SELECT a.pid, a.application_name,
extract(epoch FROM clock_timestamp() - a.xact_start)::int FROM pg_stat_activity a """
PG_BUSY = f"""{PG_SESSION} WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
AND a.application_name LIKE 'lightgate:%'"""
MY_SESSION = "SELECT id, user, time FROM information_schema.processlist WHERE "
MY_LOCK = "left(concat('lightgate:', database()), 64)"
ENGINES = {
    "postgresql": {
        "take": f"SELECT pg_try_advisory_xact_lock({NAMESPACE}, 1)",
        "keep": "SELECT 1",
        "holder": f"""{PG_SESSION} JOIN pg_locks l USING (pid) WHERE l.locktype = 'advisory'
AND l.classid = {NAMESPACE} AND l.objid = 1 AND l.granted AND a.datname = current_database()
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        "busy": PG_BUSY,
        "busy in a pool": f"{PG_BUSY} AND a.state <> 'idle'",
        "blockers": f"""{PG_SESSION} WHERE a.pid IN (SELECT unnest(pg_blocking_pids(w.pid))
FROM pg_stat_activity w WHERE w.datname = current_database()
AND w.application_name LIKE 'lightgate:%')""",
    },
    "mysql": {
        "take": f"SELECT get_lock({MY_LOCK}, 0)",
        "keep": f"SELECT is_used_lock({MY_LOCK}) = connection_id()",
        "holder": f"{MY_SESSION} id = is_used_lock({MY_LOCK})",
        "busy": f"""{MY_SESSION} db = database() AND id <> connection_id()
AND info REGEXP '^ *(ALTER|CREATE|DROP|RENAME) '""",
    },
    "sqlite": {"take": "SELECT 1", "keep": "SELECT 1"},
}
FINGERPRINT = """SELECT md5(string_agg(x, ' ' ORDER BY x)) FROM (SELECT concat_ws(':', attrelid,
relname, relkind, attname, atttypid, atttypmod, attnotnull, atthasdef) x FROM pg_attribute
JOIN ours ON oid = attrelid UNION ALL SELECT concat(k.oid, pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN ours ON ours.oid = conrelid) t"""
FINGERPRINT = f"""WITH ours AS (SELECT oid, relname, relkind FROM pg_class WHERE relnamespace NOT IN
(SELECT oid FROM pg_namespace WHERE nspname ~ '^(pg_|information_schema$)')
AND relname !~ '^({TABLE}|django_migrations)') {FINGERPRINT}"""

if __name__ != "lightgate.gate.django_helper":  # as it is when this is imported
    main()
