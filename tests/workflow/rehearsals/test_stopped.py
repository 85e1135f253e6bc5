"""Rehearsals that are stopped, or whose calls fail: nothing is left behind."""

from datetime import timedelta

import pytest

from tests.workflow.rehearsals.rehearsal_world import DEFINITION, RehearsalWorld

WAY = [
    *("AdmitRehearsal", "PrepareRehearsal", "WaitForPlace", "RunRehearsal", "WaitForRun"),
    *("RemoveRehearsal", "WaitForRemoval", "RecordRehearsal"),
]
TASKS = [name for name, state in DEFINITION["States"].items() if state["Type"] == "Task"]


def sweep(rehearsals: RehearsalWorld) -> None:
    """Let Reconcile run every 15 minutes, as it does."""
    for _ in range(3):
        rehearsals.world.clock.sleep(900)
        rehearsals.reconcile()


def check_nothing_is_left(rehearsals: RehearsalWorld) -> None:
    assert (rehearsals.services, rehearsals.instances) == ([], {})


@pytest.mark.parametrize("state", WAY)
def test_reconcile_removes_what_a_rehearsal_leaves_that_is_stopped_before_a_state(
    rehearsals: RehearsalWorld, state: str
) -> None:
    rehearsals.begin().run_to(state).stop()

    sweep(rehearsals)

    check_nothing_is_left(rehearsals)
    if state != "AdmitRehearsal":
        record = rehearsals.record()
        assert (record.status, record.failure_code) == ("FAILED", "rehearsal-not-ended")
        assert "ended as ABORTED" in (record.summary or "")


@pytest.mark.parametrize("state", [name for name in WAY if name in TASKS])
def test_reconcile_removes_what_is_left_if_a_function_ran_on_after_the_stop(
    rehearsals: RehearsalWorld, state: str
) -> None:
    """The execution is stopped in the middle of a call, whose answer nobody gets any more."""
    walk = rehearsals.begin().run_to(state)
    parameters = walk.task_input()
    walk.stop()
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in state).lstrip("_")
    rehearsals.world.functions.call(name, parameters)

    sweep(rehearsals)

    check_nothing_is_left(rehearsals)


@pytest.mark.parametrize("task", ["PrepareRehearsal", "RunRehearsal"])
@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_task_that_fails_for_good_leads_to_the_removal(
    rehearsals: RehearsalWorld, task: str, fault: str
) -> None:
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in task).lstrip("_")
    walk = rehearsals.begin()
    walk.run_to(task)
    rehearsals.world.functions.fail(name, fault)

    walk.run()

    record = rehearsals.record()
    assert walk.passed[-1] == "NotRehearsed"
    assert (record.status, record.failure_code) == ("FAILED", "rehearsal-not-ended")
    sweep(rehearsals)
    check_nothing_is_left(rehearsals)


def test_a_step_that_runs_twice_creates_nothing_twice(rehearsals: RehearsalWorld) -> None:
    rehearsals.world.functions.twice = True

    walk = rehearsals.rehearse()

    assert walk.passed[-1] == "Rehearsed"
    check_nothing_is_left(rehearsals)


def test_a_removal_that_aws_refuses_is_carried_out_by_reconcile(
    rehearsals: RehearsalWorld,
) -> None:
    walk = rehearsals.begin().run_to("RemoveRehearsal")
    rehearsals.world.cloud.faults.refuse("rds.DeleteDBInstance", "AccessDenied", times=99)
    walk.run()

    record = rehearsals.record()
    assert record.rehearsal is not None
    assert not record.rehearsal.is_removed
    assert len(rehearsals.instances) == 1
    rehearsals.world.cloud.faults.forgive("rds.DeleteDBInstance")
    sweep(rehearsals)
    check_nothing_is_left(rehearsals)


def test_reconcile_leaves_a_rehearsal_alone_that_runs(rehearsals: RehearsalWorld) -> None:
    walk = rehearsals.begin().run_to("RunRehearsal")

    sweep(rehearsals)

    assert len(rehearsals.instances) == 1
    assert len(rehearsals.services) == 1
    assert rehearsals.record().status == "RELEASING"
    rehearsals.world.lightsail.courses.append(rehearsals.world.lightsail.courses[0])
    assert walk.run().passed[-1] == "Rehearsed"


def test_reconcile_removes_what_is_older_than_any_rehearsal(rehearsals: RehearsalWorld) -> None:
    rehearsals.begin().run_to("RunRehearsal")
    rehearsals.world.clock.sleep(timedelta(days=4).total_seconds())

    sweep(rehearsals)

    check_nothing_is_left(rehearsals)


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("lightgate-rehearsal-by-hand", {}),
        ("lightgate-rehearsal-by-hand", {"lightgate:rehearsal": "gone"}),
        (
            "lightgate-rehearsal-of-another",
            {"lightgate:rehearsal": "gone", "lightgate:stack": "staging"},
        ),
        ("crops-copy", {"lightgate:rehearsal": "gone", "lightgate:stack": "lightgate"}),
    ],
)
def test_only_what_has_the_name_and_the_tags_of_this_stack_is_removed(
    rehearsals: RehearsalWorld, name: str, tags: dict[str, str]
) -> None:
    rehearsals.world.cloud.client("rds").restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=name,
        DBSnapshotIdentifier="crops-yesterday",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    rehearsals.world.cloud.client("lightsail").create_container_service(
        serviceName=name,
        power="nano",
        scale=1,
        tags=[{"key": key, "value": value} for key, value in tags.items()],
    )
    # What this stack had left itself would be removed by now.
    rehearsals.world.clock.sleep(timedelta(days=4).total_seconds())

    sweep(rehearsals)

    assert list(rehearsals.instances) == rehearsals.services == [name]
