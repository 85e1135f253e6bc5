"""A release takes over from one whose execution ended with the deployment lock.

The slow matrix adds the other states in which a release is abandoned.
"""

from datetime import timedelta

import pytest

from lightgate.release.lock import LONGEST_STEP
from tests.component.lightsail_service import Course
from tests.workflow.pushes import push
from tests.workflow.release_machine import Ended
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, World, succeeded


def abandoned(world: World, course: Course, *, at: str = "CheckDeployment") -> None:
    """A release whose execution is stopped before a state. Nobody cleans up after it."""
    world.lightsail.courses.append(course)
    with pytest.MonkeyPatch.context() as patch:
        stepper = Stepper(world, patch)
        walk = stepper.start(push(world, "v1.1", after=0), "abandoned")
        walk.run_to(at)
        walk.stop()


def take_over(world: World) -> Ended:
    """The next push, in an interpreter that refuses what Step Functions refuses."""
    world.lightsail.courses.append(succeeded())
    return world.machine.run(push(world, "v1.2", after=5), name="next")


@pytest.mark.representatives(2)
@pytest.mark.parametrize("at", ["TakeSnapshot", "Deploy", "CheckDeployment", "RecordOutcome"])
def test_the_next_push_is_released_after_a_release_was_abandoned(world: World, at: str) -> None:
    abandoned(world, Course(ends="ACTIVE", after=timedelta(seconds=30)), at=at)
    began = world.clock.now()

    ended = take_over(world)

    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    assert "WaitForPredecessor" in ended.states
    assert world.clock.now() - began >= LONGEST_STEP
    assert world.lock.holder is None


def test_the_next_push_waits_for_the_deployment_that_was_abandoned(world: World) -> None:
    abandoned(world, Course(ends="ACTIVE", after=timedelta(seconds=400)))

    ended = take_over(world)

    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    assert ended.states.count("WaitForPredecessor") > 2
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "INACTIVE", 3: "ACTIVE"}
