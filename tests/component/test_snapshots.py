"""What the snapshots of every kind of database promise alike."""

from collections.abc import Sequence
from typing import Any, Protocol

import boto3
import pytest
from moto.rds.models import rds_backends

from lightgate.aws.lightsail_databases import LightsailSnapshots
from lightgate.aws.rds import CLUSTERS, INSTANCES, Databases, Snapshots
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.errors import NotDeletedError, RefusedError
from lightgate.names import snapshot_id
from tests.component import clusters
from tests.component.cloud import ACCOUNT, REGION, Cloud
from tests.component.lightsail_databases import LightsailDatabases
from tests.component.rds_instance import create_instance

NAME = "lightgate-crops-20261122t154106z-87ae2d53-5d93"
KINDS = {"instance": INSTANCES, "cluster": CLUSTERS}
NOT_OURS = "does not belong to this release"


class Account(Protocol):
    """An account with databases of one kind."""

    def of(self, stack: str) -> Snapshots | LightsailSnapshots: ...
    def add(self, name: str) -> None: ...
    def is_now(self, name: str, status: str) -> None: ...
    def shows(self, snapshot: str, status: str) -> None: ...
    def take_by_hand(self, snapshot: str) -> None: ...
    def copy(self, snapshot: str, copy: str) -> None: ...
    def delete(self, snapshot: str) -> None: ...
    def refuse_to_delete(self, snapshot: str) -> None: ...
    def names(self) -> set[str]: ...


class Rds:
    """Its snapshots are there at once."""

    def __init__(self, cloud: Cloud, kind: Databases) -> None:
        self._cloud, self._kind, self._client = cloud, kind, cloud.client("rds")
        backend: Any = rds_backends[ACCOUNT][REGION]
        self._is_cluster = kind is CLUSTERS
        self._databases = backend.clusters if self._is_cluster else backend.databases
        self._snapshots = (
            backend.cluster_snapshots if self._is_cluster else backend.database_snapshots
        )

    def of(self, stack: str) -> Snapshots:
        return Snapshots(self._client, self._kind, stack=stack)

    def add(self, name: str) -> None:
        if self._is_cluster:
            clusters.add(self._cloud, name)
        else:
            create_instance(self._client, name)

    def is_now(self, name: str, status: str) -> None:
        self._databases[name].status = status

    def shows(self, snapshot: str, status: str) -> None:
        self._snapshots[snapshot].status = status

    def take_by_hand(self, snapshot: str) -> None:
        names = {self._kind.id: "crops-db", self._kind.snapshot_id: snapshot}
        getattr(self._client, self._kind.create)(**names)

    def copy(self, snapshot: str, copy: str) -> None:
        id_ = self._kind.snapshot_id
        names = {f"Source{id_}": snapshot, f"Target{id_}": copy}
        getattr(self._client, self._kind.create.replace("create", "copy"))(**names, CopyTags=True)

    def delete(self, snapshot: str) -> None:
        getattr(self._client, self._kind.delete)(**{self._kind.snapshot_id: snapshot})

    def refuse_to_delete(self, snapshot: str) -> None:
        """Refuse the next deletion, which has to be of this one."""
        self._cloud.faults.refuse(f"rds.Delete{self._kind.snapshot}", "AccessDenied", snapshot)

    def names(self) -> set[str]:
        found = getattr(self._client, self._kind.describe)(SnapshotType="manual")
        return {each[self._kind.snapshot_id] for each in found[f"{self._kind.snapshot}s"]}


class Lightsail:
    """Its snapshots are there when the test says so."""

    def __init__(self) -> None:
        self._service = LightsailDatabases(boto3.Session().client("lightsail", region_name=REGION))
        self._service.page = 2

    def of(self, stack: str) -> LightsailSnapshots:
        return LightsailSnapshots(self._service.client, stack=stack)

    def add(self, name: str) -> None:
        self._service.add(name)

    def is_now(self, name: str, status: str) -> None:
        self._service.add(name, state=status)

    def shows(self, snapshot: str, status: str) -> None:
        self._service.snapshots[snapshot]["state"] = status

    def take_by_hand(self, snapshot: str) -> None:
        names = {"relationalDatabaseName": "crops-db", "relationalDatabaseSnapshotName": snapshot}
        self._service.client.create_relational_database_snapshot(**names, tags=[])
        self.shows(snapshot, "available")

    def copy(self, snapshot: str, copy: str) -> None:
        self._service.snapshots[copy] = {**self._service.snapshots[snapshot], "name": copy}

    def delete(self, snapshot: str) -> None:
        del self._service.snapshots[snapshot]

    def refuse_to_delete(self, snapshot: str) -> None:
        self._service.kept.add(snapshot)

    def names(self) -> set[str]:
        return set(self._service.snapshots)


@pytest.fixture(params=[*KINDS, "lightsail"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def account(cloud: Cloud, kind: str) -> Account:
    account = Rds(cloud, KINDS[kind]) if kind in KINDS else Lightsail()
    for name in ("crops-db", "other-db"):
        account.add(name)
    return account


def take(account: Account, name: str = NAME, stack: str = "", **changes: str) -> SnapshotState:
    usual = {"database": "crops-db", "app": "crops", "release": "r1"}
    return account.of(stack).take(name, **{**usual, **changes})


def take_each(account: Account, count: int, first: int = 0, **changes: str) -> list[str]:
    """So many available snapshots under the names that Lightgate gives them, the oldest first."""
    taken = []
    for number in range(first, first + count):
        taken.append(snapshot_id(changes.get("app", "crops"), f"r{number}"))
        take(account, taken[-1], release=f"r{number}", **changes)
        account.shows(taken[-1], "available")
    return taken


def prune(account: Account, keep: int, stack: str = "") -> Sequence[str]:
    return account.of(stack).prune("crops", "crops-db", keep=keep)


def test_taking_it_again_goes_on_with_the_same_snapshot(account: Account) -> None:
    first = take(account)

    # A release may have begun before the stack was on its snapshot.
    assert take(account) == take(account, stack="blue") == first
    assert account.names() == {NAME}
    account.shows(NAME, "available")
    found = account.of("").state(NAME)
    assert found is not None
    assert (found.status, found.at is None) == (SnapshotStatus.AVAILABLE, False)


@pytest.mark.parametrize(
    "theirs", [{"release": "r2"}, {"database": "other-db"}, {"stack": "green"}]
)
def test_a_name_in_use_is_refused(account: Account, theirs: dict[str, str]) -> None:
    take(account, **theirs)

    with pytest.raises(RefusedError, match=NOT_OURS):
        take(account, stack="blue")


def test_a_snapshot_without_our_tags_is_foreign(account: Account) -> None:
    account.take_by_hand(NAME)

    with pytest.raises(RefusedError, match=NOT_OURS):
        take(account)


def test_a_deleted_snapshot_does_not_show(account: Account) -> None:
    take(account)
    account.delete(NAME)

    assert account.of("").state(NAME) is None


@pytest.mark.parametrize("end", ["failed", "deleting", "incompatible-restore", "of-tomorrow"])
def test_every_state_that_is_not_known_to_be_good_is_a_failure(account: Account, end: str) -> None:
    take(account)
    account.shows(NAME, end)

    assert take(account) == SnapshotState(status=SnapshotStatus.FAILED, detail=end)


@pytest.mark.parametrize("status", ["stopped", "stopping", "deleting"])
def test_a_database_that_waiting_does_not_mend_is_refused_with_its_status(
    account: Account, status: str
) -> None:
    account.is_now("crops-db", status)

    with pytest.raises(RefusedError, match=f"crops-db has the status {status}"):
        take(account)
    assert account.names() == set()


@pytest.mark.parametrize("status", ["starting", "backing-up", "modifying", "of-tomorrow"])
def test_a_database_that_may_take_one_later_is_waited_for(account: Account, status: str) -> None:
    account.is_now("crops-db", status)

    state = take(account)

    assert state.status is SnapshotStatus.BUSY
    assert status in state.detail
    assert account.names() == set()


def test_a_missing_database_is_refused(account: Account, kind: str) -> None:
    for ask in (
        lambda: take(account, database="nowhere"),
        lambda: account.of("").latest_restorable("nowhere"),
        lambda: account.of("").prune("crops", "nowhere", keep=1),
    ):
        with pytest.raises(RefusedError, match=rf"database\.{kind}: there is no .* nowhere"):
            ask()
    assert account.of("").describe("nowhere") is None


def test_a_database_is_described_as_it_is(account: Account, kind: str) -> None:
    account.is_now("crops-db", "storage-full")

    found = account.of("").describe("crops-db")

    assert found is not None
    assert (found.kind, found.name, found.status) == (kind, "crops-db", "storage-full")
    assert found.cluster is None


def test_pruning_keeps_the_newest_and_what_is_not_the_apps_own(account: Account) -> None:
    ours = take_each(account, 5)
    take_each(account, 1, app="weather")
    take_each(account, 1, first=7, database="other-db")
    account.take_by_hand("lightgate-crops-by-hand")
    for copy in (
        *("before-the-move", "lightgate-crops-mine", "lightgate-crops-r0-mine", "lightgate-r0"),
        *("lightgate-crops-keep", "lightgate-crops-r9", "lightgate-crops-r0-again-for-ever"),
    ):
        account.copy(ours[0], copy)
    account.shows(ours[4], "creating")
    before = account.names()

    assert prune(account, 2) == ours[:2]
    assert prune(account, 2) == []
    assert account.names() == before - set(ours[:2])


def test_two_stacks_with_an_app_of_one_name_leave_each_others_snapshots_alone(
    account: Account,
) -> None:
    before_stacks = take_each(account, 2)
    blue = take_each(account, 2, first=2, stack="blue")
    green = take_each(account, 2, first=4, stack="green")

    assert prune(account, 2, "green") == []
    assert prune(account, 1, "blue") == blue[:1]
    assert account.names() == {*before_stacks, blue[1], *green}


def test_one_snapshot_that_cannot_be_deleted_does_not_keep_the_others(account: Account) -> None:
    taken = take_each(account, 4)
    account.refuse_to_delete(taken[0])

    with pytest.raises(NotDeletedError) as error:
        prune(account, 1)

    assert list(error.value.failed) == taken[:1]
    assert error.value.failed[taken[0]].startswith("AccessDenied")
    assert error.value.deleted == taken[1:3]
    assert account.names() == {taken[0], taken[3]}


LOOKS_LIKE_OURS = [
    lambda _: {"SnapshotType": "shared"},
    lambda _: {"SnapshotType": "awsbackup"},
    lambda kind: {kind.snapshot_arn: "arn:aws:rds:us-east-1:999999999999:snapshot:of-another"},
    lambda kind: {kind.copied_from: "arn:aws:rds:eu-west-1:123456789012:snapshot:lightgate-x"},
    lambda kind: {kind.resource_id: "OF-A-DATABASE-THAT-WAS-DELETED"},
    lambda _: {"Status": "copying"},
]


@pytest.mark.parametrize("kind", KINDS, indirect=True)
@pytest.mark.parametrize("changes", LOOKS_LIKE_OURS)
def test_a_snapshot_of_rds_that_only_looks_like_ours_is_neither_counted_nor_deleted(
    cloud: Cloud, account: Account, kind: str, changes: Any
) -> None:
    names, taken = KINDS[kind], take_each(account, 3)

    def change(answer: dict[str, Any]) -> None:
        for found in answer[f"{names.snapshot}s"]:
            if found[names.snapshot_id] == taken[0]:
                found.update(changes(names))

    cloud.faults.change_answers(f"rds.Describe{names.snapshot}s", change)

    assert prune(account, 1) == taken[1:2]
    assert account.names() == {taken[0], taken[2]}
