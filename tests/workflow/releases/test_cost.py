"""What a release says it has cost, against the states and calls of its execution."""

import pytest

from tests.component.lightsail_service import Course
from tests.workflow.release_machine import Ended
from tests.workflow.reporting_gates import Gate, database, released, told_plan
from tests.workflow.world import APP, World, migration_failed, spec


def check(world: World, ended: Ended, calls: int = 0) -> None:
    """The cost on record is that of the execution, and the message tells the same."""
    [*_, record] = world.records().values()
    cost = record["cost"]
    assert cost["transitions"] == len(ended.states)
    assert cost["calls"] == world.functions.invoked.total() - calls
    assert 25e-6 * len(ended.states) < cost["dollars"] < 0.01
    assert cost["priced"].startswith("us-east-1, ")
    assert world.messages()[-1].content["cost"] == cost


def test_a_release_says_what_it_has_cost(world: World) -> None:
    world.put_spec(database())
    Gate(world, "a.0002")

    check(world, world.release())


def test_a_release_that_warns_at_its_start_counts_that_message(good: World) -> None:
    good.empty_table()
    calls = good.functions.invoked.total()

    ended = good.release(course=released(told_plan("a.0002")))

    check(good, ended, calls)


@pytest.mark.parametrize("bad", [False, True])
def test_a_failed_release_says_what_it_has_cost(good: World, bad: bool) -> None:
    calls = good.functions.invoked.total()
    if bad:
        good.put_spec(spec(verification={"watchSeconds": 60}))
        good.site.bad = {3: "out of memory"}

    failed = migration_failed("a.0002", "no such table")
    ended = good.release(course=released() if bad else failed)

    assert ended.error == "ROLLED_BACK"
    check(good, ended, calls)


def test_a_refused_release_and_one_that_waited_say_what_they_have_cost(world: World) -> None:
    world.lightsail.courses.append(Course(ends="FAILED"))
    world.lightsail.deploy_by_somebody(APP, Course(ends="ACTIVE"))
    ended = world.release(course=released())

    assert ended.states.count("WaitForService") > 0
    check(world, ended)
    calls = world.functions.invoked.total()
    check(world, world.release({"app": APP, "tag": "of-nobody"}), calls)
