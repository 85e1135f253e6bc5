"""A release takes over from one whose execution ended with the deployment lock.

The interpreter refuses what Step Functions refuses; queue/test_stopped.py goes through all states.
"""

from datetime import timedelta

import pytest

from lightgate.release.lock import LONGEST_STEP
from tests.component.lightsail_service import Course
from tests.workflow.pushes import push
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, World, succeeded


@pytest.mark.slow
def test_the_next_push_waits_for_the_deployment_that_was_abandoned(world: World) -> None:
    world.lightsail.courses.append(Course(ends="ACTIVE", after=timedelta(seconds=400)))
    with pytest.MonkeyPatch.context() as patch:
        walk = Stepper(world, patch).start(push(world, "v1.1", after=0), "abandoned")
        walk.run_to("CheckDeployment").stop()
    began = world.clock.now()
    world.lightsail.courses.append(succeeded())

    ended = world.release(push(world, "v1.2", after=5))

    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    assert ended.states.count("WaitForPredecessor") > 2
    assert world.clock.now() - began >= LONGEST_STEP
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "INACTIVE", 3: "ACTIVE"}
    assert world.lock.holder is None
