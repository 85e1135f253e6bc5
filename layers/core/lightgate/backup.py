"""The restore point that a release needs, and how long it may be expected to take."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from lightgate.snapshot import SnapshotState, SnapshotStatus

# More releases than these say nothing of the next one: databases grow.
_RECENT = 5


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


class RestorePoints(Protocol):
    """What each kind of database can do. Each call can be repeated at any time.

    `take` starts the snapshot of this name or goes on with it, and raises RefusedError if it
    can never be: no such database, no room, somebody else's snapshot. `state` is None where no
    such snapshot shows: one that was begun a moment ago may not yet. `latest_restorable` is
    AVAILABLE with the moment up to which the continuous backup reaches, or FAILED without one.
    `prune` deletes the app's oldest available snapshots beyond `keep`, and nobody else's.
    """

    def take(self, snapshot: str, *, database: str, app: str, release: str) -> SnapshotState: ...

    def state(self, snapshot: str) -> SnapshotState | None: ...

    def latest_restorable(self, database: str) -> SnapshotState: ...

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

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "database": self.database,
            "mode": self.mode.value,
            "snapshot": self.snapshot,
            "timeoutSeconds": self.time_limit.total_seconds(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            kind=DatabaseKind(document["kind"]),
            database=document["database"],
            mode=BackupMode(document["mode"]),
            snapshot=document["snapshot"],
            time_limit=timedelta(seconds=document["timeoutSeconds"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The restore point of a release: what is asked for, and how it stands.

    `state` is None until it was begun, or looked up. `asked_at` says when that was first tried:
    `time_limit` after it, it is not waited for any more. `begun_at` says since when it is being
    made, which is later where the database was busy.
    """

    mode: BackupMode
    state: SnapshotState | None
    asked_at: datetime | None
    begun_at: datetime | None
    time_limit: timedelta

    @property
    def is_there(self) -> bool:
        return self.state is not None and self.state.status is SnapshotStatus.AVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How long the same took in earlier releases of the app, the latest last."""

    snapshots: Sequence[timedelta] = ()
    node_starts: Sequence[timedelta] = ()

    @property
    def snapshot(self) -> timedelta | None:
        """What a snapshot has to be expected to take: the longest of the recent ones."""
        return max(self.snapshots[-_RECENT:], default=None)

    @property
    def node_start(self) -> timedelta | None:
        """The time from the creation of a deployment to the first word of its gate.

        The shortest of the recent ones: a node that is there before its restore point waits.
        """
        return min(self.node_starts[-_RECENT:], default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "snapshotSeconds": [t.total_seconds() for t in self.snapshots[-_RECENT:]],
            "nodeStartSeconds": [t.total_seconds() for t in self.node_starts[-_RECENT:]],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            snapshots=[timedelta(seconds=s) for s in document["snapshotSeconds"]],
            node_starts=[timedelta(seconds=s) for s in document["nodeStartSeconds"]],
        )


def begins_before_the_deployment(mode: BackupMode, history: History, safe_hold: timedelta) -> bool:
    """Whether the restore point is begun without waiting for the plan.

    `safe_hold` is how long the platform can be trusted to let a gate wait, which is its
    patience without the migration's own time limit. A snapshot that takes longer than that
    cannot be waited for by a gate.
    """
    if mode is BackupMode.WHEN_PENDING:
        return history.snapshot is not None and history.snapshot > safe_hold
    return mode is not BackupMode.NONE


def seconds_saved(
    *,
    created_at: datetime,
    ready_at: datetime,
    available_at: datetime | None,
    was_pending: bool,
    now: datetime,
) -> float:
    """How much sooner the release was done than if each step had waited for the one before.

    In sequence the deployment would have been created at `available_at`, and its gate ready as
    much later as it took. With nothing pending no restore point is waited for; if it is not
    there even `now`, at least the time until now was saved. `available_at` is None where no
    snapshot was taken at all: then nothing was waited for, and nothing is claimed.
    """
    if available_at is None:
        return 0.0
    end = min(ready_at, available_at) if was_pending else min(available_at, now)
    return max(0.0, (end - created_at).total_seconds())
