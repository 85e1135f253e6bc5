"""Assess the restore point of a release, for the steps that start it and that check it."""

from datetime import datetime, timedelta

from lightgate.backup.backup import BackupOrder
from lightgate.backup.progress import (
    SnapshotProgress,
    expected_timings,
    progress,
    shortest_wait_limit,
)
from lightgate.backup.snapshot import SnapshotState
from lightgate.errors import RefusedError
from lightgate.outage import Checks
from lightgate.runtime import Runtime
from lightgate.state import Admission, Stop


def assess_restore_point(
    found: SnapshotState,
    order: BackupOrder,
    admitted: Admission,
    runtime: Runtime,
    *,
    asked_at: datetime,
    begun_at: datetime,
    missing_at: datetime | None = None,
    now: datetime,
    checks: Checks,
) -> SnapshotProgress | Stop:
    """The progress of the restore point as `found` now, or the refusal if it cannot succeed."""
    release, poll = admitted.release, timedelta(seconds=admitted.poll_seconds)
    try:
        seen = progress(
            found,
            order,
            expected_timings(release, admitted.history),
            asked_at=asked_at,
            begun_at=begun_at,
            missing_at=missing_at,
            now=now,
            wait_limit=shortest_wait_limit(release, poll),
            outage=checks.outage,
        )
    except RefusedError as error:
        return Stop.refused(error)
    return seen.checked(checks.ended(runtime.now()))
