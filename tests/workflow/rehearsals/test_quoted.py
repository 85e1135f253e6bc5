"""What the message and the record of a release say about the rehearsal of its image."""

import pytest
from botocore.exceptions import EndpointConnectionError

from lightgate.aws.dynamodb_rehearsals import Rehearsals
from lightgate.aws.dynamodb_releases import Releases
from tests.component import images
from tests.component.lightsail_service import Course
from tests.workflow.rehearsals.rehearsal_world import (
    APP,
    LOCK,
    MIGRATION,
    RehearsalWorld,
    failed,
    migrated,
    rehearsed,
)
from tests.workflow.world import Message


def release(rehearsals: RehearsalWorld, course: Course | None = None) -> Message:
    rehearsals.world.lightsail.courses.append(course or migrated())
    rehearsals.world.messages()
    walk = rehearsals.releases.start({"app": APP}, "by-hand").run()
    assert walk.passed[-1] == "Released"
    return rehearsals.world.message()


def test_the_message_says_what_was_predicted_beside_what_happened(
    rehearsals: RehearsalWorld,
) -> None:
    rehearsals.rehearse(course=rehearsed(LOCK))

    message = release(rehearsals)

    [first, second] = [
        line for line in message.content["text"].splitlines() if "on the copy" in line
    ]
    assert first == f"Rehearsal  {MIGRATION} took 4.5 s on the copy, 5.1 s in this release"
    assert second.strip() == (
        f"longest lock on the copy: {MIGRATION} holds AccessExclusiveLock on crops_harvest for "
        "3.2 s: reads and writes of the table wait; in this release at most 5.1 s"
    )
    found = message.content["prediction"]
    [migration] = found["migrations"]
    assert (migration["rehearsedSeconds"], migration["seconds"]) == (4.5, 5.1)
    assert (found["lock"]["seconds"], found["lockAtMost"]) == (3.2, 5.1)


def test_the_record_of_the_release_has_the_prediction(rehearsals: RehearsalWorld) -> None:
    rehearsals.rehearse(course=rehearsed(LOCK))
    rehearsal = rehearsals.record()

    message = release(rehearsals)

    found = Releases(rehearsals.world.table).history(APP)
    record = next(one for one in found if one.release == message.content["release"])
    assert record.prediction is not None
    assert record.prediction.rehearsal == rehearsal.release


def test_the_newest_rehearsal_of_the_image_is_the_one_that_counts(
    rehearsals: RehearsalWorld,
) -> None:
    rehearsals.rehearse(course=rehearsed(LOCK))
    rehearsals.world.clock.sleep(60)
    rehearsals.rehearse(course=failed("boom"))

    message = release(rehearsals)

    assert message.content["prediction"]["status"] == "FAILED"
    assert f"Migration {MIGRATION} of latest failed on the copy" in message.content["text"]


def test_a_release_without_a_rehearsal_says_nothing_about_one(rehearsals: RehearsalWorld) -> None:
    message = release(rehearsals)

    assert message.content["prediction"] is None
    assert "Rehearsal" not in message.content["text"]


def test_a_rehearsal_of_another_image_is_not_quoted(rehearsals: RehearsalWorld) -> None:
    rehearsals.rehearse(course=rehearsed(LOCK))
    images.push(rehearsals.world.cloud, APP, "latest", name="another")

    assert release(rehearsals).content["prediction"] is None


def test_a_rehearsal_of_other_migrations_is_not_quoted(rehearsals: RehearsalWorld) -> None:
    rehearsals.rehearse(course=rehearsed(LOCK))

    message = release(rehearsals, migrated("crops.0009_other"))

    assert message.content["prediction"] is None


def test_a_rehearsal_that_cannot_be_read_does_not_stop_the_release(
    rehearsals: RehearsalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsals.rehearse(course=rehearsed(LOCK))

    def unreachable(*_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(Rehearsals, "history", unreachable)

    assert release(rehearsals).content["prediction"] is None
