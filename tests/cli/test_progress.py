"""The stage of a running release, by the state of its execution and the answers so far."""

from dataclasses import replace
from typing import Any

import pytest

from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Status
from lightgate.gate.gate_report import NO_GATE_REPORT, Phase
from lightgate.records.release_record import StageName
from lightgate.release.poll_interval import Observed
from lightgate.state import RollbackProgress, State
from lightgate.verification.health import WatchProgress, WatchStatus
from lightgate.verification.verified import Verified
from lightgate_cli.reading.progress import Progress, progress_of
from tests.support.builders import (
    STARTED,
    admission,
    admitted,
    bare_state,
    progress,
    seconds,
)

ENTERED = STARTED + seconds(500)
TIMINGS = Timings(
    snapshots=[seconds(150), seconds(180)],
    node_starts=[seconds(80), seconds(95)],
    seen_ends=[Observed(after=seconds(10), by=seconds(20))],
)
ADMITTED = bare_state(admission=admission(admitted()))


def snapshot(**changes: Any) -> SnapshotProgress:
    told: dict[str, Any] = {
        "status": SnapshotStatus.CREATING,
        "id": "lightgate-crops",
        "detail": "creating",
        "asked_at": STARTED,
        "begun_at": STARTED + seconds(5),
        "available_at": None,
        "restores_to": None,
    }
    return SnapshotProgress(**told | changes)


def deployed(**changes: Any) -> State:
    return replace(ADMITTED, deployment=progress(**{"status": Status.ACTIVATING, **changes}))


def applying() -> State:
    gate = replace(NO_GATE_REPORT, phase=Phase.APPLYING, began_at="2026-11-16T01:57:00+00:00")
    return deployed(gate=gate, ready_at=STARTED + seconds(90), pending=True)


def waiting(**changes: Any) -> State:
    found: dict[str, Any] = {"pending": True, "permitted": False, "ready_at": STARTED + seconds(90)}
    return deployed(**found | changes)


def rolling_back() -> State:
    back = RollbackProgress(
        status=None, begun_at=STARTED + seconds(300), poll_seconds=5, release="r"
    )
    return replace(deployed(), rollback=back)


def watched() -> State:
    watch = WatchProgress(began_at=STARTED + seconds(200))
    return replace(
        deployed(), verification=Verified(status=WatchStatus.WATCHING, version=8, watch=watch)
    )


@pytest.mark.parametrize(
    ("state", "entered", "stage", "since", "expected"),
    [
        (bare_state(), "Admit", StageName.ADMISSION, 0, None),
        (bare_state(), "WaitForPredecessor", StageName.ADMISSION, 0, None),
        (ADMITTED, "TakeSnapshot", StageName.NODE, 500, None),
        (replace(ADMITTED, snapshot=snapshot()), "WaitForSnapshot", StageName.SNAPSHOT, 5, 180),
        (
            replace(ADMITTED, snapshot=snapshot(may_deploy=True)),
            "Deploy",
            StageName.NODE,
            500,
            None,
        ),
        (deployed(), "WaitForDeployment", StageName.NODE, 0, 95),
        (waiting(snapshot=snapshot()), "CheckDeployment", StageName.SNAPSHOT, 5, 180),
        (
            waiting(snapshot=snapshot(status=SnapshotStatus.AVAILABLE)),
            "CheckDeployment",
            StageName.PERMIT,
            90,
            None,
        ),
        (
            waiting(permitted=True, permitted_at=STARTED + seconds(120)),
            "WaitForDeployment",
            StageName.MIGRATION,
            120,
            None,
        ),
        (applying(), "WaitForDeployment", StageName.MIGRATION, 146, None),
        (
            deployed(opened_at=STARTED + seconds(160)),
            "WaitForDeployment",
            StageName.ACTIVATION,
            160,
            20,
        ),
        (deployed(), "VerifyRelease", StageName.HEALTH, 500, 60),
        (watched(), "WaitForAnswers", StageName.HEALTH, 200, 60),
        (rolling_back(), "WaitForRollback", StageName.ROLLBACK, 300, None),
        (deployed(), "RollBack", StageName.ROLLBACK, 500, None),
        (watched(), "RecordOutcome", None, 500, None),
        (watched(), "PruneSnapshots", None, 500, None),
    ],
)
def test_the_stage_is_the_one_that_the_release_waits_for(
    state: State, entered: str, stage: StageName | None, since: float, expected: float | None
) -> None:
    found = progress_of(state, entered, ENTERED, TIMINGS, seconds(60))

    assert (found.stage, found.since) == (stage, STARTED + seconds(since))
    assert found.expected == (None if expected is None else seconds(expected))


def test_the_expected_time_is_unknown_without_earlier_releases() -> None:
    state = replace(ADMITTED, snapshot=snapshot())

    assert progress_of(state, "WaitForSnapshot", ENTERED, Timings()).expected is None


def test_a_clock_that_is_behind_shows_no_negative_time() -> None:
    assert Progress(stage=None, since=ENTERED).elapsed(STARTED) == seconds(0)
