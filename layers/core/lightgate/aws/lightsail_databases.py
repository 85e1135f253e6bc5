"""Lightsail's managed databases: what a release can be undone with.

Their states are free strings and their errors share one code for what is wrong and what is only
busy (lightsail-facts.md, sections 4 and 8). So nothing is read from an error's text: after one, the
snapshot and the database are looked at.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.aws.rds import APP_TAG, RELEASE_TAG
from lightgate.backup import Original
from lightgate.errors import RefusedError
from lightgate.restore import of_lightsail
from lightgate.snapshot import SnapshotState, SnapshotStatus

_NOT_NOW = ("InvalidInputException", "OperationFailureException")


class LightsailSnapshots:
    """The restore points of managed databases (`lightgate.backup.RestorePoints`).

    While one is begun, a database of a standard plan cannot be reached, for seconds to minutes.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client = client

    def take(self, snapshot: str, *, database: str, app: str, release: str) -> SnapshotState:
        """Start the snapshot, or go on with the one that was started under this name.

        Looks for it before it asks for one: each asks the database to stop for a moment.

        Raises:
            RefusedError: there is no such database, or the name belongs to somebody
                else's snapshot.
        """
        found = self._find(snapshot)
        if found is None:
            try:
                self._client.create_relational_database_snapshot(
                    relationalDatabaseName=database,
                    relationalDatabaseSnapshotName=snapshot,
                    tags=[{"key": APP_TAG, "value": app}, {"key": RELEASE_TAG, "value": release}],
                )
                found = self._find(snapshot)
            except ClientError as error:
                found = self._find(snapshot)
                if found is None:
                    return self._not_created(error, database)
        if found is None:  # the answer of a read may lag
            return SnapshotState(status=SnapshotStatus.CREATING, detail="requested")
        if (
            found.get("fromRelationalDatabaseName") != database
            or _tags(found).get(RELEASE_TAG) != release
        ):
            raise RefusedError(
                f"a snapshot {snapshot} exists already and does not belong to this release"
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
        found = self._database(database)
        if not found.get("backupRetentionEnabled"):
            return SnapshotState(status=SnapshotStatus.FAILED, detail="automated backups are off")
        at = found.get("latestRestorableTime")
        if at is None:
            detail = "the first automated backup is not there yet"
            return SnapshotState(status=SnapshotStatus.FAILED, detail=detail)
        return SnapshotState(
            status=SnapshotStatus.AVAILABLE, detail="automated backups are on", at=at
        )

    def original(self, database: str) -> Original:
        """What a restore takes over from the database.

        Raises:
            UnreachableError: nobody can tell.
        """
        with reaching("Lightsail"):
            answer = self._client.get_relational_database(relationalDatabaseName=database)
        return of_lightsail(answer["relationalDatabase"])

    def prune(self, app: str, database: str, keep: int) -> list[str]:
        """Delete the app's oldest snapshots beyond `keep`; the names of those deleted.

        Only snapshots which Lightgate made for this app of this database, and which are
        available, are ever counted or touched.
        """
        pages = self._client.get_paginator("get_relational_database_snapshots").paginate()
        ours = sorted(
            (found["createdAt"], str(found["name"]))
            for page in pages
            for found in page["relationalDatabaseSnapshots"]
            if found.get("fromRelationalDatabaseName") == database
            and _state_of(found).status is SnapshotStatus.AVAILABLE
            and _tags(found).get(APP_TAG) == app
            and RELEASE_TAG in _tags(found)
        )
        surplus = [name for _, name in ours[: max(0, len(ours) - keep)]]
        for name in surplus:
            self._client.delete_relational_database_snapshot(relationalDatabaseSnapshotName=name)
        return surplus

    def _not_created(self, error: ClientError, database: str) -> SnapshotState:
        """BUSY, if the database is there and only takes no snapshot now."""
        if error_code(error) == "NotFoundException":
            raise self._no_database(database) from error
        if error_code(error) not in _NOT_NOW or self._database(database)["state"] == "available":
            raise error
        return SnapshotState(status=SnapshotStatus.BUSY, detail=error_message(error))

    def _database(self, database: str) -> dict[str, Any]:
        try:
            answer = self._client.get_relational_database(relationalDatabaseName=database)
        except ClientError as error:
            if error_code(error) == "NotFoundException":
                raise self._no_database(database) from error
            raise
        found: dict[str, Any] = answer["relationalDatabase"]
        return found

    def _no_database(self, database: str) -> RefusedError:
        return RefusedError(
            f"database.lightsail: there is no Lightsail database {database} in this region"
        )

    def _find(self, snapshot: str) -> dict[str, Any] | None:
        try:
            answer = self._client.get_relational_database_snapshot(
                relationalDatabaseSnapshotName=snapshot
            )
        except ClientError as error:
            if error_code(error) == "NotFoundException":
                return None
            raise
        found: dict[str, Any] = answer["relationalDatabaseSnapshot"]
        return found


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
