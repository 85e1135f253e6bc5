"""Lightsail's managed databases: what a release can be undone with.

Their states are free strings and their errors share one code for what is wrong and what is only
busy (docs/lightsail.md, "Databases"). So nothing is read from an error's text: after one, the
snapshot and the database are looked at.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.aws.snapshots import delete_surplus, is_of_app, is_of_release, tags_of
from lightgate.backup.database_status import (
    DatabaseReadiness,
    busy,
    missing,
    readiness_of,
    why_unusable,
)
from lightgate.backup.restore_commands import of_lightsail
from lightgate.backup.restore_points import Description
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.errors import RefusalCode, RefusedError
from lightgate.spec.database_kinds import DatabaseKind

_NOT_FOUND = "NotFoundException"
_NOT_NOW = ("InvalidInputException", "OperationFailureException")


class LightsailSnapshots:
    """The restore points of managed databases (`lightgate.backup.backup.RestorePoints`).

    While one is begun, a database of a standard plan cannot be reached, for seconds to minutes.
    `stack` tells the snapshots of this stack from those of another one in the same account.
    """

    def __init__(self, client: Any, *, stack: str = "") -> None:  # noqa: ANN401 - boto3 is untyped
        self._client, self._stack = client, stack

    def take(self, snapshot: str, *, database: str, app: str, release: str) -> SnapshotState:
        """Start the snapshot, or go on with the one that was started under this name.

        Looks for it before it asks for one: each asks the database to stop for a moment.

        Raises:
            RefusedError: there is no such database, it takes no snapshot until a person does
                something, or the name belongs to somebody else's snapshot.
        """
        found = self._find(snapshot)
        if found is None:
            tags = tags_of(app, release, self._stack)
            try:
                self._client.create_relational_database_snapshot(
                    relationalDatabaseName=database,
                    relationalDatabaseSnapshotName=snapshot,
                    tags=[{"key": key, "value": value} for key, value in tags.items()],
                )
                found = self._find(snapshot)
            except ClientError as error:
                found = self._find(snapshot)
                if found is None:
                    return self._not_created(error, database)
        if found is None:  # the answer of a read may lag
            return SnapshotState(status=SnapshotStatus.CREATING, detail="requested")
        is_of_database = found.get("fromRelationalDatabaseName") == database
        if not (is_of_database and is_of_release(_tags(found), app, release, self._stack)):
            raise RefusedError(
                f"a snapshot {snapshot} exists already and does not belong to this release",
                code=RefusalCode.SNAPSHOT,
            )
        return _state_of(found)

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
        if not found.get("backupRetentionEnabled"):
            return SnapshotState(status=SnapshotStatus.FAILED, detail="automated backups are off")
        at = found.get("latestRestorableTime")
        if at is None:
            detail = "the first automated backup is not there yet"
            return SnapshotState(status=SnapshotStatus.FAILED, detail=detail)
        return SnapshotState(
            status=SnapshotStatus.AVAILABLE, detail="automated backups are on", at=at
        )

    def describe(self, database: str) -> Description | None:
        """The database as it is now; None if there is none.

        Raises:
            UnreachableError: Lightsail does not answer.
        """
        with reaching("Lightsail"):
            found = self._database(database)
        return _described(found) if found is not None else None

    def prune(self, app: str, database: str, keep: int) -> list[str]:
        """Delete the app's oldest snapshots beyond `keep`; the names of those deleted.

        Only snapshots that this stack took of this very database for this app, and that are
        available, are ever counted or touched.

        Raises:
            RefusedError: there is no such database.
            UnreachableError: Lightsail does not answer, and nothing was deleted.
            NotDeletedError: some could not be deleted; all others were.
        """
        with reaching("Lightsail"):
            of = self._existing_database(database)
            pages = self._client.get_paginator("get_relational_database_snapshots").paginate()
            ours = sorted(
                (found["createdAt"], str(found["name"]))
                for page in pages
                for found in page["relationalDatabaseSnapshots"]
                if self._is_own(found, of, app)
                and _state_of(found).status is SnapshotStatus.AVAILABLE
            )
        delete = self._client.delete_relational_database_snapshot
        return delete_surplus(
            [name for _, name in ours],
            keep,
            lambda name: delete(relationalDatabaseSnapshotName=name),
            gone=(_NOT_FOUND,),
        )

    def _is_own(self, found: Mapping[str, Any], of: Mapping[str, Any], app: str) -> bool:
        return (
            is_of_app(found["name"], _tags(found), app, self._stack)
            and found.get("fromRelationalDatabaseName") == of["name"]
            # A database that was made anew under the same name has other data.
            and found.get("fromRelationalDatabaseArn") in (None, of.get("arn"))
        )

    def _not_created(self, error: ClientError, database: str) -> SnapshotState:
        """BUSY, if the database is there and only takes no snapshot now."""
        if error_code(error) == _NOT_FOUND:
            raise RefusedError(
                missing(DatabaseKind.LIGHTSAIL, database), code=RefusalCode.DATABASE
            ) from error
        if error_code(error) not in _NOT_NOW:
            raise error
        found = _described(self._existing_database(database))
        if (why := why_unusable(found)) is not None:
            raise RefusedError(why, code=RefusalCode.DATABASE) from error
        if readiness_of(found.status) is DatabaseReadiness.READY:
            raise error
        return SnapshotState(status=SnapshotStatus.BUSY, detail=busy(found, error_message(error)))

    def _existing_database(self, database: str) -> dict[str, Any]:
        found = self._database(database)
        if found is None:
            raise RefusedError(missing(DatabaseKind.LIGHTSAIL, database), code=RefusalCode.DATABASE)
        return found

    def _database(self, database: str) -> dict[str, Any] | None:
        try:
            answer = self._client.get_relational_database(relationalDatabaseName=database)
        except ClientError as error:
            if error_code(error) == _NOT_FOUND:
                return None
            raise
        found: dict[str, Any] = answer["relationalDatabase"]
        return found

    def _find(self, snapshot: str) -> dict[str, Any] | None:
        try:
            answer = self._client.get_relational_database_snapshot(
                relationalDatabaseSnapshotName=snapshot
            )
        except ClientError as error:
            if error_code(error) == _NOT_FOUND:
                return None
            raise
        found: dict[str, Any] = answer["relationalDatabaseSnapshot"]
        return found


def _described(found: Mapping[str, Any]) -> Description:
    return Description(
        kind=DatabaseKind.LIGHTSAIL,
        name=found["name"],
        status=found["state"],
        original=of_lightsail(found),
        is_public=found.get("publiclyAccessible"),
        backup_days=_backup_days(found.get("backupRetentionEnabled")),
    )


def _backup_days(is_on: bool | None) -> int | None:
    """Lightsail keeps seven days."""
    return None if is_on is None else 7 * is_on


def _state_of(found: Mapping[str, Any]) -> SnapshotState:
    match state := found["state"]:
        case "available":
            at = found.get("createdAt")
            return SnapshotState(status=SnapshotStatus.AVAILABLE, detail=state, at=at)
        case "creating" | "pending":
            return SnapshotState(status=SnapshotStatus.CREATING, detail=state)
        case _:
            return SnapshotState(status=SnapshotStatus.FAILED, detail=state)


def _tags(found: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in found.get("tags", [])}
