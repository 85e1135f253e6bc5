"""The stepper refuses what Step Functions refuses."""

import pytest

from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, World


@pytest.fixture
def waiting(stepper: Stepper) -> Walk:
    """A release that is about to wait for its deployment."""
    return stepper.start({"app": APP}, "one").run_to("WaitForDeployment")


@pytest.mark.representatives(3)
@pytest.mark.parametrize("seconds", [60.0, 0.5, -1, True, "60", None, 100_000_000])
def test_a_wait_of_anything_but_whole_seconds_ends_the_execution(
    waiting: Walk, seconds: object
) -> None:
    waiting.data["deployment"]["pollSeconds"] = seconds

    waiting.step()

    assert (waiting.state, waiting.error) == (None, "States.Runtime")
    assert "SecondsPath" in str(waiting.cause)


def test_a_wait_without_a_value_ends_the_execution(waiting: Walk) -> None:
    del waiting.data["deployment"]["pollSeconds"]

    waiting.step()

    assert (waiting.state, waiting.error) == (None, "States.Runtime")


def test_a_wait_of_whole_seconds_goes_on(world: World, waiting: Walk) -> None:
    before = world.clock.waited

    waiting.step()

    assert waiting.error is None
    assert (world.clock.waited - before).total_seconds() == 60
