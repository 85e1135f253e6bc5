"""How long the parts of a release took."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import time_saved
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
    """How long the snapshot and the start of the node of one release took, as far as was seen.

    With `ended` False the snapshot was not there yet after that time.
    """

    snapshot: timedelta | None
    ended: bool
    node_start: timedelta | None


def durations_of(facts: Facts, now: datetime) -> Durations:
    """What is to be remembered of a release that ends `now`; all by our own clock."""
    deployment, found = facts.deployment, facts.restore_point
    snapshot, node_start, ended = None, None, True
    if found is not None and found.id is not None and found.status is not SnapshotStatus.FAILED:
        ended = found.available_at is not None
        snapshot = (found.available_at or now) - found.begun_at
    if deployment is not None and deployment.ready_at is not None:
        node_start = max(timedelta(), deployment.ready_at - deployment.created_at)
    return Durations(snapshot=snapshot, ended=ended, node_start=node_start)
