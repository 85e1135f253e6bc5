"""Pushes, releases by hand and Reconcile while an app is paused."""

import pytest

from lightgate.aws.dynamodb_locks import Locks
from lightgate.release.lock import Pause
from lightgate.release.pause import pause_app, resume_app
from tests.workflow.pushes import push, request
from tests.workflow.queue.missed import first_sight, look, push_later
from tests.workflow.release_machine import Ended
from tests.workflow.world import APP, World, spec, succeeded

ADA = "arn:aws:iam::123456789012:user/ada"


@pytest.fixture
def paused(world: World) -> World:
    """The app is paused, and v1 is live."""
    world.lightsail.courses.extend([succeeded(), succeeded(), succeeded()])
    world.release(tag="latest")
    assert world.message().content["paused"] is None
    pause(world)
    return world


def pause(world: World) -> None:
    at = world.clock.now()
    Locks(world.table).change(
        APP, lambda lock: pause_app(lock, Pause(by=ADA, reason="Big import", at=at))
    )


def resume(world: World) -> None:
    """Resume the app, and be cut off before what waits is started: Reconcile does that."""
    Locks(world.table).change(APP, resume_app)


def push_now(world: World, tag: str) -> Ended:
    world.clock.sleep(60)
    return world.release(push(world, tag, after=0) | requested(world))


def requested(world: World) -> dict[str, str]:
    return {"requestedAt": world.clock.now().isoformat()}


def live(world: World) -> str:
    version = world.lightsail.serving(APP)
    assert version is not None
    return world.lightsail.deployment(APP, version).containers["web"].image.rpartition("-")[2]


def pin(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def test_a_push_of_a_paused_app_waits_for_days_and_is_released_once_it_is_resumed(
    paused: World,
) -> None:
    before = live(paused)
    ended = push_now(paused, "v2")
    newest = push_now(paused, "v3")

    for answer in (ended, newest):
        assert answer.status == "SUCCEEDED"
        assert paused.lock.paused is not None
        assert f"{ADA} paused the app at " in answer.history
        assert "Big import. This release starts when the app is resumed." in answer.history
    assert paused.statuses() == ["SUCCEEDED", "SUPERSEDED", "QUEUED"]
    paused.clock.sleep(200_000)
    assert look(paused) == {"started": [], "troubled": []}
    assert (live(paused), paused.messages()) == (before, [])

    resume(paused)
    look(paused)

    assert paused.message().content["tag"] == "v3"
    assert live(paused) != before
    assert (paused.lock.waiting, paused.lock.holder, paused.lock.paused) == (None, None, None)


def test_a_release_by_hand_runs_and_its_message_says_who_paused_the_app(paused: World) -> None:
    push_now(paused, "v2")
    paused.clock.sleep(60)
    at = paused.lock.paused.at if paused.lock.paused else None

    paused.release(digest=paused.digest)

    content = paused.message().content
    assert content["status"] == "SUCCEEDED"
    assert at is not None
    assert content["paused"] == {
        "by": ADA,
        "reason": "Big import",
        "at": at.isoformat(),
        "waiting": "v2",
    }
    assert paused.lock.waiting is not None

    resume(paused)
    look(paused)

    assert paused.message().content["tag"] == "v2"


def test_a_rollback_by_hand_runs_while_a_push_waits(paused: World) -> None:
    version = paused.lightsail.serving(APP)
    push_now(paused, "v2")
    paused.release(digest=paused.digest)
    paused.messages()

    paused.release(rollbackTo=version, allowDestructive=True)

    message = paused.message()
    assert message.content["status"] == "SUCCEEDED"
    assert "Release v2 waits. To start it: lightgate resume crops-backend" in message.text
    assert (live(paused), paused.lock.waiting is None) == (pin(paused.digest), False)


def test_a_push_that_was_missed_waits_too(world: World) -> None:
    first_sight(world)
    pause(world)
    push_later(world, "v2")

    [name] = look(world)["started"]

    assert world.statuses() == ["QUEUED"]
    assert look(world)["started"] == []
    assert world.lock.waiting is not None
    resume(world)
    look(world)
    assert world.message().content["tag"] == "v2"
    assert name


def test_a_release_by_hand_that_is_refused_leaves_the_push_waiting(
    paused: World,
) -> None:
    push_now(paused, "v2")
    paused.put_spec(spec(repository="gone"))

    paused.release(digest=paused.digest)

    assert paused.message().content["status"] == "REFUSED"
    assert look(paused)["started"] == []
    assert paused.lock.waiting is not None
    assert paused.lock.abandoned is None


def test_the_push_that_waits_and_was_released_by_hand_is_not_released_again(
    paused: World,
) -> None:
    push_now(paused, "v2")
    paused.clock.sleep(60)

    paused.release(tag="v2")
    resume(paused)
    look(paused)

    assert [one.content["status"] for one in paused.messages()] == ["SUCCEEDED"]
    assert paused.statuses() == ["SUCCEEDED", "SUPERSEDED", "SUCCEEDED"]


def test_the_live_image_pushed_again_does_not_wait(paused: World) -> None:
    paused.clock.sleep(60)

    paused.release(request(paused.digest, "latest", after=0) | requested(paused))

    assert paused.statuses() == ["SUCCEEDED", "DUPLICATE"]
    assert paused.lock.waiting is None
