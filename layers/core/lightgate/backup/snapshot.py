"""How far a restore point is, in one vocabulary for all kinds of databases."""

import enum
from dataclasses import dataclass
from datetime import datetime


class SnapshotStatus(enum.StrEnum):
    """The state of a snapshot. The next action of a release depends on nothing else.

    BUSY: the database is in a state in which RDS takes no snapshot.
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
