"""The early message: the migrations have failed, and Lightsail needs minutes to give up."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.component.lightsail_service import Course
from tests.workflow.release_machine import attempts
from tests.workflow.releases.test_metrics import lines
from tests.workflow.world import (
    APP,
    Message,
    World,
    migration_failed,
    succeeded,
)

ERROR = "ValueError: no crop"


def failing() -> Course:
    return migration_failed("crops.0002", ERROR, "crops.0001")


def early(world: World) -> list[Message]:
    assert world.messages()
    return world.early


def test_it_names_the_migration_minutes_before_the_final_message(world: World) -> None:
    ended = world.release(course=failing())

    final = world.message()
    [message] = world.early
    assert ended.states.count("PublishFailedMigration") == 1
    told = message.content
    assert message.attributes == {"app": APP, "stage": "production", "status": "IN_PROGRESS"}
    assert (told["event"], told["status"]) == ("migration-failed", "IN_PROGRESS")
    assert told["failure"]["what"].startswith("Migration crops.0002 failed.")
    assert ERROR in told["failure"]["evidence"]
    assert "version 1 is still live" in told["text"]
    assert told["release"] == final.content["release"]
    assert told["messageId"] != final.content["messageId"]
    assert told["nextSteps"] == [final.content["failure"]["nextAction"]]
    at = ended.states.index("PublishFailedMigration")
    assert ended.states[at + 1 :].count("CheckDeployment") > 1


def test_it_counts_as_final_nowhere(world: World) -> None:
    world.release(course=failing())

    assert world.statuses() == ["ROLLED_BACK"]
    assert [one.attributes["status"] for one in world.messages()] == ["ROLLED_BACK"]
    assert json.dumps(world.items()).count("IN_PROGRESS") == 0
    [line] = [one for one in lines(world) if "lightgateReleaseOk" in one]
    assert line["status"] == "ROLLED_BACK"
    assert "IN_PROGRESS" not in world.functions.log


@pytest.mark.parametrize("twice", [False, True])
def test_it_is_sent_once_however_often_steps_run(world: World, twice: bool) -> None:
    world.functions.twice = twice
    world.functions.fail("check_deployment", "before", "after", "after")

    world.release(course=failing())

    assert len(early(world)) == 1
    assert world.statuses() == ["ROLLED_BACK"]


def test_a_release_goes_on_if_it_cannot_be_sent(world: World) -> None:
    tried = attempts("PublishFailedMigration")
    world.cloud.faults.refuse("sns.Publish", "AuthorizationError", times=tried)

    ended = world.release(course=failing())

    assert ended.states.count("PublishFailedMigration") == 1
    assert early(world) == []
    assert world.statuses() == ["ROLLED_BACK"]


def test_an_answer_that_is_lost_repeats_it_with_the_same_id(world: World) -> None:
    world.cloud.faults.lose_answer("sns.Publish")

    world.release(course=failing())

    assert len({one.content["messageId"] for one in early(world)}) == 1
    assert world.statuses() == ["ROLLED_BACK"]


def test_it_is_not_sent_if_the_same_check_sees_the_end(world: World) -> None:
    ended = world.release(course=replace(failing(), after=timedelta(seconds=32)))

    assert "PublishFailedMigration" not in ended.states
    assert early(world) == []


@pytest.mark.parametrize("cause", ["permit", "database", "settings"])
def test_it_is_not_sent_if_no_migration_has_run(world: World, cause: str) -> None:
    told = {"event": "failed", "cause": cause, "error": "no", "exitCode": 1}

    world.release(course=replace(failing(), log=[(31, "migrate", told)]))

    assert early(world) == []


def test_a_good_release_sends_none(world: World) -> None:
    ended = world.release(course=succeeded("crops.0002"))

    assert "PublishFailedMigration" not in ended.states
    assert early(world) == []
