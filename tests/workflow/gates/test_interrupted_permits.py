"""Releases whose gate asks, when they are stopped, lose something, or are cut off meanwhile.

The slow matrix adds the other steps that are cut off.
"""

from datetime import timedelta
from typing import Any

import pytest

from lightgate.aws.dynamodb_locks import Locks
from lightgate.release.lock_rules import abandon_lock
from tests.workflow.release_machine import Ended
from tests.workflow.reporting_gates import (
    Gate,
    check_nothing_was_applied,
    database,
    minutes,
    reasons,
    remember,
)
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, MAILBOXES, World

# Stopped, redriven, over.


def holding(world: World, stepper: Stepper, **gate_options: Any) -> tuple[Walk, Gate]:
    """An execution whose gate has told its plan, and holds."""
    remember(world, snapshot=120, node=120)
    world.instance.snapshot_takes = minutes(5)
    gate = Gate(world, "a.0002", **gate_options)
    walk = stepper.start({"app": APP}, "one")
    while gate.ready_at is None:
        walk.step()
    walk.step()
    assert gate.states == ["pending"]
    return walk, gate


def test_a_release_stopped_while_its_gate_waits_permits_nothing(
    world: World, stepper: Stepper
) -> None:
    walk, gate = holding(world, stepper)
    walk.stop()

    stepper.clean_up(walk)
    world.clock.sleep(400)
    again = walk.redrive().run()

    check_nothing_was_applied(world, gate)
    assert gate.states == ["pending", "void"]
    assert world.message().content["status"] == "FAILED"
    assert again.passed[-1] == "NotReleased"


def test_a_release_that_has_lost_the_lock_permits_nothing(world: World, stepper: Stepper) -> None:
    walk, gate = holding(world, stepper)
    Locks(world.table).change(APP, lambda lock: (abandon_lock(lock, walk.arn), None))

    walk.run()

    check_nothing_was_applied(world, gate)
    assert world.record()["status"] == "ROLLED_BACK"
    assert "no longer holds the deployment lock" in reasons(world)


@pytest.mark.slow
def test_a_push_that_waits_does_not_keep_the_gate_from_its_permit(
    world: World, stepper: Stepper
) -> None:
    walk, gate = holding(world, stepper)
    stepper.start({"app": APP}, "two").run()

    walk.run()

    assert gate.states == ["pending", "granted"]
    assert walk.passed[-1] == "Released"


# The mailbox is gone.


def delete_mailboxes(world: World) -> None:
    s3 = world.cloud.client("s3")
    for found in s3.list_objects_v2(Bucket=MAILBOXES).get("Contents", []):
        s3.delete_object(Bucket=MAILBOXES, Key=found["Key"])
    s3.delete_bucket(Bucket=MAILBOXES)


def test_a_gate_whose_channel_is_deleted_while_it_waits_applies_nothing(
    world: World, stepper: Stepper
) -> None:
    walk, gate = holding(world, stepper, via="log", patience=600)

    delete_mailboxes(world)
    walk.run()

    assert gate.states == ["pending", "missing"]
    assert gate.began_at is None
    assert world.lightsail.serving(APP) == 1
    assert world.message().content["status"] == "ROLLED_BACK"


def test_a_migration_goes_on_and_ends_well_when_its_gate_channel_is_deleted(world: World) -> None:
    gate = Gate(world, "a.0002", via="log", takes=200)

    def delete() -> None:
        if gate.began_at is not None and not deleted:
            deleted.append(delete_mailboxes(world))

    deleted: list[None] = []
    world.clock.watch(delete)

    assert world.release().status == "SUCCEEDED"
    assert deleted
    assert world.message().content["status"] == "SUCCEEDED"


def test_without_gate_channels_no_deployment_is_created(world: World) -> None:
    delete_mailboxes(world)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.error == "REFUSED"
    assert gate.deployment is None
    assert "the permit of migrate is void" in reasons(world)


# Twice, and cut off.


def check_one_of_everything(world: World, *, snapshot: float, node: float) -> Ended:
    """After a release whose snapshot takes as many seconds as that of the release before."""
    remember(world, snapshot=snapshot, node=node)
    world.instance.snapshot_takes = timedelta(seconds=snapshot)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert gate.states == ["pending", "granted"]
    assert list(gate.snapshots.values()) == ["available"]
    assert len(world.instance.snapshots()) == 1
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert world.message().content["status"] == "SUCCEEDED"
    return ended


@pytest.mark.representatives(1)
@pytest.mark.parametrize("backup", ["when-pending", "always"])
def test_steps_that_run_twice_lead_to_one_permit_and_one_snapshot(
    world: World, backup: str
) -> None:
    world.put_spec(database(backup=backup))
    world.functions.twice = True

    check_one_of_everything(world, snapshot=120, node=120)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["admit", "take_snapshot", "check_snapshot", "deploy", "record_outcome", "start_next"]
)
def test_a_step_that_is_cut_off_leads_to_one_permit_and_one_snapshot(
    world: World, step: str, cut: str
) -> None:
    world.functions.fail(step, cut)

    # With a shorter snapshot the deployment would be created at once, without CheckSnapshot.
    ended = check_one_of_everything(world, snapshot=480, node=30)

    assert ended.retries == 1


@pytest.mark.slow
@pytest.mark.parametrize("backup", ["when-pending", "always"])
def test_interrupted_checks_lead_to_one_permit_and_one_snapshot(world: World, backup: str) -> None:
    world.put_spec(database(backup=backup))
    world.functions.fail("check_deployment", *["before", "after", "ok"] * 20)

    check_one_of_everything(world, snapshot=90, node=90)
