"""The gates of the deployments: they speak as the real programs do, by mailbox and log."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from local.lightsail.model import Deployment
from tests.faults.account import Account

type Json = dict[str, Any]

RELEASE = "LIGHTGATE_RELEASE"
MAILBOX = "LIGHTGATE_MAILBOX"
# What the version that serves can go on working with, and what it cannot.
COMPATIBLE = "compatible"
BREAKING = "breaking"
MIGRATE, COMMAND = "migrate", "lightgate-command"
_NODE_STARTS = timedelta(seconds=40)
_APPLYING_TAKES = timedelta(seconds=10)
_PATIENCE = timedelta(minutes=20)
_ENDS_AFTER = timedelta(seconds=10)
# It launches the containers again before it gives up.
_GIVES_UP_AFTER = timedelta(seconds=90)
_WAITS_FOR_DATABASE = timedelta(minutes=5)
_MESSAGES = {"plan": "plan", "succeeded": "result", "failed": "result"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a gate has to apply; `fails` is the migration that breaks.

    With `crashes` the app behind it does not start. The plan can be reversed with the call
    `take_back`; one that `reverses` takes its migrations off the record.
    """

    migrations: tuple[str, ...] = ()
    fails: str | None = None
    effect: str = COMPATIBLE
    crashes: bool = False
    take_back: tuple[str, ...] = ()
    reverses: bool = False


@dataclass(slots=True, eq=False)
class Gate:
    """The gate of one container of one deployment. `applied` is what it has applied.

    `record` has the migrations on record. It waits for the gate `first`, if there is one.
    """

    account: Account
    service: str
    container: str
    deployment: Deployment
    plan: Plan
    applied: list[str] = field(default_factory=list)
    ready_at: datetime | None = None
    began_at: datetime | None = None
    down_since: datetime | None = None
    is_over: bool = False
    # What the mailbox has not taken. It is tried again as long as the gate asks for its permit.
    unsent: dict[str, bytes] = field(default_factory=dict)
    launched_at: datetime | None = None
    failed: Json | None = None
    record: Callable[[], Collection[str]] = tuple
    first: "Gate | None" = None
    has_opened: bool = False

    @property
    def environment(self) -> Mapping[str, str]:
        return self.deployment.containers[self.container].environment

    def act(self) -> None:
        """Do what is due by now."""
        now = self.account.clock.now()
        launched_at = self.launched_at or self.deployment.created_at
        if self.is_over or now - launched_at < _NODE_STARTS:
            return
        if self.first is not None and not self.first.has_opened:
            return
        if self.ready_at is None:
            if self._state == "FAILED":
                self.is_over = True
                return
            if not self.account.database.answers:
                self._wait_for_database(now)
                return
            self.ready_at = now
            self._tell(self._told())
            if self.failed is not None:
                self._fail(self.failed)
                return
        if self.began_at is not None:
            if now - self.began_at >= _APPLYING_TAKES:
                self._apply()
        elif not self._left or MAILBOX not in self.environment:
            self._begin()
        else:
            self._ask(now)

    def launch_again(self) -> None:
        """As Lightsail does after a crash, or when the version that serves is unhealthy."""
        delay = timedelta(seconds=self.account.lightsail.switches.relaunch_delay)
        self.launched_at = self.account.clock.now() + delay
        self.ready_at = self.began_at = None
        self.is_over = False

    @property
    def _left(self) -> list[str]:
        return [each for each in self.plan.migrations if each not in self.applied]

    @property
    def _state(self) -> str:
        return self.account.lightsail.deployments(self.service)[self.deployment.version]

    def _ask(self, now: datetime) -> None:
        self._send()
        permit = self._permit()
        if permit["state"] == "void":
            self._fail({"cause": "permit", "error": f"the permit is void: {permit['reason']}"})
        elif permit["state"] == "granted" and permit["plan"] == self._told()["hash"]:
            if now < datetime.fromtimestamp(permit["until"], UTC):
                self._begin()
            else:
                self._fail({"cause": "permit", "error": "the permit has expired"})
        elif self.ready_at is not None and now - self.ready_at >= _PATIENCE:
            self._fail({"cause": "permit", "error": "no permit"})

    def _wait_for_database(self, now: datetime) -> None:
        event = {"reason": "unreachable", "error": "connection refused"}
        if self.down_since is None:
            self.down_since = now
            self._tell({"event": "database", "state": "down", **event})
        if now - self.down_since >= _WAITS_FOR_DATABASE:
            why = {"detail": event["reason"], "error": event["error"]}
            self._fail({"cause": "database", **why, "database": "unchanged"})

    def _begin(self) -> None:
        self.began_at = self.account.clock.now()
        if not self._left:
            self._succeed()

    def _apply(self) -> None:
        if not self.account.database.answers:
            # The helper does not reach it either, to see what the command has left.
            self._fail(
                {
                    "cause": "exit",
                    "error": "OperationalError: connection refused",
                    "exitCode": 1,
                    "database": "not known",
                    "recorded": False,
                    "beganAt": self.began_at and self.began_at.isoformat(),
                }
            )
            return
        for migration in self._left:
            self._tell({"event": "applying", "migration": migration})
            if migration == self.plan.fails:
                state = "part-way" if self.applied else "unchanged"
                self._fail(
                    {
                        "cause": "exit",
                        "error": "boom",
                        "migration": migration,
                        "exitCode": 1,
                        "database": state,
                        "lastLines": ["Traceback (most recent call last):", "boom"],
                    }
                )
                return
            self.applied.append(migration)
            self._tell({"event": "applied", "migration": migration, "seconds": 0.5})
        self._succeed()

    def _succeed(self) -> None:
        self.has_opened = True
        left = {"left": self._hashes()} if self._is_recorded else {}
        self._tell({"event": "succeeded", "seconds": 9.0, **left})
        self._end("FAILED" if self.plan.crashes else "ACTIVE")

    @property
    def _is_recorded(self) -> bool:
        return self.plan.reverses or bool(self.plan.take_back)

    def _hashes(self) -> Json:
        return {"a": "-".join(sorted(self.record()))}

    def _fail(self, event: Json) -> None:
        self._tell({"event": "failed", **event})
        if event["cause"] == "exit":
            # An attempt that has failed is not made again by the same release.
            self.failed = {
                **event,
                "cause": "attempt",
                "detail": "failed before",
            }
        runner = self.account.lightsail.services[self.service]
        if self.plan.reverses:
            self.is_over = True
            runner.end(self.deployment, "FAILED", _ENDS_AFTER)
        elif self.container != COMMAND and runner.exits(self.deployment):
            self.launch_again()
        else:
            self._end("FAILED")

    def _end(self, state: str) -> None:
        self.is_over = True
        if self.container == COMMAND or self._state != "ACTIVATING":
            return
        after = _GIVES_UP_AFTER if state == "FAILED" else _ENDS_AFTER
        self.account.lightsail.services[self.service].end(self.deployment, state, after)

    def _told(self) -> Json:
        operations = [[self.plan.effect, "AddField", "harvest.season"]]
        return {
            "event": "plan",
            "hash": "ab12cd34",
            "count": len(self._left),
            "class": self.plan.effect if self._left else "none",
            "atomic": True,
            "migrations": [
                {
                    "name": name,
                    "operations": operations,
                    **({"reversed": True} if self.plan.reverses else {}),
                }
                for name in self._left
            ],
            **({"found": self._hashes()} if self._is_recorded else {}),
            **({"takeBack": [list(self.plan.take_back)]} if self.plan.take_back else {}),
        }

    def _tell(self, event: Json) -> None:
        now = self.account.clock.now()
        line = {
            "lightgate": 1,
            "release": self.environment[RELEASE],
            "container": self.container,
            "at": now.isoformat(),
            **event,
        }
        text = json.dumps(line)
        self.account.lightsail.logs.restore(self.service, self.container, text, now)
        self.put(_MESSAGES.get(event["event"], "status"), text.encode())

    def put(self, name: str, body: bytes) -> None:
        """Write a message, if the gate has a channel."""
        self.unsent[name] = body
        self._send()

    def _send(self) -> None:
        if not self.account.letters_arrive:
            return
        for name, body in list(self.unsent.items()):
            if (bucket_and_key := self._object(name)) is not None:
                bucket, key = bucket_and_key
                self.account.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
                del self.unsent[name]

    def _permit(self) -> Json:
        bucket_and_key = self._object("permit")
        if bucket_and_key is None:
            return {"state": "missing"}
        bucket, key = bucket_and_key
        s3 = self.account.client("s3")
        try:
            found = s3.get_object(Bucket=bucket, Key=key)
        except s3.exceptions.NoSuchKey:
            return {"state": "missing"}
        permit: Json = json.loads(found["Body"].read())
        return permit

    def _object(self, name: str) -> tuple[str, str] | None:
        """Where the URLs of this deployment lead."""
        given = self.environment.get(MAILBOX)
        if given is None or self.account.is_out("s3"):
            return None
        url = urlsplit(json.loads(given)["url"])
        return (url.hostname or "").partition(".")[0], url.path.lstrip("/").replace("*", name)
