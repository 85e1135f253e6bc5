"""The restore point that a release needs, and how long it may be expected to take."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from lightgate.hold import USUAL_NODE_START, Hold
from lightgate.snapshot import SnapshotState, SnapshotStatus

# More releases than these say nothing of the next one: databases grow.
RECENT = 5


class BackupMode(enum.StrEnum):
    """When a release takes a restore point of its database.

    ALWAYS: a snapshot is begun first. WHEN_PENDING: a snapshot is begun when the plan is known
    and not empty. POINT_IN_TIME: the database's own continuous backup has to reach up to the
    release. NONE: there is none.
    """

    ALWAYS = "always"
    WHEN_PENDING = "when-pending"
    POINT_IN_TIME = "point-in-time"
    NONE = "none"

    @property
    def takes_a_snapshot(self) -> bool:
        return self in (BackupMode.ALWAYS, BackupMode.WHEN_PENDING)


class DatabaseKind(enum.StrEnum):
    """Where a database lives; the value is its key under `database` in the spec."""

    INSTANCE = "instance"
    CLUSTER = "cluster"
    LIGHTSAIL = "lightsail"

    @property
    def usual_mode(self) -> BackupMode:
        """A snapshot makes a standard Lightsail database unavailable for seconds to minutes."""
        is_lightsail = self is DatabaseKind.LIGHTSAIL
        return BackupMode.WHEN_PENDING if is_lightsail else BackupMode.ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What a restored database takes over from the one that it is made of.

    Options of the command with their values, a switch with an empty one; `instance` are those of
    the first instance of a cluster. `address` is where the app reaches the original.
    """

    options: Mapping[str, str]
    instance: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A database as AWS describes it. `status` is AWS's own word.

    `cluster` is the DB cluster of which an RDS instance is a member, None if it is in none.
    """

    kind: DatabaseKind
    name: str
    status: str
    original: Original
    cluster: str | None = None


class RestorePoints(Protocol):
    """What each kind of database can do. Each call can be repeated at any time.

    `take` starts the snapshot of this name or goes on with it, and raises RefusedError if it
    can never be: no such database, no room, somebody else's snapshot. `state` is None where no
    such snapshot shows: one that was begun a moment ago may not yet. `latest_restorable` is
    AVAILABLE with the moment up to which the continuous backup reaches, or FAILED without one.
    `describe` returns None if there is no such database, and raises UnreachableError if AWS does
    not answer. `prune` deletes the oldest snapshots that this stack took for the app beyond
    `keep`, and no other one. It raises NotDeletedError if some could not be deleted.
    """

    def take(self, snapshot: str, *, database: str, app: str, release: str) -> SnapshotState: ...

    def state(self, snapshot: str) -> SnapshotState | None: ...

    def latest_restorable(self, database: str) -> SnapshotState: ...

    def describe(self, database: str) -> Description | None: ...

    def prune(self, app: str, database: str, keep: int) -> list[str]: ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How long the same took in recent releases of the app, the latest last.

    `unfinished` is the longest time after which a snapshot was still not there when its release
    ended.
    """

    snapshots: Sequence[timedelta] = ()
    node_starts: Sequence[timedelta] = ()
    unfinished: timedelta | None = None

    @property
    def is_outgrown(self) -> bool:
        """Whether a snapshot took longer than any that was there in time.

        How long nobody knows then, but it is long.
        """
        longest = max(self.snapshots, default=timedelta())
        return self.unfinished is not None and self.unfinished >= longest

    @property
    def snapshot(self) -> timedelta | None:
        """What a snapshot has to be expected to take: the longest of the recent ones."""
        return None if self.is_outgrown else max(self.snapshots, default=None)

    @property
    def node_start(self) -> timedelta | None:
        """The time from the creation of a deployment until the plan of its gate is known.

        The shortest of the recent ones: a node that is there before its restore point waits.
        """
        return min(self.node_starts, default=None)

    @property
    def slowest_node_start(self) -> timedelta:
        """The same where it is the time of a hold that it takes away."""
        return max(self.node_starts, default=USUAL_NODE_START)


def begins_before_the_deployment(mode: BackupMode, history: History, hold: Hold) -> bool:
    """Whether the restore point is begun without waiting for the plan.

    A snapshot that takes longer than a gate may hold cannot be waited for by a gate. Where
    nothing is known of it, it is tried: if it does not fit, that is known for the next release.
    """
    if mode is not BackupMode.WHEN_PENDING:
        return mode is not BackupMode.NONE
    if history.is_outgrown:
        return True
    expected = history.snapshot
    return expected is not None and expected >= hold.left(history.slowest_node_start)


def time_saved(
    *,
    created_at: datetime,
    ready_at: datetime,
    available_at: datetime | None,
    was_pending: bool,
    now: datetime,
) -> timedelta:
    """How much sooner the release was done than if each step had waited for the one before.

    In sequence the deployment would have been created at `available_at`, and its gate ready as
    much later as it took. With nothing pending no restore point is waited for; if it is not
    there even `now`, at least the time until now was saved. `available_at` is None where no
    snapshot was taken at all: then nothing was waited for, and nothing is claimed.
    """
    if available_at is None:
        return timedelta()
    end = min(ready_at, available_at) if was_pending else min(available_at, now)
    return max(timedelta(), end - created_at)
