"""How long the parts of a release took."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import time_saved
from lightgate.release.poll_interval import Observed
from lightgate.state import Facts


def time_saved_by(facts: Facts, now: datetime) -> timedelta:
    """By how much the release was shorter than one that waits for its snapshot first."""
    deployment, found = facts.deployment, facts.restore_point
    if found is None or found.id is None or deployment is None or deployment.ready_at is None:
        return timedelta()
    # When it was ready only the gate knows, by its own clock: not later than we have seen it.
    told_at = deployment.gate.ready_at if deployment.gate is not None else None
    seen_at = deployment.ready_at
    return time_saved(
        created_at=deployment.created_at,
        ready_at=min(seen_at, datetime.fromisoformat(told_at)) if told_at else seen_at,
        available_at=found.available_at or now,
        was_pending=deployment.pending,
        now=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long the parts of one release took, as far as was seen.

    With `ended` False the snapshot was not there yet after that time. `end` is the time from an
    open gate to the end of the deployment.
    """

    snapshot: Observed | None
    ended: bool
    node_start: Observed | None
    end: Observed | None = None


def durations_of(facts: Facts, now: datetime) -> Durations:
    """What is to be remembered of a release that ends `now`; all by our own clock."""
    snapshot, ended = _snapshot(facts, now)
    deployment = facts.deployment
    return Durations(
        snapshot=snapshot,
        ended=ended,
        node_start=deployment.node_start if deployment is not None else None,
        end=deployment.end if deployment is not None else None,
    )


def _snapshot(facts: Facts, now: datetime) -> tuple[Observed | None, bool]:
    """How long the snapshot took, and whether it ended.

    A release with nothing pending does not follow its snapshot. If the time from its last check to
    the end of the release says no more than earlier releases, it must not replace what they say.
    """
    found = facts.restore_point
    if found is None or found.id is None or found.status is SnapshotStatus.FAILED:
        return None, True
    earlier = facts.admitted.history.snapshots if facts.admitted is not None else ()
    longest = max(earlier, default=timedelta())
    if found.available_at is None:
        unfinished = Observed.between(found.begun_at, now, now)
        return (unfinished if unfinished.by >= longest else None), False
    seen = Observed.between(found.begun_at, found.missing_at, found.available_at)
    if not earlier or seen.by - seen.after <= seen.by / 2:
        return seen, True
    if seen.after < longest:
        return None, True
    return Observed(after=seen.after, by=seen.after), False
