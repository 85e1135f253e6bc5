"""The ways of a release that end well."""

from datetime import timedelta

import pytest

from lightgate import runtime
from lightgate.names import RELEASE_VARIABLE
from tests.component import images
from tests.component.lightsail_service import Course
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.world import (
    APP,
    SUCCEEDED,
    World,
    applied,
    spec,
    succeeded,
    unprotected,
)


def test_a_release_migrates_goes_live_and_sends_a_message(world: World) -> None:
    ended = world.release(course=succeeded("harvests.0002_season", "harvests.0003_fill"))

    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    content = world.message().content
    assert content["status"] == "SUCCEEDED"
    assert content["digest"] == world.digest
    assert (content["version"], content["previousVersion"]) == (2, 1)
    assert [m["name"] for m in content["gate"]["migrations"]] == [
        "harvests.0002_season",
        "harvests.0003_fill",
    ]
    assert content["snapshot"]["id"] in world.instance.snapshots()
    assert world.messages() == []


def test_the_outcome_on_record_is_what_was_published(world: World) -> None:
    world.release(course=succeeded())

    [(key, record)] = world.records().items()
    message = world.message()
    assert key == f"{APP} release#{message.content['release']}"
    assert record["status"] == "SUCCEEDED"
    assert record["subject"] == message.subject
    assert message.attributes == {"app": APP, "status": "SUCCEEDED", "stage": "production"}
    assert message.subject == f"[production] {APP} SUCCEEDED latest is live"


def test_the_deployment_runs_the_pinned_image_and_carries_the_release(world: World) -> None:
    world.release(course=succeeded())

    release = world.message().content["release"]
    deployment = world.lightsail.deployment(APP, 2)
    tag = f"lightgate-{world.digest.removeprefix('sha256:')[:12]}"
    repository = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{APP}"
    for container in deployment.containers.values():
        assert container.image == f"{repository}:{tag}"
        assert container.environment[RELEASE_VARIABLE] == release
    assert deployment.containers["web"].command[-2:] == ("gunicorn", "crops.wsgi")


def test_the_release_waits_until_its_snapshot_is_available(world: World) -> None:
    world.instance.snapshot_takes = timedelta(minutes=10)

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    # After 1, 2, 3, 4.5 and 6.75 minutes, and then when it is there: the waits grow.
    assert ended.states.count("CheckSnapshot") == 6
    snapshot = world.message().content["snapshot"]
    assert world.instance.snapshots() == {snapshot["id"]: "available"}
    deployed_at = world.lightsail.deployment(APP, 2).created_at.isoformat()
    assert snapshot["availableAt"] < deployed_at


@pytest.mark.representatives(1)
@pytest.mark.parametrize("status", ["starting", "backing-up", "configuring-log-exports"])
def test_an_instance_that_will_be_available_is_waited_for(world: World, status: str) -> None:
    world.instance.is_now(status)
    at = world.clock.now() + timedelta(minutes=5)
    world.clock.watch(lambda: at <= world.clock.now() and world.instance.is_now("available"))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert "WaitForInstance" in ended.states
    assert world.message().content["warnings"] == []


def test_an_instance_in_an_unknown_status_is_tried_with_a_warning(world: World) -> None:
    world.instance.is_now("hibernating")
    world.functions.before("take_snapshot", lambda: world.instance.is_now("available"))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    [warning] = world.message().content["warnings"]
    assert "crops-db has the status hibernating, which Lightgate does not know" in warning


def test_a_blocked_table_and_an_open_transaction_are_warnings_of_the_message(world: World) -> None:
    plan = {
        **told_plan(),
        "blocking": [["a.0002", "AddIndex Crop", "index", False, "crops_crop", 10**6, 10**8]],
        "transactions": [
            {"pid": 7, "application": "psql", "seconds": 99, "tables": "crops_crop", "query": ""}
        ],
    }

    world.release(course=released(plan))

    blocked, opened = world.message().content["warnings"]
    assert "AddIndex Crop blocks writes of the table crops_crop (about 1,000,000 rows" in blocked
    assert opened.startswith('Session 7 ("psql") has a transaction open for 99 s')


def test_an_instance_that_cannot_be_described_is_tried(world: World) -> None:
    world.cloud.faults.refuse("rds.DescribeDBInstances", "AccessDenied")

    assert world.release(course=succeeded()).status == "SUCCEEDED"


def test_a_release_by_hand_may_skip_the_snapshot(world: World) -> None:
    ended = world.release(
        {"app": APP, "skipSnapshot": True, "reason": "only texts"}, course=succeeded()
    )

    assert ended.status == "SUCCEEDED"
    assert world.instance.snapshots() == {}
    content = world.message().content
    assert (content["snapshot"], content["reason"]) == (None, "only texts")


def test_an_app_without_a_database_has_no_snapshot(world: World) -> None:
    world.put_spec(spec(database=None))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.instance.snapshots() == {}


def test_the_first_deployment_of_a_service_goes_live(world: World) -> None:
    world.lightsail.add(APP)

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}
    assert world.message().content["previousVersion"] is None


def test_a_given_digest_is_released_although_the_tag_has_moved_on(world: World) -> None:
    images.push(world.cloud, APP, "v1")
    images.push(world.cloud, APP, "latest", name="v2")

    world.release({"app": APP, "digest": world.digest}, course=succeeded())

    assert world.message().content["digest"] == world.digest


def test_a_given_tag_is_released(world: World) -> None:
    digest = images.push(world.cloud, APP, "v2", name="v2")

    world.release({"app": APP, "tag": "v2"}, course=succeeded())

    assert world.message().content["digest"] == digest


def test_the_lightsail_platform_of_a_multi_platform_image_is_deployed(world: World) -> None:
    children = {
        "arm64": images.push(world.cloud, APP, None, name="arm", architecture="arm64"),
        "amd64": images.push(world.cloud, APP, None, name="amd", command=["amd"]),
    }
    index = images.push_index(world.cloud, APP, "latest", children)

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.message().content["digest"] == index
    assert world.lightsail.deployment(APP, 2).containers["web"].command[-1] == "amd"


def test_a_service_that_is_busy_with_another_deployment_is_waited_for(world: World) -> None:
    world.lightsail.deploy_by_somebody(APP, Course(after=timedelta(minutes=5)))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert ended.states.count("WaitForService") > 1
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "INACTIVE", 3: "ACTIVE"}


def test_a_service_that_is_being_updated_is_waited_for(world: World) -> None:
    world.lightsail.update(APP, takes=timedelta(minutes=3))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert "WaitForService" in ended.states


def test_an_active_deployment_is_a_success_without_a_gate_report(world: World) -> None:
    ended = world.release(course=Course(ends="ACTIVE", log=[]))

    assert ended.status == "SUCCEEDED"
    assert world.message().content["gate"]["phase"] == "SILENT"


def test_a_late_report_of_the_gate_still_gets_into_the_message(world: World) -> None:
    world.lightsail.switches = world.lightsail.switches.changed({"log_lag": 160})

    world.release(course=succeeded("harvests.0002_season"))

    assert world.message().content["gate"]["phase"] == "SUCCEEDED"


def test_reads_that_lag_behind_delay_the_release_and_no_more(world: World) -> None:
    world.lightsail.switches = world.lightsail.switches.changed({"read_lag": 170})

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


def test_an_unprotected_service_is_released_once_its_gate_has_succeeded(world: World) -> None:
    world.put_spec(unprotected())
    course = Course(after=timedelta(seconds=60), log=[*applied("a.1"), (500, *SUCCEEDED)])

    ended = world.release(course=course)

    assert ended.status == "SUCCEEDED"
    assert world.waited() > timedelta(seconds=500)
    assert world.record()["status"] == "SUCCEEDED"


def test_only_as_many_snapshots_stay_as_the_spec_says(world: World) -> None:
    for _ in range(4):
        world.clock.sleep(3600)
        world.release()

    kept = sorted(world.instance.snapshots())
    taken = sorted(message.content["snapshot"]["id"] for message in world.messages())
    assert len(taken) == 4
    assert kept == taken[-2:]


def test_two_stacks_in_one_account_prune_only_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: dict[str, list[str]] = {"blue": [], "green": []}
    for stack in taken:
        world.lightsail.add(stack)
    for _ in range(2):
        for stack, names in taken.items():
            monkeypatch.setenv("LIGHTGATE_STACK", stack)
            runtime._runtime.cache_clear()
            world.clock.sleep(3600)
            kept = {"instance": "crops-db", "keepSnapshots": 1}
            world.put_spec(spec(serviceName=stack, database=kept))
            world.release()
            names.append(world.message().content["snapshot"]["id"])

    assert set(world.instance.snapshots()) == {taken["blue"][-1], taken["green"][-1]}


def test_an_undeletable_snapshot_is_reported_and_does_not_stop_the_others(world: World) -> None:
    for _ in range(2):
        world.clock.sleep(3600)
        world.release()
    world.put_spec(spec(database={"instance": "crops-db", "keepSnapshots": 1}))
    kept, surplus = sorted(world.instance.snapshots())
    world.messages()
    world.clock.sleep(3600)
    world.cloud.faults.refuse("rds.DeleteDBSnapshot", "AccessDenied", "not authorized")

    ended = world.release(course=succeeded())

    assert (ended.status, ended.states[-1]) == ("SUCCEEDED", "Released")
    outcome, notice = world.messages()
    assert outcome.content["status"] == "SUCCEEDED"
    assert set(world.instance.snapshots()) == {kept, outcome.content["snapshot"]["id"]}
    assert surplus not in world.instance.snapshots()
    content = notice.content
    assert notice.attributes == {"app": APP, "status": "NOT_PRUNED", "stage": "production"}
    assert content["failed"] == {kept: "AccessDenied: not authorized"}
    assert content["messageId"] != outcome.content["messageId"]
    assert f"aws rds delete-db-snapshot --db-snapshot-identifier {kept}" in content["nextSteps"]
    assert '"level":"ERROR"' in world.functions.log.replace(": ", ":")
    assert "lightgateSnapshotsNotPruned" in world.functions.log


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("rds.DescribeDBSnapshots", "AccessDenied", "RDS answers AccessDenied"),
        ("rds.DescribeDBInstances", "AccessDenied", "RDS answers AccessDenied"),
        ("rds.DescribeDBInstances", "DBInstanceNotFound", "there is no RDS instance crops-db"),
        ("ssm.GetParameter", "ParameterNotFound", "there is no app crops-backend"),
    ],
)
def test_a_pruning_that_cannot_begin_is_reported(
    world: World, call: str, code: str, words: str
) -> None:
    world.functions.before("prune_snapshots", lambda: world.cloud.faults.refuse(call, code))

    ended = world.release(course=succeeded())

    assert ended.states[-1] == "Released"
    outcome, notice = world.messages()
    assert outcome.content["status"] == "SUCCEEDED"
    assert notice.attributes["status"] == "NOT_PRUNED"
    assert words in " ".join(notice.content["reasons"])
    assert "lightgateSnapshotsNotPruned" in world.functions.log


def test_a_pruning_that_deletes_nothing_is_not_reported(world: World) -> None:
    world.release(course=succeeded())

    assert len(world.messages()) == 1
    assert "lightgateSnapshotsNotPruned" not in world.functions.log


def test_a_rollback_keeps_as_many_snapshots_as_the_spec_of_today_says(world: World) -> None:
    for number in range(3):
        if number == 2:
            world.put_spec(spec(database={"instance": "crops-db", "keepSnapshots": 50}))
        world.clock.sleep(3600)
        world.release(course=released())
    before = set(world.instance.snapshots())
    world.clock.sleep(3600)

    ended = world.release(rollbackTo=2)

    assert ended.status == "SUCCEEDED"
    assert len(before) == 3
    assert set(world.instance.snapshots()) > before


def test_a_failed_pruning_leaves_the_release_a_success(world: World) -> None:
    world.functions.fail("prune_snapshots", *["before"] * 5)

    ended = world.release(course=succeeded())

    assert (ended.status, ended.states[-1]) == ("SUCCEEDED", "Released")
    assert world.message().content["status"] == "SUCCEEDED"
