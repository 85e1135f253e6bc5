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
    """The restore point of a release: its mode, its state and its times.

    `state` is None until it was begun, or looked up. `asked_at` is the time of the first
    attempt: `time_limit` later the release gives up. `begun_at` is when AWS began to make it, which
    is later if the database was busy. `available_at` is the first check that found it available.
    `outage` is the time without answers from AWS, which no time limit counts.
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
    """Whether the restore point is started before any gate has reported a plan.

    A gate cannot wait for a snapshot that takes longer than the gate's wait limit. If no earlier
    release has measured a snapshot, the gate tries to wait; the next release knows the time.
    """
    if not mode.goes_by_the_plan:
        return mode is not BackupMode.NONE
    if history.is_outgrown:
        return True
    expected = history.snapshot
    return expected is not None and expected >= wait_limit.left(history.slowest_node_start)
