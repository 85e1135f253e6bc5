"""How long a release waits for its restore point."""

from datetime import datetime, timedelta

import pytest

from lightgate.snapshot import SnapshotState, SnapshotStatus, progress
from tests.unit.builders import STARTED, Json, seconds

DATABASE = {"snapshot": "lightgate-crops-1", "instance": "crops-db", "timeoutSeconds": 600}


def after(
    waited: timedelta, status: SnapshotStatus, detail: str = "creating", started: datetime = STARTED
) -> Json:
    state = SnapshotState(status=status, detail=detail)
    return progress(state, DATABASE, started, started + waited)


@pytest.mark.parametrize("waited", [0, 599, 600, 100_000])
def test_an_available_snapshot_is_good_however_long_it_took(waited: int) -> None:
    answer = after(seconds(waited), SnapshotStatus.AVAILABLE)

    assert answer == {
        "status": "AVAILABLE",
        "id": "lightgate-crops-1",
        "availableAt": (STARTED + seconds(waited)).isoformat(),
    }


@pytest.mark.parametrize("status", [SnapshotStatus.CREATING, SnapshotStatus.BUSY])
def test_within_the_limit_it_is_waited_for(status: SnapshotStatus) -> None:
    answer = after(seconds(599.9), status)

    assert answer == {"status": status.value, "id": "lightgate-crops-1", "detail": "creating"}


@pytest.mark.parametrize("status", [SnapshotStatus.CREATING, SnapshotStatus.BUSY])
def test_at_the_limit_the_release_is_refused(status: SnapshotStatus) -> None:
    answer = after(seconds(600), status, detail="the instance is backing-up")

    assert answer == {
        "status": "REFUSED",
        "reasons": [
            "The snapshot lightgate-crops-1 was not available within database.timeoutSeconds "
            "(600): the instance is backing-up."
        ],
    }


def test_a_failed_snapshot_refuses_the_release_at_once() -> None:
    answer = after(seconds(1), SnapshotStatus.FAILED, detail="incompatible-restore")

    assert answer == {
        "status": "REFUSED",
        "reasons": ["The snapshot lightgate-crops-1 has ended as incompatible-restore."],
    }
