"""The restore point that a release needs, and how long it may be expected to take."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.spec.time_limits import WaitLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOrder:
    """The restore point that a release asks for, as it travels through the state machine.

    `snapshot` is the name that it has if it is a snapshot.
    """

    kind: DatabaseKind
    database: str
    mode: BackupMode
    snapshot: str
    time_limit: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The restore point of a release: what is asked for, and how it stands.

    `state` is None until it was begun, or looked up. `asked_at` says when that was first tried:
    `time_limit` after it, it is not waited for any more. `begun_at` says since when it is being
    made, which is later where the database was busy, and `available_at` since when it is known
    to be there. `outage` is the time since then that no time limit counts.
    """

    mode: BackupMode
    state: SnapshotState | None
    asked_at: datetime | None
    begun_at: datetime | None
    available_at: datetime | None
    time_limit: timedelta
    outage: timedelta = timedelta()

    @property
    def is_there(self) -> bool:
        return self.state is not None and self.state.status is SnapshotStatus.AVAILABLE


def starts_before_the_deployment(mode: BackupMode, history: Timings, wait_limit: WaitLimit) -> bool:
    """Whether the restore point is begun without waiting for the plan.

    A snapshot that takes longer than a gate may hold cannot be waited for by a gate. Where
    nothing is known of it, it is tried: if it does not fit, that is known for the next release.
    """
    if mode is not BackupMode.WHEN_PENDING:
        return mode is not BackupMode.NONE
    if history.is_outgrown:
        return True
    expected = history.snapshot
    return expected is not None and expected >= wait_limit.left(history.slowest_node_start)
