from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from lightgate.aws.lightsail_databases import LightsailSnapshots
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.errors import NotDeletedError, RefusedError
from lightgate.names import snapshot_id
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


def test_after_a_lost_answer_the_deployment_is_looked_up(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.loses_the_answer_of = "CreateRelationalDatabaseSnapshot"

    assert take(snapshots).status is SnapshotStatus.CREATING
    assert service.interruptions == 1


@pytest.mark.parametrize("theirs", [{"release": "r2"}, {"database": "other-db"}])
def test_a_name_in_use_is_refused(
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


def test_a_database_is_described_as_it_is(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.add("crops-db", state="stopped", relationalDatabaseBundleId="micro_2_0")

    found = snapshots.describe("crops-db")

    assert found is not None
    assert (found.kind, found.name, found.status) == ("lightsail", "crops-db", "stopped")
    assert found.original.options["relational-database-bundle-id"] == "micro_2_0"
    assert snapshots.describe("nowhere") is None


@pytest.mark.parametrize("state", ["stopped", "stopping", "deleting", "failed", "storage-full"])
def test_a_database_that_waiting_does_not_mend_is_refused_with_its_state(
    service: LightsailDatabases, snapshots: LightsailSnapshots, state: str
) -> None:
    service.add("crops-db", state=state)

    with pytest.raises(RefusedError, match=f"crops-db has the status {state}"):
        take(snapshots)
    assert service.snapshots == {}


@pytest.mark.parametrize("state", ["starting", "backing-up", "of-tomorrow"])
def test_a_database_that_may_take_one_later_is_waited_for(
    service: LightsailDatabases, snapshots: LightsailSnapshots, state: str
) -> None:
    service.add("crops-db", state=state)

    assert take(snapshots).status is SnapshotStatus.BUSY


def take_each(
    service: LightsailDatabases, snapshots: LightsailSnapshots, count: int, **changes: str
) -> list[str]:
    """So many available snapshots under the names that Lightgate gives them, the oldest first."""
    app, taken = changes.get("app", "crops"), []
    for number in range(count):
        name = snapshot_id(app, f"r{number}")
        take(snapshots, name, release=f"r{number}", **changes)
        service.snapshots[name]["state"] = "available"
        taken.append(name)
    return taken


def test_pruning_keeps_the_newest_of_the_apps_own(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    service.page = 2
    service.add("other-db")
    ours = take_each(service, snapshots, 5)
    others = [
        *take_each(service, snapshots, 1, app="weather"),
        *take_each(service, snapshots, 1, app="elsewhere", database="other-db"),
    ]
    service.snapshots["by-hand"] = {
        "name": "by-hand",
        "state": "available",
        "createdAt": T0 - timedelta(days=9),
        "fromRelationalDatabaseName": "crops-db",
    }
    for name in ("lightgate-crops-mine", "lightgate-crops-r1-mine", "lightgate-crops-r9"):
        service.snapshots[name] = {**service.snapshots[ours[0]], "name": name}
    service.snapshots[ours[4]]["state"] = "creating"
    kept = set(service.snapshots) - set(ours[:2])

    deleted = snapshots.prune("crops", "crops-db", keep=2)

    assert deleted == ours[:2]
    assert snapshots.prune("crops", "crops-db", keep=2) == []
    assert set(service.snapshots) == kept >= {*ours[2:], *others, "by-hand"}


def test_pruning_leaves_the_snapshots_of_a_database_that_had_the_name_before(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    taken = take_each(service, snapshots, 3)
    service.add("crops-db")

    assert snapshots.prune("crops", "crops-db", keep=1) == []
    assert set(service.snapshots) == set(taken)


def test_two_stacks_with_an_app_of_one_name_leave_each_others_snapshots_alone(
    service: LightsailDatabases,
) -> None:
    client = service.client  # type: ignore[attr-defined]
    blue, green = (LightsailSnapshots(client, stack=name) for name in ("blue", "green"))
    taken = take_each(service, blue, 3)

    assert green.prune("crops", "crops-db", keep=1) == []
    assert blue.prune("crops", "crops-db", keep=1) == taken[:2]


def test_one_snapshot_that_cannot_be_deleted_does_not_keep_the_others(
    service: LightsailDatabases, snapshots: LightsailSnapshots
) -> None:
    taken = take_each(service, snapshots, 4)
    service.kept.add(taken[0])

    with pytest.raises(NotDeletedError) as error:
        snapshots.prune("crops", "crops-db", keep=1)

    assert list(error.value.failed) == taken[:1]
    assert "AccessDeniedException" in error.value.failed[taken[0]]
    assert error.value.deleted == taken[1:3]
    assert set(service.snapshots) == {taken[0], taken[3]}
