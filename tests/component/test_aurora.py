import pytest

from lightgate.aws.rds import CLUSTERS, Snapshots
from lightgate.errors import RefusedError
from lightgate.snapshot import SnapshotState, SnapshotStatus
from tests.component.cloud import Cloud

NAME = "lightgate-crops-20261122t154106z-87ae2d53-5d93"


@pytest.fixture
def snapshots(cloud: Cloud) -> Snapshots:
    for name in ("crops-db", "other-db"):
        cloud.client("rds").create_db_cluster(
            DBClusterIdentifier=name,
            Engine="aurora-postgresql",
            MasterUsername="root",
            MasterUserPassword="of-the-tests",
        )
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


@pytest.mark.parametrize("theirs", [{"release": "r2"}, {"database": "other-db"}])
def test_a_name_that_somebody_else_took_is_refused(
    snapshots: Snapshots, theirs: dict[str, str]
) -> None:
    take(snapshots, **theirs)

    with pytest.raises(RefusedError, match="does not belong to this release"):
        take(snapshots)


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
def test_what_waiting_cannot_mend_is_refused(
    cloud: Cloud, snapshots: Snapshots, code: str, words: str
) -> None:
    cloud.faults.refuse("rds.CreateDBClusterSnapshot", code)

    with pytest.raises(RefusedError, match=words):
        take(snapshots)


def test_a_deleted_snapshot_does_not_show(cloud: Cloud, snapshots: Snapshots) -> None:
    take(snapshots)
    cloud.client("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=NAME)

    assert snapshots.state(NAME) is None


def test_pruning_keeps_the_newest_and_what_is_not_the_apps_own(
    cloud: Cloud, snapshots: Snapshots
) -> None:
    ours = [f"lightgate-crops-{number}" for number in range(3)]
    for name in ours:
        take(snapshots, name)
    take(snapshots, "lightgate-weather-0", app="weather")
    take(snapshots, "lightgate-crops-other", database="other-db")

    assert snapshots.prune("crops", "crops-db", keep=1) == ours[:2]
    assert names(cloud) >= {ours[2], "lightgate-weather-0", "lightgate-crops-other"}
    assert not names(cloud) & set(ours[:2])


def test_the_continuous_backup_of_a_cluster_says_how_far_it_reaches(snapshots: Snapshots) -> None:
    found = snapshots.latest_restorable("crops-db")

    assert found.status is SnapshotStatus.AVAILABLE
    assert found.at is not None
    with pytest.raises(RefusedError, match="there is no Aurora cluster nowhere"):
        snapshots.latest_restorable("nowhere")
