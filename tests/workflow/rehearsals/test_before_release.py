"""Pushes that are rehearsed first: when they are released, and when they are not."""

import pytest

from lightgate.aws.dynamodb_locks import Locks
from lightgate.aws.dynamodb_rehearsals import Rehearsals
from lightgate.records.release_record import ReadableRecord
from lightgate.release.lock import Pause
from lightgate.release.pause import pause_app, resume_app
from tests.component import images
from tests.component.lightsail_service import Course
from tests.workflow import pushes
from tests.workflow.rehearsals.rehearsal_world import (
    APP,
    LOCK,
    MIGRATION,
    RehearsalWorld,
    failed,
    migrated,
    rehearsed,
)
from tests.workflow.stepper import Walk
from tests.workflow.world import Message


@pytest.fixture
def first(rehearsals: RehearsalWorld) -> RehearsalWorld:
    """Each push of the app is rehearsed first."""
    rehearsals.put_spec(beforeRelease=True, maxLockSeconds=5)
    return rehearsals


def push(world: RehearsalWorld, tag: str, name: str | None = None) -> Walk:
    """An image is pushed now, and its event starts an execution."""
    digest = images.push(world.world.cloud, APP, tag, name=name or tag)
    request = pushes.request(digest, tag, after=0, since=world.world.clock.now())
    return world.releases.start(request, f"push-of-{tag}")


def courses(world: RehearsalWorld, *them: Course) -> None:
    world.world.lightsail.courses += them


def finals(world: RehearsalWorld) -> list[Message]:
    return [each for each in world.world.messages() if each.content["event"] == "release-ended"]


def all_rehearsals(world: RehearsalWorld) -> list[ReadableRecord]:
    return list(Rehearsals(world.world.table).history(APP))


def live(world: RehearsalWorld) -> int | None:
    return world.world.lightsail.serving(APP)


def test_a_push_is_released_after_a_rehearsal_that_succeeded(first: RehearsalWorld) -> None:
    courses(first, rehearsed(LOCK), migrated())
    before = live(first)

    pushed = push(first, "v2").run()
    assert pushed.passed[-1] == "NothingToDo"
    assert live(first) == before
    assert first.world.lock.holder is None
    first.run_all()

    [message] = finals(first)
    assert message.content["status"] == "SUCCEEDED"
    assert message.content["prediction"]["lock"]["seconds"] == 3.2
    assert live(first) != before
    [rehearsal] = all_rehearsals(first)
    assert (rehearsal.tag, rehearsal.status) == ("v2", "SUCCEEDED")
    assert rehearsal.rehearsal is not None
    assert rehearsal.rehearsal.snapshot != "crops-yesterday"
    assert (first.services, first.instances) == ([], {})
    assert first.world.lock.waiting is None


@pytest.mark.parametrize(
    ("course", "why"),
    [
        (failed('column "size" contains null values'), "contains null values"),
        (
            rehearsed([MIGRATION, "crops_harvest", "AccessExclusiveLock", 9.0, 9.0, 1]),
            "rehearsal.maxLockSeconds is 5",
        ),
    ],
)
def test_a_push_whose_rehearsal_failed_is_not_released(
    first: RehearsalWorld, course: Course, why: str
) -> None:
    courses(first, course)
    before = first.world.lightsail.deployments(APP)

    push(first, "v2")
    first.run_all()

    [message] = finals(first)
    content = message.content
    assert (content["status"], content["code"]) == ("REFUSED", "not-rehearsed")
    assert why in " ".join(content["reasons"])
    assert "To release it all the same, without a rehearsal: lightgate release" in " ".join(
        content["nextSteps"]
    )
    assert first.world.lightsail.deployments(APP) == before
    assert first.world.lock.waiting is None


def test_a_push_that_cannot_be_rehearsed_is_not_released(first: RehearsalWorld) -> None:
    first.allow("another-*")

    push(first, "v2")
    first.run_all()

    [message] = finals(first)
    assert message.content["status"] == "REFUSED"
    assert "does not let the temporary services of rehearsals pull" in " ".join(
        message.content["reasons"]
    )


def test_a_push_whose_locks_were_not_measured_is_not_released(first: RehearsalWorld) -> None:
    course = rehearsed(LOCK)
    event = course.log[-1][2]
    assert isinstance(event, dict)
    event["measured"]["locks"] = None
    courses(first, course)

    push(first, "v2")
    first.run_all()

    [message] = finals(first)
    assert message.content["status"] == "REFUSED"
    assert "is unknown" in " ".join(message.content["reasons"])


STATES = ("AdmitRehearsal", "PrepareRehearsal", "RunRehearsal", "RemoveRehearsal")


@pytest.mark.parametrize("state", [*STATES, "RecordRehearsal"])
def test_a_push_whose_rehearsal_was_stopped_is_not_released(
    first: RehearsalWorld, state: str
) -> None:
    courses(first, rehearsed(LOCK))
    push(first, "v2").run()
    [rehearsal] = first.discover()
    rehearsal.run_to(state).stop()

    for _ in range(4):
        first.world.clock.sleep(900)
        first.reconcile()
    first.run_all()

    [message] = finals(first)
    assert (message.content["status"], message.content["code"]) == ("REFUSED", "not-rehearsed")
    assert (first.services, first.instances) == ([], {})
    assert first.world.lock.waiting is None
    assert first.world.lock.rehearsal is None


def test_a_newer_push_takes_the_place_of_the_one_that_is_rehearsed(first: RehearsalWorld) -> None:
    courses(first, rehearsed(LOCK), rehearsed(LOCK), migrated())
    push(first, "v2").run()
    [rehearsal] = first.discover()
    rehearsal.run_to("RunRehearsal")

    first.world.clock.sleep(60)
    push(first, "v3").run()
    assert len(first.discover()) == 1, "one rehearsal at a time"
    first.run_all()

    [message] = finals(first)
    assert (message.content["tag"], message.content["status"]) == ("v3", "SUCCEEDED")
    assert [one.tag for one in all_rehearsals(first)] == ["v3", "v2"]
    assert first.world.statuses()[0] == "SUPERSEDED"


def test_two_tags_of_one_push_are_rehearsed_once(first: RehearsalWorld) -> None:
    courses(first, rehearsed(LOCK), migrated())
    push(first, "v2", name="same").run()
    push(first, "stable", name="same").run()
    first.run_all()

    [message] = finals(first)
    assert message.content["status"] == "SUCCEEDED"
    assert len(all_rehearsals(first)) == 1


def test_a_push_behind_a_release_is_rehearsed_after_it(first: RehearsalWorld) -> None:
    courses(first, migrated(), rehearsed(LOCK), migrated("crops.0003_more"))
    by_hand = first.releases.start({"app": APP}, "by-hand").run_to("WaitForDeployment")
    first.world.clock.sleep(60)
    push(first, "v2").run()
    assert first.discover() == []

    by_hand.run()
    first.run_all()

    assert [each.content["status"] for each in finals(first)] == ["SUCCEEDED", "SUCCEEDED"]
    [rehearsal] = all_rehearsals(first)
    assert rehearsal.tag == "v2"


def test_a_release_by_hand_is_not_rehearsed_and_says_so(first: RehearsalWorld) -> None:
    courses(first, migrated())

    first.releases.start({"app": APP}, "by-hand").run()

    [message] = finals(first)
    assert message.content["status"] == "SUCCEEDED"
    assert "was not rehearsed" in " ".join(message.content["warnings"])
    assert all_rehearsals(first) == []


def test_a_release_by_hand_takes_the_place_of_the_push_that_is_rehearsed(
    first: RehearsalWorld,
) -> None:
    push(first, "v2").run()
    [rehearsal] = first.discover()
    rehearsal.run_to("RunRehearsal")
    courses(first, rehearsed(LOCK), migrated())

    first.releases.start({"app": APP, "tag": "v2"}, "by-hand").run()
    first.run_all()

    assert [each.content["status"] for each in finals(first)] == ["SUCCEEDED"]


def test_a_rollback_by_hand_is_not_rehearsed_and_does_not_wait_for_one(
    first: RehearsalWorld,
) -> None:
    courses(first, migrated(), migrated("crops.0003_more"))
    for name in ("one", "two"):
        first.releases.start({"app": APP}, name).run()
    finals(first)
    first.world.clock.sleep(60)
    courses(first, rehearsed(LOCK))
    push(first, "v3").run()
    [rehearsal] = first.discover()
    rehearsal.run_to("RunRehearsal")

    back = first.releases.start({"app": APP, "rollbackTo": 2}, "back").run()

    assert "QUEUED" not in str(back.data["admission"]["status"])
    assert first.world.lock.waiting is not None, "the push stays in the queue"
    assert len(all_rehearsals(first)) == 1


def test_a_push_of_a_paused_app_is_rehearsed_once_the_app_is_resumed(
    first: RehearsalWorld,
) -> None:
    courses(first, rehearsed(LOCK), migrated())
    pause(first, is_paused=True)
    push(first, "v2").run()
    first.reconcile()
    assert first.discover() == []

    pause(first, is_paused=False)
    first.reconcile()
    first.run_all()

    assert [each.content["status"] for each in finals(first)] == ["SUCCEEDED"]
    assert len(all_rehearsals(first)) == 1


def test_a_spec_that_changes_after_the_rehearsal_is_rehearsed_again(first: RehearsalWorld) -> None:
    courses(first, rehearsed(LOCK), rehearsed(LOCK), migrated())
    push(first, "v2").run()
    [rehearsal] = first.discover()
    rehearsal.run_to("RecordRehearsal")
    first.put_spec(beforeRelease=True, maxLockSeconds=6)

    first.run_all()

    assert [each.content["status"] for each in finals(first)] == ["SUCCEEDED"]
    assert len(all_rehearsals(first)) == 2


def test_a_rehearsal_by_hand_delays_the_one_of_a_push(first: RehearsalWorld) -> None:
    by_hand = first.begin()
    by_hand.run_to("RunRehearsal")
    push(first, "v2").run()
    assert len(first.discover()) == 1

    courses(first, rehearsed(LOCK), migrated())
    first.run_all()

    assert [each.content["status"] for each in finals(first)] == ["SUCCEEDED"]
    assert len(all_rehearsals(first)) == 2


def test_steps_that_run_twice_rehearse_and_release_once(first: RehearsalWorld) -> None:
    first.world.functions.twice = True
    courses(first, rehearsed(LOCK), migrated())

    push(first, "v2")
    first.run_all()

    assert [each.content["status"] for each in finals(first)] == ["SUCCEEDED"]
    assert len(all_rehearsals(first)) == 1


def test_the_execution_of_a_push_that_is_stopped_after_it_was_queued_loses_nothing(
    first: RehearsalWorld,
) -> None:
    courses(first, rehearsed(LOCK), migrated())
    pushed = push(first, "v2").run_to("StartNext")
    pushed.stop()
    assert first.discover() == []

    first.releases.clean_up(pushed)
    first.run_all()

    assert [each.content["status"] for each in finals(first)] == ["SUCCEEDED"]


def test_without_the_key_a_push_is_released_at_once(rehearsals: RehearsalWorld) -> None:
    courses(rehearsals, migrated())

    push(rehearsals, "v2").run()

    [message] = finals(rehearsals)
    assert message.content["status"] == "SUCCEEDED"
    assert "rehearsed" not in " ".join(message.content["warnings"])


def pause(world: RehearsalWorld, *, is_paused: bool) -> None:
    locks, now = Locks(world.world.table), world.world.clock.now()
    if is_paused:
        paused = Pause(by="somebody", reason="why", at=now)
        locks.change(APP, lambda lock: pause_app(lock, paused))
    else:
        locks.change(APP, resume_app)
