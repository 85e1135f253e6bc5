"""A deployment that is created while its snapshot is still being made."""

from datetime import timedelta

import pytest

from lightgate.aws.dynamodb_timings import ReleaseTimings
from lightgate.backup.timings import Timings
from tests.workflow.reporting_gates import (
    Gate,
    check_nothing_was_applied,
    database,
    minutes,
    reasons,
    remember,
    told_plan,
)
from tests.workflow.world import APP, World

NOTHING = told_plan()


@pytest.fixture
def early(world: World) -> World:
    """The world with an app whose snapshots have taken five minutes."""
    world.put_spec(database())
    world.instance.snapshot_takes = minutes(5)
    remember(world, snapshot=300, node=30)
    return world


def history(world: World) -> Timings:
    return ReleaseTimings(world.table).read(APP)


def test_a_release_with_nothing_pending_does_not_wait_for_its_snapshot(early: World) -> None:
    gate = Gate(early, plan=NOTHING, starts=30)

    assert early.release().status == "SUCCEEDED"

    assert gate.deployment is not None
    assert gate.deployment.created_at - early.started_at < timedelta(seconds=20)
    assert early.waited() < minutes(2)
    message = early.message()
    assert message.subject.endswith("latest is live")
    assert message.content["snapshot"]["status"] == "CREATING"
    assert early.record()["snapshot"] == "CREATING"


def test_a_pending_plan_waits_for_the_snapshot_that_was_started_with_its_deployment(
    early: World,
) -> None:
    gate = Gate(early, "a.0002", starts=30)

    assert early.release().status == "SUCCEEDED"

    assert list(gate.snapshots.values()) == ["available"]
    assert early.record()["snapshot"] == "AVAILABLE"


def test_a_snapshot_that_fails_while_a_plan_waits_voids_the_permit(early: World) -> None:
    early.instance.snapshot_ends = "failed"
    gate = Gate(early, "a.0002", starts=30)

    ended = early.release()

    assert ended.error == "REFUSED"
    check_nothing_was_applied(early, gate)
    assert "The snapshot has ended as failed." in reasons(early)


def test_a_release_with_nothing_pending_stays_live_and_says_that_its_snapshot_failed(
    early: World,
) -> None:
    early.instance.snapshot_takes = minutes(1)
    early.instance.snapshot_ends = "failed"
    gate = Gate(early, plan=NOTHING, starts=90)

    assert early.release().status == "SUCCEEDED"

    message = early.message()
    assert message.subject == (
        "[production] crops-backend SUCCEEDED latest is live, but its snapshot failed"
    )
    assert message.content["snapshot"]["status"] == "FAILED"
    [warning] = message.content["warnings"]
    assert warning.startswith("The snapshot of this release failed: failed. No migration was")
    assert message.content["text"].startswith(
        "Release latest of crops-backend is live, but its snapshot failed.\n"
    )
    assert early.record()["snapshot"] == "FAILED"
    assert gate.deployment is not None
    assert early.lightsail.serving(APP) == gate.deployment.version
    # The next release forecasts from the snapshots that were made.
    assert history(early).snapshot == minutes(5)


def test_a_snapshot_that_fails_after_the_last_check_is_read_at_the_end(early: World) -> None:
    early.put_spec({**database(), "verification": {"watchSeconds": 300}})
    early.instance.snapshot_ends = "failed"
    Gate(early, plan=NOTHING, starts=30)

    assert early.release().status == "SUCCEEDED"

    assert early.message().content["snapshot"]["status"] == "FAILED"


@pytest.mark.parametrize("code", ["AccessDenied", "InternalFailure"])
def test_an_outcome_does_not_depend_on_the_last_look_at_the_snapshot(
    early: World, code: str
) -> None:
    call = "rds.DescribeDBSnapshots"
    Gate(early, plan=NOTHING, starts=30)
    early.functions.before(
        "record_outcome",
        lambda: early.cloud.faults.refuse(call, code, times=9),
    )
    early.functions.before("start_next", lambda: early.cloud.faults.forgive(call))

    assert early.release().status == "SUCCEEDED"

    assert early.functions.invoked["record_outcome"] == 1
    assert early.message().content["snapshot"]["status"] == "CREATING"


@pytest.mark.parametrize("watch", [0, 400])
def test_snapshots_that_nothing_waited_for_do_not_replace_what_is_known(
    early: World, watch: int
) -> None:
    early.put_spec({**database(), "verification": {"watchSeconds": watch}})
    for _ in range(6):
        Gate(early, plan=NOTHING, starts=30)
        assert early.release().status == "SUCCEEDED"

    assert history(early).snapshot == minutes(5)
    early.messages()
    gate = Gate(early, "a.0002", starts=30)
    before = early.clock.now()
    assert early.release().status == "SUCCEEDED"
    assert gate.deployment is not None
    assert gate.deployment.created_at - before < timedelta(seconds=20)


def test_after_an_unseen_snapshot_that_took_longer_than_ever_the_next_one_is_waited_for(
    early: World,
) -> None:
    early.put_spec({**database(), "verification": {"watchSeconds": 900}})
    early.instance.snapshot_takes = minutes(12)
    Gate(early, plan=NOTHING, starts=330)
    assert early.release().status == "SUCCEEDED"
    assert history(early).is_outgrown

    gate = Gate(early, plan=NOTHING, starts=30)
    assert early.release().status == "SUCCEEDED"
    assert list(early.instance.snapshots().values())[-1] == "available"
    assert gate.deployment is not None
    assert not history(early).is_outgrown


@pytest.mark.parametrize(("effect", "count"), [("compatible", 0), ("data", 1)])
def test_by_risk_takes_a_snapshot_only_of_what_a_plan_may_damage(
    world: World, effect: str, count: int
) -> None:
    world.put_spec(database(backup="by-risk"))
    world.instance.snapshot_takes = minutes(1)
    gate = Gate(world, plan=told_plan("a.0002", effect=effect))

    assert world.release().status == "SUCCEEDED"

    assert gate.states[-1] == "granted"
    assert len(gate.snapshots) == count
    why = (
        None if count else 'database.backup is "by-risk", and every pending migration is compatible'
    )
    assert world.message().content["noRestorePoint"] == why
