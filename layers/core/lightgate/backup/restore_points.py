"""What each kind of database can do for a restore point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lightgate.backup.snapshot import SnapshotState
from lightgate.spec.database_kinds import DatabaseKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The settings of the original database that a restored one needs as well.

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
    `is_public` says whether it can be reached from the internet, `public_members` which instances
    of a cluster can, and `backup_days` how long AWS keeps its own backups, 0 if it makes none. Each
    is None where AWS does not say so.
    """

    kind: DatabaseKind
    name: str
    status: str
    original: Original
    cluster: str | None = None
    is_public: bool | None = None
    public_members: tuple[str, ...] = ()
    backup_days: int | None = None


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
