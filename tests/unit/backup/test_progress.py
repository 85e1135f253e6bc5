"""How long a release waits for its restore point, and what the steps hand on of it."""

import json
from datetime import timedelta
from unittest.mock import Mock

import pytest

from lightgate.backup.backup import BackupOrder
from lightgate.backup.progress import (
    READ_LAG,
    SnapshotProgress,
    expected_timings,
    look_up_snapshot,
    progress,
    seen_at,
)
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.codec import decode, encode
from lightgate.errors import RefusedError
from lightgate.outage import Checks
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.spec.time_limits import WaitLimit
from tests.support.builders import STARTED, admitted, reasons_of, seconds

BEGUN = STARTED + seconds(5)


def order(mode: BackupMode = BackupMode.ALWAYS) -> BackupOrder:
    return BackupOrder(
        kind=DatabaseKind.INSTANCE,
        database="crops-db",
        mode=mode,
        snapshot="lightgate-crops-1",
        time_limit=timedelta(seconds=600),
    )


def after(
    waited: timedelta,
    status: SnapshotStatus,
    detail: str = "creating",
    mode: BackupMode = BackupMode.ALWAYS,
) -> SnapshotProgress:
    return progress(
        SnapshotState(status=status, detail=detail, at=STARTED),
        order(mode),
        Timings(),
        asked_at=STARTED,
        begun_at=BEGUN,
        now=STARTED + waited,
        wait_limit=holding(seconds(5)),
    )


def holding(look: timedelta) -> WaitLimit:
    return WaitLimit(platform_patience=seconds(900), limit=seconds(310), poll=look)


def seen(state: SnapshotState, asked: BackupOrder) -> SnapshotProgress:
    return seen_at(BEGUN, state, asked, asked_at=STARTED, begun_at=BEGUN)


def test_a_release_whose_gates_would_not_wait_for_the_snapshot_goes_by_no_history() -> None:
    history = Timings(snapshots=[seconds(180)], node_starts=[seconds(90)])

    assert expected_timings(admitted(), history) == history
    assert expected_timings(admitted(asking_gates={}), history) == Timings()


def test_a_node_is_started_when_the_next_check_would_be_too_late() -> None:
    history = Timings(snapshots=[seconds(480)], node_starts=[seconds(388)])
    now, still_creating = (
        BEGUN + seconds(84),
        SnapshotState(status=SnapshotStatus.CREATING, detail="creating"),
    )

    def may_deploy(next_look: timedelta) -> bool:
        return progress(
            still_creating,
            order(),
            history,
            asked_at=STARTED,
            begun_at=BEGUN,
            now=now,
            wait_limit=holding(next_look),
        ).may_deploy

    assert (may_deploy(seconds(10)), may_deploy(seconds(5))) == (True, False)


@pytest.mark.parametrize("waited", [0, 599, 600, 100_000])
def test_an_available_snapshot_is_good_however_long_it_took(waited: int) -> None:
    answer = after(seconds(waited), SnapshotStatus.AVAILABLE, "available")

    assert answer == SnapshotProgress(
        status=SnapshotStatus.AVAILABLE,
        id="lightgate-crops-1",
        detail="available",
        asked_at=STARTED,
        begun_at=BEGUN,
        available_at=STARTED + seconds(waited),
        restores_to=STARTED,
        may_deploy=True,
        why="There is nothing to wait for.",
        poll_seconds=5,
    )


@pytest.mark.parametrize("status", [SnapshotStatus.CREATING, SnapshotStatus.BUSY])
def test_within_the_limit_it_is_waited_for(status: SnapshotStatus) -> None:
    answer = after(seconds(599.9), status)

    assert (answer.status, answer.available_at, answer.may_deploy) == (status, None, False)


@pytest.mark.parametrize("status", [SnapshotStatus.CREATING, SnapshotStatus.BUSY])
def test_at_the_limit_the_release_is_refused(status: SnapshotStatus) -> None:
    assert reasons_of(lambda: after(seconds(600), status, "the instance is backing-up")) == (
        "The snapshot lightgate-crops-1 of crops-db was not available within "
        "database.timeoutSeconds (600): the instance is backing-up.",
    )


@pytest.mark.parametrize(
    ("mode", "what"),
    [
        (BackupMode.ALWAYS, "The snapshot lightgate-crops-1"),
        (BackupMode.POINT_IN_TIME, "The backup"),
    ],
)
def test_a_failed_restore_point_refuses_the_release_at_once(mode: BackupMode, what: str) -> None:
    why = "automated backups are off"

    reasons = reasons_of(lambda: after(seconds(1), SnapshotStatus.FAILED, why, mode))

    assert reasons == (f"{what} of crops-db has ended as {why}.",)


@pytest.mark.parametrize(
    ("found", "after", "status", "detail"),
    [
        (None, timedelta(), SnapshotStatus.CREATING, "requested"),
        (None, READ_LAG - seconds(1), SnapshotStatus.CREATING, "requested"),
        (None, READ_LAG, SnapshotStatus.FAILED, "deleted"),
        ("deleting", timedelta(), SnapshotStatus.FAILED, "deleting"),
        ("available", READ_LAG, SnapshotStatus.AVAILABLE, "available"),
    ],
)
def test_a_snapshot_that_does_not_show_counts_as_deleted_only_after_a_while(
    found: str | None, after: timedelta, status: SnapshotStatus, detail: str
) -> None:
    points = Mock(state=lambda _: found and SnapshotState(status=status, detail=found))

    shown = look_up_snapshot(points, order(), BEGUN, BEGUN + after)

    assert (shown.status, shown.detail) == (status, detail)


@pytest.mark.parametrize("status", list(SnapshotStatus))
@pytest.mark.parametrize("at", [None, STARTED])
def test_a_restore_point_survives_the_state_machine(status: SnapshotStatus, at: object) -> None:
    state = SnapshotState(status=status, detail="x", at=STARTED if at else None)

    document = json.loads(json.dumps(encode(seen(state, order()))))

    assert decode(SnapshotProgress, document).state == state


def test_a_moment_of_a_continuous_backup_has_no_snapshots_name() -> None:
    state = SnapshotState(status=SnapshotStatus.AVAILABLE, detail="x", at=STARTED)

    assert seen(state, order(BackupMode.POINT_IN_TIME)).id is None


@pytest.mark.parametrize("mode", list(BackupMode))
def test_an_order_survives_the_state_machine(mode: BackupMode) -> None:
    assert decode(BackupOrder, json.loads(json.dumps(encode(order(mode))))) == order(mode)


@pytest.mark.parametrize("status", [SnapshotStatus.CREATING, SnapshotStatus.BUSY])
def test_the_limit_of_a_snapshot_counts_no_outage(status: SnapshotStatus) -> None:
    def answer(waited: float) -> SnapshotProgress:
        return progress(
            SnapshotState(status=status, detail="creating"),
            order(),
            Timings(),
            asked_at=STARTED,
            begun_at=BEGUN,
            now=STARTED + seconds(waited),
            wait_limit=holding(seconds(5)),
            outage=seconds(300),
        )

    assert answer(899).status is status
    with pytest.raises(RefusedError):
        answer(900)


def test_the_time_that_a_snapshot_was_waited_for_does_not_make_it_younger() -> None:
    checks = Checks(last_at=STARTED, outage=seconds(300))
    creating = after(seconds(1), SnapshotStatus.CREATING)
    there = after(seconds(1), SnapshotStatus.AVAILABLE)

    assert creating.checked(checks).checks == checks
    assert there.checked(checks).checks == Checks(last_at=STARTED)
