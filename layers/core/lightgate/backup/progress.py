"""The restore point of one release, as the steps hand it on to each other."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lightgate.backup.backup import Backup, BackupOrder
from lightgate.backup.deploy_timing import when_to_deploy, why_never
from lightgate.backup.restore_points import RestorePoints
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.errors import RefusalCode, RefusedError
from lightgate.outage import Checks
from lightgate.release.poll_interval import until_next_check, wait_seconds
from lightgate.release.release import Release
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.time_limits import WaitLimit

# How long a snapshot that was begun need not show: what AWS lets read lags behind what it did.
READ_LAG = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotProgress:
    """The restore point of a release, from one check to the next.

    `id` is None for a moment of a continuous backup, `detail` the service's own word. `asked_at`
    is when it was first asked for, `begun_at` since when it is being made, `available_at` when it
    was seen to be there, `missing_at` the last check before that, `restores_to` the moment to which
    it restores. `may_deploy` says that the deployment may be created, although the snapshot may not
    be there yet, and `why`. `poll_seconds` is the time until the next check.
    """

    status: SnapshotStatus
    id: str | None
    detail: str
    asked_at: datetime
    begun_at: datetime
    available_at: datetime | None
    restores_to: datetime | None
    missing_at: datetime | None = None
    may_deploy: bool = False
    why: str | None = None
    poll_seconds: int = 10
    checks: Checks = field(default_factory=Checks)

    @property
    def state(self) -> SnapshotState:
        return SnapshotState(status=self.status, detail=self.detail, at=self.restores_to)

    def checked(self, checks: Checks) -> "SnapshotProgress":
        """The same with the checks so far.

        Once it is available its age counts, and no longer the time that the release has waited.
        """
        is_there = self.status is SnapshotStatus.AVAILABLE
        return replace(self, checks=replace(checks, outage=timedelta()) if is_there else checks)


def begin_restore_point(
    points: RestorePoints, order: BackupOrder, release: Release
) -> SnapshotState:
    """Start the snapshot of the order, or find it again; a continuous backup is only read.

    Raises:
        RefusedError: the database allows no such restore point.
    """
    if order.mode is BackupMode.POINT_IN_TIME:
        return points.latest_restorable(order.database)
    return points.take(order.snapshot, database=order.database, app=release.app, release=release.id)


def look_up_snapshot(
    points: RestorePoints, order: BackupOrder, begun_at: datetime, now: datetime
) -> SnapshotState:
    """The state of the snapshot that was started at `begun_at`. Changes nothing."""
    found = points.state(order.snapshot)
    if found is not None:
        return found
    if now - begun_at < READ_LAG:
        return SnapshotState(status=SnapshotStatus.CREATING, detail="requested")
    return SnapshotState(status=SnapshotStatus.FAILED, detail="deleted")


def expected_timings(release: Release, history: Timings) -> Timings:
    """The times of earlier releases, from which those of this one are expected.

    None of them if no gate needs a permit: such a gate does not wait for the snapshot.
    """
    return history if release.asking_gates else Timings()


def shortest_wait_limit(release: Release, poll: timedelta) -> WaitLimit:
    """The limit within which every gate of the release can wait for its permit."""
    limit = max(release.asking_gates.values(), default=timedelta())
    return WaitLimit(platform_patience=release.platform_patience, limit=limit, poll=poll)


def progress(
    state: SnapshotState,
    order: BackupOrder,
    history: Timings,
    *,
    asked_at: datetime,
    begun_at: datetime,
    missing_at: datetime | None = None,
    now: datetime,
    wait_limit: WaitLimit,
    outage: timedelta = timedelta(),
) -> SnapshotProgress:
    """The answer of a snapshot step.

    While the deployment may not be created, the restore point is checked again.

    Raises:
        RefusedError: it cannot become available. Nothing has been applied then, so a release
            without its restore point is refused.
    """
    backup = Backup(
        mode=order.mode,
        state=state,
        asked_at=asked_at,
        begun_at=begun_at,
        available_at=now,
        time_limit=order.time_limit,
        outage=outage,
    )
    if (why := why_never(backup, now)) is not None:
        raise RefusedError(f"{_named(order)} {why}.", code=RefusalCode.SNAPSHOT)
    start = when_to_deploy(backup, history, now, wait_limit)
    seen = seen_at(now, state, order, asked_at=asked_at, begun_at=begun_at, missing_at=missing_at)
    pause = wait_limit.poll
    if state.status is SnapshotStatus.CREATING:
        pause = until_next_check(now - begun_at, history.seen_snapshots, pause)
        pause = min(pause, max(start.again or pause, wait_limit.poll))
    return replace(seen, may_deploy=start.now, why=start.reason, poll_seconds=wait_seconds(pause))


def seen_at(
    now: datetime,
    state: SnapshotState,
    order: BackupOrder,
    *,
    asked_at: datetime,
    begun_at: datetime,
    missing_at: datetime | None = None,
) -> SnapshotProgress:
    """The restore point as of `now`, which `missing_at` was not available yet."""
    is_there = state.status is SnapshotStatus.AVAILABLE
    return SnapshotProgress(
        status=state.status,
        id=order.snapshot if order.mode.takes_a_snapshot else None,
        detail=state.detail,
        asked_at=asked_at,
        begun_at=begun_at,
        available_at=now if is_there else None,
        missing_at=missing_at if is_there else now,
        restores_to=state.at,
    )


def _named(order: BackupOrder) -> str:
    what = f"The snapshot {order.snapshot}" if order.mode.takes_a_snapshot else "The backup"
    return f"{what} of {order.database}"
