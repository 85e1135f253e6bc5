"""Where messages reach nobody, each release says so, and no release depends on it.

The slow matrix adds the other answers of SNS.
"""

import json
from collections.abc import Callable, Sequence

import pytest

from tests.component.lightsail_service import Course
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, Json, World, spec, succeeded

EMAIL = "ops@example.com"
LIST = "sns.ListSubscriptionsByTopic"
PENDING = "PendingConfirmation"
SUBSCRIBE = "aws sns subscribe --topic-arn {} --protocol email --notification-endpoint {}"
METRIC = "lightgateSubscriptionProblems"


def one(protocol: str, endpoint: str, arn: str = "arn:aws:sns:us-east-1:123456789012:t:1") -> Json:
    return {"SubscriptionArn": arn, "Protocol": protocol, "Endpoint": endpoint}


QUEUE = one("sqs", "arn:aws:sqs:us-east-1:123456789012:people")


def show(world: World, *subscriptions: Json) -> None:
    """Let SNS list these; the messages go on reaching the queue of the tests."""
    world.cloud.faults.change_answers(
        LIST, lambda answer: answer.update(Subscriptions=list(subscriptions))
    )


@pytest.fixture
def with_email(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world of a stack with a NotificationEmail."""
    monkeypatch.setenv("LIGHTGATE_NOTIFICATION_EMAIL", EMAIL)
    return world


def warnings_of(world: World) -> list[str]:
    """What the message warns of, which the record and the output of the execution have as well."""
    ended = world.release(course=succeeded())
    assert ended.status == "SUCCEEDED"
    found: list[str] = world.message().content["warnings"]
    assert world.record()["warnings"] == found
    for warning in found:
        assert json.dumps(warning)[1:40] in ended.history.replace("\\\\", "").replace('\\"', '"')
    return found


def measured(world: World) -> list[float]:
    lines = [json.loads(line) for line in world.functions.log.splitlines() if METRIC in line]
    for line in lines:
        assert line["service"] == "lightgate"
    return [line[METRIC] if isinstance(line[METRIC], float) else line[METRIC][0] for line in lines]


def test_a_topic_with_a_subscriber_needs_no_warning(world: World) -> None:
    assert warnings_of(world) == []
    assert measured(world) == [0]


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "other",
    [
        QUEUE,
        one("lambda", "arn:aws:lambda:us-east-1:123456789012:function:f"),
        one("https", "https://global.sns-api.chatbot.amazonaws.com"),
        one("email", "somebody@example.com"),
        one("sms", "+15550100"),
        one("firehose", "arn:aws:firehose:us-east-1:123456789012:deliverystream/d"),
    ],
    ids=lambda found: found["Protocol"],
)
def test_any_confirmed_subscription_counts(world: World, other: Json) -> None:
    show(world, other)

    assert warnings_of(world) == []


def test_a_topic_without_subscriptions_is_reported(world: World) -> None:
    show(world)

    [warning] = warnings_of(world)

    assert warning.startswith("No one receives the messages of Lightgate")
    assert SUBSCRIBE.format(world.topic, "ADDRESS") in warning
    assert measured(world) == [1]
    assert "No one receives the messages of Lightgate" in world.functions.log


def test_a_subscription_that_was_really_removed_is_missed(world: World) -> None:
    """Without a change of the answer: the queue unsubscribes."""
    sns = world.cloud.client("sns")
    [found] = sns.list_subscriptions_by_topic(TopicArn=world.topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])

    world.release(course=succeeded())

    [warning] = world.record()["warnings"]
    assert warning.startswith("No one receives the messages of Lightgate")


CASES: list[tuple[Sequence[Json], Sequence[str]]] = [
    ([one("email", EMAIL)], []),
    ([one("email", EMAIL.upper()), QUEUE], []),
    ([one("email-json", EMAIL)], []),
    ([one("email", EMAIL, PENDING), one("email-json", EMAIL)], []),
    ([one("email", EMAIL, PENDING)], ["No one receives", f"The subscription of {EMAIL} is not"]),
    ([one("email", EMAIL, PENDING), QUEUE], [f"The subscription of {EMAIL} is not confirmed"]),
    ([QUEUE], [f"The NotificationEmail of this stack, {EMAIL}, is no longer subscribed"]),
    ([one("email", EMAIL, "Deleted"), QUEUE], [f"The NotificationEmail of this stack, {EMAIL}"]),
    ([], ["No one receives", f"The NotificationEmail of this stack, {EMAIL}"]),
    ([one("https", EMAIL)], [f"The NotificationEmail of this stack, {EMAIL}"]),
    (
        [one("email", EMAIL), one("https", "https://x", PENDING), one("email", "b@c.de", PENDING)],
        ["Unconfirmed subscriptions of the topic "],
    ),
]


@pytest.mark.representatives(4)
@pytest.mark.parametrize(("subscriptions", "expected"), CASES)
def test_the_address_of_the_stack_has_to_be_subscribed(
    with_email: World, subscriptions: Sequence[Json], expected: Sequence[str]
) -> None:
    show(with_email, *subscriptions)

    found = warnings_of(with_email)

    assert len(found) == len(expected)
    for warning, begin in zip(found, expected, strict=True):
        assert warning.startswith(begin)
        assert "https://x" not in warning
    assert measured(with_email) == [len(expected)]


def test_the_message_says_how_to_subscribe_again(with_email: World) -> None:
    show(with_email, QUEUE)

    [warning] = warnings_of(with_email)

    assert SUBSCRIBE.format(with_email.topic, EMAIL) in warning
    assert "--authenticate-on-unsubscribe true" in warning


ENDS: dict[str, Callable[[World], None]] = {
    "FAILED": lambda world: world.lightsail.courses.append(Course(ends=None)),
    "REFUSED": lambda world: world.put_spec("{"),
    "ROLLED_BACK": lambda world: world.lightsail.courses.append(Course(ends="FAILED")),
}


@pytest.mark.representatives(1)
@pytest.mark.parametrize("status", ENDS)
def test_each_release_says_so_however_it_ends(world: World, status: str) -> None:
    show(world)
    ENDS[status](world)

    assert world.release().error == status

    assert world.message().content["warnings"][0].startswith("No one receives")
    assert world.record()["warnings"][0].startswith("No one receives")


def test_a_release_that_was_stopped_says_so_as_well(world: World, stepper: Stepper) -> None:
    show(world)
    walk = stepper.start({"app": APP}, "one").run_to("TakeSnapshot")
    walk.stop()

    stepper.clean_up(walk)

    assert world.message().content["warnings"][0].startswith("No one receives")


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    "code", ["AuthorizationError", "Throttling", "InternalError", "NotFound", "ServiceUnavailable"]
)
def test_a_release_does_not_depend_on_what_sns_says(world: World, code: str) -> None:
    world.cloud.faults.refuse(LIST, code, times=9)

    [warning] = warnings_of(world)

    assert warning == (
        f"Whether the messages of Lightgate reach anyone is unknown: SNS answers {code}."
    )
    assert measured(world) == []


@pytest.mark.parametrize("lost", ["answer", "list"])
def test_an_answer_that_is_lost_or_has_no_list_shows_nothing(world: World, lost: str) -> None:
    faults = world.cloud.faults
    if lost == "answer":
        faults.lose_answer(LIST)
    else:
        faults.change_answers(LIST, lambda answer: answer.pop("Subscriptions"))

    [warning] = warnings_of(world)

    assert "is unknown" in warning


def test_an_end_without_a_message_checks_no_subscribers(world: World) -> None:
    calls: list[str] = []
    world.release(course=succeeded())
    world.cloud.faults.watch(calls.append)

    again = {
        "digest": world.digest,
        "pushedTag": "latest",
        "requestedAt": world.started_at.isoformat(),
        "reason": "the same once more",
    }
    world.release(**again)

    assert LIST not in calls


def test_reconcile_measures_and_logs_it_between_releases(with_email: World) -> None:
    with_email.release(course=succeeded())
    before = len(measured(with_email))
    show(with_email, QUEUE)

    with_email.functions.call("reconcile", {})

    assert measured(with_email)[before:] == [1]
    assert f"The NotificationEmail of this stack, {EMAIL}" in with_email.functions.log


def test_reconcile_does_not_fail_if_sns_says_nothing(world: World) -> None:
    world.put_spec(spec())
    world.cloud.faults.refuse(LIST, "AuthorizationError")

    assert world.functions.call("reconcile", {})["troubled"] == []
    assert "the subscriptions cannot be read" in world.functions.log
