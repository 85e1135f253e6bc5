"""Amazon RDS: the snapshot that a release can be undone with."""

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message
from lightgate.errors import RefusedError
from lightgate.snapshot import SnapshotState, SnapshotStatus

APP_TAG = "lightgate:app"
RELEASE_TAG = "lightgate:release"


class Snapshots:
    """Snapshots of one kind of database: RDS instances."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client = client

    def take(self, snapshot: str, *, instance: str, app: str, release: str) -> SnapshotState:
        """Start the snapshot, or go on with the one that was started under this name.

        The name is the idempotency key (lightsail-facts.md, section 14).

        Raises:
            RefusedError: there is no such instance, the account's snapshots are used
                up, or the name belongs to somebody else's snapshot.
        """
        try:
            answer = self._client.create_db_snapshot(
                DBInstanceIdentifier=instance,
                DBSnapshotIdentifier=snapshot,
                Tags=[
                    {"Key": APP_TAG, "Value": app},
                    {"Key": RELEASE_TAG, "Value": release},
                ],
            )
        except ClientError as error:
            return self._not_created(error, snapshot, instance, release)
        return self._state_of(answer["DBSnapshot"])

    def state(self, snapshot: str) -> SnapshotState:
        """How far the snapshot is. Only `available` counts as there.

        Raises:
            RefusedError: it has been deleted.
        """
        return self._state_of(self._describe(snapshot))

    def prune(self, app: str, instance: str, keep: int) -> list[str]:
        """Delete the app's oldest snapshots beyond `keep`; the identifiers of those deleted.

        Only snapshots which Lightgate made for this app of this instance, and which are
        available, are ever counted or touched.
        """
        pages = self._client.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier=instance, SnapshotType="manual"
        )
        ours: list[tuple[datetime, str]] = sorted(
            (found["SnapshotCreateTime"], found["DBSnapshotIdentifier"])
            for page in pages
            for found in page["DBSnapshots"]
            if self._state_of(found).status is SnapshotStatus.AVAILABLE
            and _tags(found).get(APP_TAG) == app
            and RELEASE_TAG in _tags(found)
        )
        surplus = [identifier for _, identifier in ours[: max(0, len(ours) - keep)]]
        for identifier in surplus:
            self._client.delete_db_snapshot(DBSnapshotIdentifier=identifier)
        return surplus

    def _not_created(
        self, error: ClientError, snapshot: str, instance: str, release: str
    ) -> SnapshotState:
        code, message = error_code(error), error_message(error)
        if code == "DBSnapshotAlreadyExists":
            found = self._describe(snapshot)
            if (
                found["DBInstanceIdentifier"] != instance
                or _tags(found).get(RELEASE_TAG) != release
            ):
                raise RefusedError(
                    f"a snapshot {snapshot} exists already and does not belong to this release"
                ) from error
            return self._state_of(found)
        if code == "InvalidDBInstanceState":
            return SnapshotState(status=SnapshotStatus.BUSY, detail=message)
        if code in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            raise RefusedError(
                f"database.instance: there is no RDS instance {instance} in this region"
            ) from error
        if code in ("SnapshotQuotaExceeded", "SnapshotQuotaExceededFault"):
            raise RefusedError(
                f"RDS takes no further snapshot: {message}. Delete old ones, or let Lightgate do "
                "it with database.keepSnapshots"
            ) from error
        raise error

    def _describe(self, snapshot: str) -> dict[str, Any]:
        try:
            answer = self._client.describe_db_snapshots(DBSnapshotIdentifier=snapshot)
        except ClientError as error:
            if error_code(error) in ("DBSnapshotNotFound", "DBSnapshotNotFoundFault"):
                raise RefusedError(f"the snapshot {snapshot} has been deleted") from error
            raise
        found: dict[str, Any] = answer["DBSnapshots"][0]
        return found

    @staticmethod
    def _state_of(found: dict[str, Any]) -> SnapshotState:
        status = found["Status"]
        match status:
            case "available":
                return SnapshotState(status=SnapshotStatus.AVAILABLE, detail=status)
            case "creating" | "pending":
                return SnapshotState(
                    status=SnapshotStatus.CREATING,
                    detail=f"{status}, {found.get('PercentProgress', 0)}%",
                )
            case _:
                return SnapshotState(status=SnapshotStatus.FAILED, detail=status)


def _tags(found: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("TagList", [])}
