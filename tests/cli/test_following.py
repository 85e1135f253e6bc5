"""The progress of a release that is followed: its stages, their texts, and its end."""

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console
from rich.text import Text

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.codec import encode
from lightgate.deployment.status import Status
from lightgate.gate.gate_report import NO_GATE_REPORT, Migration, Phase
from lightgate.names import execution_name
from lightgate.outage import Checks
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.release_record import StageName
from lightgate.release.lock import Lock, Pause, Waiting
from lightgate.state import End, FinalOutcome, State, Stop, StopStatus
from lightgate.verification.health import WatchProgress, WatchStatus
from lightgate.verification.verified import Verified
from lightgate_cli.acting import following
from lightgate_cli.acting.carry_out import lines
from lightgate_cli.acting.following import Followed, Verdict, follow, interruptible
from lightgate_cli.acting.stages import FollowedStage, Mark, Seen, stages_of
from lightgate_cli.acting.view import changes, opened, stage_table
from lightgate_cli.errors import InterruptedFollowing
from tests.cli.golden import TERMINAL, assert_golden
from tests.cli.test_progress import ADMITTED, TIMINGS, snapshot
from tests.support.builders import EXECUTION, RELEASE, STARTED, bare_state, progress, seconds

_MACHINE = EXECUTION.rpartition(":")[0]
NEXT = f"{_MACHINE}:{execution_name('crops-backend', 'sha256:d', RELEASE)}"
WATCH = timedelta(minutes=2)


def seen(state: State, entered: str, after: float, *, is_over: bool = False) -> Seen:
    return Seen(state=state, entered=entered, entered_at=STARTED + seconds(after), is_over=is_over)


def course() -> list[Seen]:
    """A release with one migration, as it is seen every few seconds."""
    creating = replace(ADMITTED, snapshot=snapshot(may_deploy=True))
    deployed = replace(
        creating, deployment=progress(status=Status.ACTIVATING, created_at=STARTED + seconds(8))
    )
    there = snapshot(
        status=SnapshotStatus.AVAILABLE, available_at=STARTED + seconds(184), may_deploy=True
    )
    gate = replace(NO_GATE_REPORT, phase=Phase.APPLYING, began_at="2026-11-16T01:57:40+00:00")
    plan = {"pending": True, "ready_at": STARTED + seconds(90), "created_at": STARTED + seconds(8)}
    waits = progress(status=Status.ACTIVATING, **plan, permitted=False, snapshot=snapshot())
    migrates = replace(
        waits, permitted=True, permitted_at=STARTED + seconds(186), snapshot=there, gate=gate
    )
    applied = replace(gate, migrations=[Migration(name="harvests.0005_tidy_crops", seconds=9.0)])
    opened = replace(migrates, opened_at=STARTED + seconds(200), gate=applied)
    active = replace(opened, status=Status.ACTIVE, ended_at=STARTED + seconds(215))
    last = Checks(last_at=STARTED + seconds(336))
    checked = WatchProgress(began_at=STARTED + seconds(216), total=3, checks=last)
    good = Verified(status=WatchStatus.GOOD, version=8, watch=checked)
    end = End(status=EndStatus.SUCCEEDED, cause="Version 8 is active.")

    def at(state: State, entered: str, after: float, **more: Any) -> Seen:
        return seen(replace(state, **more), entered, after)

    return [
        seen(bare_state(), "Admit", 0),
        at(ADMITTED, "TakeSnapshot", 4),
        at(creating, "Deploy", 6),
        at(deployed, "WaitForDeployment", 20),
        at(deployed, "WaitForDeployment", 100, deployment=waits),
        at(deployed, "CheckDeployment", 190, deployment=migrates),
        at(deployed, "CheckDeployment", 202, deployment=opened),
        at(deployed, "VerifyRelease", 216, deployment=active),
        at(deployed, "RecordOutcome", 340, deployment=active, verification=good),
        at(deployed, "PublishOutcome", 342, deployment=active, verification=good, end=end),
    ]


def test_a_pipe_gets_one_line_for_each_change() -> None:
    known: dict[StageName, Mark] = {}
    told = [line for each in course() for line in changes(stages_of(each, TIMINGS, WATCH), known)]

    good = Verdict(
        app="crops-backend",
        execution=EXECUTION,
        release=RELEASE,
        status="SUCCEEDED",
        text="Release v3 of crops-backend is live.",
    )
    assert_golden("follow-pipe", [*told, *lines(good, width=None)])
    assert list(changes(stages_of(course()[-1], TIMINGS, WATCH), known)) == []


def drawn(stages: Sequence[FollowedStage], after: float) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=TERMINAL, force_terminal=False, color_system=None)
    console.print(stage_table(stages, STARTED + seconds(after), Text("⠋")))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_terminal_shows_the_stages_with_elapsed_and_expected_time() -> None:
    shown = [
        line
        for each, after in ((course()[4], 100), (course()[5], 195), (course()[-1], 342))
        for line in [*drawn(stages_of(each, TIMINGS, WATCH), after), ""]
    ]

    assert_golden("follow-terminal", shown)
    assert [line for line in shown if len(line) > TERMINAL] == []


def test_a_long_detail_is_cut_and_leaves_the_other_columns_whole() -> None:
    snapshot = "lightgate-crops-backend-20261130t223104z-1a36f0f3-4a68"
    long = [replace(each, detail=snapshot) for each in stages_of(course()[-3], TIMINGS, WATCH)]

    shown = drawn(long, 300)

    assert len(shown) == len(long)
    assert [line for line in shown if len(line) > TERMINAL] == []
    assert any(line.startswith("⠋  Health checks") and line.endswith("…") for line in shown)
    assert "of ~2:00" in "\n".join(shown)


def test_a_failed_migration_is_marked_with_its_name() -> None:
    failed = replace(
        progress(pending=True, ready_at=STARTED + seconds(9), status=Status.FAILED),
        permitted_at=STARTED + seconds(10),
        ended_at=STARTED + seconds(30),
    )
    state = replace(ADMITTED, deployment=failed)

    stages = stages_of(seen(state, "RecordOutcome", 31), TIMINGS)

    assert [each.mark for each in stages if each.name is StageName.MIGRATION] == [Mark.FAILED]
    assert StageName.ACTIVATION not in [each.name for each in stages]


def test_a_stage_that_the_end_has_cut_off_runs_no_more() -> None:
    stages = stages_of(replace(course()[3], is_over=True), TIMINGS)

    assert {each.mark for each in stages} == {Mark.DONE, Mark.OVER}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_in_place_and_left_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    connection: Any = SimpleNamespace(now=lambda: STARTED + seconds(342))

    with opened(connection) as view:
        for each in course():
            view.show(stages_of(each, TIMINGS, WATCH))
        view.note("AWS does not answer.")

    drawn_text = out.getvalue()
    assert "AWS does not answer." in drawn_text
    assert drawn_text.rstrip().endswith("\x1b[?25h")
    last = drawn_text.rpartition("Admission")[2]
    assert [name for name in ("Snapshot", "Migration", "Health checks") if name not in last] == []


class Shown:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: Sequence[FollowedStage] = ()

    def show(self, stages: Sequence[FollowedStage]) -> None:
        self.stages = stages

    def note(self, text: str) -> None:
        self.notes.append(text)


class Aws:
    """A connection that answers from a list. An answer that is an error is raised."""

    is_local = True

    def __init__(self, **answers: Sequence[object]) -> None:
        self.answers = {name: list(each) for name, each in answers.items()}
        self.timings = SimpleNamespace(read=lambda _: TIMINGS)
        self.locks = SimpleNamespace(read=lambda _: self._next("locks"))
        self.releases = SimpleNamespace(
            of_execution=lambda *_: SimpleNamespace(release=RELEASE, digest="sha256:d")
        )
        self.executions = SimpleNamespace(arn=lambda name: f"{_MACHINE}:{name}")
        self.known = {EXECUTION}

    class ExecutionDoesNotExistError(Exception):
        pass

    def client(self, _: str) -> Any:
        return SimpleNamespace(
            describe_execution=self._describe,
            get_execution_history=lambda **_: {"events": [self._next("events")]},
            exceptions=SimpleNamespace(ExecutionDoesNotExist=self.ExecutionDoesNotExistError),
        )

    def _describe(self, **arguments: str) -> dict[str, object]:
        if arguments["executionArn"] == NEXT and NEXT not in self.known:
            raise self.ExecutionDoesNotExistError
        return {"status": self._next("statuses")}

    def _next(self, name: str) -> Any:
        rest = self.answers[name]
        found = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(found, Exception):
            raise found
        return found


def event(state: State, entered: str = "PublishOutcome") -> dict[str, object]:
    details = {"name": entered, "input": json.dumps(encode(state))}
    return {"timestamp": STARTED, "stateEnteredEventDetails": details}


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following.time, "sleep", lambda _: None)
    monkeypatch.setattr(following, "read_spec", lambda *_: SimpleNamespace(spec=None))


def followed() -> Followed:
    return Followed(app="crops-backend", execution=EXECUTION)


def ended(status: EndStatus, **message: object) -> State:
    outcome = FinalOutcome(
        app="crops-backend",
        stage="production",
        release=RELEASE,
        status=status,
        cause="It is so.",
        subject="S",
        message=json.dumps({"sqs": json.dumps(message)}),
        publish=True,
        fence=1,
    )
    return replace(ADMITTED, outcome=outcome, end=End(status=status, cause="It is so."))


def stopped(status: StopStatus, cause: str) -> State:
    stop = Stop(status=status, reasons=(cause,))
    return bare_state(admission=stop, end=End(status=EndStatus(status.value), cause=cause))


def verdict(aws: Aws, view: Shown | None = None) -> Verdict:
    return follow(followed(), aws, view or Shown())  # type: ignore[arg-type]


def test_the_verdict_is_the_first_sentence_of_the_message() -> None:
    good = ended(EndStatus.SUCCEEDED, text="Release v3 is live.\nMore.", nextSteps=["x"])

    found = verdict(Aws(statuses=["RUNNING"], events=[event(good)]))

    assert found.is_good
    assert (found.text, found.release, found.next_steps) == ("Release v3 is live.", RELEASE, [])


@pytest.mark.parametrize(
    ("told", "reasons"),
    [
        ({"reasons": ["there is no image v9"]}, ["there is no image v9."]),
        (
            {"failure": {"what": "Migration 0002 failed.", "evidence": "no such table"}},
            ["Migration 0002 failed.", "no such table"],
        ),
    ],
)
def test_a_release_that_did_not_succeed_says_why(told: Any, reasons: list[str]) -> None:
    bad = ended(EndStatus.REFUSED, text="It was refused.", nextSteps=["Do it."], **told)

    found = verdict(Aws(statuses=["FAILED"], events=[event(bad)]))

    assert found.reasons == reasons
    shown = [str(line) for line in lines(found, width=None)]
    assert shown[:2] == ["REFUSED: It was refused.", f"Reason       {reasons[0]}"]
    assert "Next         Do it." in shown


def test_a_failed_command_shows_what_it_has_printed_and_what_to_do() -> None:
    gate = {"lastLines": [], "failure": {"lastLines": ["ZeroDivisionError"]}}
    bad = ended(
        EndStatus.FAILED, kind="COMMAND", text="It failed.", nextSteps=["Do it."], gate=gate
    )

    found = verdict(Aws(statuses=["FAILED"], events=[event(bad)]))

    assert not found.is_good
    assert [line.plain for line in lines(found, width=None)] == [
        "FAILED: It failed.",
        "Next         Do it.",
        "  ZeroDivisionError",
        f"Details      lightgate show {RELEASE}",
    ]


def test_a_release_in_the_queue_is_followed_to_its_own_execution() -> None:
    waits = Waiting(
        name="next", release=RELEASE, digest="d", at=STARTED, request={"pushedTag": "v3"}
    )
    aws = Aws(
        statuses=["SUCCEEDED", "RUNNING"],
        events=[
            event(stopped(StopStatus.QUEUED, "Release r is in progress.")),
            event(ended(EndStatus.SUCCEEDED, text="Release v3 is live.")),
        ],
        locks=[Lock(waiting=waits), Lock(waiting=waits), Lock()],
    )
    aws.known.add(NEXT)
    view = Shown()

    found = verdict(aws, view)

    assert (found.status, found.execution) == ("SUCCEEDED", NEXT)
    assert view.notes == ["QUEUED: Release r is in progress."]


def test_a_release_that_has_left_the_queue_meanwhile_is_followed_all_the_same() -> None:
    aws = Aws(
        statuses=["SUCCEEDED", "RUNNING"],
        events=[
            event(stopped(StopStatus.QUEUED, "Release r is in progress.")),
            event(ended(EndStatus.SUCCEEDED, text="Release v3 is live.")),
        ],
        locks=[Lock()],
    )
    aws.known.add(NEXT)

    found = verdict(aws)

    assert (found.status, found.execution) == ("SUCCEEDED", NEXT)


def test_a_release_that_was_superseded_in_the_queue_is_not_waited_for() -> None:
    waits = Waiting(name="next", release=RELEASE, digest="d", at=STARTED, request={})
    newer = replace(waits, name="newer", release="r2")
    aws = Aws(
        statuses=["SUCCEEDED"],
        events=[event(stopped(StopStatus.QUEUED, "Release r is in progress."))],
        locks=[Lock(waiting=waits), Lock(waiting=newer)],
    )

    assert verdict(aws).status == "SUPERSEDED"


def test_a_push_of_a_paused_app_is_not_waited_for() -> None:
    waits = Waiting(
        name="next", release=RELEASE, digest="d", at=STARTED, request={"pushedTag": "v3"}
    )
    pause = Pause(by="ada", reason="import", at=STARTED)
    aws = Aws(
        statuses=["SUCCEEDED"],
        events=[event(stopped(StopStatus.QUEUED, "ada paused the app."))],
        locks=[Lock(waiting=waits, paused=pause)],
    )

    found = verdict(aws)

    assert (found.status, found.text) == ("QUEUED", "ada paused the app.")
    assert list(found.next_steps) == ["To start it: lightgate resume crops-backend"]


@pytest.mark.parametrize("status", [StopStatus.DUPLICATE, StopStatus.SUPERSEDED])
def test_a_push_that_needs_no_release_is_no_success(status: StopStatus) -> None:
    aws = Aws(statuses=["SUCCEEDED"], events=[event(stopped(status, "It is so."))])

    found = verdict(aws)

    assert (found.status, found.text, found.is_good) == (status.value, "It is so.", False)


def test_an_execution_that_was_stopped_says_who_ends_its_release() -> None:
    found = verdict(Aws(statuses=["ABORTED"], events=[event(ADMITTED, "Deploy")]))

    assert found.status == "ABORTED"
    assert found.release == RELEASE
    assert "lightgate history crops-backend" in found.next_steps[0]


def test_a_network_that_is_gone_for_a_while_does_not_end_it() -> None:
    gone = EndpointConnectionError(endpoint_url="https://states")
    good = ended(EndStatus.SUCCEEDED, text="Release v3 is live.")
    view = Shown()

    found = verdict(Aws(statuses=[gone, gone, "RUNNING"], events=[event(good)]), view)

    assert found.is_good
    assert view.notes == ["AWS does not answer. The release goes on; trying again."]


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://states"),
        ClientError(
            {
                "Error": {"Code": "AccessDeniedException", "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            },
            "DescribeExecution",
        ),
    ],
)
def test_an_error_that_stays_ends_it(error: Exception) -> None:
    with pytest.raises(type(error)):
        verdict(Aws(statuses=[error], events=[{}]))


def test_an_interruption_says_how_to_follow_the_release_again() -> None:
    known = replace(followed(), release=RELEASE)
    for each, name in ((known, RELEASE), (followed(), EXECUTION)):
        with pytest.raises(InterruptedFollowing) as told, interruptible(each):
            raise KeyboardInterrupt
        assert told.value.command == f"lightgate show {name} --follow"
