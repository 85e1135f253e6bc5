from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from lightgate.aws.lightsail_databases import LightsailSnapshots
from lightgate.errors import RefusedError
from lightgate.snapshot import SnapshotState, SnapshotStatus
from tests.component.lightsail_databases import T0, LightsailDatabases

NAME = "lightgate-crops-20261122t154106z-87ae2d53-5d93"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> LightsailDatabases:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    client = boto3.Session().client("lightsail", region_name="us-east-1")
    service = LightsailDatabases(client)
    service.client = client  # type: ignore[attr-defined]
    service.add("crops-db")
    return service


@pytest.fixture
def snapshots(service: LightsailDatabases) -> LightsailSnapshots:
    return LightsailSnapshots(service.client)  # type: ignore[attr-defined]


def take(snapshots: LightsailSnapshots, name: str = NAME, **changes: str) -> SnapshotState:
    usual = {"database": "crops-db", "app": "crops", "release": "r1"}
    return snapshots.take(name, **{**usual, **changes})


def test_a_snapshot_is_creating_until_it_is_available(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    assert take(snapshots).status is SnapshotStatus.CREATING
    service.snapshots[NAME]["state"] = "available"

    assert snapshots.state(NAME) == SnapshotState(
        status=SnapshotStatus.AVAILABLE, detail="available", at=T0
    )


def test_taking_it_again_interrupts_the_database_only_once(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    first = take(snapshots)

    assert take(snapshots) == first
    assert service.interruptions == 1


def test_a_lost_answer_is_met_by_looking(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.loses_the_answer_of = "CreateRelationalDatabaseSnapshot"

    assert take(snapshots).status is SnapshotStatus.CREATING
    assert service.interruptions == 1


@pytest.mark.parametrize("theirs", [{"release": "r2"}, {"database": "other-db"}])
def test_a_name_that_somebody_else_took_is_refused(
    service: LightsailDatabases, snapshots: LightsailSnapshots, theirs: dict[str, str]
) -> None:
    service.add("other-db")
    take(snapshots, **theirs)

    with pytest.raises(RefusedError, match="does not belong to this release"):
        take(snapshots)


def test_a_database_that_takes_none_now_is_busy(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.add("crops-db", state="modifying")

    assert take(snapshots) == SnapshotState(
        status=SnapshotStatus.BUSY, detail="The database is modifying."
    )
    assert service.snapshots == {}


def test_what_is_wrong_with_a_database_that_is_well_is_not_taken_for_busy(
    service: LightsailDatabases, snapshots: LightsailSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ("InvalidInputException", "You have reached a quota."), {}
    monkeypatch.setattr(service, "_CreateRelationalDatabaseSnapshot", lambda _: refused)

    with pytest.raises(ClientError, match="quota"):
        take(snapshots)


def test_a_missing_database_is_refused(snapshots: LightsailSnapshots) -> None:
    with pytest.raises(RefusedError, match=r"database\.lightsail: there is no Lightsail database"):
        take(snapshots, database="nowhere")
    with pytest.raises(RefusedError, match="nowhere"):
        snapshots.latest_restorable("nowhere")


def test_a_deleted_snapshot_does_not_show(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    take(snapshots)
    service.snapshots.clear()

    assert snapshots.state(NAME) is None


@pytest.mark.parametrize("end", ["failed", "deleting", "of-tomorrow"])
def test_every_state_that_is_not_known_to_be_good_is_a_failure(
    service: LightsailDatabases, snapshots: LightsailSnapshots, end: str
) -> None:
    take(snapshots)
    service.snapshots[NAME]["state"] = end

    assert snapshots.state(NAME) == SnapshotState(status=SnapshotStatus.FAILED, detail=end)


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


def test_pruning_keeps_the_newest_of_the_apps_own(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.page = 2
    service.add("other-db")
    ours = [f"lightgate-crops-{number}" for number in range(5)]
    for name in ours:
        take(snapshots, name)
    take(snapshots, "lightgate-weather-0", app="weather")
    take(snapshots, "lightgate-crops-other", database="other-db")
    for found in service.snapshots.values():
        found["state"] = "available"
    service.snapshots["by-hand"] = {
        "name": "by-hand",
        "state": "available",
        "createdAt": T0 - timedelta(days=9),
        "fromRelationalDatabaseName": "crops-db",
    }
    service.snapshots[ours[4]]["state"] = "creating"

    deleted = snapshots.prune("crops", "crops-db", keep=2)

    assert deleted == ours[:2]
    assert snapshots.prune("crops", "crops-db", keep=2) == []
    assert set(service.snapshots) == {
        *ours[2:],
        *("lightgate-weather-0", "lightgate-crops-other", "by-hand"),
    }
