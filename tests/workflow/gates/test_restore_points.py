"""The restore point of a release whose gate asks: where it comes from, and what it lets overlap.

The slow matrix adds the other modes of backup and states of a database.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.model import OperationModel

from lightgate.aws.dynamodb_timings import ReleaseTimings
from lightgate.backup.progress import READ_LAG
from tests.component import clusters
from tests.component.lightsail_databases import LightsailDatabases
from tests.component.lightsail_service import Course
from tests.workflow.reporting_gates import (
    Gate,
    check_nothing_was_applied,
    database,
    line_of,
    minutes,
    reasons,
    remember,
)
from tests.workflow.stepper import Stepper
from tests.workflow.world import (
    APP,
    PASSWORD,
    Json,
    World,
    migration_failed,
    spec,
    succeeded,
    unprotected,
)

OFF, STOPPED = "automated backups are off", "continuous backup has stopped"
IN_TIME = {"instance": "crops-db", "backup": "point-in-time"}


def continuous_backup(world: World, *, reaches: Callable[[], datetime] | datetime | None) -> None:
    """How far the database's own backup reaches; a moment: it stays there; None: it is off."""

    def change(answer: Json) -> None:
        for found in answer["DBInstances"]:
            found["BackupRetentionPeriod"] = 7 if reaches else 0
            found.pop("LatestRestorableTime", None)
            if reaches:
                found["LatestRestorableTime"] = reaches() if callable(reaches) else reaches

    world.cloud.faults.change_answers("rds.DescribeDBInstances", change)


# Where the restore point comes from.


def test_a_snapshot_that_is_begun_on_the_plan_is_there_before_the_permit(world: World) -> None:
    world.put_spec(database(backup="when-pending"))
    world.instance.snapshot_takes = minutes(3)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert "TakeSnapshot" not in ended.states
    assert gate.states == ["pending", "granted"]
    assert list(gate.snapshots.values()) == ["available"]
    assert gate.ready_at is not None
    assert gate.began_at is not None
    assert gate.began_at - gate.ready_at >= minutes(3)
    assert world.message().content["snapshot"]["id"] in gate.snapshots


@pytest.mark.slow
def test_a_database_that_is_busy_when_the_plan_comes_is_asked_again(world: World) -> None:
    world.put_spec(database(backup="when-pending"))
    world.instance.busy_until = world.clock.now() + minutes(4)
    world.instance.snapshot_takes = minutes(1)
    gate = Gate(world, "a.0002")

    assert world.release().status == "SUCCEEDED"
    assert list(gate.snapshots.values()) == ["available"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("status", ["stopped", "deleting"])
def test_a_database_that_goes_down_before_the_plan_comes_is_not_waited_for(
    world: World, status: str
) -> None:
    world.put_spec(database(backup="when-pending"))
    gate = Gate(world, "a.0002")
    world.functions.before("deploy", lambda: world.instance.is_now(status))

    ended = world.release()

    assert ended.error == "REFUSED"
    check_nothing_was_applied(world, gate)
    assert gate.ready_at is not None
    assert world.clock.now() - gate.ready_at < minutes(5)
    assert f"crops-db has the status {status}" in reasons(world)


@pytest.mark.slow
def test_how_long_a_database_was_busy_is_not_remembered_as_its_snapshots_time(
    world: World,
) -> None:
    world.put_spec(database(backup="when-pending"))
    world.instance.busy_until = world.clock.now() + minutes(4)
    world.instance.snapshot_takes = minutes(1)
    Gate(world, "a.0002")

    world.release()

    taken = ReleaseTimings(world.table).read(APP).snapshot
    assert taken is not None
    assert minutes(1) <= taken < minutes(1.5)


@pytest.mark.slow
def test_a_busy_database_is_waited_for_no_longer_than_its_snapshot_may_be(world: World) -> None:
    world.put_spec(database(backup="when-pending", timeoutSeconds=120))
    world.instance.busy_until = world.clock.now() + minutes(60)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.error == "REFUSED"
    check_nothing_was_applied(world, gate)
    assert gate.ready_at is not None
    assert world.clock.now() - gate.ready_at < minutes(5)
    assert "database.timeoutSeconds (120)" in reasons(world)


def test_a_snapshot_longer_than_the_wait_limit_comes_first(world: World) -> None:
    world.put_spec(database(backup="when-pending"))
    world.instance.snapshot_takes = minutes(15)
    remember(world, snapshot=900, node=30)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert ended.states.index("TakeSnapshot") < ended.states.index("Deploy")
    assert gate.deployment is not None
    assert gate.deployment.created_at - world.started_at >= minutes(13.5)
    assert list(gate.snapshots.values()) == ["available"]


def test_a_continuous_backup_is_a_restore_point_without_a_wait(world: World) -> None:
    world.put_spec(database(backup="point-in-time"))
    reaches = world.clock.now() - minutes(4)
    continuous_backup(world, reaches=reaches)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]
    assert world.instance.snapshots() == {}
    snapshot = world.message().content["snapshot"]
    moment = datetime.fromisoformat(snapshot["restoresTo"])
    assert (snapshot["id"], moment) == (None, reaches)
    assert "restore-db-instance-to-point-in-time" in " ".join(snapshot["restore"])


@pytest.mark.representatives(1)
@pytest.mark.parametrize(("reached", "words"), [(None, OFF), (minutes(90), STOPPED)])
def test_a_continuous_backup_that_is_off_or_has_stopped_refuses_what_is_pending(
    world: World, reached: timedelta | None, words: str
) -> None:
    world.put_spec(database(backup="point-in-time"))
    continuous_backup(world, reaches=world.clock.now() - reached if reached else None)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.error == "REFUSED"
    assert gate.began_at is None
    assert world.lightsail.serving(APP) == 1
    assert words in reasons(world)


@pytest.mark.parametrize(
    ("reached", "words"), [(None, OFF), (minutes(90), STOPPED), (minutes(29), None)]
)
def test_without_an_asking_gate_the_continuous_backup_is_checked_before_the_deployment(
    world: World, reached: timedelta | None, words: str | None
) -> None:
    world.put_spec(unprotected() | {"database": IN_TIME})
    at = world.clock.now() - reached if reached else None
    continuous_backup(world, reaches=at)

    ended = world.release(course=succeeded("a.0002"))

    if words is not None:
        assert ended.error == "REFUSED"
        assert world.lightsail.deployments(APP) == {1: "ACTIVE"}
        assert words in reasons(world)
    else:
        assert ended.status == "SUCCEEDED"
        assert at is not None
        assert world.message().content["snapshot"]["restoresTo"] == at.isoformat()


@pytest.mark.slow
def test_a_continuous_backup_is_asked_anew_when_the_service_was_busy_for_long(
    world: World,
) -> None:
    world.put_spec(database(backup="point-in-time"))
    continuous_backup(world, reaches=lambda: world.clock.now() - minutes(5))
    world.lightsail.deploy_by_somebody(APP, Course(after=minutes(45)))
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert gate.began_at is not None
    moment = datetime.fromisoformat(world.message().content["snapshot"]["restoresTo"])
    assert minutes(4) < gate.began_at - moment < minutes(7)


def test_the_moment_to_restore_to_stays_before_what_was_permitted(world: World) -> None:
    world.put_spec(database(backup="point-in-time"))
    continuous_backup(world, reaches=lambda: world.clock.now() - timedelta(seconds=1))
    world.functions.twice = True
    gate = Gate(world, "a.0002", takes=200)

    world.release()

    assert gate.began_at is not None
    moment = datetime.fromisoformat(world.message().content["snapshot"]["restoresTo"])
    assert moment < gate.began_at


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("backup", "request_", "why"),
    [
        ("none", {}, 'database.backup is "none"'),
        ("always", {"skipSnapshot": True}, '"skipSnapshot" was asked for'),
        ("when-pending", {"skipSnapshot": True}, '"skipSnapshot" was asked for'),
    ],
)
def test_without_a_restore_point_a_plan_is_permitted_at_once_and_the_message_says_why(
    world: World, backup: str, request_: Json, why: str
) -> None:
    world.put_spec(database(backup=backup))
    gate = Gate(world, "a.0002")

    ended = world.release(**request_)

    assert ended.status == "SUCCEEDED"
    assert gate.states[-1] == "granted"
    assert world.instance.snapshots() == {}
    told = world.message().content
    assert (told["snapshot"], told["noRestorePoint"]) == (None, why)
    assert f"Database   No restore point: {why}" in told["text"]


def test_a_failed_release_tells_every_command_up_to_the_app_on_the_restored_database(
    world: World,
) -> None:
    first = world.release(course=succeeded())
    assert first.status == "SUCCEEDED"
    world.messages()
    failed = migration_failed("a.0002", "no such column", "a.0001")
    world.release(course=failed)

    message = world.message()
    snapshot = message.content["snapshot"]
    new = f"crops-db-restored-{message.content['release'].partition('-')[0]}"
    told = "\n".join([*snapshot["restore"], *snapshot["pointTheApp"]])
    assert f"--db-instance-identifier {new} --db-snapshot-identifier {snapshot['id']}" in told
    assert " --db-instance-class db.t4g.micro " in told
    assert " --no-publicly-accessible" in told
    assert f"aws rds wait db-instance-available --db-instance-identifier {new}" in told
    assert "for S in crops/db; do" in told
    assert "for S in /crops/key; do" in told
    assert "--name /lightgate/apps/crops-backend " in told
    assert f'"digest": "{world.digest}"' in told
    assert f"--state-machine-arn {world.machine.arn} " in told
    assert PASSWORD not in told
    assert all(f"  {line}\n" in message.content["text"] for line in told.splitlines())


@pytest.mark.slow
def test_a_database_that_cannot_be_described_stops_no_release(world: World) -> None:
    world.cloud.faults.refuse("rds.DescribeDBInstances", "InternalFailure", times=20)
    failed = migration_failed("a.0002", "no such column")

    world.release(course=failed)

    told = " ".join(world.message().content["snapshot"]["restore"])
    assert "--db-subnet-group-name $(aws rds describe-db-instances " in told


# Snapshot and node at the same time.


def test_the_first_release_is_without_overlap_and_the_next_one_overlaps(world: World) -> None:
    world.instance.snapshot_takes = minutes(5)
    first = Gate(world, "a.0002", starts=120)
    world.release()
    second = Gate(world, "a.0003", starts=120)
    ended = world.release()

    one, two = (message.content for message in world.messages())
    assert first.deployment is not None
    assert second.deployment is not None
    assert one["snapshot"]["availableAt"] <= first.deployment.created_at.isoformat()
    assert one["savedSeconds"] < 1  # Lightsail tells moments to the millisecond
    assert second.deployment.created_at.isoformat() < two["snapshot"]["availableAt"]
    assert second.snapshots[two["snapshot"]["id"]] == "available"
    assert 60 <= two["savedSeconds"] <= 130
    assert "saved by starting the node" in two["text"]
    assert ended.status == "SUCCEEDED"


@pytest.mark.slow
def test_a_snapshot_that_takes_longer_than_ever_is_waited_for_by_the_gate(world: World) -> None:
    remember(world, snapshot=120, node=120)
    world.instance.snapshot_takes = minutes(7)
    gate = Gate(world, "a.0002", starts=60)

    assert world.release().status == "SUCCEEDED"
    assert list(gate.snapshots.values()) == ["available"]
    assert gate.ready_at is not None
    assert gate.began_at is not None
    assert gate.began_at - gate.ready_at > minutes(5)


# Other databases.


def test_an_aurora_cluster_gets_a_cluster_snapshot(world: World) -> None:
    clusters.add(world.cloud, "crops-cluster")
    world.put_spec(spec(database={"cluster": "crops-cluster"}))
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]
    snapshot = world.message().content["snapshot"]
    found = world.cloud.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")
    names = [each["DBClusterSnapshotIdentifier"] for each in found["DBClusterSnapshots"]]
    assert snapshot["id"] in names
    assert "restore-db-cluster-from-snapshot" in " ".join(snapshot["restore"])


@pytest.fixture
def databases(world: World, monkeypatch: pytest.MonkeyPatch) -> LightsailDatabases:
    """Lightsail's managed databases beside its container services."""
    found, faults = LightsailDatabases(Mock()), world.cloud.faults.before_call

    def answer(model: OperationModel, params: Any = None, **more: Any) -> Any:
        if "RelationalDatabase" in model.name:
            return found._answer(model, params)
        return faults(model, **more)

    monkeypatch.setattr(world.cloud.faults, "before_call", answer)
    found.add("crops-db")
    return found


@pytest.mark.representatives(1)
@pytest.mark.parametrize("backup", [{}, {"backup": "always"}])
def test_a_lightsail_database_gets_a_snapshot_by_default_on_the_plan(
    world: World, databases: LightsailDatabases, backup: Json
) -> None:
    world.put_spec(spec(database={"lightsail": "crops-db", **backup}))
    at = world.clock.now() + minutes(5)
    seen: list[str] = []

    def go_on() -> None:
        if databases.snapshots and world.clock.now() >= at:
            [snapshot] = databases.snapshots.values()
            snapshot["state"] = "available"
        if gate.began_at is not None and not seen:
            seen.extend(snapshot["state"] for snapshot in databases.snapshots.values())

    gate = Gate(world, "a.0002")
    world.clock.watch(go_on)

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert ("TakeSnapshot" in ended.states) is bool(backup)
    assert (databases.interruptions, seen) == (1, ["available"])
    snapshot = world.message().content["snapshot"]
    assert snapshot["id"] in databases.snapshots
    assert "create-relational-database-from-snapshot" in " ".join(snapshot["restore"])


@pytest.mark.representatives(1)
@pytest.mark.parametrize("backup", ["when-pending", "always"])
def test_a_snapshot_of_a_lightsail_database_may_show_only_after_a_while(
    world: World, databases: LightsailDatabases, monkeypatch: pytest.MonkeyPatch, backup: str
) -> None:
    world.put_spec(spec(database={"lightsail": "crops-db", "backup": backup}, pollSeconds=10))
    show, first_looks = databases._GetRelationalDatabaseSnapshot, []

    def show_late(asked: Json) -> Any:
        if databases.snapshots and len(first_looks) < 4:
            first_looks.append(world.clock.now())
            return ("NotFoundException", "no such snapshot"), {}
        for snapshot in databases.snapshots.values():
            snapshot["state"] = "available"
        return show(asked)

    monkeypatch.setattr(databases, "_GetRelationalDatabaseSnapshot", show_late)
    gate = Gate(world, "a.0002")

    assert world.release().status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]
    assert first_looks[-1] - first_looks[0] < READ_LAG
    assert databases.interruptions == 1


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_lightsail_database_that_is_down_is_refused_with_its_state(
    world: World, databases: LightsailDatabases, state: str
) -> None:
    databases.add("crops-db", state=state)
    world.put_spec(spec(database={"lightsail": "crops-db"}))

    ended = world.release()

    assert ended.error == "REFUSED"
    assert "Deploy" not in ended.states
    assert f"crops-db has the status {state}" in reasons(world)


def test_a_name_of_a_lightsail_database_that_is_given_as_an_instance_is_recognised(
    world: World, databases: LightsailDatabases
) -> None:
    databases.add("crops-lightsail")
    world.put_spec(spec(database={"instance": "crops-lightsail"}))

    assert world.release().error == "REFUSED"
    assert 'write "lightsail": "crops-lightsail" instead of "instance"' in reasons(world)


@pytest.mark.parametrize("backup", ["always", "when-pending"])
@pytest.mark.parametrize("kind", ["cluster", "lightsail"])
def test_a_busy_database_of_each_kind_is_asked_again_and_keeps_its_newest_snapshot(
    world: World, databases: LightsailDatabases, kind: str, backup: str
) -> None:
    clusters.add(world.cloud, "crops-cluster")
    name = {"cluster": "crops-cluster", "lightsail": "crops-db"}[kind]
    world.put_spec(spec(database={kind: name, "backup": backup, "keepSnapshots": 1}))
    world.functions.twice = True
    busy_until = world.clock.now() + minutes(5)

    def go_on() -> None:
        status = "backing-up" if world.clock.now() < busy_until else "available"
        clusters.is_now("crops-cluster", status)
        databases.databases["crops-db"]["state"] = status
        for snapshot in databases.snapshots.values():
            snapshot["state"] = "available"

    go_on()
    world.clock.watch(go_on)
    for number in (1, 2):
        Gate(world, f"a.000{number}")
        assert world.release().status == "SUCCEEDED"

    taken = [message.content["snapshot"]["id"] for message in world.messages()]
    found = world.cloud.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")
    left = [one["DBClusterSnapshotIdentifier"] for one in found["DBClusterSnapshots"]]
    assert (left or list(databases.snapshots)) == [taken[-1]]


def test_surplus_snapshots_of_a_lightsail_database_are_deleted(
    world: World, databases: LightsailDatabases
) -> None:
    database = {"lightsail": "crops-db", "keepSnapshots": 1, "backup": "always"}
    world.put_spec(spec(database=database))

    def be_available() -> None:
        for snapshot in databases.snapshots.values():
            snapshot["state"] = "available"

    world.clock.watch(be_available)
    for _ in range(2):
        Gate(world, "a.0002")
        world.release()

    taken = [message.content["snapshot"]["id"] for message in world.messages()]
    assert len(set(taken)) == 2
    assert list(databases.snapshots) == taken[1:]


def test_a_lightsail_database_is_not_interrupted_when_nothing_is_pending(
    world: World, databases: LightsailDatabases
) -> None:
    world.put_spec(spec(database={"lightsail": "crops-db"}))
    Gate(world)

    assert world.release().status == "SUCCEEDED"
    assert (databases.interruptions, databases.snapshots) == (0, {})


# Forecasts that were wrong.


def statuses_of(world: World, releases: int, *, starts: float) -> list[str]:
    """How so many releases end, each of which has something pending."""
    ended = []
    for _ in range(releases):
        Gate(world, "a.0002", starts=starts)
        ended.append(world.release().status)
    return ended


def with_the_usual_limit(**changes: object) -> Json:
    usual = database(**changes)
    del usual["containers"]["migrate"]["timeoutSeconds"]
    return {**usual, "pollSeconds": 10}


@pytest.mark.slow
@pytest.mark.parametrize("took", [240, None])
def test_a_snapshot_that_comes_too_late_on_the_plan_comes_first_the_next_time(
    world: World, took: float | None
) -> None:
    world.put_spec(with_the_usual_limit(backup="when-pending"))
    world.instance.snapshot_takes = minutes(4)
    if took is not None:
        remember(world, snapshot=took, node=60)

    ended = statuses_of(world, 2, starts=90)

    assert ended == ["FAILED" if took is None else "SUCCEEDED", "SUCCEEDED"]


@pytest.mark.slow
def test_a_snapshot_that_outgrew_its_history_fails_one_release_and_not_the_next(
    world: World,
) -> None:
    remember(world, snapshot=120, node=60)
    world.instance.snapshot_takes = minutes(20)

    assert statuses_of(world, 2, starts=60) == ["FAILED", "SUCCEEDED"]
    # Nothing waits for it but the release, so its checks are up to four polls apart.
    [*_, seen] = ReleaseTimings(world.table).read(APP).seen_snapshots
    assert seen.after <= minutes(20) <= seen.by <= minutes(24)


@pytest.mark.slow
def test_a_container_whose_clock_is_ahead_does_not_change_what_is_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.workflow.reporting_gates.line_of",
        lambda release, at, *told: line_of(release, at - timedelta(hours=1), *told),
    )
    Gate(world, "a.0002", starts=30)

    world.release()

    node_start = ReleaseTimings(world.table).read(APP).node_start
    assert node_start is not None
    assert timedelta(seconds=30) <= node_start < minutes(2)


# A restore point that is not what it was.


def test_a_snapshot_that_was_deleted_meanwhile_permits_nothing(world: World) -> None:
    gate = Gate(world, "a.0002", starts=130)

    def delete() -> None:
        for snapshot in world.instance.snapshots():
            world.cloud.client("rds").delete_db_snapshot(DBSnapshotIdentifier=snapshot)

    world.functions.before("check_deployment", delete)

    ended = world.release()

    assert ended.error == "REFUSED"
    check_nothing_was_applied(world, gate)
    assert "deleted" in reasons(world)


@pytest.mark.slow
def test_a_snapshot_that_is_old_when_the_node_is_there_is_taken_anew(world: World) -> None:
    world.lightsail.deploy_by_somebody(APP, Course(after=minutes(90)))
    gate = Gate(world, "a.0002")

    assert world.release().status == "SUCCEEDED"

    told = world.message().content["snapshot"]
    assert len(gate.snapshots) == 2
    assert gate.snapshots[told["id"]] == "available"
    assert 0 < told["ageSeconds"] < 600


@pytest.mark.slow
def test_a_release_that_is_over_begins_no_snapshot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gate has given up, and Lightsail takes its time; meanwhile the database is free."""
    world.put_spec(database(backup="when-pending"))
    world.instance.busy_until = world.clock.now() + minutes(4)
    gate = Gate(world, "a.0002", patience=120)
    monkeypatch.setattr("tests.workflow.reporting_gates.ENDS_AFTER", minutes(10))

    ended = world.release()

    assert ended.status == "FAILED"
    assert gate.began_at is None
    assert world.instance.snapshots() == {}


def test_the_time_of_a_snapshot_does_not_begin_before_it_is_asked_for(
    world: World, stepper: Stepper
) -> None:
    """The release before was stopped: its functions are waited for, for longer than that."""
    world.put_spec(database(timeoutSeconds=60))
    world.instance.snapshot_takes = timedelta(seconds=30)
    stopped = stepper.start({"app": APP}, "one").run_to("Deploy")
    stopped.stop()
    stepper.clean_up(stopped)
    gate = Gate(world, "a.0002")

    ended = stepper.start({"app": APP}, "two").run()

    assert "WaitForPredecessor" in ended.passed
    assert ended.passed[-1] == "Released"
    assert gate.began_at is not None


# What is told of it.


def test_a_success_says_what_it_could_be_undone_with_and_how_old_that_is(world: World) -> None:
    world.instance.snapshot_takes = minutes(3)
    Gate(world, "a.0002")

    world.release()

    told = world.message().content
    assert 180 <= told["snapshot"]["ageSeconds"] <= 600
    assert " s before the first migration could start" in told["text"]
    assert "restore-db-instance-from-db-snapshot" in told["text"]
    assert world.record()["savedSeconds"] == told["savedSeconds"]
