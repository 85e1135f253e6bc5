"""Follows an execution to the end of its release, by the history of Step Functions."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from lightgate.aws.dynamodb_releases import ReleaseRecord
from lightgate.errors import UnreachableError, sentence
from lightgate.names import execution_name
from lightgate.notifications.email import one_line
from lightgate.records.recorded_outcome import EndStatus
from lightgate.release.lightgate_command import resume_command
from lightgate.release.lock import Lock
from lightgate.release.release import ReleaseKind
from lightgate.state import FinalOutcome, State
from lightgate_cli.acting.stages import FollowedStage, Seen, stages_of
from lightgate_cli.connection import AWS_ERRORS, Connection, may_pass
from lightgate_cli.errors import CommandError, InterruptedFollowing, Problem
from lightgate_cli.reading.finding import app_of_execution, find_release
from lightgate_cli.reading.gather import read_spec, watch_period

# The events of a Wait, and those of the task before it.
_LAST_EVENTS = 12
_POLL = timedelta(seconds=2)
_LOCAL_POLL = timedelta(seconds=0.3)
# Longer than a network that changes, shorter than a person waits.
_MOST_FAILURES = 30
_RUNNING = ("RUNNING", "PENDING_REDRIVE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a followed release has ended, as `--json` prints it.

    `status` is that of the release, or that of its execution if it has ended without one. `text` is
    one sentence, and `reasons` say why the release did not succeed. `printed` are the last lines of
    a command.
    """

    app: str
    execution: str
    release: str | None
    status: str
    text: str
    reasons: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    printed: Sequence[str] = ()

    @property
    def is_good(self) -> bool:
        return self.status == EndStatus.SUCCEEDED


class View(Protocol):
    """Where the progress is shown."""

    def show(self, stages: Sequence[FollowedStage]) -> None:
        """The stages as they were last read. It is called often."""

    def note(self, text: str) -> None:
        """One sentence between the stages."""


@dataclass
class Followed:
    """The execution that is followed now, and its release once that is known."""

    app: str
    execution: str
    release: str | None = None
    failures: int = field(default=0, repr=False)


def follow(followed: Followed, connection: Connection, view: View) -> Verdict:
    """Wait for the end of the release. A release that waits in the queue is followed from there.

    The caller may interrupt it at any moment: it changes nothing.
    """
    timings = connection.timings.read(followed.app)
    watch = watch_period(read_spec(followed.app, connection).spec)
    while True:
        seen, status = _patiently(followed, connection, view, _read)
        if seen is not None:
            followed.release = seen.release or followed.release
            view.show(stages_of(seen, timings, watch))
        if seen is not None and seen.state.end is not None:
            if seen.state.end.status is not EndStatus.QUEUED:
                return _verdict(followed, seen.state)
            told = seen.state.end.cause
            view.note(f"QUEUED: {told}")
            ended = _wait_in_queue(followed, told, connection, view)
            if ended is not None:
                return ended
        elif status not in _RUNNING:
            return _left(followed, status)
        else:
            _pause(connection)


def _wait_in_queue(
    followed: Followed, told: str, connection: Connection, view: View
) -> Verdict | None:
    """Wait until what is queued begins; then `followed` is its new execution.

    The verdict if it does not begin, or if only a person can let it begin.
    """
    record = _patiently(followed, connection, view, _record)
    if record is None:
        text = "The record of the release that waits could not be read."
        return _unreleased(followed, EndStatus.QUEUED, text)
    followed.release = record.release
    # As Admit has named it.
    name = execution_name(followed.app, record.digest or "", record.release)
    execution = connection.executions.arn(name)
    while True:
        lock = _patiently(followed, connection, view, _lock)
        waiting = lock.waiting
        if waiting is not None and waiting.release == record.release:
            if lock.paused is not None and lock.holder is None and waiting.pushed:
                resume = resume_command(followed.execution, followed.app)
                return _unreleased(followed, EndStatus.QUEUED, told, f"To start it: {resume}")
        elif _exists(execution, connection):
            followed.execution = execution
            return None
        else:
            text = "A newer release has taken its place."
            return _unreleased(followed, EndStatus.SUPERSEDED, text)
        _pause(connection)


def _unreleased(followed: Followed, status: EndStatus, text: str, *steps: str) -> Verdict:
    return Verdict(
        app=followed.app,
        execution=followed.execution,
        release=followed.release,
        status=status,
        text=text,
        next_steps=steps,
    )


def _verdict(followed: Followed, state: State) -> Verdict:
    end, outcome = state.end, state.outcome
    assert end is not None  # noqa: S101 - the caller has checked it
    message = _message(outcome) if isinstance(outcome, FinalOutcome) else {}
    told = [line for line in str(message.get("text", "")).splitlines() if line.strip()]
    return Verdict(
        app=followed.app,
        execution=followed.execution,
        release=outcome.release if isinstance(outcome, FinalOutcome) else followed.release,
        status=end.status,
        text=told[0] if told else sentence(one_line(end.cause)),
        reasons=[] if end.status is EndStatus.SUCCEEDED else _reasons(message),
        next_steps=[] if end.status is EndStatus.SUCCEEDED else message.get("nextSteps", []),
        printed=_printed(message) if message.get("kind") == ReleaseKind.COMMAND else [],
    )


def _reasons(message: Mapping[str, Any]) -> Sequence[str]:
    """The cause of a failure with its evidence, or the problems of a refusal."""
    failure = message.get("failure")
    if failure:
        return [one for one in (failure["what"], failure.get("evidence")) if one]
    return [sentence(one) for one in message.get("reasons", [])]


def _printed(message: Mapping[str, Any]) -> Sequence[str]:
    """The last lines of a command, whether it succeeded or failed."""
    gate = message.get("gate") or {}
    lines: Sequence[str] = (gate.get("failure") or gate).get("lastLines", [])
    return lines


def _message(outcome: FinalOutcome) -> Mapping[str, Any]:
    """The message for machines, which has the same facts as the one for people."""
    try:
        found = json.loads(json.loads(outcome.message)["sqs"])
    except (ValueError, KeyError):
        return {}
    return found if isinstance(found, dict) else {}


def _left(followed: Followed, status: str) -> Verdict:
    """The execution is over, and has not ended its release: CleanUp does that."""
    return Verdict(
        app=followed.app,
        execution=followed.execution,
        release=followed.release,
        status=status,
        text=f"The execution ended as {status} before the outcome of the release was recorded.",
        next_steps=[
            f"Lightgate records the outcome within minutes: lightgate history {followed.app}"
        ],
    )


def _read(followed: Followed, connection: Connection) -> tuple[Seen | None, str]:
    """What the execution has done so far, and its status. None before its first state."""
    machine = connection.client("stepfunctions")
    status = str(machine.describe_execution(executionArn=followed.execution)["status"])
    answer = machine.get_execution_history(
        executionArn=followed.execution, reverseOrder=True, maxResults=_LAST_EVENTS
    )
    for event in answer["events"]:
        entered = event.get("stateEnteredEventDetails")
        if entered is None:
            continue
        document = json.loads(entered.get("input") or "{}")
        if "startedAt" not in document:
            return None, status
        seen = Seen(
            state=State.read_at_the_end(document),
            entered=entered["name"],
            entered_at=event["timestamp"],
            is_over=status not in _RUNNING,
        )
        return seen, status
    return None, status


def _lock(followed: Followed, connection: Connection) -> Lock:
    return connection.locks.read(followed.app)


def _record(followed: Followed, connection: Connection) -> ReleaseRecord | None:
    return connection.releases.of_execution(followed.app, followed.execution)


def _exists(arn: str, connection: Connection) -> bool:
    machine = connection.client("stepfunctions")
    try:
        machine.describe_execution(executionArn=arn)
    except machine.exceptions.ExecutionDoesNotExist:
        return False
    return True


def _patiently[T](
    followed: Followed,
    connection: Connection,
    view: View,
    read: Callable[[Followed, Connection], T],
) -> T:
    """Read it, also if AWS does not answer for a while: the release goes on meanwhile."""
    while True:
        try:
            found = read(followed, connection)
        except (*AWS_ERRORS, UnreachableError) as error:
            if not may_pass(error):
                raise
            followed.failures += 1
            if followed.failures == 1:
                view.note("AWS does not answer. The release goes on; trying again.")
            if followed.failures >= _MOST_FAILURES:
                raise
            _pause(connection)
        else:
            followed.failures = 0
            return found


def _pause(connection: Connection) -> None:
    time.sleep((_LOCAL_POLL if connection.is_local else _POLL).total_seconds())


def execution_of(text: str, app: str | None, connection: Connection) -> Followed:
    """The execution of a release, by the id, tag or digest of the release or by its own ARN.

    Raises:
        CommandError: there is none, or several releases may be meant.
    """
    if connection.executions.has(text) or connection.has_rehearsal(text):
        return Followed(app=app_of_execution(text, connection), execution=text)
    record = find_release(text, app, connection)
    if record.execution is None:
        raise CommandError(
            Problem.NOT_FOUND, f"The record of release {record.release} names no execution."
        )
    return Followed(app=record.app, execution=record.execution, release=record.release)


@contextmanager
def interruptible(followed: Followed, what: str = "release") -> Iterator[None]:
    """Say that it goes on, and how to follow it again, if the person stops."""
    try:
        yield
    except KeyboardInterrupt:
        release = followed.release or followed.execution
        raise InterruptedFollowing(
            f"The {what} goes on. To follow it again:", f"lightgate show {release} --follow"
        ) from None
