"""How RDS takes its time: moto's snapshots are available at once, whatever the instance does."""

from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest
from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBSnapshot, RDSBackend, rds_backends

from tests.component.cloud import ACCOUNT, REGION


class Clock(Protocol):
    def now(self) -> datetime: ...


class Account(Protocol):
    """The part of an account that the instance uses."""

    @property
    def clock(self) -> Clock: ...

    def client(self, service: str) -> Any: ...


_ANSWER = ("available", "backing-up", "modifying", "storage-optimization")
_BUSY = (
    "Cannot create a snapshot because the database instance {} is not currently in the "
    "available state."
)


def create_instance(client: Any, name: str) -> None:
    client.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="crops",
        MasterUserPassword="of-the-tests",
        PubliclyAccessible=False,
    )


class Instance:
    """An RDS instance of which snapshots take `snapshot_takes` and end as `snapshot_ends`."""

    def __init__(self, cloud: Account, name: str, patch: pytest.MonkeyPatch) -> None:
        self.name = name
        self.snapshot_takes = timedelta()
        self.snapshot_ends = "available"
        self.busy_until: datetime | None = None
        self._clock = cloud.clock
        self._client = cloud.client("rds")
        self._ends: dict[str, tuple[datetime, str]] = {}
        create_instance(self._client, name)
        self._patch(patch)

    def is_now(self, status: str) -> None:
        """Let RDS show the instance in this status from now on."""
        rds_backends[ACCOUNT][REGION].databases[self.name].status = status

    @property
    def answers(self) -> bool:
        """Whether an app reaches it."""
        found = rds_backends[ACCOUNT][REGION].databases.get(self.name)
        return found is not None and found.status in _ANSWER

    def snapshots(self) -> dict[str, str]:
        """The status of each manual snapshot."""
        found = self._client.describe_db_snapshots(
            DBInstanceIdentifier=self.name, SnapshotType="manual"
        )
        return {each["DBSnapshotIdentifier"]: each["Status"] for each in found["DBSnapshots"]}

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        create, describe = RDSBackend.create_db_snapshot, RDSBackend.describe_db_snapshots

        def create_slowly(backend: RDSBackend, *args: Any, **kw: Any) -> DBSnapshot:
            if self.busy_until is not None and self._clock.now() < self.busy_until:
                raise RDSClientError("InvalidDBInstanceState", _BUSY.format(self.name))
            snapshot = create(backend, *args, **kw)
            snapshot.created = self._clock.now()
            end = self._clock.now() + self.snapshot_takes
            self._ends[snapshot.db_snapshot_identifier] = (end, self.snapshot_ends)
            self._show(snapshot)
            return snapshot

        def describe_now(backend: RDSBackend, *args: Any, **kw: Any) -> list[DBSnapshot]:
            found = describe(backend, *args, **kw)
            for snapshot in found:
                self._show(snapshot)
            return found

        patch.setattr(RDSBackend, "create_db_snapshot", create_slowly)
        patch.setattr(RDSBackend, "describe_db_snapshots", describe_now)

    def _show(self, snapshot: DBSnapshot) -> None:
        if snapshot.db_snapshot_identifier in self._ends:
            at, ends = self._ends[snapshot.db_snapshot_identifier]
            snapshot.status = ends if at <= self._clock.now() else "creating"
