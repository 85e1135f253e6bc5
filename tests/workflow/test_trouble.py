"""Steps that are cut off, answers that get lost, and messages that cannot be sent."""

import json
from datetime import timedelta

import pytest

from tests.component.lightsail_service import CREATE, GET_LOG, GET_SERVICES, Course
from tests.workflow.release_machine import attempts, state_of
from tests.workflow.world import (
    APP,
    PASSWORD,
    SECRET_KEY,
    World,
    migration_failed,
    spec,
    succeeded,
)

BEFORE_SETTLE = ["admit", "take_snapshot", "check_snapshot", "deploy", "check_deployment"]
STEPS = [*BEFORE_SETTLE, "settle", "hand_over", "prune_snapshots"]
WRITE = "dynamodb.TransactWriteItems"


@pytest.fixture
def slow(world: World) -> World:
    """A world in which a release comes through every step."""
    world.put_spec(spec(database={"instance": "crops-db", "keepSnapshots": 1}))
    world.instance.snapshot_takes = timedelta(seconds=90)
    return world


@pytest.mark.parametrize("step", BEFORE_SETTLE)
def test_a_step_that_keeps_failing_ends_the_release_as_failed(slow: World, step: str) -> None:
    slow.functions.fail(step, *["before"] * attempts(state_of(step)))

    ended = slow.release(course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "FAILED")
    assert slow.functions.invoked["settle"] == 1
    content = slow.message().content
    assert content["status"] == slow.record()["status"] == "FAILED"
    assert content["reasons"] == [
        "The release could not be carried on: RuntimeError: cut off before"
    ]
    [deployed, _] = content["nextSteps"]
    found = "version 2" if step == "check_deployment" else "No deployment of this release"
    assert found in deployed


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_cut_off_once_is_repeated_without_a_trace(
    slow: World, step: str, fault: str
) -> None:
    slow.functions.fail(step, fault)

    ended = slow.release(course=succeeded("a.0002"))

    assert ended.status == "SUCCEEDED"
    check_one_of_each(slow)


def test_every_step_may_run_twice(slow: World) -> None:
    slow.functions.twice = True

    ended = slow.release(course=succeeded("a.0002"))

    assert ended.status == "SUCCEEDED"
    check_one_of_each(slow)


def test_every_step_of_a_rollback_may_run_twice(slow: World) -> None:
    slow.functions.twice = True

    ended = slow.release(course=migration_failed("a.0002", "boom"))

    assert ended.error == "ROLLED_BACK"
    assert slow.lightsail.deployments(APP) == {1: "ACTIVE", 2: "FAILED"}
    assert len(slow.instance.snapshots()) == len(slow.records()) == len(slow.messages()) == 1


def check_one_of_each(world: World) -> None:
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert len(world.instance.snapshots()) == 1
    assert len(world.records()) == 1
    assert len(world.messages()) == 1


def test_a_deployment_whose_creation_was_never_answered_is_found_again(world: World) -> None:
    world.lightsail.fail(CREATE, "lost")

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert world.functions.invoked["deploy"] == 2


def test_it_is_found_also_when_reads_lag_behind(world: World) -> None:
    world.lightsail.switches = world.lightsail.switches.changed({"read_lag": 100})
    world.lightsail.fail(CREATE, "lost")

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert world.message().content["previousVersion"] == 1


def test_a_lost_creation_is_named_also_if_deploy_never_comes_back(world: World) -> None:
    world.lightsail.fail(CREATE, "lost")
    world.functions.fail("deploy", "after", *["before"] * (attempts("Deploy") - 1))

    ended = world.release(course=Course(ends=None))

    assert ended.error == "FAILED"
    assert "version 2" in world.message().content["nextSteps"][0]


@pytest.mark.parametrize("operation", [CREATE, GET_SERVICES, GET_LOG])
@pytest.mark.parametrize("fault", ["throttled", "broken"])
def test_a_passing_trouble_of_lightsail_costs_time_only(
    world: World, operation: str, fault: str
) -> None:
    world.lightsail.fail(operation, fault, fault)

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


def test_a_lasting_trouble_of_lightsail_is_never_a_success(world: World) -> None:
    broken = ["broken"] * 4 * attempts("CheckDeployment")
    world.functions.before("check_deployment", lambda: world.lightsail.fail(GET_SERVICES, *broken))

    ended = world.release(course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "FAILED")
    assert world.message().content["version"] == 2


def test_people_hear_it_if_the_outcome_cannot_be_settled(world: World) -> None:
    world.functions.fail("settle", *["before"] * attempts("Settle"))

    ended = world.release(course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "Unsettled")
    assert ended.states[-2:] == ["PublishUnsettled", "Unsettled"]
    assert world.records() == {}
    message = world.message()
    assert message.subject == "Lightgate could not settle a release"
    assert message.attributes == {"status": "FAILED"}
    assert ended.arn in message.text
    assert "RuntimeError" in message.text


def test_an_outcome_that_cannot_be_recorded_is_not_published_as_one(world: World) -> None:
    faults = world.cloud.faults
    world.functions.before(
        "settle", lambda: faults.refuse(WRITE, "InternalServerError", times=attempts("Settle"))
    )

    ended = world.release(course=succeeded())

    assert ended.error == "Unsettled"
    assert world.records() == {}


def test_a_record_whose_writing_was_never_answered_stands(world: World) -> None:
    world.functions.before("settle", lambda: world.cloud.faults.lose_answer(WRITE))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.message().content["endedAt"] in world.record()["message"]


def test_a_publication_that_fails_at_first_is_repeated(world: World) -> None:
    world.cloud.faults.refuse("sns.Publish", "InternalError", times=attempts("PublishOutcome") - 1)

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert len(world.messages()) == 1


def test_a_publication_whose_answer_was_lost_is_repeated_with_the_same_id(world: World) -> None:
    world.cloud.faults.lose_answer("sns.Publish")

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    first, second = world.messages()
    assert first == second
    assert first.content["messageId"] == f"lightgate-{APP}-{first.content['release']}"


@pytest.mark.parametrize("step", ["", "settle"])
def test_an_outcome_that_cannot_be_published_ends_as_that(world: World, step: str) -> None:
    publishing = "PublishUnsettled" if step else "PublishOutcome"
    world.cloud.faults.refuse("sns.Publish", "AuthorizationError", times=attempts(publishing))
    if step:
        world.functions.fail(step, *["before"] * attempts("Settle"))

    ended = world.release(course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "Unpublished")
    assert world.messages() == []
    assert len(world.records()) == (0 if step else 1)


def test_no_secret_is_in_the_history_the_log_the_record_or_the_message(world: World) -> None:
    ended = world.release(course=migration_failed("a.0002", "boom"))

    environment = world.lightsail.deployment(APP, 2).containers["web"].environment
    assert PASSWORD in environment["DATABASE_URL"]
    assert environment["SECRET_KEY"] == SECRET_KEY
    told = [
        ended.history,
        world.functions.log,
        json.dumps(world.records()),
        *(message.text for message in world.messages()),
    ]
    for text in told:
        assert PASSWORD not in text
        assert SECRET_KEY not in text


def test_no_secret_is_told_when_lightsail_quotes_it(world: World) -> None:
    world.lightsail.fail(CREATE, "quoted")

    ended = world.release()

    assert ended.error == "REFUSED"
    assert "invalid environment" in world.record()["cause"]
    for text in (ended.history, world.functions.log, json.dumps(world.records())):
        assert PASSWORD not in text
        assert SECRET_KEY not in text
