"""Old code on the schema of now: whatever has deployed it once more, it is as old as it was."""

from datetime import timedelta

import pytest

from lightgate.names import COMMAND_CONTAINER, RELEASE_VARIABLE
from tests.component.lightsail_service import Course
from tests.support import compiled_requests
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.world import APP, SUCCEEDED, Json, World, applied

QUALITY = "harvests.0005_quality"
ONE_WAY = told_plan(QUALITY, effect="breaking")
SHOW = ["python", "manage.py", "showmigrations", "--plan"]
UNDO = ["python", "manage.py", "migrate", "harvests", "0004"]


def crashed() -> Course:
    """A migration is applied that old code may not be able to run on; then the app ends."""
    log = [(20, "migrate", ONE_WAY), *applied(QUALITY), (39, *SUCCEEDED)]
    return Course(ends="FAILED", after=timedelta(seconds=400), log=log)


def command(plan: dict[str, object]) -> Course:
    done = {"event": "succeeded", "seconds": 3.0, "lastLines": ["done"]}
    log = [(160, COMMAND_CONTAINER, plan), (190, COMMAND_CONTAINER, done)]
    return Course(ends="ACTIVE", log=log)


def shows(world: World) -> str:
    """A person reads the applied migrations, as the runbook says."""
    plan = {**told_plan("command", effect="unknown"), "once": True}
    return world.release(course=command(plan), digest=world.digest, command=SHOW).status


def gate_config(world: World, version: int) -> Json:
    command = world.lightsail.deployment(APP, version).containers["migrate"].command
    return compiled_requests.gate_config({"command": list(command)})


def release_of(world: World, version: int) -> str:
    container = world.lightsail.deployment(APP, version).containers["web"]
    return container.environment[RELEASE_VARIABLE]


@pytest.mark.slow
def test_a_command_beside_old_code_makes_it_no_younger(good: World) -> None:
    assert good.release(course=crashed()).error
    assert shows(good) == "SUCCEEDED"
    good.messages()
    good.site.bad = {5: "Internal Server Error"}

    assert good.release(course=released()).error == "FAILED"

    assert good.lightsail.serving(APP) == 5
    text = good.message().text
    assert "Version 4 may fail with the current database" in text
    assert QUALITY in text


@pytest.mark.slow
def test_the_gates_beside_a_command_know_how_old_their_code_is(good: World) -> None:
    good.release(course=crashed())
    shows(good)

    assert release_of(good, 4) != release_of(good, 2)
    assert gate_config(good, 4)["release"] == release_of(good, 2)
    # Also beside the next command, and after a rollback to it.
    shows_again = command(told_plan("command", effect="unknown"))
    assert good.release(course=shows_again, digest=good.digest, command=SHOW).status == "SUCCEEDED"
    assert good.release(rollbackTo=2, allowDestructive=True).status == "SUCCEEDED"
    assert gate_config(good, 5)["release"] == release_of(good, 2)
    assert gate_config(good, 6)["release"] == release_of(good, 2)


def test_a_version_that_its_gate_has_admitted_is_a_rollback_target(good: World) -> None:
    good.release(course=released(ONE_WAY))
    undo = command(told_plan(f"undo {QUALITY}", effect="breaking"))
    good.release(course=undo, digest=good.digest, command=UNDO)
    assert good.release(course=released(), rollbackTo=2).status == "SUCCEEDED"
    good.messages()
    good.site.bad = {6: "Internal Server Error"}

    assert good.release(course=released()).error == "ROLLED_BACK"
    assert "Version 5 is live again as version 7" in good.message().text


def test_a_rollback_is_refused_if_a_failed_version_has_migrated(good: World) -> None:
    good.release(course=released())
    assert good.release(course=crashed()).error
    good.messages()

    assert good.release(rollbackTo=2).error == "REFUSED"

    assert good.lightsail.serving(APP) == 3
    text = good.message().text
    assert "rollbackTo: version 2 may not work with the current database" in text
    assert "no version before the live one is known to work with it" in text
    assert QUALITY in text


def test_a_rollback_by_hand_to_an_unhealthy_version_has_a_warning(good: World) -> None:
    good.site.bad = {3: "Internal Server Error"}
    assert good.release(course=released()).error == "ROLLED_BACK"
    good.site.bad = {}
    good.messages()

    assert good.release(course=released(), rollbackTo=3).status == "SUCCEEDED"
    [warning] = good.message().content["warnings"]
    assert warning == "Version 3 was not verified as healthy when it was live, and may fail again."


def test_a_command_can_run_beside_what_was_deployed_without_lightgate(world: World) -> None:
    assert shows(world) == "SUCCEEDED"
    assert "Version 2 runs the same app as before" in world.message().text
    world.site.bad = {3: "Internal Server Error"}

    assert world.release(course=released()).error == "FAILED"
    assert "The release that the code of version 2 is from is unknown." in world.message().text
