from typing import Any

import pytest

from lightgate.aws.rds import CLUSTERS, Snapshots
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.errors import RefusedError
from lightgate.names import snapshot_id, snapshot_id_after
from tests.component import clusters
from tests.component.cloud import Cloud

NAME = "lightgate-crops-20261122t154106z-87ae2d53-5d93"


@pytest.fixture
def snapshots(cloud: Cloud) -> Snapshots:
    for name in ("crops-db", "other-db"):
        clusters.add(cloud, name)
    return Snapshots(cloud.client("rds"), CLUSTERS)


def take(snapshots: Snapshots, name: str = NAME, **changes: str) -> SnapshotState:
    usual = {"database": "crops-db", "app": "crops", "release": "r1"}
    return snapshots.take(name, **{**usual, **changes})


def names(cloud: Cloud) -> set[str]:
    found = cloud.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    return {one["DBClusterSnapshotIdentifier"] for one in found}


def test_a_cluster_snapshot_is_taken_once_under_its_name(
    cloud: Cloud, snapshots: Snapshots
) -> None:
    first = take(snapshots)

    assert take(snapshots) == first == snapshots.state(NAME)
    assert first.status is SnapshotStatus.AVAILABLE
    assert first.at is not None
    assert NAME in names(cloud)


def test_a_cluster_that_takes_none_now_is_busy(cloud: Cloud, snapshots: Snapshots) -> None:
    cloud.faults.refuse("rds.CreateDBClusterSnapshot", "InvalidDBClusterStateFault", "backing-up")

    assert take(snapshots) == SnapshotState(status=SnapshotStatus.BUSY, detail="backing-up")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("DBClusterNotFoundFault", r"database\.cluster: there is no Aurora cluster crops-db"),
        ("SnapshotQuotaExceeded", r"database\.keepSnapshots"),
    ],
)
def test_a_permanent_problem_is_refused(
    cloud: Cloud, snapshots: Snapshots, code: str, words: str
) -> None:
    cloud.faults.refuse("rds.CreateDBClusterSnapshot", code)

    with pytest.raises(RefusedError, match=words):
        take(snapshots)


def test_a_deleted_snapshot_does_not_show(cloud: Cloud, snapshots: Snapshots) -> None:
    take(snapshots)
    cloud.client("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=NAME)

    assert snapshots.state(NAME) is None


@pytest.mark.parametrize("engine", ["aurora-mysql", "postgres"])
def test_a_cluster_is_described_as_it_is(cloud: Cloud, snapshots: Snapshots, engine: str) -> None:
    clusters.add(cloud, "some-db", engine)
    clusters.is_now("some-db", "stopped")

    found = snapshots.describe("some-db")

    assert found is not None
    assert (found.kind, found.name, found.status) == ("cluster", "some-db", "stopped")
    assert found.cluster is None
    assert found.original.options["engine"] == engine
    # Only Aurora has to be given its instances again.
    assert bool(found.original.instance) is (engine == "aurora-mysql")


def test_a_cluster_that_does_not_exist_has_no_description(snapshots: Snapshots) -> None:
    assert snapshots.describe("nowhere") is None
    assert snapshots.describe("crops-db-1") is None


@pytest.mark.parametrize("status", ["stopped", "inaccessible-encryption-credentials-recoverable"])
def test_a_cluster_that_waiting_does_not_mend_is_refused_with_its_status(
    snapshots: Snapshots, status: str
) -> None:
    clusters.is_now("crops-db", status)

    with pytest.raises(RefusedError, match=f"crops-db has the status {status}"):
        take(snapshots)


@pytest.mark.parametrize("app", ["crops", "a" * 16, "a" * 17, "a-" * 19 + "a", "crops-again" * 3])
def test_the_snapshots_of_an_app_have_names_that_rds_takes_of_a_cluster(
    cloud: Cloud, snapshots: Snapshots, app: str
) -> None:
    release = "20261122t154106z-87ae2d53-5d93"
    first = snapshot_id(app, release)
    second = snapshot_id_after(first)
    third = snapshot_id_after(second)

    for name in (first, second, third):
        taken = take(snapshots, name, app=app, release=release)
        assert taken.status is SnapshotStatus.AVAILABLE

    assert names(cloud) >= {first, second, third}
    assert snapshots.prune(app, "crops-db", keep=1) == [first, second]


def test_a_longer_name_is_refused_and_not_tried_again(snapshots: Snapshots) -> None:
    with pytest.raises(RefusedError, match="longer than 63 characters"):
        take(snapshots, "lightgate-" + "a" * 54)


def test_pruning_keeps_the_newest_and_what_is_not_the_apps_own(
    cloud: Cloud, snapshots: Snapshots
) -> None:
    ours = [snapshot_id("crops", f"r{number}") for number in range(3)]
    for number, name in enumerate(ours):
        take(snapshots, name, release=f"r{number}")
    take(snapshots, "lightgate-weather-r0", app="weather", release="r0")
    take(snapshots, "lightgate-crops-r9", database="other-db", release="r9")
    for copy in ("lightgate-crops-mine", "lightgate-crops-r1-mine", "of-a-person"):
        cloud.client("rds").copy_db_cluster_snapshot(
            SourceDBClusterSnapshotIdentifier=ours[0],
            TargetDBClusterSnapshotIdentifier=copy,
            CopyTags=True,
        )

    assert snapshots.prune("crops", "crops-db", keep=1) == ours[:2]
    assert names(cloud) >= {
        *(ours[2], "lightgate-weather-r0", "lightgate-crops-r9"),
        *("lightgate-crops-mine", "lightgate-crops-r1-mine", "of-a-person"),
    }
    assert not names(cloud) & set(ours[:2])


@pytest.mark.parametrize(
    "changes",
    [
        {"SnapshotType": "shared"},
        {"SourceDBClusterSnapshotArn": "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:x"},
        {"DbClusterResourceId": "cluster-OFACLUSTERTHATWASDELETED"},
        {"Status": "copying"},
    ],
)
def test_a_snapshot_that_only_looks_like_ours_is_neither_counted_nor_deleted(
    cloud: Cloud, snapshots: Snapshots, changes: dict[str, Any]
) -> None:
    ours = [snapshot_id("crops", f"r{number}") for number in range(3)]
    for number, name in enumerate(ours):
        take(snapshots, name, release=f"r{number}")

    def change(answer: dict[str, Any]) -> None:
        for found in answer["DBClusterSnapshots"]:
            if found["DBClusterSnapshotIdentifier"] == ours[0]:
                found.update(changes)

    cloud.faults.change_answers("rds.DescribeDBClusterSnapshots", change)

    assert snapshots.prune("crops", "crops-db", keep=1) == ours[1:2]


def test_the_continuous_backup_of_a_cluster_says_how_far_it_reaches(snapshots: Snapshots) -> None:
    found = snapshots.latest_restorable("crops-db")

    assert found.status is SnapshotStatus.AVAILABLE
    assert found.at is not None
    with pytest.raises(RefusedError, match="there is no Aurora cluster nowhere"):
        snapshots.latest_restorable("nowhere")
