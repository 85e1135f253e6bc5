"""How long the parts of a release took, read from the state that its execution carries."""

from datetime import datetime, timedelta
from typing import Any

from lightgate.backup import seconds_saved

type Json = dict[str, Any]


def handed_on(state: Json) -> Json | None:
    """The restore point as the steps handed it on; None if none was begun."""
    found: Json | None = state.get("deployment", {}).get("snapshot") or state.get("snapshot")
    return found if found is not None and "begunAt" in found else None


def saved(state: Json, now: datetime) -> float:
    """By how much the release was shorter than one that waits for its snapshot first."""
    deployment, found = state.get("deployment", {}), handed_on(state)
    ready_at = deployment.get("gate", {}).get("readyAt")
    if found is None or found["id"] is None or ready_at is None or "createdAt" not in deployment:
        return 0.0
    available_at = found["availableAt"]
    return seconds_saved(
        created_at=datetime.fromisoformat(deployment["createdAt"]),
        ready_at=datetime.fromisoformat(ready_at),
        available_at=datetime.fromisoformat(available_at) if available_at else now,
        was_pending=deployment["pending"],
        now=now,
    )


def taken(state: Json) -> tuple[timedelta | None, timedelta | None]:
    """How long the snapshot and the start of the node took, as far as that was seen."""
    deployment, found = state.get("deployment", {}), handed_on(state)
    snapshot, node_start = None, None
    if found is not None and found["id"] is not None and found["availableAt"] is not None:
        begun_at = datetime.fromisoformat(found["begunAt"])
        snapshot = datetime.fromisoformat(found["availableAt"]) - begun_at
    if (ready_at := deployment.get("gate", {}).get("readyAt")) is not None:
        created_at = datetime.fromisoformat(deployment["createdAt"])
        node_start = datetime.fromisoformat(ready_at) - created_at
    return snapshot, node_start
