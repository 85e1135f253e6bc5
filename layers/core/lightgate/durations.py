"""How long the parts of a release took, read from the state that its execution carries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightgate.backup import seconds_saved
from lightgate.snapshot import SnapshotStatus

type Json = dict[str, Any]


def handed_on(state: Json) -> Json | None:
    """The restore point as the steps handed it on; None if none was begun."""
    found: Json | None = state.get("deployment", {}).get("snapshot") or state.get("snapshot")
    return found if found is not None and "begunAt" in found else None


def saved(state: Json, now: datetime) -> float:
    """By how much the release was shorter than one that waits for its snapshot first."""
    deployment, found = state.get("deployment", {}), handed_on(state)
    seen_at = deployment.get("readyAt")
    if found is None or found["id"] is None or seen_at is None or "createdAt" not in deployment:
        return 0.0
    # When it was ready only the gate knows, by its own clock: not later than we have seen it.
    told_at = deployment["gate"]["readyAt"] or seen_at
    available_at = found["availableAt"]
    return seconds_saved(
        created_at=datetime.fromisoformat(deployment["createdAt"]),
        ready_at=min(datetime.fromisoformat(seen_at), datetime.fromisoformat(told_at)),
        available_at=datetime.fromisoformat(available_at) if available_at else now,
        was_pending=deployment["pending"],
        now=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How long the snapshot and the start of the node of one release took, as far as was seen.

    With `ended` False the snapshot was not there yet after that time.
    """

    snapshot: timedelta | None
    ended: bool
    node_start: timedelta | None


def taken(state: Json, now: datetime) -> Taken:
    """What is to be remembered of a release that ends `now`; all by our own clock."""
    deployment, found = state.get("deployment", {}), handed_on(state)
    snapshot, node_start, ended = None, None, True
    if found is not None and found["id"] is not None and found["status"] != SnapshotStatus.FAILED:
        ended = found["availableAt"] is not None
        until = datetime.fromisoformat(found["availableAt"]) if ended else now
        snapshot = until - datetime.fromisoformat(found["begunAt"])
    if (ready_at := deployment.get("readyAt")) is not None:
        created_at = datetime.fromisoformat(deployment["createdAt"])
        node_start = max(timedelta(), datetime.fromisoformat(ready_at) - created_at)
    return Taken(snapshot=snapshot, ended=ended, node_start=node_start)
