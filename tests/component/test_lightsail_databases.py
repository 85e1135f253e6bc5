import boto3
import pytest
from botocore.exceptions import ClientError

from lightgate.aws.lightsail_databases import LightsailSnapshots
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.names import snapshot_id
from tests.component.lightsail_databases import T0, LightsailDatabases

RELEASE = "20261122t154106z-87ae2d53-5d93"
NAME = snapshot_id("crops", RELEASE)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> LightsailDatabases:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    service = LightsailDatabases(boto3.Session().client("lightsail", region_name="us-east-1"))
    service.add("crops-db")
    return service


@pytest.fixture
def snapshots(service: LightsailDatabases) -> LightsailSnapshots:
    return LightsailSnapshots(service.client)


def take(snapshots: LightsailSnapshots) -> SnapshotState:
    return snapshots.take(NAME, database="crops-db", app="crops", release=RELEASE)


def test_taking_it_again_interrupts_the_database_only_once(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    first = take(snapshots)

    assert take(snapshots) == first
    assert service.interruptions == 1


def test_after_a_lost_answer_the_deployment_is_found_in_the_list(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.loses_the_answer_of = "CreateRelationalDatabaseSnapshot"

    assert take(snapshots).status is SnapshotStatus.CREATING
    assert service.interruptions == 1


def test_what_is_wrong_with_a_database_that_is_well_is_not_taken_for_busy(
    service: LightsailDatabases, snapshots: LightsailSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ("InvalidInputException", "You have reached a quota."), {}
    monkeypatch.setattr(service, "_CreateRelationalDatabaseSnapshot", lambda _: refused)

    with pytest.raises(ClientError, match="quota"):
        take(snapshots)


def test_the_continuous_backup_says_how_far_it_reaches(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    found = snapshots.latest_restorable("crops-db")

    assert (found.status, found.at) == (SnapshotStatus.AVAILABLE, T0)

    service.add("crops-db", backupRetentionEnabled=False)
    assert snapshots.latest_restorable("crops-db").status is SnapshotStatus.FAILED

    service.add("crops-db")
    del service.databases["crops-db"]["latestRestorableTime"]
    assert snapshots.latest_restorable("crops-db").status is SnapshotStatus.FAILED


def test_a_database_is_described_with_its_plan(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.add("crops-db", relationalDatabaseBundleId="micro_2_0")

    found = snapshots.describe("crops-db")

    assert found is not None
    assert found.original.options["relational-database-bundle-id"] == "micro_2_0"


def test_pruning_leaves_the_snapshots_of_a_database_that_had_the_name_before(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    take(snapshots)
    service.snapshots[NAME]["state"] = "available"
    of_today = service.databases["crops-db"]
    service.add("crops-db")

    assert snapshots.prune("crops", "crops-db", keep=0) == []
    service.databases["crops-db"] = of_today
    assert snapshots.prune("crops", "crops-db", keep=0) == [NAME]
