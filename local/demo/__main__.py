"""Release a Django app five times on this machine. Two of the releases fail.

make demo            run it and leave build/demo/report.json and build/demo/session.txt
KEEP=1 make demo     leave the app and the page of its releases running until Ctrl-C
"""

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import psycopg
from rich.console import Console

from lightgate.spec.database_kinds import BackupMode
from local.cloud import account, executions, registry
from local.cloud.announcement import announced
from local.cloud.cloud import PROJECT, STACK, LocalCloud, Stack
from local.cloud.errors import LocalCloudError
from local.cloud.registry import Image
from local.cloud.sns_inbox import EARLY, NOT_EARLY, Inbox
from local.demo import crops, session
from local.demo.claims import Claims
from local.demo.page import serving_the_page
from local.demo.report import Released, write_report
from local.demo.stages import stages
from local.demo.terminal import Screen
from local.demo.traffic import Traffic, send

REPORT = PROJECT / "build" / "demo" / "report.json"
_START = timedelta(seconds=20)
_RELEASE = timedelta(seconds=180)
_POLL_SECONDS = 0.2
# The duration of a snapshot, in AWS's seconds.
_SNAPSHOT = timedelta(minutes=3)
# Seven health checks: more than the four that the two workers of v2.2 answer.
_LONG_WATCH = 30


def main() -> int:
    """Run the demo. Returns 0 only if all claims hold."""
    console = Console(stderr=False)
    # As after Ctrl-C, the demo stops all that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return demonstrate(Screen(console), keep=os.environ.get("KEEP", "") not in ("", "0"))
    except LocalCloudError as error:
        print("\n".join([f"error: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; all programs have been stopped", file=sys.stderr)
        return 130


def demonstrate(screen: Screen, *, keep: bool) -> int:
    screen.title("A cloud on this machine")
    with contextlib.ExitStack() as running:
        cloud = running.enter_context(
            LocalCloud(snapshot_seconds=_SNAPSHOT.total_seconds(), on_progress=screen.line)
        )
        stack = cloud.deploy()
        running.enter_context(announced(cloud.endpoint, STACK))
        url = crops.furnish(cloud.client, cloud.database)
        sns, sqs = cloud.client("sns"), cloud.client("sqs")
        inbox = Inbox(sns, sqs, stack.topic_arn, "people", NOT_EARLY)
        early = Inbox(sns, sqs, stack.topic_arn, "early", EARLY)
        screen.line("deployed the stack; the account is ready for the first release")

        demo = _Demo(cloud, stack, inbox, screen)
        v1 = demo.release("v1", "the first release")
        with Traffic(url) as traffic:
            v2 = demo.release("v2", "a schema migration and a data migration")
            _change_the_spec(cloud)
            screen.line("changed the app's spec: a snapshot only if migrations are pending, and")
            screen.line("health checks that request the page of the app")
            code_only = demo.release("v2.1", "code only, no migrations")
            requests = traffic.so_far()
        _change_the_spec(cloud, watchSeconds=_LONG_WATCH)
        fails_later = demo.release(
            "v2.2",
            "it becomes active, and then fails its health checks",
            crops.image("fails-later"),
        )
        after_rollback = _serving(url)
        with Traffic(url) as traffic:
            v3 = demo.release("v3", "its second migration fails in the middle")
            for message in early.receive(1, timedelta(seconds=5)):
                screen.line(f"sent before its end: {message.subject}")
            time.sleep(1)
        requests = requests.and_then(traffic.so_far())

        screen.title("Claims, and whether they hold")
        claims = Claims()
        claims.check_successes(v1, v2, code_only)
        claims.check_database((v1, v2, v3), _applied(cloud))
        claims.check(
            "v2.2 became active, failed its health checks, and was rolled back to v2.1",
            (fails_later.status, fails_later.failure_kind, after_rollback)
            == ("ROLLED_BACK", "watch-failed", "v2.1"),
        )
        claims.check_availability(requests, _serving(url))
        for claim, holds in claims.checked:
            screen.line(claim, mark=holds)
        for failure in requests.failures:
            screen.line(failure, mark=False)
        write_report(REPORT, (v1, v2, code_only, fails_later, v3), requests, claims.checked)

        screen.title("The notifications, as subscribers received them")
        for release in (v2, code_only, fails_later, v3):
            screen.text(f"Subject: {release.subject}\n\n{release.text}\n")
        session.SESSION.write_text(session.record(), "utf-8")
        screen.line(f"the report is in {REPORT.relative_to(PROJECT)}")
        if keep:
            screen.line(f"the app is running at {url} until you press Ctrl-C")
            page = running.enter_context(serving_the_page())
            screen.line(f"what is live and what happened: {page}")
            screen.line("in another terminal: lightgate status --local")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    return 0 if claims.all_hold else 1


@dataclass(frozen=True)
class _Demo:
    cloud: LocalCloud
    stack: Stack
    inbox: Inbox
    screen: Screen
    seen: set[str] = field(default_factory=set)

    def release(self, name: str, what: str, image: Image | None = None) -> Released:
        """Push the release's image and follow its execution to the end."""
        machine, arn = self.cloud.client("stepfunctions"), self.stack.state_machine_arn
        self.screen.title(f"Push {name}: {what}")
        pushed = image or crops.image(name)
        digest = registry.push(self.cloud.endpoint, crops.spec()["repository"], name, pushed)
        self.screen.line(f"pushed {name} as {digest[:19]}")
        execution = executions.wait_for_start(machine, arn, known=self.seen, within=_START)
        self.seen.add(execution)
        events = self._follow(machine, execution)
        [received] = self.inbox.receive(1, timedelta(seconds=10))
        message = json.loads(received.text)
        released = Released(
            name=name,
            digest=digest,
            stages=stages(events),
            execution_status=executions.describe(machine, execution).status,
            subject=received.subject,
            message=message,
        )
        reasons = f": {message['reasons'][0]}" if message["reasons"] else ""
        self.screen.line(f"{name} {released.status}{reasons}", mark=released.status == "SUCCEEDED")
        return released

    def _follow(self, machine: Any, execution: str) -> list[Any]:  # noqa: ANN401 - boto3
        """Print each stage when it has ended, until the execution has ended."""
        shown = 0
        deadline = time.monotonic() + _RELEASE.total_seconds()
        with self.screen.running("Admit") as status:
            while True:
                ended = not executions.describe(machine, execution).running
                events = executions.history(machine, execution)
                known = stages(events)
                for stage in known[shown:]:
                    if stage.ended is None:
                        status.update(stage.name)
                        break
                    self.screen.line(f"{stage.name:<16} {stage.seconds:6.1f} s")
                    shown += 1
                if ended:
                    return events
                if time.monotonic() > deadline:
                    raise LocalCloudError(f"{execution} has not ended in {_RELEASE.seconds} s")
                time.sleep(_POLL_SECONDS)


def _change_the_spec(cloud: LocalCloud, **verification: int) -> None:
    spec = crops.spec()
    spec["database"]["backup"] = BackupMode.WHEN_PENDING.value
    spec["verification"] |= {"path": "/", **verification}
    account.put_app(cloud.client("ssm"), crops.APP, spec)


def _applied(cloud: LocalCloud) -> list[str]:
    """The migrations in the app's own database."""
    with psycopg.connect(cloud.database.url) as connection:
        rows = connection.execute("SELECT app || '.' || name FROM django_migrations").fetchall()
    return [row[0] for row in rows]


def _serving(url: str) -> str | None:
    try:
        return send(urlsplit(url).netloc).getheader("X-Release")
    except (OSError, HTTPException):
        return None


if __name__ == "__main__":
    sys.exit(main())
