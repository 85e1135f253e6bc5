from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse

from lightgate.aws.rds import Snapshots
from lightgate.errors import RefusedError
from lightgate.snapshot import SnapshotState, SnapshotStatus
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


def test_taking_it_again_goes_on_with_the_same_snapshot(
    instance: Instance, snapshots: Snapshots
) -> None:
    instance.snapshot_takes = timedelta(minutes=5)
    first = take(snapshots)

    assert take(snapshots) == first
    assert list(instance.snapshots()) == [NAME]


@pytest.mark.parametrize("theirs", [{"release": "r2"}, {"database": "other-db"}])
def test_a_name_that_somebody_else_took_is_refused(
    cloud: Cloud,
    snapshots: Snapshots,
    theirs: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Instance(cloud, "other-db", monkeypatch)
    take(snapshots, **theirs)

    with pytest.raises(RefusedError, match="does not belong to this release"):
        take(snapshots)


def test_a_snapshot_without_our_tags_is_somebody_elses(cloud: Cloud, snapshots: Snapshots) -> None:
    cloud.client("rds").create_db_snapshot(
        DBInstanceIdentifier="crops-db", DBSnapshotIdentifier=NAME
    )

    with pytest.raises(RefusedError, match="does not belong to this release"):
        take(snapshots)


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
        ("DBInstanceNotFound", "no RDS instance crops-db"),
        ("DBInstanceNotFoundFault", "no RDS instance crops-db"),
        ("SnapshotQuotaExceeded", "RDS takes no further snapshot: refused"),
        ("SnapshotQuotaExceededFault", "database.keepSnapshots"),
    ],
)
def test_what_waiting_cannot_mend_is_refused(
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

    with pytest.raises(RefusedError, match="RDS takes no further snapshot"):
        take(snapshots)


def test_a_missing_instance_is_refused(snapshots: Snapshots) -> None:
    with pytest.raises(RefusedError, match=r"database\.instance: there is no RDS instance nowhere"):
        take(snapshots, database="nowhere")


def test_a_deleted_snapshot_does_not_show(cloud: Cloud, snapshots: Snapshots) -> None:
    take(snapshots)
    cloud.client("rds").delete_db_snapshot(DBSnapshotIdentifier=NAME)

    assert snapshots.state(NAME) is None


def test_a_snapshot_that_exists_and_does_not_show_yet_is_asked_for_again(
    cloud: Cloud, instance: Instance, snapshots: Snapshots
) -> None:
    first = take(snapshots)
    cloud.faults.refuse("rds.DescribeDBSnapshots", "DBSnapshotNotFound")

    assert take(snapshots).status is SnapshotStatus.BUSY
    assert take(snapshots) == first
    assert len(instance.snapshots()) == 1


@pytest.mark.parametrize("end", ["failed", "deleting", "incompatible-restore", "of-tomorrow"])
def test_every_state_that_is_not_known_to_be_good_is_a_failure(
    instance: Instance, snapshots: Snapshots, end: str
) -> None:
    instance.snapshot_ends = end

    assert take(snapshots) == SnapshotState(status=SnapshotStatus.FAILED, detail=end)


def test_any_other_error_passes(cloud: Cloud, snapshots: Snapshots) -> None:
    cloud.faults.refuse("rds.CreateDBSnapshot", "AccessDenied")

    with pytest.raises(ClientError, match="AccessDenied"):
        take(snapshots)


def take_each(snapshots: Snapshots, names: Iterable[str], **changes: str) -> list[str]:
    return [name for name in names if take(snapshots, name, release=name, **changes)]


def names(count: int, app: str = "crops") -> list[str]:
    return [f"lightgate-{app}-{number:03}" for number in range(count)]


def test_pruning_keeps_the_newest(instance: Instance, snapshots: Snapshots) -> None:
    taken = take_each(snapshots, reversed(names(5)))

    deleted = snapshots.prune("crops", "crops-db", keep=2)

    assert deleted == taken[:3]
    assert set(instance.snapshots()) == set(taken[3:])


def test_pruning_again_deletes_nothing_more(instance: Instance, snapshots: Snapshots) -> None:
    take_each(snapshots, names(3))
    snapshots.prune("crops", "crops-db", keep=2)

    assert snapshots.prune("crops", "crops-db", keep=2) == []
    assert len(instance.snapshots()) == 2


def test_pruning_never_touches_what_is_not_the_apps_own(
    cloud: Cloud, instance: Instance, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    rds, ours = cloud.client("rds"), take_each(snapshots, names(2))
    other = Instance(cloud, "other-db", monkeypatch)
    take_each(snapshots, names(1, app="weather"), app="weather")
    take_each(snapshots, names(1, app="crops-other"), database="other-db")
    for name, tags in {
        "lightgate-crops-by-hand": [],
        "before-the-move": [{"Key": "lightgate:app", "Value": "crops"}],
    }.items():
        rds.create_db_snapshot(
            DBInstanceIdentifier="crops-db", DBSnapshotIdentifier=name, Tags=tags
        )
    automated = rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]

    deleted = snapshots.prune("crops", "crops-db", keep=1)

    assert deleted == ours[:1]
    assert set(instance.snapshots()) == {
        ours[1],
        *("lightgate-weather-000", "lightgate-crops-by-hand", "before-the-move"),
    }
    assert set(other.snapshots()) == {"lightgate-crops-other-000"}
    assert rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"] == automated


def test_pruning_neither_counts_nor_deletes_a_snapshot_that_is_not_available(
    instance: Instance, snapshots: Snapshots
) -> None:
    taken = take_each(snapshots, names(2))
    instance.snapshot_takes = timedelta(minutes=5)
    take_each(snapshots, ["lightgate-crops-creating"])

    assert snapshots.prune("crops", "crops-db", keep=2) == []
    assert set(instance.snapshots()) == {*taken, "lightgate-crops-creating"}


def test_pruning_sees_more_than_one_page(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pages_of(100, monkeypatch)
    taken = take_each(snapshots, names(130))

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


def test_a_missing_instance_has_no_continuous_backup(snapshots: Snapshots) -> None:
    with pytest.raises(RefusedError, match="there is no RDS instance nowhere"):
        snapshots.latest_restorable("nowhere")
