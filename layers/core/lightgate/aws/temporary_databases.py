"""The temporary RDS instances of rehearsals: copies of an app's database, restored from a snapshot.

Never public. Only an instance with the name and the tags of a rehearsal is ever deleted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.aws.temporary import Temporary, require_name, temporary
from lightgate.errors import RefusalCode, RefusedError
from lightgate.names import REHEARSAL_TAG, STACK_TAG
from lightgate.rehearsal.copied_database import Address

_GONE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
_EXISTS = ("DBInstanceAlreadyExists", "DBInstanceAlreadyExistsFault")
_QUOTA = ("InstanceQuotaExceeded", "StorageQuotaExceeded", "InsufficientDBInstanceCapacity")
# It is being made, changed or deleted, and takes no deletion meanwhile.
_BUSY = ("InvalidDBInstanceState", "InvalidDBInstanceStateFault")
_ENDED = ("failed", "incompatible-restore", "incompatible-network", "incompatible-parameters",
          "storage-full", "restore-error", "deleting")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSnapshot:
    """A snapshot that is available. `at` is the moment as of which it has the database."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalDatabase:
    """The app's own instance, as far as its copy needs to be like it.

    `key` is the KMS key of its storage, which its snapshots have too; None if it is not encrypted.
    """

    engine: str
    address: Address | None
    is_public: bool
    resource: str
    like: Mapping[str, Any]
    key: str | None = None


class TemporaryDatabases:
    def __init__(self, client: Any, stack: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client, self._stack = client, stack

    @reaching("RDS")
    def original(self, name: str) -> OriginalDatabase | None:
        """The instance that a rehearsal copies; None if there is none."""
        found = self._find(name)
        if found is None:
            return None
        subnets = found.get("DBSubnetGroup", {}).get("DBSubnetGroupName")
        parameters = [one["DBParameterGroupName"] for one in found.get("DBParameterGroups", ())]
        groups = [one["VpcSecurityGroupId"] for one in found.get("VpcSecurityGroups", ())]
        like = {
            "DBInstanceClass": found.get("DBInstanceClass"),
            "DBSubnetGroupName": subnets,
            "VpcSecurityGroupIds": groups,
            "DBParameterGroupName": parameters[0] if parameters else None,
        }
        return OriginalDatabase(
            engine=found.get("Engine", ""),
            address=_address(found),
            is_public=bool(found.get("PubliclyAccessible")),
            resource=found.get("DbiResourceId", ""),
            like={key: value for key, value in like.items() if value},
            key=found.get("KmsKeyId"),
        )

    @reaching("RDS")
    def newest_snapshot(self, database: str, resource: str) -> FoundSnapshot | None:
        """The newest snapshot of the very instance that is available, whoever has taken it."""
        pages = self._client.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier=database
        )
        found = [
            FoundSnapshot(id=one["DBSnapshotIdentifier"], at=one["SnapshotCreateTime"])
            for page in pages
            for one in page["DBSnapshots"]
            # A database that was made anew under the same name has other data.
            if one["Status"] == "available" and one.get("DbiResourceId") in (None, "", resource)
        ]
        return max(found, key=lambda one: one.at, default=None)

    @reaching("RDS")
    def restore(self, name: str, snapshot: str, database: str, execution: str) -> None:
        """Begin to restore the snapshot into an instance like `database`. Idempotent by its name.

        Raises:
            RefusedError: the account has no room for it, or RDS finds something wrong.
        """
        original = self.original(database)
        if original is None:
            raise RefusedError(
                f"database: there is no RDS instance {database} any more", code=RefusalCode.DATABASE
            )
        tags = {REHEARSAL_TAG: execution, STACK_TAG: self._stack}
        try:
            self._client.restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=name,
                DBSnapshotIdentifier=snapshot,
                **original.like,
                PubliclyAccessible=False,
                MultiAZ=False,
                AutoMinorVersionUpgrade=False,
                DeletionProtection=False,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except ClientError as error:
            code = error_code(error)
            if code in _EXISTS:
                return
            if code.removesuffix("Fault") in _QUOTA:
                raise RefusedError(
                    f"RDS makes no further instance: {error_message(error).rstrip('.')}",
                    code=RefusalCode.QUOTA,
                ) from error
            if code.startswith("KMSKey"):
                raise RefusedError(
                    f"RDS does not restore {snapshot}: Lightgate may not use the KMS key of its "
                    "storage. The key's policy has to let the role of PrepareRehearsal use it "
                    "(docs/rehearsal.md has the statement)",
                    code=RefusalCode.SNAPSHOT,
                ) from error
            if code.startswith(("Invalid", "DBSnapshotNotFound")):
                raise RefusedError(
                    f"RDS does not restore {snapshot}: {error_message(error).rstrip('.')}",
                    code=RefusalCode.SNAPSHOT,
                ) from error
            raise

    @reaching("RDS")
    def address(self, name: str) -> Address | str | None:
        """Where the instance listens once it is available, its status before, None without one.

        Raises:
            RefusedError: it never becomes available.
        """
        found = self._find(name)
        if found is None:
            return None
        status = str(found["DBInstanceStatus"])
        if status in _ENDED:
            raise RefusedError(
                f"the restored instance {name} is {status}", code=RefusalCode.SNAPSHOT
            )
        return (_address(found) or status) if status == "available" else status

    @reaching("RDS")
    def delete(self, name: str) -> bool:
        """Whether the instance is gone; if not, delete it or let its deletion go on. Idempotent."""
        require_name(name)
        found = self._find(name)
        if found is None:
            return True
        if found["DBInstanceStatus"] != "deleting":
            try:
                self._client.delete_db_instance(
                    DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
                )
            except ClientError as error:
                if error_code(error) in _GONE:
                    return True
                if error_code(error) not in _BUSY:
                    raise
        return False

    @reaching("RDS")
    def all(self) -> list[Temporary]:
        """The temporary instances of this stack, by their names and tags."""
        return list(self._all())

    def _all(self) -> Iterator[Temporary]:
        for page in self._client.get_paginator("describe_db_instances").paginate():
            for found in page["DBInstances"]:
                tags = {tag["Key"]: tag["Value"] for tag in found.get("TagList", ())}
                name, since = found["DBInstanceIdentifier"], found.get("InstanceCreateTime")
                if (ours := temporary(name, tags, since, self._stack)) is not None:
                    yield ours

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            answer = self._client.describe_db_instances(DBInstanceIdentifier=name)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
        found: list[dict[str, Any]] = answer["DBInstances"]
        return found[0] if found else None


def _address(found: Mapping[str, Any]) -> Address | None:
    endpoint = found.get("Endpoint") or {}
    host, port = endpoint.get("Address"), endpoint.get("Port")
    return Address(host=host, port=int(port)) if host and port else None
