"""Amazon RDS and Aurora: what a release can be undone with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.backup import Original
from lightgate.errors import RefusedError
from lightgate.restore import of_cluster, of_instance
from lightgate.snapshot import SnapshotState, SnapshotStatus

APP_TAG = "lightgate:app"
RELEASE_TAG = "lightgate:release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """A kind of database of RDS, and what its calls, members and errors are called.

    On the wire some errors have the suffix `Fault` and some have not.
    """

    what: str
    field: str
    id: str
    snapshot_id: str
    snapshot: str
    create: str
    describe: str
    delete: str
    database: str
    describe_database: str
    exists: str
    busy: str
    no_database: str
    no_snapshot: str


INSTANCES = Databases(
    what="RDS instance",
    field="database.instance",
    id="DBInstanceIdentifier",
    snapshot_id="DBSnapshotIdentifier",
    snapshot="DBSnapshot",
    create="create_db_snapshot",
    describe="describe_db_snapshots",
    delete="delete_db_snapshot",
    database="DBInstance",
    describe_database="describe_db_instances",
    exists="DBSnapshotAlreadyExists",
    busy="InvalidDBInstanceState",
    no_database="DBInstanceNotFound",
    no_snapshot="DBSnapshotNotFound",
)
CLUSTERS = Databases(
    what="Aurora cluster",
    field="database.cluster",
    id="DBClusterIdentifier",
    snapshot_id="DBClusterSnapshotIdentifier",
    snapshot="DBClusterSnapshot",
    create="create_db_cluster_snapshot",
    describe="describe_db_cluster_snapshots",
    delete="delete_db_cluster_snapshot",
    database="DBCluster",
    describe_database="describe_db_clusters",
    exists="DBClusterSnapshotAlreadyExists",
    busy="InvalidDBClusterState",
    no_database="DBClusterNotFound",
    no_snapshot="DBClusterSnapshotNotFound",
)


class Snapshots:
    """The restore points of one kind of database (`lightgate.backup.RestorePoints`)."""

    def __init__(self, client: Any, kind: Databases = INSTANCES) -> None:  # noqa: ANN401 - boto3
        self._client, self._kind = client, kind

    def take(self, snapshot: str, *, database: str, app: str, release: str) -> SnapshotState:
        """Start the snapshot, or go on with the one that was started under this name.

        The name is the idempotency key (lightsail-facts.md, section 14).

        Raises:
            RefusedError: there is no such database, the account's snapshots are used
                up, or the name belongs to somebody else's snapshot.
        """
        tags = [{"Key": APP_TAG, "Value": app}, {"Key": RELEASE_TAG, "Value": release}]
        names = {self._kind.id: database, self._kind.snapshot_id: snapshot}
        try:
            answer = getattr(self._client, self._kind.create)(**names, Tags=tags)
        except ClientError as error:
            return self._not_created(error, snapshot, database, release)
        return _state_of(answer[self._kind.snapshot])

    def state(self, snapshot: str) -> SnapshotState | None:
        """How far the snapshot is; None if none shows. Only `available` counts as there."""
        found = self._find(snapshot)
        return _state_of(found) if found is not None else None

    def latest_restorable(self, database: str) -> SnapshotState:
        """Up to when the database's own continuous backup reaches. Changes nothing.

        Raises:
            RefusedError: there is no such database.
        """
        try:
            answer = getattr(self._client, self._kind.describe_database)(
                **{self._kind.id: database}
            )
        except ClientError as error:
            if _is(error, self._kind.no_database):
                raise self._no_database(database) from error
            raise
        found = answer[f"{self._kind.database}s"][0]
        days, at = found.get("BackupRetentionPeriod", 0), found.get("LatestRestorableTime")
        if not days:
            return SnapshotState(status=SnapshotStatus.FAILED, detail="automated backups are off")
        if at is None:
            detail = "the first automated backup is not there yet"
            return SnapshotState(status=SnapshotStatus.FAILED, detail=detail)
        return SnapshotState(
            status=SnapshotStatus.AVAILABLE, detail=f"backups are kept for {days} days", at=at
        )

    def original(self, database: str) -> Original:
        """What a restore takes over from the database.

        Raises:
            UnreachableError: nobody can tell.
        """
        describe = getattr(self._client, self._kind.describe_database)
        with reaching("RDS"):
            found = describe(**{self._kind.id: database})[f"{self._kind.database}s"][0]
            if self._kind is INSTANCES:
                return of_instance(found)
            named = {"Name": "db-cluster-id", "Values": [database]}
            instances = self._client.describe_db_instances(Filters=[named])["DBInstances"]
        return of_cluster(found, instances[0] if instances else {})

    def prune(self, app: str, database: str, keep: int) -> list[str]:
        """Delete the app's oldest snapshots beyond `keep`; the identifiers of those deleted.

        Only snapshots which Lightgate made for this app of this database, and which are
        available, are ever counted or touched.
        """
        pages = self._client.get_paginator(self._kind.describe).paginate(
            **{self._kind.id: database}, SnapshotType="manual"
        )
        ours: list[tuple[datetime, str]] = sorted(
            (found["SnapshotCreateTime"], found[self._kind.snapshot_id])
            for page in pages
            for found in page[f"{self._kind.snapshot}s"]
            if _state_of(found).status is SnapshotStatus.AVAILABLE
            and _tags(found).get(APP_TAG) == app
            and RELEASE_TAG in _tags(found)
        )
        surplus = [identifier for _, identifier in ours[: max(0, len(ours) - keep)]]
        for identifier in surplus:
            getattr(self._client, self._kind.delete)(**{self._kind.snapshot_id: identifier})
        return surplus

    def _not_created(
        self, error: ClientError, snapshot: str, database: str, release: str
    ) -> SnapshotState:
        message = error_message(error)
        if _is(error, self._kind.exists):
            found = self._find(snapshot)
            if found is None:  # what is read lags: it is asked for again, and seen whose it is
                return SnapshotState(status=SnapshotStatus.BUSY, detail="requested")
            if found[self._kind.id] != database or _tags(found).get(RELEASE_TAG) != release:
                raise RefusedError(
                    f"a snapshot {snapshot} exists already and does not belong to this release"
                ) from error
            return _state_of(found)
        if _is(error, self._kind.busy):
            return SnapshotState(status=SnapshotStatus.BUSY, detail=message)
        if _is(error, self._kind.no_database):
            raise self._no_database(database) from error
        if _is(error, "SnapshotQuotaExceeded"):
            raise RefusedError(
                f"RDS takes no further snapshot: {message}. Delete old ones, or let Lightgate do "
                "it with database.keepSnapshots"
            ) from error
        raise error

    def _no_database(self, database: str) -> RefusedError:
        return RefusedError(
            f"{self._kind.field}: there is no {self._kind.what} {database} in this region"
        )

    def _find(self, snapshot: str) -> dict[str, Any] | None:
        try:
            answer = getattr(self._client, self._kind.describe)(
                **{self._kind.snapshot_id: snapshot}
            )
        except ClientError as error:
            if _is(error, self._kind.no_snapshot):
                return None
            raise
        found: dict[str, Any] = answer[f"{self._kind.snapshot}s"][0]
        return found


def _is(error: ClientError, code: str) -> bool:
    return error_code(error) in (code, f"{code}Fault")


def _state_of(found: Mapping[str, Any]) -> SnapshotState:
    status = found["Status"]
    match status:
        case "available":
            at = found.get("SnapshotCreateTime")
            return SnapshotState(status=SnapshotStatus.AVAILABLE, detail=status, at=at)
        case "creating" | "pending":
            percent = found.get("PercentProgress") or 0
            detail = f"{status}, {percent}%"
            return SnapshotState(status=SnapshotStatus.CREATING, detail=detail, percent=percent)
        case _:
            return SnapshotState(status=SnapshotStatus.FAILED, detail=status)


def _tags(found: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("TagList", [])}
