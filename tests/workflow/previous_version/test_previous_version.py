"""Functions that events call, and readers of the table, take what the previous version wrote.

An update replaces them at once, while releases go on with the code with which they began.
"""

import os

import pytest

from lightgate.release.lock import LONGEST_STEP
from lightgate.state import State
from lightgate.verification.health import HttpAnswer
from lightgate_cli.reading.app_status import app_status
from lightgate_cli.reading.gather import one_app, read_history
from tests.workflow.command_line.connection import WorldConnection
from tests.workflow.previous_version.scenario import (
    STEPS,
    begin,
    put_items,
    record,
    recorded,
)
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, World


@pytest.fixture(autouse=True)
def written(request: pytest.FixtureRequest) -> None:
    if "RECORD_VERSION" in os.environ:
        record(request.getfixturevalue("stepper"))
        pytest.skip("recorded")


@pytest.fixture
def stopped(world: World, stepper: Stepper, request: pytest.FixtureRequest) -> Walk:
    """A release in progress before a step, with the table of the previous version."""
    walk = begin(stepper).run_to(request.param)
    put_items(world, recorded(request.param, world, walk)["items"])
    walk.stop()
    return walk


ALL_STEPS = pytest.mark.parametrize("stopped", STEPS, indirect=True)
FIRST_AND_LAST = pytest.mark.parametrize("stopped", [STEPS[0], STEPS[-1]], indirect=True)


def check_next_was_released(world: World, stepper: Stepper) -> None:
    stepper.run_all()
    assert statuses(world)["v1.0"] == statuses(world)["v1.2"] == "SUCCEEDED"
    assert world.lock.holder is None
    assert world.lock.waiting is None


def statuses(world: World) -> dict[str | None, str]:
    """The status of each release by its tag, the newest first, as the command line reads it."""
    found = read_history(APP, 20, WorldConnection(world))
    assert found is not None
    return {record.tag: record.status for record in found.records}


@pytest.mark.representatives(1)
@ALL_STEPS
def test_clean_up_ends_the_release_and_starts_the_next(
    world: World, stepper: Stepper, stopped: Walk
) -> None:
    stepper.clean_up(stopped)

    assert statuses(world)["v1.1"] != "IN_PROGRESS"
    assert any("v1.1" in str(message) for message in world.messages())
    check_next_was_released(world, stepper)


@pytest.mark.representatives(1)
@FIRST_AND_LAST
@pytest.mark.usefixtures("stopped")
def test_reconcile_ends_the_release_and_starts_the_next(world: World, stepper: Stepper) -> None:
    world.clock.sleep((LONGEST_STEP * 2).total_seconds())

    world.functions.call("reconcile", {})

    check_next_was_released(world, stepper)


@pytest.mark.representatives(1)
@ALL_STEPS
@pytest.mark.usefixtures("stopped")
def test_the_commands_show_the_release(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = HttpAnswer(status=200, headers={}, body=b"", took=LONGEST_STEP)
    monkeypatch.setattr("lightgate_cli.reading.gather.ask", lambda *_: answer)
    facts = one_app(APP, WorldConnection(world))

    assert facts is not None
    assert app_status(facts).live is not None
    assert list(statuses(world)) == ["v1.2", "v1.1", "v1.0"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_the_state_of_the_previous_version(
    world: World, stepper: Stepper, step: str
) -> None:
    """No release needs it, unless somebody changes the versions of the functions by hand."""
    walk = begin(stepper).run_to(step)
    state = recorded(step, world, walk)["input"]["state"]

    assert State.read(state).admission is not None
    for name in set(state) & set(walk.task_input()["state"]):
        walk.replace_answer(name, state[name])
    walk.run()

    assert statuses(world)["v1.1"] == "SUCCEEDED"
