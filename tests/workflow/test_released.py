"""The ways of a release that end well."""

from datetime import timedelta

from lightgate.release import RELEASE_VARIABLE
from tests.component import images
from tests.component.lightsail_service import Course
from tests.workflow.world import (
    APP,
    SUCCEEDED,
    World,
    applied,
    spec,
    succeeded,
    unprotected,
)


def test_a_release_migrates_goes_live_and_tells_so(world: World) -> None:
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
    assert message.subject == f"[production] {APP} SUCCEEDED {message.content['release']}"


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
    assert ended.states.count("CheckSnapshot") == 10
    snapshot = world.message().content["snapshot"]
    assert world.instance.snapshots() == {snapshot["id"]: "available"}
    deployed_at = world.lightsail.deployment(APP, 2).created_at.isoformat()
    assert snapshot["availableAt"] < deployed_at


def test_an_instance_that_is_backed_up_is_waited_for(world: World) -> None:
    world.instance.busy_until = world.clock.now() + timedelta(minutes=5)

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert "WaitForInstance" in ended.states
    assert list(world.instance.snapshots().values()) == ["available"]


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


def test_of_a_multi_platform_image_the_one_for_lightsail_is_deployed(world: World) -> None:
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


def test_an_active_deployment_is_a_success_although_the_gate_is_never_heard(world: World) -> None:
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
    for number in range(4):
        world.clock.sleep(3600)
        world.machine.run({"app": APP}, name=f"release-{number}")

    kept = sorted(world.instance.snapshots())
    taken = sorted(message.content["snapshot"]["id"] for message in world.messages())
    assert len(taken) == 4
    assert kept == taken[-2:]


def test_a_failed_pruning_leaves_the_release_a_success(world: World) -> None:
    world.functions.fail("prune_snapshots", *["before"] * 5)

    ended = world.release(course=succeeded())

    assert (ended.status, ended.states[-1]) == ("SUCCEEDED", "Released")
    assert world.message().content["status"] == "SUCCEEDED"
