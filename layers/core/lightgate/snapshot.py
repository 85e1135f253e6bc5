"""How far the restore point of a release is, and when waiting for it has no more sense."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


class SnapshotStatus(enum.StrEnum):
    """What a release does next follows from this alone.

    BUSY is the instance being in a state in which RDS takes no snapshot now.
    """

    BUSY = "BUSY"
    CREATING = "CREATING"
    AVAILABLE = "AVAILABLE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotState:
    """How a restore point stands; `detail` is the service's own word.

    `at` is the moment to which an available one restores, `percent` how much of the data a
    creating one has, where the service says so.
    """

    status: SnapshotStatus
    detail: str
    at: datetime | None = None
    percent: int | None = None


def progress(
    state: SnapshotState, database: Mapping[str, Any], started_at: datetime, now: datetime
) -> dict[str, Any]:
    """The answer of a snapshot step: the state, or REFUSED once it cannot become available.

    Nothing has been applied then, so a release without its restore point is refused.
    """
    name = database["snapshot"]
    if state.status is SnapshotStatus.AVAILABLE:
        return {"status": "AVAILABLE", "id": name, "availableAt": now.isoformat()}
    if state.status is SnapshotStatus.FAILED:
        return _refused(f"The snapshot {name} has ended as {state.detail}.")
    limit = timedelta(seconds=database["timeoutSeconds"])
    if now - started_at >= limit:
        return _refused(
            f"The snapshot {name} was not available within database.timeoutSeconds "
            f"({limit.total_seconds():.0f}): {state.detail}."
        )
    return {"status": state.status.value, "id": name, "detail": state.detail}


def _refused(reason: str) -> dict[str, Any]:
    return {"status": "REFUSED", "reasons": [reason]}
