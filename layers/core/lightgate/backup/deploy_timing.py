"""When the deployment may be created: before its snapshot is there, or only after it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.backup import Backup
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.spec.time_limits import WaitLimit

# A continuous backup lags by some five minutes; one that lags much more has stopped. A snapshot of
# this age would lose too much of what was written since. An undelayed release needs only minutes.
OLDEST_RESTORE_POINT = timedelta(minutes=30)


LONGEST_MISSING = 250
# A snapshot that takes half as long again as expected must still be there in time.
_RESERVE = 0.5


def why_never(backup: Backup, now: datetime) -> str | None:
    """Why the snapshot cannot become available in time; None if it still can."""
    state = backup.state
    if state is None or state.status is SnapshotStatus.AVAILABLE:
        return None
    if state.status is SnapshotStatus.FAILED:
        return f"has ended as {detail_of(state)}"
    if backup.asked_at is None or now - backup.asked_at - backup.outage < backup.time_limit:
        return None
    limit = backup.time_limit.total_seconds()
    return f"was not available within database.timeoutSeconds ({limit:.0f}): {detail_of(state)}"


def detail_of(state: SnapshotState) -> str:
    """AWS's own words, in the middle of a sentence."""
    return state.detail.rstrip(".")


def why_no_point_in_time(state: SnapshotState, now: datetime) -> str | None:
    """Why a continuous backup is no restore point for what begins now; None if it is one."""
    if state.status is not SnapshotStatus.AVAILABLE or state.at is None:
        return f"The database has no point-in-time restore: {state.detail}."
    if now - state.at > OLDEST_RESTORE_POINT:
        return (
            f"The database can be restored only as of {state.at:%H:%M} UTC: its "
            "continuous backup has stopped."
        )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployTiming:
    """Whether the deployment may be created now, and why.

    If not, `again` is the time after which it may be; None if that depends on the snapshot.
    """

    now: bool
    reason: str
    again: timedelta | None = None


def when_to_deploy(
    backup: Backup, history: Timings, now: datetime, wait_limit: WaitLimit
) -> DeployTiming:
    """Create the deployment as soon as the snapshot will certainly be there while a gate can wait.

    Then a release with nothing pending waits for nothing, and all others only for the later one of
    snapshot and node. The snapshot may take half as long again as the longest recent one. If the
    gate cannot wait for so long, the node starts as late as possible, but is ready with the
    snapshot.

    A wrong forecast costs time and never safety: the gate applies nothing without its permit.
    Without a measured snapshot, or if this one takes longer than all before, the deployment waits
    for it.
    """
    state = backup.state
    if not backup.mode.takes_a_snapshot or backup.is_there:
        return DeployTiming(now=True, reason="There is nothing to wait for.")
    if state is None:
        if backup.mode.goes_by_the_plan:
            return DeployTiming(now=True, reason="A snapshot is started when the plan asks for it.")
        return DeployTiming(now=False, reason="The snapshot has not been started.")
    if state.status is not SnapshotStatus.CREATING or backup.begun_at is None:
        return DeployTiming(now=False, reason=f"The snapshot is not in progress: {state.detail}.")
    expected, node_start = history.snapshot, history.node_start
    if expected is None:
        return DeployTiming(now=False, reason="No earlier release shows how long a snapshot takes.")
    elapsed = now - backup.begun_at
    remaining = expected - elapsed
    if remaining < timedelta():
        return DeployTiming(now=False, reason="The snapshot takes longer than those before.")
    if state.percent:
        # A percentage is of data, not of time: it is believed only if it says "later".
        remaining = max(remaining, elapsed * (100 - state.percent) / state.percent)
    left = f"The snapshot takes about {remaining.total_seconds():.0f} s more"
    may_wait = wait_limit.left(timedelta())
    if remaining > may_wait:
        again = remaining - may_wait
        reason = f"{left}, which is longer than a gate can wait."
        return DeployTiming(now=False, reason=reason, again=again)
    if remaining + expected * _RESERVE <= may_wait:
        return DeployTiming(now=True, reason=f"{left}, and a gate can wait for it.")
    starts = node_start or timedelta()
    if remaining <= starts + wait_limit.poll:
        return DeployTiming(now=True, reason=f"{left}, and a node about as long to start.")
    again = min(remaining - starts, remaining + expected * _RESERVE - may_wait)
    reason = f"{left}, and a gate could not wait for one that is late."
    return DeployTiming(now=False, reason=reason, again=again)
