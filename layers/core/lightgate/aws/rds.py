"""Amazon RDS and Aurora: what a release can be undone with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.aws.snapshots import delete_surplus, is_of_app, is_of_release, tags_of
from lightgate.backup.database_status import busy, missing, why_unusable
from lightgate.backup.restore_commands import of_cluster, of_instance
from lightgate.backup.restore_points import Description
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.errors import RefusalCode, RefusedError, UnreachableError
from lightgate.spec.database_kinds import DatabaseKind

# RDS says so of a member of a cluster, of a name that it does not take, and the like.
_WRONG = ("InvalidParameterValue", "InvalidParameterCombination")


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """A kind of database of RDS, and what its calls, members and errors are called.

    On the wire some errors have the suffix `Fault` and some have not.
    """

    of: DatabaseKind
    id: str
    status: str
    arn: str
    resource_id: str
    snapshot_id: str
    snapshot_arn: str
    copied_from: str
    snapshot: str
    create: str
    describe: str
    delete: str
    database: str
    describe_database: str
    exists: str
    busy: tuple[str, ...]
    no_database: str
    no_snapshot: str


INSTANCES = Databases(
    of=DatabaseKind.INSTANCE,
    id="DBInstanceIdentifier",
    status="DBInstanceStatus",
    arn="DBInstanceArn",
    resource_id="DbiResourceId",
    snapshot_id="DBSnapshotIdentifier",
    snapshot_arn="DBSnapshotArn",
    copied_from="SourceDBSnapshotIdentifier",
    snapshot="DBSnapshot",
    create="create_db_snapshot",
    describe="describe_db_snapshots",
    delete="delete_db_snapshot",
    database="DBInstance",
    describe_database="describe_db_instances",
    exists="DBSnapshotAlreadyExists",
    busy=("InvalidDBInstanceState",),
    no_database="DBInstanceNotFound",
    no_snapshot="DBSnapshotNotFound",
)
CLUSTERS = Databases(
    of=DatabaseKind.CLUSTER,
    id="DBClusterIdentifier",
    status="Status",
    arn="DBClusterArn",
    resource_id="DbClusterResourceId",
    snapshot_id="DBClusterSnapshotIdentifier",
    snapshot_arn="DBClusterSnapshotArn",
    copied_from="SourceDBClusterSnapshotArn",
    snapshot="DBClusterSnapshot",
    create="create_db_cluster_snapshot",
    describe="describe_db_cluster_snapshots",
    delete="delete_db_cluster_snapshot",
    database="DBCluster",
    describe_database="describe_db_clusters",
    exists="DBClusterSnapshotAlreadyExists",
    busy=("InvalidDBClusterState", "InvalidDBClusterSnapshotState"),
    no_database="DBClusterNotFound",
    no_snapshot="DBClusterSnapshotNotFound",
)


class Snapshots:
    """The restore points of one kind of database (`lightgate.backup.backup.RestorePoints`).

    `stack` tells the snapshots of this stack from those of another one in the same account.
    """

    def __init__(self, client: Any, kind: Databases = INSTANCES, *, stack: str = "") -> None:  # noqa: ANN401 - boto3
        self._client, self._kind, self._stack = client, kind, stack

    def take(self, snapshot: str, *, database: str, app: str, release: str) -> SnapshotState:
        """Start the snapshot, or go on with the one that was started under this name.

        The name is the idempotency key (docs/lightsail.md, "Snapshots of RDS").

        Raises:
            RefusedError: there is no such database, it takes no snapshot until a person does
                something, the account's snapshots are used up, or the name belongs to somebody
                else's snapshot.
        """
        tags = tags_of(app, release, self._stack)
        try:
            answer = getattr(self._client, self._kind.create)(
                **{self._kind.id: database, self._kind.snapshot_id: snapshot},
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except ClientError as error:
            if _is(error, self._kind.exists):
                return self._existing(snapshot, database, app, release)
            return self._not_created(error, database)
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
        found = self._existing_database(database)
        days, at = found.get("BackupRetentionPeriod", 0), found.get("LatestRestorableTime")
        if not days:
            return SnapshotState(status=SnapshotStatus.FAILED, detail="automated backups are off")
        if at is None:
            detail = "the first automated backup is not there yet"
            return SnapshotState(status=SnapshotStatus.FAILED, detail=detail)
        return SnapshotState(
            status=SnapshotStatus.AVAILABLE, detail=f"backups are kept for {days} days", at=at
        )

    def describe(self, database: str) -> Description | None:
        """The database as it is now; None if there is none of this kind.

        Raises:
            UnreachableError: RDS does not answer.
        """
        with reaching("RDS"):
            found = self._database(database)
            if found is None:
                return None
            members: list[dict[str, Any]] = []
            if self._kind is INSTANCES:
                original = of_instance(found)
            else:
                named = {"Name": "db-cluster-id", "Values": [database]}
                members = self._client.describe_db_instances(Filters=[named])["DBInstances"]
                original = of_cluster(found, members[0] if members else {})
        return Description(
            kind=self._kind.of,
            name=found[self._kind.id],
            status=found[self._kind.status],
            original=original,
            cluster=(found.get("DBClusterIdentifier") or None) if self._kind is INSTANCES else None,
            is_public=_is_public(found, members),
            public_members=tuple(
                one["DBInstanceIdentifier"] for one in members if one.get("PubliclyAccessible")
            ),
            backup_days=found.get("BackupRetentionPeriod"),
        )

    def prune(self, app: str, database: str, keep: int) -> list[str]:
        """Delete the app's oldest snapshots beyond `keep`; the identifiers of those deleted.

        Only snapshots that this stack took of this very database for this app, and that are
        available, are ever counted or touched: a copy is a person's.

        Raises:
            RefusedError: there is no such database.
            UnreachableError: RDS does not answer, and nothing was deleted.
            NotDeletedError: some could not be deleted; all others were.
        """
        with reaching("RDS"):
            of = self._existing_database(database)
            pages = self._client.get_paginator(self._kind.describe).paginate(
                **{self._kind.id: database}, SnapshotType="manual"
            )
            ours: list[tuple[datetime, str]] = sorted(
                (found["SnapshotCreateTime"], found[self._kind.snapshot_id])
                for page in pages
                for found in page[f"{self._kind.snapshot}s"]
                if self._is_own(found, of, app)
                and _state_of(found).status is SnapshotStatus.AVAILABLE
            )
        delete = getattr(self._client, self._kind.delete)
        return delete_surplus(
            [name for _, name in ours],
            keep,
            lambda name: delete(**{self._kind.snapshot_id: name}),
            gone=(self._kind.no_snapshot, f"{self._kind.no_snapshot}Fault"),
        )

    def _is_own(self, found: Mapping[str, Any], of: Mapping[str, Any], app: str) -> bool:
        kind = self._kind
        return (
            is_of_app(found[kind.snapshot_id], _tags(found), app, self._stack)
            and found.get("SnapshotType", "manual") == "manual"
            and not found.get(kind.copied_from)
            and _account(found.get(kind.snapshot_arn)) == _account(of.get(kind.arn))
            # A database that was made anew under the same name has other data.
            and found.get(kind.resource_id) in (None, "", of.get(kind.resource_id))
        )

    def _existing(self, snapshot: str, database: str, app: str, release: str) -> SnapshotState:
        found = self._find(snapshot)
        if found is None:  # what is read lags: it is asked for again, and seen whose it is
            return SnapshotState(status=SnapshotStatus.BUSY, detail="requested")
        # RDS takes a name in either case, and answers in lower case.
        is_of_database = found[self._kind.id].lower() == database.lower()
        if not (is_of_database and is_of_release(_tags(found), app, release, self._stack)):
            raise RefusedError(
                f"a snapshot {snapshot} exists already and does not belong to this release",
                code=RefusalCode.SNAPSHOT,
            )
        return _state_of(found)

    def _not_created(self, error: ClientError, database: str) -> SnapshotState:
        message = error_message(error)
        if _is(error, self._kind.no_database):
            raise RefusedError(
                missing(self._kind.of, database), code=RefusalCode.DATABASE
            ) from error
        if _is(error, "SnapshotQuotaExceeded"):
            raise RefusedError(
                f"RDS accepts no further snapshot: {message.rstrip('.')}. Delete old ones, or let "
                "Lightgate do it with database.keepSnapshots",
                code=RefusalCode.QUOTA,
            ) from error
        if _is(error, *self._kind.busy):
            found = self._usable(database)
            detail = busy(found, message) if found is not None else message
            return SnapshotState(status=SnapshotStatus.BUSY, detail=detail)
        if _is(error, *_WRONG):
            self._usable(database)
            raise RefusedError(
                f"RDS accepts no snapshot of {database}: {message}", code=RefusalCode.SNAPSHOT
            ) from error
        raise error

    def _usable(self, database: str) -> Description | None:
        """The database, None if RDS does not answer.

        Raises:
            RefusedError: it takes no snapshot until a person does something.
        """
        try:
            found = self.describe(database)
        except UnreachableError:
            return None
        why = missing(self._kind.of, database) if found is None else why_unusable(found)
        if why is not None:
            raise RefusedError(why, code=RefusalCode.DATABASE)
        return found

    def _existing_database(self, database: str) -> dict[str, Any]:
        found = self._database(database)
        if found is None:
            raise RefusedError(missing(self._kind.of, database), code=RefusalCode.DATABASE)
        return found

    def _database(self, database: str) -> dict[str, Any] | None:
        try:
            answer = getattr(self._client, self._kind.describe_database)(
                **{self._kind.id: database}
            )
        except ClientError as error:
            if _is(error, self._kind.no_database):
                return None
            raise
        found: list[dict[str, Any]] = answer[f"{self._kind.database}s"]
        return found[0] if found else None

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


def _is_public(found: Mapping[str, Any], members: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether the instance, the cluster or an instance of it is public; None if AWS says nothing.

    An Aurora cluster says nothing itself, and a Multi-AZ DB cluster does.
    """
    told = [one.get("PubliclyAccessible") for one in (found, *members)]
    known = [one for one in told if one is not None]
    if any(known):
        return True
    is_complete = all(one.get("PubliclyAccessible") is not None for one in members)
    return False if known and is_complete else None


def _is(error: ClientError, *codes: str) -> bool:
    return error_code(error).removesuffix("Fault") in codes


def _account(arn: str | None) -> str:
    return arn.split(":")[4] if arn else ""


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
