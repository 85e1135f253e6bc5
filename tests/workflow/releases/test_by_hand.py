"""What a person asks for: an old version once more, or one command beside the app."""

from typing import Any

import pytest

from lightgate.names import COMMAND_CONTAINER, RELEASE_VARIABLE, ROLLBACK_VARIABLE
from tests.component.lightsail_service import Course
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.world import APP, World, spec

BACK = ["python", "manage.py", "migrate", "crops", "0001"]


def checks(world: World, version: int) -> set[str]:
    """Whether the gates of the version check the database."""
    containers = world.lightsail.deployment(APP, version).containers.values()
    return {container.environment[ROLLBACK_VARIABLE] for container in containers}


@pytest.fixture
def one_way(good: World) -> World:
    """The world where version 3 has made a rollback to version 2 unsafe."""
    good.release(course=released(told_plan("crops.0002_size", effect="breaking")))
    good.messages()
    return good


def test_an_old_version_is_deployed_once_more(two: World) -> None:
    ended = two.release(rollbackTo=2, reason="orders are lost")

    assert ended.status == "SUCCEEDED"
    assert two.lightsail.serving(APP) == 4
    content = two.message().content
    assert content["status"] == "SUCCEEDED"
    assert content["snapshot"]["id"] in two.instance.snapshots()
    containers = two.lightsail.deployment(APP, 4).containers
    assert {c.environment[RELEASE_VARIABLE] for c in containers.values()} == {content["release"]}
    assert checks(two, 4) == {"checked"}
    assert "Version 2 is live again" in content["text"]


def test_an_unsafe_rollback_is_refused_before_it_starts(one_way: World) -> None:
    one_way.release(course=released())
    one_way.messages()

    ended = one_way.release(rollbackTo=2)

    assert ended.error == "REFUSED"
    assert one_way.lightsail.serving(APP) == 4
    text = one_way.message().text
    assert "rollbackTo: version 2 may not work with the current database" in text
    assert "AddField harvest.season" in text
    assert "the newest version that works with it is version 3" in text


def test_a_person_may_override_it_and_that_is_on_record(one_way: World) -> None:
    ended = one_way.release(rollbackTo=2, allowDestructive=True)

    assert ended.status == "SUCCEEDED"
    assert checks(one_way, 4) == {"unchecked"}
    assert "overridden" in one_way.message().text


@pytest.fixture
def reversed_by_hand(one_way: World) -> World:
    """A command, as version 4, has reversed the migration of version 3."""
    undo = told_plan("undo crops.0002_size", effect="breaking")
    course = command_course((160, undo), (190, DONE))
    one_way.release(course=course, digest=one_way.digest, command=BACK)
    one_way.messages()
    return one_way


@pytest.mark.slow
def test_once_a_command_has_taken_migrations_back_the_gate_decides_and_not_history(
    reversed_by_hand: World,
) -> None:
    ended = reversed_by_hand.release(rollbackTo=2)

    assert ended.status == "SUCCEEDED"
    assert checks(reversed_by_hand, 5) == {"checked"}
    text = reversed_by_hand.message().text
    assert "A command has run beside version 4, so the record does not show whether" in text
    assert "version 2 can work with the current database. The gate of that version checks" in text


@pytest.mark.slow
def test_without_a_gate_of_the_old_version_history_decides(
    reversed_by_hand: World,
) -> None:
    ended = reversed_by_hand.release(rollbackTo=1)

    assert ended.error == "REFUSED"
    assert reversed_by_hand.lightsail.serving(APP) == 4
    assert "version 1 may not work with" in reversed_by_hand.message().text


def test_a_version_that_was_deployed_without_lightgate_can_be_gone_back_to(world: World) -> None:
    world.lightsail.deploy_by_somebody(APP, image="nginx")
    world.release(course=released())
    world.messages()

    ended = world.release(rollbackTo=2, allowDestructive=True)

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.deployment(APP, 4).containers["web"].image == "nginx"
    assert "may not be the same as before" in world.message().text


def test_an_old_version_that_does_not_answer_is_not_called_a_success(two: World) -> None:
    two.site.bad = {4: "Internal Server Error"}

    ended = two.release(rollbackTo=2)

    assert ended.error == "FAILED"
    assert "RollBack" not in ended.states
    assert "returned 500" in two.message().text


def test_a_rollback_does_not_wait_for_the_lock(two: World) -> None:
    inside: list[Any] = []
    two.functions.before("deploy", lambda: inside.append(two.release(rollbackTo=2)))

    two.release()

    [ended] = inside
    assert ended.error == "REFUSED"
    assert "in progress or about to start" in ended.cause


def command_course(*events: tuple[float, dict[str, Any]], ends: str = "ACTIVE") -> Course:
    return Course(ends=ends, log=[(at, COMMAND_CONTAINER, event) for at, event in events])


DONE: dict[str, Any] = {"event": "succeeded", "seconds": 3.0, "lastLines": ["crops", " [X] 0001"]}


def test_a_command_runs_beside_the_live_version(two: World) -> None:
    course = command_course((160, told_plan("undo")), (190, DONE))

    ended = two.release(course=course, digest=two.digest, command=BACK)

    assert ended.status == "SUCCEEDED"
    before, after = (two.lightsail.deployment(APP, version) for version in (3, 4))
    assert after.containers.keys() == {*before.containers, COMMAND_CONTAINER}
    assert after.public_endpoint == before.public_endpoint
    for name, container in before.containers.items():
        assert after.containers[name].image == container.image
        assert after.containers[name].command[-2:] == container.command[-2:]
        assert after.containers[name].environment[ROLLBACK_VARIABLE] == "unchecked"
    content = two.message().content
    assert content["status"] == "SUCCEEDED"
    assert content["snapshot"]["id"] in two.instance.snapshots()
    assert " [X] 0001" in content["text"]


def test_a_command_that_fails_says_so_while_the_app_goes_on(two: World) -> None:
    failed = {"event": "failed", "cause": "exit", "error": "it is irreversible", "exitCode": 1}
    course = command_course((160, told_plan("undo")), (190, failed))

    ended = two.release(course=course, digest=two.digest, command=BACK)

    assert ended.error == "FAILED"
    assert two.lightsail.serving(APP) == 4
    assert "it is irreversible" in two.message().text


VOID = {"event": "failed", "cause": "permit", "error": "it is void", "database": "unchanged"}


def test_a_command_that_the_policy_forbids_is_refused_while_the_app_goes_on(two: World) -> None:
    two.put_spec(spec(migrations={"policy": "block"}))
    plan = told_plan("undo", effect="unknown")
    course = command_course((160, plan), (260, VOID))

    ended = two.release(course=course, digest=two.digest, command=BACK)

    assert ended.error == "REFUSED"
    assert two.lightsail.serving(APP) == 4
    content = two.message().content
    assert content["judgement"]["verdict"] == "UNKNOWN"
    assert "Version 4 runs the same app as before" in " ".join(content["reasons"])
    assert 'The policy "block" forbids' in " ".join(content["reasons"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "status"), [({}, "REFUSED"), ({4: "Internal Server Error"}, "FAILED")]
)
def test_a_command_that_came_too_late_for_its_permit_is_refused_if_the_app_is_healthy(
    two: World, bad: dict[int, str], status: str
) -> None:
    two.site.bad = bad
    plan = told_plan("undo", effect="unknown")
    course = command_course((800, plan), (990, VOID))

    ended = two.release(course=course, digest=two.digest, command=BACK)

    assert ended.error == status
    assert two.lightsail.serving(APP) == 4
    content = two.message().content
    assert "Version 4 runs the same app as before" in " ".join(content["reasons"])
    assert content["judgement"]["verdict"] == "UNKNOWN"


@pytest.mark.slow
def test_a_command_is_not_permitted_before_the_app_is_active_beside_it(two: World) -> None:
    told_before = len(two.functions.log)
    course = command_course((20, told_plan("undo")), ends="FAILED")

    ended = two.release(course=course, digest=two.digest, command=BACK)

    assert ended.error == "ROLLED_BACK"
    told = two.functions.log[told_before:]
    assert "The app beside which the command runs is not active yet." in told
    assert '"PERMIT"' not in told


@pytest.mark.slow
def test_a_command_needs_an_app_beside_which_it_runs(two: World) -> None:
    two.lightsail.remove(APP)
    two.lightsail.add(APP)

    ended = two.release(digest=two.digest, command=BACK)

    assert ended.error == "REFUSED"
    assert "no version is live" in two.message().text


@pytest.mark.slow
def test_a_command_is_not_given_again_by_a_later_rollback(two: World) -> None:
    two.lightsail.courses.append(command_course((160, told_plan()), (190, DONE)))
    two.release(digest=two.digest, command=["python", "manage.py", "check"])
    two.release()
    two.messages()

    ended = two.release(rollbackTo=4, allowDestructive=True)

    assert ended.status == "SUCCEEDED"
    assert COMMAND_CONTAINER not in two.lightsail.deployment(APP, 6).containers


def test_an_image_that_only_ran_a_command_is_not_taken_for_released(two: World) -> None:
    two.lightsail.courses.append(command_course((160, told_plan()), (190, DONE)))
    digest = two.digest
    two.release(digest=digest, command=["python", "manage.py", "check"])

    assert two.lock.latest is not None
    assert two.lock.latest.release != two.message().content["release"]


@pytest.mark.slow
def test_a_changed_secret_is_reported_also_after_a_lost_answer_of_the_deployment(
    two: World,
) -> None:
    two.put_key("another")
    two.functions.fail("deploy", "after")

    assert two.release(rollbackTo=2).status == "SUCCEEDED"
    warnings = " ".join(two.message().content["warnings"])
    assert "The value of SECRET_KEY has changed" in warnings
