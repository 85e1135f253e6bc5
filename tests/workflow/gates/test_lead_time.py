"""How long a release waits: snapshot 180 s, node 90 s, migration 20 s, by the world's own clock.

That leaves out how long this machine takes to compute, so it is asserted. It counts what our own
polls add; what a real Lightsail takes besides is not known here.
"""

from datetime import timedelta

import pytest

from tests.workflow.reporting_gates import Gate, told_plan
from tests.workflow.world import World, spec

NODE, MIGRATION = 90, 20


@pytest.fixture
def timeline(world: World) -> World:
    world.instance.snapshot_takes = timedelta(seconds=180)
    return world


def lead_time(world: World, *migrations: str, **changes: object) -> float:
    """The seconds that were waited for from the start of the release to its outcome."""
    world.put_spec(spec(pollSeconds=10, **changes))
    Gate(world, plan=told_plan(*migrations), starts=NODE, takes=MIGRATION)
    before = world.clock.waited
    assert world.release().status == "SUCCEEDED"
    return (world.clock.waited - before).total_seconds()


def test_a_pending_plan_takes_at_most_seven_tenths_of_the_sequential_form(
    timeline: World,
) -> None:
    in_sequence = lead_time(timeline, "a.0002")
    overlapped = lead_time(timeline, "a.0003")

    print(f"\n{in_sequence:.0f} s in sequence, {overlapped:.0f} s with overlap")
    assert overlapped <= 0.7 * in_sequence


def test_an_empty_plan_takes_less_than_half_where_the_snapshot_waits_for_a_plan(
    timeline: World,
) -> None:
    in_sequence = lead_time(timeline, "a.0002")
    database = {"instance": "crops-db", "backup": "when-pending"}
    empty = lead_time(timeline, database=database)

    print(f"\n{in_sequence:.0f} s in sequence, {empty:.0f} s with nothing pending")
    assert empty <= 0.45 * in_sequence
