"""The message at the end of a rehearsal."""

import pytest

from tests.workflow.rehearsals.rehearsal_world import (
    APP,
    LOCK,
    RehearsalWorld,
    failed,
    rehearsed,
)

FINAL = {"SUCCEEDED", "ROLLED_BACK", "FAILED", "REFUSED"}


def test_subscribers_hear_that_a_rehearsal_succeeded(rehearsals: RehearsalWorld) -> None:
    rehearsals.rehearse(course=rehearsed(LOCK))

    message = rehearsals.world.message()
    assert message.subject == (
        f"[production] {APP} REHEARSED latest SUCCEEDED, production is untouched"
    )
    assert message.attributes == {"app": APP, "status": "REHEARSED", "stage": "production"}
    content = message.content
    assert (content["event"], content["result"]) == ("rehearsal-finished", "SUCCEEDED")
    assert content["rehearsal"]["measured"]["locks"][0]["seconds"] == 3.2
    assert "AccessExclusiveLock on crops_harvest for 3.2 s" in content["text"]


def test_subscribers_hear_why_a_rehearsal_failed(rehearsals: RehearsalWorld) -> None:
    rehearsals.rehearse(course=failed('column "size" contains null values'))

    message = rehearsals.world.message()
    assert message.subject == (
        f"[production] {APP} NOT_REHEARSED latest FAILED, production is untouched"
    )
    assert message.content["result"] == "FAILED"
    assert 'column "size" contains null values' in message.content["text"]


def test_subscribers_hear_why_a_rehearsal_was_refused(rehearsals: RehearsalWorld) -> None:
    rehearsals.allow("another-*")

    rehearsals.rehearse()

    message = rehearsals.world.message()
    assert message.content["result"] == "REFUSED"
    assert "does not let the temporary services of rehearsals pull" in message.content["text"]


@pytest.mark.parametrize("course", [rehearsed(LOCK), failed("boom")])
def test_no_message_of_a_rehearsal_has_the_status_of_a_release(
    rehearsals: RehearsalWorld, course: object
) -> None:
    rehearsals.rehearse(course=course)  # type: ignore[arg-type]

    message = rehearsals.world.message()
    assert message.attributes["status"] not in FINAL
    assert message.content["status"] == message.attributes["status"]


def test_a_request_that_names_no_app_has_no_message(rehearsals: RehearsalWorld) -> None:
    walk = rehearsals.start({"tag": "v3"}, "nameless").run()

    assert walk.passed[-1] == "NotRehearsed"
    assert rehearsals.world.messages() == []


def test_a_rehearsal_whose_message_cannot_be_sent_ends_the_same_way(
    rehearsals: RehearsalWorld,
) -> None:
    walk = rehearsals.begin()
    rehearsals.world.cloud.faults.refuse("sns.Publish", "AuthorizationError", times=9)

    walk.run()

    assert walk.passed[-1] == "Rehearsed"
    assert rehearsals.record().status == "SUCCEEDED"


def test_a_topic_that_refuses_the_message_of_a_stopped_rehearsal_holds_nothing_up(
    rehearsals: RehearsalWorld,
) -> None:
    rehearsals.begin().run_to("RunRehearsal").stop()
    rehearsals.world.cloud.faults.refuse("sns.Publish", "AuthorizationError", times=99)

    rehearsals.world.clock.sleep(900)
    rehearsals.reconcile()

    assert rehearsals.world.messages() == []
    assert rehearsals.record().status == "FAILED"
    # The service can be deleted once its deployment has ended.
    assert rehearsals.instances == {}


def test_a_stopped_rehearsal_has_one_message(rehearsals: RehearsalWorld) -> None:
    rehearsals.begin().run_to("RunRehearsal").stop()

    for _ in range(3):
        rehearsals.world.clock.sleep(900)
        rehearsals.reconcile()

    message = rehearsals.world.message()
    assert message.content["result"] == "FAILED"
    assert "ended as ABORTED" in message.content["text"]
