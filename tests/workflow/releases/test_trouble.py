"""Steps that are cut off, answers that get lost, and messages that cannot be sent.

The slow matrix adds the other steps, answers and forms of a message.
"""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.component.lightsail_service import CREATE, GET_LOG, GET_SERVICES, Course
from tests.workflow.release_machine import attempts, state_of
from tests.workflow.world import (
    APP,
    World,
    migration_failed,
    spec,
    succeeded,
)

BEFORE_SETTLE = ["admit", "take_snapshot", "check_snapshot", "deploy", "check_deployment"]
FAULTS = ("before", "after")
STEPS = [*BEFORE_SETTLE, "record_outcome", "start_next", "prune_snapshots"]
WRITE = "dynamodb.TransactWriteItems"


@pytest.fixture
def slow(world: World) -> World:
    """A world in which a release comes through every step."""
    world.put_spec(spec(database={"instance": "crops-db", "keepSnapshots": 1}))
    world.instance.snapshot_takes = timedelta(seconds=90)
    return world


@pytest.mark.representatives(2)
@pytest.mark.parametrize("step", BEFORE_SETTLE)
def test_a_step_that_keeps_failing_ends_the_release_as_failed(slow: World, step: str) -> None:
    slow.functions.fail(step, *["before"] * attempts(state_of(step)))

    ended = slow.release(course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "FAILED")
    assert slow.functions.invoked["record_outcome"] == 1
    content = slow.message().content
    assert content["status"] == slow.record()["status"] == "FAILED"
    [broken, *found] = content["reasons"]
    assert broken == "The release could not continue: RuntimeError: cut off before."
    is_deployed = step == "check_deployment"
    assert found == ([] if is_deployed else ["No deployment of this release was found."])
    assert ("deployment 2" in " ".join(content["nextSteps"])) == is_deployed


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    ("step", "fault"), [("all", "twice"), *((step, fault) for step in STEPS for fault in FAULTS)]
)
def test_a_step_that_is_cut_off_once_or_runs_twice_leaves_no_trace(
    slow: World, step: str, fault: str
) -> None:
    slow.functions.twice = fault == "twice"
    slow.functions.fail(step, fault)

    ended = slow.release(course=succeeded("a.0002"))

    assert ended.status == "SUCCEEDED"
    assert slow.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert len(slow.instance.snapshots()) == len(slow.records()) == len(slow.messages()) == 1


def test_every_step_of_a_rollback_may_run_twice(slow: World) -> None:
    slow.functions.twice = True

    ended = slow.release(course=migration_failed("a.0002", "boom"))

    assert ended.error == "ROLLED_BACK"
    assert slow.lightsail.deployments(APP) == {1: "ACTIVE", 2: "FAILED"}
    assert len(slow.instance.snapshots()) == len(slow.records()) == len(slow.messages()) == 1


@pytest.mark.representatives(1)
@pytest.mark.parametrize("read_lag", [0, 100])
def test_a_deployment_whose_creation_was_never_answered_is_found_again(
    world: World, read_lag: int
) -> None:
    world.lightsail.switches = world.lightsail.switches.changed({"read_lag": read_lag})
    world.lightsail.fail(CREATE, "lost")

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert world.functions.invoked["deploy"] >= 2
    assert world.message().content["previousVersion"] == 1


def test_a_lost_creation_is_named_also_if_deploy_never_comes_back(world: World) -> None:
    world.lightsail.fail(CREATE, "lost")
    world.functions.fail("deploy", "after", *["before"] * (attempts("Deploy") - 1))

    ended = world.release(course=Course(ends=None))

    assert ended.error == "FAILED"
    assert "deployment 2" in " ".join(world.message().content["nextSteps"])


@pytest.mark.representatives(1)
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


NEVER = ["before"] * attempts("RecordOutcome")


@pytest.mark.representatives(3)
@pytest.mark.parametrize(
    ("request_", "failing", "app", "stage"),
    [
        # Each of the first three names the release in another state.
        ({"app": APP}, ["record_outcome"], APP, "production"),
        ({"app": APP}, ["admit", "record_outcome"], APP, "unknown"),
        ({"app": ""}, ["admit", "record_outcome"], "unknown", "unknown"),
        ({"app": APP, "tag": "v9"}, ["record_outcome"], APP, "production"),
        ({"app": "nobody"}, ["record_outcome"], "nobody", "unknown"),
        ({"app": 7}, ["admit", "record_outcome"], "unknown", "unknown"),
        ([], ["record_outcome"], "unknown", "unknown"),
    ],
)
def test_an_outcome_that_cannot_be_determined_is_sent_in_all_forms_with_all_attributes(
    world: World, request_: object, failing: list[str], app: str, stage: str
) -> None:
    for step in failing:
        world.functions.fail(step, *NEVER)

    ended = world.release(request_, course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "Undetermined")
    assert ended.states[-2:] == ["PublishUndetermined", "Undetermined"]
    assert world.records() == {}
    message = world.message()
    known = "Lightgate" if "admit" in failing else f"[{stage}] {app}"
    assert message.subject.startswith(f"{known} FAILED, the outcome ")
    assert message.subject.endswith(" is unknown")
    assert message.attributes == {"app": app, "status": "FAILED", "stage": stage}
    content = message.content
    assert (content["app"], content["status"], content["stage"]) == (app, "FAILED", stage)
    assert content["execution"] == ended.arn
    assert content["messageId"].startswith("lightgate-")
    assert ended.arn in content["text"]
    assert content["error"] == "RuntimeError"


def test_every_publication_has_a_form_for_each_protocol(world: World) -> None:
    forms = json.loads(world.release(course=succeeded()) and world.record()["message"]).keys()
    published: list[str] = []
    events, publish = world.cloud.client("sns").meta.events, "provide-client-params.sns.Publish"

    def note(params: dict[str, Any], **_: object) -> None:
        published.append(params["Message"])

    world.functions.fail("record_outcome", *NEVER)

    events.register(publish, note)
    world.release()
    events.unregister(publish, note)

    [message] = map(json.loads, published)
    assert message.keys() == forms
    for machine in ("sqs", "lambda", "http"):
        assert json.loads(message[machine])["status"] == "FAILED"
    chat = json.loads(message["https"])
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    assert chat["content"]["title"]
    assert message["email"] == message["default"]


def test_an_outcome_that_cannot_be_recorded_is_not_published_as_one(world: World) -> None:
    faults = world.cloud.faults
    world.functions.before(
        "record_outcome",
        lambda: faults.refuse(WRITE, "InternalServerError", times=attempts("RecordOutcome")),
    )

    ended = world.release(course=succeeded())

    assert ended.error == "Undetermined"
    assert world.records() == {}


def test_a_record_whose_writing_was_never_answered_stands(world: World) -> None:
    world.functions.before("record_outcome", lambda: world.cloud.faults.lose_answer(WRITE))

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert world.message().content["endedAt"] in world.record()["message"]


def test_a_publication_whose_answer_was_lost_is_repeated_with_the_same_id(world: World) -> None:
    world.cloud.faults.lose_answer("sns.Publish")

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    first, second = world.messages()
    assert first == second
    assert first.content["messageId"] == f"lightgate-{APP}-{first.content['release']}"


@pytest.mark.parametrize("step", ["", "record_outcome"])
def test_an_outcome_that_cannot_be_published_ends_as_that(world: World, step: str) -> None:
    publishing = "PublishUndetermined" if step else "PublishOutcome"
    world.cloud.faults.refuse("sns.Publish", "AuthorizationError", times=attempts(publishing))
    if step:
        world.functions.fail(step, *["before"] * attempts("RecordOutcome"))

    ended = world.release(course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "Undetermined" if step else "Unpublished")
    assert world.messages() == []
    assert len(world.records()) == (0 if step else 1)
    assert (world.lock.holder is None) is not bool(step)


GET = "dynamodb.GetItem"


def without_the_lock(answer: dict[str, Any]) -> None:
    """The answer to a read of the deployment lock becomes that of an item that is not there."""
    if "lock" in answer.get("Item", {}):
        del answer["Item"]


LOCK_READERS = ["take_snapshot", "check_snapshot", "deploy", "check_deployment", "start_next"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("step", LOCK_READERS)
def test_an_empty_answer_to_a_read_of_the_lock_is_asked_again(slow: World, step: str) -> None:
    faults = slow.cloud.faults

    def once(answer: dict[str, Any]) -> None:
        if "lock" in answer.get("Item", {}):
            del answer["Item"]
            faults.answer_again(GET)

    slow.functions.before(step, lambda: faults.change_answers(GET, once))

    ended = slow.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    assert slow.lock.holder is None
    assert slow.message().content["status"] == "SUCCEEDED"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("step", LOCK_READERS)
def test_a_lock_that_cannot_be_read_is_no_newer_push(slow: World, step: str) -> None:
    faults = slow.cloud.faults
    slow.functions.before(step, lambda: faults.change_answers(GET, without_the_lock))

    ended = slow.release(course=succeeded())

    assert (ended.status, ended.error) == ("FAILED", "NextNotStarted")
    status = "SUCCEEDED" if step == "start_next" else "FAILED"
    assert slow.record()["status"] == slow.message().content["status"] == status
    faults.answer_again(GET)
    assert slow.lock.holder is not None
    slow.functions.call("clean_up", {"detail": {"executionArn": ended.arn}})
    assert slow.lock.holder is None


def test_an_unreadable_record_gets_no_outcome(world: World) -> None:
    faults = world.cloud.faults

    def without_admission(answer: dict[str, Any]) -> None:
        if "admission" in answer.get("Item", {}):
            del answer["Item"]

    world.functions.before("record_outcome", lambda: faults.change_answers(GET, without_admission))

    ended = world.release(course=succeeded())

    assert ended.error == "Undetermined"
    assert world.records() == {}
    faults.answer_again(GET)
    world.messages()
    world.functions.call("clean_up", {"detail": {"executionArn": ended.arn}})
    assert world.message().content["status"] == world.record()["status"] == "FAILED"
    assert world.lock.holder is None


def test_a_message_that_is_sent_and_cannot_be_marked_ends_the_release_as_it_was(
    world: World,
) -> None:
    world.cloud.faults.refuse(
        "dynamodb.DeleteItem", "InternalServerError", times=attempts("MarkMessageSent")
    )

    ended = world.release(course=succeeded())

    assert ended.status == "SUCCEEDED"
    first = world.message()
    world.functions.call("reconcile", {})
    assert world.message() == first
    world.functions.call("reconcile", {})
    assert world.messages() == []
