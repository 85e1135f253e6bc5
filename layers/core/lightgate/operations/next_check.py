"""When a deployment is checked again."""

from datetime import datetime, timedelta

from lightgate.backup.progress import shortest_wait_limit
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.release.poll_interval import until_next_check
from lightgate.release.release import Release
from lightgate.state import DeploymentProgress


def next_check(
    release: Release,
    seen: DeploymentProgress,
    history: Timings,
    usual: timedelta,
    now: datetime,
    *,
    waits: bool = False,
) -> timedelta:
    """How long to wait for the next thing that can happen to the deployment as it was `seen`.

    That is in order: the plan of its gates, the snapshot that a gate `waits` for, the gate's
    success, and the end. A gate that can still get a permit is never left alone until that would
    be too late.
    """
    asks = bool(release.asking_gates)
    if seen.ended_at is not None:
        # The reports of the gates are late.
        return usual
    if waits:
        snapshot, since = seen.snapshot, seen.ready_at or seen.created_at
        if snapshot is None or snapshot.status is not SnapshotStatus.CREATING:
            pause = until_next_check(now - since, (), usual, is_urgent=True)
        else:
            elapsed = now - snapshot.begun_at
            pause = until_next_check(elapsed, history.seen_snapshots, usual, is_urgent=True)
    elif asks and seen.ready_at is None:
        pause = until_next_check(now - seen.created_at, history.seen_node_starts, usual)
    elif seen.opened_at is not None:
        pause = until_next_check(now - seen.opened_at, history.seen_ends, usual)
    else:
        since = seen.permitted_at or seen.ready_at or seen.created_at
        pause = until_next_check(now - since, (), usual)
    if asks and not seen.permitted and seen.opened_at is None:
        left = shortest_wait_limit(release, usual).left(now - seen.created_at)
        pause = min(pause, max(left, usual))
    return pause
