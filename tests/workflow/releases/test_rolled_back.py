"""A version that became active and does not do its work: back to the last good one, or not."""

from datetime import datetime, timedelta

import pytest

from lightgate.aws.dynamodb_locks import Locks
from lightgate.names import RELEASE_VARIABLE, ROLLBACK_VARIABLE
from lightgate.release.lock_rules import abandon_lock
from local.lightsail.service.logs import LogStore
from tests.component.lightsail_service import Course
from tests.workflow.release_machine import attempts
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, SUCCEEDED, Message, World, succeeded


def fail(world: World, course: Course, *, bad: dict[int, str] | None = None) -> str | None:
    """The second release, version 3, which answers badly. How its execution ends."""
    world.site.bad = bad if bad is not None else {3: "Internal Server Error"}
    return world.release(course=course).error


BACK = {1: "INACTIVE", 2: "INACTIVE", 3: "INACTIVE", 4: "ACTIVE"}


@pytest.mark.representatives(1)
@pytest.mark.parametrize("twice", [False, True])
def test_an_unhealthy_version_is_rolled_back_also_if_each_step_runs_twice(
    good: World, twice: bool
) -> None:
    good.functions.twice = twice

    assert fail(good, released()) == "ROLLED_BACK"
    assert good.lightsail.deployments(APP) == BACK
    content = good.message().content
    assert content["status"] == "ROLLED_BACK"
    assert content["judgement"]["verdict"] == "NONE"
    assert content["failure"]["kind"] == "watch-failed"
    assert "returned 500" in content["failure"]["evidence"]


def test_a_denied_read_of_a_secret_delays_the_rollback(good: World) -> None:
    read = "secretsmanager.GetSecretValue"
    good.functions.before("roll_back", lambda: good.cloud.faults.refuse(read, "AccessDenied"))

    assert fail(good, released()) == "ROLLED_BACK"
    assert good.lightsail.serving(APP) == 4


def test_a_secret_that_stays_denied_ends_the_rollback_with_the_reason(good: World) -> None:
    read = "secretsmanager.GetSecretValue"
    began: list[datetime] = []

    def deny() -> None:
        began.append(good.clock.now())
        good.cloud.faults.refuse(read, "AccessDenied", times=999)

    good.functions.before("roll_back", deny)

    assert fail(good, released()) == "FAILED"
    assert good.clock.now() - began[0] < timedelta(minutes=6)
    assert good.lightsail.serving(APP) == 3
    assert any("cannot be read: AccessDenied" in why for why in good.message().content["reasons"])


def test_a_redeployment_differs_only_in_our_markers(good: World) -> None:
    fail(good, released())

    before, after = (good.lightsail.deployment(APP, version) for version in (2, 4))
    release = good.message().content["release"]
    assert before.public_endpoint == after.public_endpoint
    for name, container in before.containers.items():
        again = after.containers[name]
        assert (again.image, again.command, again.ports) == (
            container.image,
            container.command,
            container.ports,
        )
        changed = dict(again.environment.items() ^ container.environment.items()).keys()
        assert changed == {RELEASE_VARIABLE, ROLLBACK_VARIABLE}
        assert again.environment[RELEASE_VARIABLE] == f"{release}-back"
        assert again.environment[ROLLBACK_VARIABLE] == "checked"


def test_an_added_column_that_old_code_can_live_with_does_not_stand_in_the_way(
    good: World,
) -> None:
    assert fail(good, released(told_plan("crops.0002_size"))) == "ROLLED_BACK"
    assert good.message().content["judgement"]["verdict"] == "SAFE"


@pytest.mark.representatives(1)
@pytest.mark.parametrize(("effect", "verdict"), [("breaking", "ONE_WAY"), ("unknown", "UNKNOWN")])
def test_the_new_version_is_kept_if_rollback_is_not_safe(
    good: World, effect: str, verdict: str
) -> None:
    error = fail(good, released(told_plan("crops.0002_size", effect=effect)))

    assert error == "FAILED"
    assert good.lightsail.serving(APP) == 3
    content = good.message().content
    assert content["judgement"]["verdict"] == verdict
    steps = "\n".join(content["nextSteps"])
    assert "version 3" in steps
    assert f'{{"app": "{APP}", "rollbackTo": 2, "allowDestructive": true}}' in steps
    assert "AddField harvest.season" in content["text"]


def test_a_verdict_is_not_forgotten_when_the_next_node_has_nothing_to_do(good: World) -> None:
    plans = [
        (20, "migrate", told_plan("crops.0002_size", effect="breaking")),
        (30, "migrate", told_plan(hash_="another")),
    ]

    error = fail(good, Course(ends="ACTIVE", log=[*plans, (39, *SUCCEEDED)]))

    assert error == "FAILED"
    assert good.message().content["judgement"]["verdict"] == "ONE_WAY"


def test_a_verdict_stays_when_the_gates_report_is_gone(good: World) -> None:
    def forget() -> None:
        good.lightsail.logs = LogStore(good.clock.now)

    good.functions.before("check_deployment", forget, call=2)

    assert fail(good, released(told_plan("crops.0002_size", effect="breaking"))) == "FAILED"
    assert good.message().content["judgement"]["verdict"] == "ONE_WAY"


def test_without_a_plan_the_safety_of_a_rollback_is_unknown(good: World) -> None:
    error = fail(good, succeeded("crops.0002_size"))

    assert error == "FAILED"
    assert good.message().content["judgement"]["verdict"] == "UNKNOWN"


def test_migrations_unknown_to_the_image_are_reported(good: World) -> None:
    ahead = {"count": 1, "class": "breaking", "names": ["crops.0003_later"]}
    good.release(course=released({**told_plan(), "ahead": ahead}))

    assert any("crops.0003_later" in warning for warning in good.message().content["warnings"])


@pytest.fixture
def loose(world: World) -> World:
    """The world where a version serves, version 2, whose image a push can change."""
    world.lightsail.deploy_by_somebody(APP, image="nginx:latest")
    return world


def test_an_unpinned_version_is_not_rolled_back_to(loose: World) -> None:
    loose.site.bad = {3: "Internal Server Error"}

    ended = loose.release(course=released())

    assert ended.error == "FAILED"
    assert loose.lightsail.serving(APP) == 3
    _, final = loose.messages()
    assert "cannot be deployed again automatically" in final.content["text"]
    assert any("Automatic rollback" in warning for warning in final.content["warnings"])


def test_the_start_message_says_that_there_is_no_automatic_rollback(loose: World) -> None:
    told: list[Message] = []
    loose.functions.before("take_snapshot", lambda: told.extend(loose.messages()))

    ended = loose.release(course=released())

    assert ended.status == "SUCCEEDED"
    [start], [final] = told, loose.messages()
    assert start.attributes == {"app": APP, "status": "STARTED", "stage": "production"}
    assert start.subject == f"[production] {APP} STARTED latest"
    assert start.content["status"] == "STARTED"
    assert start.content["messageId"] != final.content["messageId"]
    assert "Automatic rollback to version 2 is not available" in start.content["text"]
    assert any("Automatic rollback" in warning for warning in final.content["warnings"])


def test_with_automatic_rollback_there_is_no_start_message(good: World) -> None:
    ended = good.release(course=released())

    assert "PublishStart" not in ended.states
    assert good.message().attributes["status"] == "SUCCEEDED"


def test_a_service_without_a_live_version_has_nothing_to_roll_back_to(world: World) -> None:
    world.lightsail.remove(APP)
    world.lightsail.add(APP)

    world.release(course=released())

    assert world.message().attributes["status"] == "SUCCEEDED"


def test_an_unsent_start_message_does_not_stop_the_release(loose: World) -> None:
    tried = attempts("PublishStart")
    loose.cloud.faults.refuse("sns.Publish", "AuthorizationError", times=tried)

    ended = loose.release(course=released())

    assert ended.status == "SUCCEEDED"
    assert ended.states.count("PublishStart") == 1
    assert loose.message().attributes["status"] == "SUCCEEDED"


def test_an_old_version_that_does_not_answer_either_requires_manual_action(good: World) -> None:
    error = fail(good, released(), bad={3: "bad", 4: "as bad"})

    assert error == "FAILED"
    text = good.message().content["text"]
    assert "The rollback to version 2 with deployment 4 did not help" in text
    assert "returned 500" in text


def test_a_gate_of_the_old_version_that_stays_shut_keeps_the_new_one(good: World) -> None:
    shut = {"event": "failed", "cause": "schema", "error": "crops.0003 is not known to this code"}
    good.lightsail.courses.append(released())
    good.lightsail.courses.append(Course(ends="FAILED", log=[(20, "migrate", shut)]))
    good.site.bad = {3: "bad"}

    ended = good.release()

    assert ended.error == "FAILED"
    assert good.lightsail.serving(APP) == 3
    assert "crops.0003 is not known to this code" in good.message().text


def test_a_rolled_back_version_can_be_rolled_back_to_again(good: World) -> None:
    fail(good, released())
    good.messages()
    good.site.bad = {5: "bad again"}
    ended = good.release(course=released())

    assert ended.error == "ROLLED_BACK"
    assert good.lightsail.serving(APP) == 6


@pytest.mark.representatives(1)
@pytest.mark.parametrize("fault", ["lost", "throttled", "broken"])
def test_a_rollback_with_a_lost_answer_creates_one_deployment(good: World, fault: str) -> None:
    good.functions.before(
        "roll_back",
        lambda: good.lightsail.fail("CreateContainerServiceDeployment", fault),
    )

    assert fail(good, released()) == "ROLLED_BACK"
    assert good.lightsail.serving(APP) == 4
    assert "Version 2 is live again" in good.message().text


@pytest.mark.representatives(1)
@pytest.mark.parametrize("faults", [["before"], ["after"], ["after", "after", "before"]])
def test_a_rollback_that_is_cut_off_goes_on(good: World, faults: list[str]) -> None:
    good.functions.fail("roll_back", *faults)

    assert fail(good, released()) == "ROLLED_BACK"
    assert good.lightsail.deployments(APP) == BACK
    assert "Version 2 is live again as version 4." in good.message().text


def test_a_replaced_version_is_left_alone(good: World) -> None:
    good.functions.before("roll_back", lambda: good.lightsail.deploy_by_somebody(APP) and None)

    assert fail(good, released()) == "FAILED"
    assert good.lightsail.serving(APP) == 4


def test_a_release_that_has_lost_the_lock_changes_nothing(good: World) -> None:
    def take_away() -> None:
        assert good.lock.holder is not None
        execution = good.lock.holder.execution
        Locks(good.table).change(APP, lambda lock: (abandon_lock(lock, execution), None))

    good.functions.before("roll_back", take_away)

    assert fail(good, released()) == "FAILED"
    assert good.lightsail.serving(APP) == 3


@pytest.mark.representatives(1)
@pytest.mark.parametrize(("takes", "error", "serving"), [(5, "ROLLED_BACK", 4), (90, "FAILED", 3)])
def test_a_busy_service_is_waited_for_but_not_for_ever(
    good: World, takes: int, error: str, serving: int
) -> None:
    good.functions.before(
        "roll_back", lambda: good.lightsail.update(APP, takes=timedelta(minutes=takes))
    )

    assert fail(good, released()) == error
    assert good.lightsail.serving(APP) == serving
    assert ("busy for too long" in good.message().text) is (error == "FAILED")


def test_the_next_release_waits_for_an_abandoned_rollback(good: World, stepper: Stepper) -> None:
    good.site.bad = {3: "bad"}
    good.lightsail.courses.append(released())
    walk = stepper.start({"app": APP}, "second").run_to("WaitForRollback")
    assert good.lightsail.deployments(APP)[4] == "ACTIVATING"
    walk.stop()

    third = stepper.start({"app": APP, "reason": "the third"}, "third").run()

    assert third.passed.count("WaitForPredecessor") > 1
    assert good.lightsail.deployments(APP)[4] == "INACTIVE"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("faults", [[], ["after"]])
def test_secrets_are_read_again_and_changes_are_reported_without_values(
    good: World, faults: list[str]
) -> None:
    good.put_key("the-key-of-today")
    # The release that fails has the new one as well; the version to go back to has not.
    good.functions.fail("roll_back", *faults)

    assert fail(good, released()) == "ROLLED_BACK"
    again = good.lightsail.deployment(APP, 4).containers["web"]
    assert again.environment["SECRET_KEY"] == "the-key-of-today"
    message = good.message()
    assert "The value of SECRET_KEY has changed" in message.content["text"]
    assert "the-key-of-today" not in message.text + good.functions.log
