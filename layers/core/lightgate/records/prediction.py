"""What the newest rehearsal of an image had measured, beside what its release then did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lightgate.migrations.measured import MeasuredLock


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedMigration:
    """How long a migration took in the rehearsal and in the release; None if that is unknown."""

    name: str
    rehearsed_seconds: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The rehearsal of a release.

    `lock` is the longest one that made reads or writes of a whole table wait. `lock_at_most` is how
    long the migration that held it took in the release: no lock of it lasted longer. The gate of a
    release measures no locks itself. `is_upper_bound`: the restored volume was still loading.
    """

    rehearsal: str
    status: str
    summary: str
    ended_at: datetime
    migrations: Sequence[PredictedMigration] = ()
    lock: MeasuredLock | None = None
    lock_at_most: float | None = None
    is_upper_bound: bool = False
