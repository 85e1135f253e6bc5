from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse

from lightgate.aws.rds import Snapshots
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.errors import NotDeletedError, RefusedError, UnreachableError
from lightgate.names import snapshot_id
from tests.component import clusters
from tests.component.cloud import Cloud
from tests.component.rds_instance import Instance

NAME = "lightgate-crops-20261122t154106z-87ae2d53-5d93"


@pytest.fixture
def instance(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Instance:
    return Instance(cloud, "crops-db", monkeypatch)


@pytest.fixture
def snapshots(cloud: Cloud, instance: Instance) -> Snapshots:
    assert instance.snapshots() == {}
    return Snapshots(cloud.client("rds"))


def take(snapshots: Snapshots, name: str = NAME, **changes: str) -> SnapshotState:
    usual = {"database": "crops-db", "app": "crops", "release": "r1"}
    return snapshots.take(name, **{**usual, **changes})


def test_a_snapshot_is_creating_until_it_is_available(
    cloud: Cloud, instance: Instance, snapshots: Snapshots
) -> None:
    instance.snapshot_takes = timedelta(minutes=5)

    begun = take(snapshots)
    cloud.clock.sleep(299)
    before = snapshots.state(NAME)
    cloud.clock.sleep(1)

    assert (begun.status, before.status) == (SnapshotStatus.CREATING, SnapshotStatus.CREATING)
    assert snapshots.state(NAME).status is SnapshotStatus.AVAILABLE
    assert instance.snapshots() == {NAME: "available"}


def test_an_instance_that_takes_none_now_is_busy_in_the_words_of_rds(
    cloud: Cloud, instance: Instance, snapshots: Snapshots
) -> None:
    instance.busy_until = cloud.clock.now() + timedelta(minutes=1)

    state = take(snapshots)

    assert state.status is SnapshotStatus.BUSY
    assert "crops-db is not currently in the available state" in state.detail
    assert instance.snapshots() == {}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("DBInstanceNotFound", r"database\.instance: there is no RDS instance crops-db"),
        ("DBInstanceNotFoundFault", "no RDS instance crops-db"),
        ("SnapshotQuotaExceeded", "RDS accepts no further snapshot: refused"),
        ("SnapshotQuotaExceededFault", "database.keepSnapshots"),
    ],
)
def test_a_permanent_problem_is_refused(
    cloud: Cloud, snapshots: Snapshots, code: str, words: str
) -> None:
    cloud.faults.refuse("rds.CreateDBSnapshot", code)

    with pytest.raises(RefusedError, match=words):
        take(snapshots)


def test_the_account_running_out_of_snapshots_is_refused(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(snapshots, f"{NAME}-0")
    monkeypatch.setattr(RDSBackend, "SNAPSHOT_QUOTA", 1)

    with pytest.raises(RefusedError, match="RDS accepts no further snapshot") as refused:
        take(snapshots)

    assert "number of snapshots. Delete old ones" in str(refused.value)


def test_a_snapshot_that_exists_and_does_not_show_yet_is_asked_for_again(
    cloud: Cloud, instance: Instance, snapshots: Snapshots
) -> None:
    first = take(snapshots)
    cloud.faults.refuse("rds.DescribeDBSnapshots", "DBSnapshotNotFound")

    assert take(snapshots).status is SnapshotStatus.BUSY
    assert take(snapshots) == first
    assert len(instance.snapshots()) == 1


def test_any_other_error_passes(cloud: Cloud, snapshots: Snapshots) -> None:
    cloud.faults.refuse("rds.CreateDBSnapshot", "AccessDenied")

    with pytest.raises(ClientError, match="AccessDenied"):
        take(snapshots)


# The instance as RDS describes it.


def test_an_instance_whose_cluster_has_no_name_is_a_member_of_none(
    cloud: Cloud, snapshots: Snapshots
) -> None:
    def without_a_name(answer: dict[str, Any]) -> None:
        for one in answer["DBInstances"]:
            one["DBClusterIdentifier"] = ""

    cloud.faults.change_answers("rds.DescribeDBInstances", without_a_name)

    found = snapshots.describe("crops-db")

    assert found is not None
    assert found.cluster is None


def test_an_instance_that_rds_does_not_show_is_unknown_and_not_missing(
    cloud: Cloud, snapshots: Snapshots
) -> None:
    cloud.faults.refuse("rds.DescribeDBInstances", "AccessDenied")

    with pytest.raises(UnreachableError, match="AccessDenied"):
        snapshots.describe("crops-db")


def test_a_busy_instance_with_an_unreadable_status_is_waited_for(
    cloud: Cloud, instance: Instance, snapshots: Snapshots
) -> None:
    instance.is_now("stopped")
    cloud.faults.refuse("rds.DescribeDBInstances", "AccessDenied")

    assert take(snapshots).status is SnapshotStatus.BUSY


def test_a_member_of_a_cluster_is_refused_with_the_name_of_the_cluster(
    cloud: Cloud, snapshots: Snapshots
) -> None:
    clusters.add(cloud, "crops-cluster")

    with pytest.raises(RefusedError, match='write "cluster": "crops-cluster"'):
        take(snapshots, database="crops-cluster-1")


def test_a_name_that_rds_does_not_take_is_refused_and_not_tried_again(
    snapshots: Snapshots,
) -> None:
    with pytest.raises(RefusedError, match="DBSnapshotIdentifier is not a valid identifier"):
        take(snapshots, f"{NAME}--x")


def test_an_instance_that_is_named_in_upper_case_is_the_same(
    cloud: Cloud, snapshots: Snapshots
) -> None:
    first = take(snapshots)
    cloud.faults.refuse("rds.CreateDBSnapshot", "DBSnapshotAlreadyExists")

    assert take(snapshots, database="Crops-DB") == first


# Deleting old snapshots.


def take_each(snapshots: Snapshots, count: int) -> list[str]:
    """So many snapshots under the names that Lightgate gives them, the oldest first."""
    taken = [snapshot_id("crops", f"r{number:03}") for number in range(count)]
    for number, name in enumerate(taken):
        take(snapshots, name, release=f"r{number:03}")
    return taken


def test_pruning_keeps_the_newest(cloud: Cloud, instance: Instance, snapshots: Snapshots) -> None:
    taken = []
    for number in reversed(range(5)):
        cloud.clock.sleep(60)
        name = snapshot_id("crops", f"r{number}")
        take(snapshots, name, release=f"r{number}")
        taken.append(name)

    deleted = snapshots.prune("crops", "crops-db", keep=2)

    assert deleted == taken[:3]
    assert snapshots.prune("crops", "crops-db", keep=2) == []
    assert set(instance.snapshots()) == set(taken[3:])


def test_pruning_counts_the_snapshots_that_replaced_others(snapshots: Snapshots) -> None:
    first = snapshot_id("crops", "r0")
    names = [first, f"{first}-again", f"{first}-take3"]
    for name in names:
        take(snapshots, name, release="r0")

    assert snapshots.prune("crops", "crops-db", keep=1) == names[:2]


def test_a_lost_answer_to_a_deletion_counts_as_failed_and_the_next_pruning_goes_on(
    cloud: Cloud, instance: Instance, snapshots: Snapshots
) -> None:
    taken = take_each(snapshots, 3)
    cloud.faults.lose_answer("rds.DeleteDBSnapshot")

    with pytest.raises(NotDeletedError) as error:
        snapshots.prune("crops", "crops-db", keep=1)

    assert error.value.failed == {taken[0]: "ReadTimeoutError"}
    assert set(instance.snapshots()) == {taken[2]}
    assert snapshots.prune("crops", "crops-db", keep=1) == []


def test_a_snapshot_deleted_meanwhile_is_no_failure(cloud: Cloud, snapshots: Snapshots) -> None:
    taken = take_each(snapshots, 3)
    cloud.faults.refuse("rds.DeleteDBSnapshot", "DBSnapshotNotFound")

    assert snapshots.prune("crops", "crops-db", keep=1) == taken[1:2]


@pytest.mark.parametrize("call", ["rds.DescribeDBSnapshots", "rds.DescribeDBInstances"])
def test_nothing_is_deleted_where_rds_does_not_answer(
    cloud: Cloud, instance: Instance, snapshots: Snapshots, call: str
) -> None:
    taken = take_each(snapshots, 3)
    cloud.faults.refuse(call, "AccessDenied")

    with pytest.raises(UnreachableError, match="RDS answers AccessDenied"):
        snapshots.prune("crops", "crops-db", keep=1)
    assert set(instance.snapshots()) == set(taken)


def test_pruning_sees_more_than_one_page(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pages_of(100, monkeypatch)
    taken = take_each(snapshots, 130)

    deleted = snapshots.prune("crops", "crops-db", keep=10)

    assert deleted == taken[:120]


def in_pages_of(size: int, patch: pytest.MonkeyPatch) -> None:
    """Answer DescribeDBSnapshots in pages as RDS does; moto gives everything at once."""
    whole = RDSResponse.describe_db_snapshots

    def page(response: RDSResponse) -> Any:
        answer = whole(response)
        found = answer.result["DBSnapshots"]
        start = int(response.params.get("Marker") or 0)
        answer.result["DBSnapshots"] = found[start : start + size]
        if start + size < len(found):
            answer.result["Marker"] = str(start + size)
        return answer

    patch.setattr(RDSResponse, "describe_db_snapshots", page)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, SnapshotStatus.AVAILABLE),
        ({"BackupRetentionPeriod": 0}, SnapshotStatus.FAILED),
        ({"LatestRestorableTime": None}, SnapshotStatus.FAILED),
    ],
)
def test_the_continuous_backup_says_how_far_it_reaches(
    cloud: Cloud, snapshots: Snapshots, changes: dict[str, Any], status: SnapshotStatus
) -> None:
    reaches = cloud.clock.now().replace(microsecond=0)
    rds = cloud.client("rds")
    usual = {"BackupRetentionPeriod": 7, "LatestRestorableTime": reaches}

    def answer(parsed: dict[str, Any], **_: Any) -> None:
        for key, value in {**usual, **changes}.items():
            parsed["DBInstances"][0].pop(key, None)
            if value is not None:
                parsed["DBInstances"][0][key] = value

    rds.meta.events.register("after-call.rds.DescribeDBInstances", answer)
    found = snapshots.latest_restorable("crops-db")
    rds.meta.events.unregister("after-call.rds.DescribeDBInstances", answer)

    assert found.status is status
    assert found.at == (reaches if status is SnapshotStatus.AVAILABLE else None)
