"""What stays of a rehearsal, beside what the record of each release has."""

from dataclasses import dataclass
from datetime import datetime

from lightgate.migrations.measured import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """The facts of one rehearsal.

    `name` is that of the temporary instance and of the temporary service. `snapshot` was restored,
    and has the database as of `snapshot_at`. `measured` is None if the gate has measured nothing.
    `max_lock_seconds` is the limit of the spec at that time. `is_removed`: instance and service
    are gone; if not, Reconcile goes on removing them.
    """

    name: str
    snapshot: str | None = None
    snapshot_at: datetime | None = None
    measured: Measured | None = None
    max_lock_seconds: int | None = None
    is_removed: bool = False
