"""Reconcile: pushes that nobody has told of, and releases whose end nobody has noticed."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from lightgate.errors import UnreachableError, sentence
from lightgate.image.addresses import RegistryAddress
from lightgate.release.request import broken_spec_request
from lightgate.spec.parser import parse_spec
from tests.component import images
from tests.component.lightsail_service import Course
from tests.support.builders import reasons_of
from tests.workflow.pushes import push, request
from tests.workflow.queue.missed import LONG_AGO, first_sight, look, push_later
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, Message, World, migration_failed, spec

HOME = RegistryAddress("123456789012", "us-east-1")


@pytest.fixture
def later(world: World) -> World:
    """An image was pushed a while ago, after a first check, and its event never came."""
    images.push(world.cloud, APP, "keeps-the-first")
    first_sight(world)
    world.digest = push_later(world, "latest", name="v1b")
    return world


def test_a_refused_push_is_not_released_again(later: World) -> None:
    look(later)
    later.messages()
    push_later(later, "v2", architecture="arm64")

    assert len(look(later)["started"]) == 1
    assert later.message().content["status"] == "REFUSED"
    assert look(later)["started"] == []


@pytest.fixture
def failed(later: World) -> World:
    """The release of the missed push has failed."""
    later.lightsail.courses.append(migration_failed("a.0002", "boom"))
    look(later)
    assert later.message().content["status"] == "ROLLED_BACK"
    return later


def test_a_late_event_does_not_repeat_the_failed_release_of_its_push(failed: World) -> None:
    tried = failed.lightsail.deployments(APP)

    failed.release(request(failed.digest, "latest", after=-2, since=failed.started_at))

    assert failed.lightsail.deployments(APP) == tried
    assert sorted(failed.statuses()) == ["DUPLICATE", "ROLLED_BACK"]
    assert failed.messages() == []


def test_a_push_after_the_failed_release_of_its_image_is_released(failed: World) -> None:
    failed.release(request(failed.digest, "latest", after=0, since=failed.clock.now()))

    assert failed.message().content["status"] == "SUCCEEDED"


def test_an_image_that_was_released_by_hand_is_known(later: World) -> None:
    later.release()

    assert look(later)["started"] == []


def test_a_rollback_by_hand_to_an_older_image_is_not_undone(later: World) -> None:
    newest = push_later(later, "v2")
    later.release(digest=newest)
    later.release(digest=later.digest)
    assert [message.content["status"] for message in later.messages()] == ["SUCCEEDED"] * 2

    assert look(later)["started"] == []


def test_only_the_newest_image_counts(later: World) -> None:
    later.release({"app": APP, "digest": push_later(later, "v2")})

    assert look(later)["started"] == []


def test_a_known_image_of_the_same_second_means_no_missed_push(later: World) -> None:
    second = images.push(later.cloud, APP, "v2", name="v2")
    later.pushed_at(second, later.started_at)
    later.pushed_at(later.digest, later.started_at)
    later.release({"app": APP, "digest": second})

    assert look(later)["started"] == []


@pytest.mark.representatives(1)
@pytest.mark.parametrize("tag", ["nightly", "lightgate-0123456789ab", None])
def test_an_unwatched_image_is_left_alone(later: World, tag: str | None) -> None:
    look(later)
    images.push(later.cloud, APP, tag, name="other")
    later.clock.sleep(LONG_AGO.total_seconds())

    assert look(later)["started"] == []


@pytest.mark.representatives(1)
@pytest.mark.parametrize("text", ["{", "[]", '{"repository": "elsewhere"}'])
def test_a_broken_spec_does_not_stop_the_others(later: World, text: str) -> None:
    later.put_spec(text, app="a-broken-one")
    later.put_spec(text, app="z-broken-one")

    assert len(look(later)["started"]) == 1


NO_APP = "A.name_that_no_app_can_have_" + "x" * 60


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    "text",
    [
        "{",
        json.dumps(spec(repository="docker.io/acme/crops")),
        *("[]", '{"serviceName": "crops"}', "AQICAHhCipherText=="),
        json.dumps(spec(repository="999999999999.dkr.ecr.us-east-1.amazonaws.com/crops")),
    ],
)
def test_a_broken_spec_that_names_no_repository_of_the_account_is_reported_once(
    world: World, text: str
) -> None:
    world.put_spec(text)

    look(world)
    look(world)

    content = world.message().content
    assert (content["app"], content["status"]) == (APP, "REFUSED")
    assert [*map(sentence, reasons_of(lambda: parse_spec(text, HOME)))] == content["reasons"]


def test_a_parameter_that_can_be_no_app_is_reported_once(world: World) -> None:
    world.put_spec("{", app=NO_APP)

    look(world)
    look(world)

    [reason] = world.message().content["reasons"]
    assert reason.startswith("app: has 88 characters")


def test_another_broken_text_is_reported_again(world: World) -> None:
    for text in ("{", "["):
        world.put_spec(text)
        look(world)

    assert [message.content["status"] for message in world.messages()] == ["REFUSED"] * 2


def test_a_broken_spec_that_names_its_repository_is_left_to_the_next_push(world: World) -> None:
    world.put_spec(spec(stage="prodution"))

    look(world)

    assert world.messages() == []


def test_a_spec_that_is_corrected_before_its_report_begins_releases_nothing(world: World) -> None:
    assert world.release(broken_spec_request(APP)).error == "REFUSED"
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}


def test_a_repository_that_is_missing_does_not_stop_the_others(later: World) -> None:
    later.put_spec(spec(repository="elsewhere"), app="a-lost-one")

    assert len(look(later)["started"]) == 1


def test_trouble_with_one_app_does_not_stop_the_others(later: World) -> None:
    later.put_spec(spec(serviceName="other"), app="another")
    later.cloud.faults.refuse("ecr.DescribeImages", "ServerException")

    answer = look(later)

    assert len(answer["started"]) == len(answer["troubled"]) == 1


def test_an_app_that_ended_unnoticed_is_cleaned_up(world: World, stepper: Stepper) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("Deploy")
    stepper.start(push(world, "v1.2", after=5), "two").run()
    one.stop()

    look(world)

    assert world.message().content["status"] == "FAILED"
    stepper.run_all()
    assert world.message().content["status"] == "SUCCEEDED"


def test_a_forgotten_waiting_release_is_started(world: World, stepper: Stepper) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("StartNext")
    stepper.start(push(world, "v1.2", after=5), "two").run()
    world.cloud.faults.refuse("stepfunctions.StartExecution", "ExecutionLimitExceeded")
    one.run()
    assert one.error == "NextNotStarted"

    look(world)

    stepper.run_all()
    assert [message.content["status"] for message in world.messages()] == ["SUCCEEDED"] * 2


def test_a_release_stopped_in_the_queue_is_not_waited_for(world: World, stepper: Stepper) -> None:
    world.lightsail.courses.append(Course(ends="ACTIVE", after=timedelta()))
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("StartNext")
    stepper.start(push(world, "v1.2", after=5), "two").run()
    one.run()
    [three] = [walk for walk in stepper.discover() if walk not in (one,)]
    three.stop()

    look(world)

    assert world.lock.waiting is None
    assert [message.content["status"] for message in world.messages()] == ["SUCCEEDED", "REFUSED"]


PUBLISH = "sns.Publish"


def refused_without_a_message(world: World, request: object) -> None:
    """A release that is refused while SNS takes nothing, and an outage that outlasts CleanUp."""
    world.cloud.faults.refuse(PUBLISH, "InternalError", times=50)
    ended = world.release(request)
    assert (ended.status, ended.error) == ("FAILED", "Unpublished")
    with pytest.raises(UnreachableError):
        world.functions.call("clean_up", {"detail": {"executionArn": ended.arn}})
    assert world.messages() == []
    world.cloud.faults.forgive(PUBLISH)
    # The outage took minutes. The event of the first push may still come.
    world.pushed_at(world.digest, world.clock.now())


def refusals(world: World) -> list[Message]:
    """The messages about refused releases. An outage lasts, so the first image counts as missed."""
    return [one for one in world.messages() if one.attributes["status"] == "REFUSED"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("request_", "app"),
    [({"app": APP, "tag": "v9"}, APP), ({"app": "nobody"}, "nobody"), ({}, "unknown")],
)
def test_a_message_that_was_never_sent_is_sent_once_sns_takes_it_again(
    world: World, request_: object, app: str
) -> None:
    refused_without_a_message(world, request_)

    look(world)
    look(world)

    [message] = refusals(world)
    assert message.attributes["app"] == app
    assert message.content["status"] == "REFUSED"
    assert message.content["messageId"] == f"lightgate-{app}-{message.content['release']}"


def test_a_message_is_sent_though_the_spec_of_its_app_is_gone(world: World) -> None:
    refused_without_a_message(world, {"app": APP, "tag": "v9"})
    world.cloud.client("ssm").delete_parameter(Name=f"/lightgate/apps/{APP}")

    look(world)

    assert world.message().attributes == {"app": APP, "status": "REFUSED", "stage": "production"}


def test_a_message_that_sns_does_not_take_keeps_no_other_from_being_sent(world: World) -> None:
    refused_without_a_message(world, {"app": APP, "tag": "v9"})
    refused_without_a_message(world, {"app": "nobody"})
    world.cloud.faults.refuse(PUBLISH, "InternalError")

    assert look(world)["troubled"] == [APP]
    assert [message.attributes["app"] for message in refusals(world)] == ["nobody"]
    look(world)
    assert [message.attributes["app"] for message in refusals(world)] == [APP]


def test_the_message_of_a_release_in_progress_is_left_to_its_execution(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("PublishOutcome")

    look(world)

    assert world.messages() == []
    one.run()
    assert world.message().content["status"] == "SUCCEEDED"


@pytest.mark.parametrize("request_", [{"app": APP}, {"app": APP, "tag": "v9"}])
def test_the_message_of_an_execution_that_step_functions_does_not_know_yet_is_left_to_it(
    world: World, stepper: Stepper, request_: object
) -> None:
    one = stepper.start(request_, "one").run_to("PublishOutcome")
    world.cloud.faults.refuse("stepfunctions.DescribeExecution", "ExecutionDoesNotExist")

    look(world)

    assert world.messages() == []
    one.run()
    assert len(world.messages()) == 1


def test_a_message_is_sent_though_aws_has_forgotten_the_execution(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start({"app": APP, "tag": "v9"}, "one").run_to("PublishOutcome")
    one.stop()
    stepper.erase(one)
    world.put_spec(spec(tags=["nothing"]))
    world.clock.sleep(timedelta(days=90).total_seconds())

    look(world)

    assert world.message().content["status"] == "REFUSED"


def test_a_message_sent_while_reconcile_runs_is_sent_once(world: World, stepper: Stepper) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("PublishOutcome")

    def end_the_execution(call: str) -> None:
        if call == "stepfunctions.DescribeExecution":
            world.cloud.faults.watch_no_more()
            one.run()

    # Reconcile has found the lock free, and has listed the message as owed by then.
    world.cloud.faults.watch(end_the_execution)
    look(world)

    assert one.passed[-1] == "Released"
    assert world.message().content["status"] == "SUCCEEDED"


class OutOfTimeError(BaseException):
    """Lambda ends the function."""


def test_the_waiting_release_starts_although_sns_does_not_answer(
    world: World, stepper: Stepper
) -> None:
    stepper.start({"app": "nobody"}, "refused").run_to("PublishOutcome").stop()
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("StartNext")
    stepper.start(push(world, "v1.2", after=5), "two").run()
    world.functions.fail("start_next", "before")
    one.run()

    def run_out_of_time(call: str) -> None:
        if call == PUBLISH:
            raise OutOfTimeError

    world.cloud.faults.watch(run_out_of_time)
    with pytest.raises(OutOfTimeError):
        look(world)

    [three] = stepper.discover()
    world.cloud.faults.watch_no_more()
    assert three.run().passed[-1] == "Released"


def test_a_message_is_sent_though_no_spec_can_be_read(world: World) -> None:
    refused_without_a_message(world, {"app": APP, "tag": "v9"})
    world.cloud.faults.refuse("ssm.DescribeParameters", "InternalServerError")

    with pytest.raises(ClientError):
        look(world)

    assert world.message().content["status"] == "REFUSED"


def test_a_stopped_release_of_an_app_that_is_gone_ends_with_a_message(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("Deploy")
    one.stop()
    world.cloud.client("ssm").delete_parameter(Name=f"/lightgate/apps/{APP}")

    look(world)

    assert world.message().content["status"] == "FAILED"
    assert world.lock.holder is None


def test_recovery_of_an_abandoned_release_does_not_wait_for_its_message(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("Deploy")
    two = stepper.start(push(world, "v1.2", after=5), "two").run()
    one.stop()
    world.cloud.faults.refuse(PUBLISH, "InternalError", times=50)

    with pytest.raises(UnreachableError):
        stepper.clean_up(one)

    [three] = stepper.discover()
    assert two.passed[-1] == "NothingToDo"
    assert three.run().error == "Unpublished"
    assert sorted(world.statuses()) == ["FAILED", "QUEUED", "SUCCEEDED"]
    assert (world.lock.holder, world.lock.waiting) == (None, None)
    world.cloud.faults.forgive(PUBLISH)
    look(world)
    assert sorted(m.content["status"] for m in world.messages()) == ["FAILED", "SUCCEEDED"]


def test_the_next_push_takes_the_lock_of_an_abandoned_release_while_sns_takes_nothing(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("Deploy")
    one.stop()
    world.cloud.faults.refuse(PUBLISH, "InternalError", times=50)

    two = stepper.start(push(world, "v1.2", after=5), "two").run_to("Deploy")

    assert world.lock.holder is not None
    assert world.lock.holder.execution == two.arn


def test_a_waiting_release_begins_while_sns_takes_no_message(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("RecordOutcome")
    stepper.start(push(world, "v1.2", after=5), "two").run()
    world.cloud.faults.refuse(PUBLISH, "InternalError", times=50)

    one.run()

    assert one.error == "Unpublished"
    [three] = stepper.discover()
    assert three.run_to("Deploy").state == "Deploy"
