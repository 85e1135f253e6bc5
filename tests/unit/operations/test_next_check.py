"""When a deployment is checked again, by what it waits for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Status
from lightgate.operations.next_check import next_check
from lightgate.release.poll_interval import Observed
from lightgate.state import DeploymentProgress
from tests.support.builders import STARTED, admitted

USUAL = timedelta(seconds=10)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def took(count: float) -> list[Observed]:
    return [Observed(after=seconds(count), by=seconds(count))]


HISTORY = Timings(seen_snapshots=took(180), seen_node_starts=took(90), seen_ends=took(30))
CREATED = DeploymentProgress(
    status=Status.ACTIVATING,
    version=8,
    previous_version=7,
    created_at=STARTED,
    poll_seconds=10,
    pending=False,
    permitted=False,
    unknown=(),
)
MAKING = SnapshotProgress(
    status=SnapshotStatus.CREATING,
    id="lightgate-crops-1",
    detail="creating",
    asked_at=STARTED,
    begun_at=STARTED - seconds(20),
    available_at=None,
    restores_to=None,
)


def pause(after: float, *, waits: bool = False, **changes: Any) -> timedelta:
    seen = replace(CREATED, **changes)
    now = STARTED + seconds(after)
    return next_check(admitted(), seen, HISTORY, USUAL, now, waits=waits)


def test_a_new_deployment_is_left_alone_until_its_node_may_be_there() -> None:
    assert pause(0) == seconds(90 - 4.5)
    assert pause(86) < seconds(5)


def test_a_gate_that_waits_is_left_alone_until_its_snapshot_may_be_there() -> None:
    ready = {"ready_at": STARTED + seconds(90), "snapshot": MAKING}

    assert pause(90, waits=True, **ready) == seconds(180 - 20 - 90 - 9)
    assert pause(155, waits=True, **ready) < seconds(5)
    busy = replace(MAKING, status=SnapshotStatus.BUSY)
    assert pause(91, waits=True, **{**ready, "snapshot": busy}) < seconds(5)


def test_an_open_gate_is_left_alone_until_its_version_may_be_live() -> None:
    opened = {"ready_at": STARTED, "opened_at": STARTED + seconds(100)}

    assert pause(100, **opened) == seconds(30 - 1.5)


def test_a_migration_is_checked_by_the_time_since_its_permit() -> None:
    permitted = {
        "ready_at": STARTED + seconds(90),
        "permitted_at": STARTED + seconds(180),
        "permitted": True,
    }

    assert [pause(after, **permitted) for after in (180, 190, 220)] == [USUAL, USUAL, seconds(20)]


def test_late_reports_of_an_ended_deployment_are_read_as_often_as_ever() -> None:
    assert pause(500, ended_at=STARTED + seconds(490)) == USUAL


@pytest.mark.parametrize("node", [60, 600, 3600])
def test_a_gate_is_never_left_alone_until_its_permit_would_be_too_late(node: int) -> None:
    release = admitted()
    longest = release.platform_patience - max(release.asking_gates.values())
    history = replace(HISTORY, seen_node_starts=took(node))
    elapsed = timedelta()
    while elapsed < longest:
        step = next_check(release, CREATED, history, USUAL, STARTED + elapsed)
        assert elapsed + step <= max(longest - 2 * USUAL, elapsed + USUAL)
        elapsed += step
