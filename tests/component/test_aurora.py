import pytest

from lightgate.aws.rds import CLUSTERS, Snapshots
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.names import snapshot_id, snapshot_id_after
from tests.component import clusters
from tests.component.cloud import Cloud


@pytest.fixture
def snapshots(cloud: Cloud) -> Snapshots:
    clusters.add(cloud, "crops-db")
    return Snapshots(cloud.client("rds"), CLUSTERS)


@pytest.mark.parametrize("engine", ["aurora-mysql", "postgres"])
def test_only_a_cluster_of_aurora_has_to_be_given_its_instances_again(
    cloud: Cloud, snapshots: Snapshots, engine: str
) -> None:
    clusters.add(cloud, "some-db", engine)

    found = snapshots.describe("some-db")

    assert found is not None
    assert found.original.options["engine"] == engine
    assert bool(found.original.instance) is (engine == "aurora-mysql")


@pytest.mark.parametrize("app", ["crops", "a" * 16, "a" * 17, "a-" * 19 + "a", "crops-again" * 3])
def test_the_snapshots_of_an_app_have_names_that_rds_takes_of_a_cluster(
    snapshots: Snapshots, app: str
) -> None:
    release = "20261122t154106z-87ae2d53-5d93"
    first = snapshot_id(app, release)
    second = snapshot_id_after(first)
    third = snapshot_id_after(second)

    for name in (first, second, third):
        taken = snapshots.take(name, database="crops-db", app=app, release=release)
        assert taken.status is SnapshotStatus.AVAILABLE

    assert snapshots.prune(app, "crops-db", keep=1) == [first, second]


def test_the_continuous_backup_of_a_cluster_says_how_far_it_reaches(snapshots: Snapshots) -> None:
    found = snapshots.latest_restorable("crops-db")

    assert found.status is SnapshotStatus.AVAILABLE
    assert found.at is not None
