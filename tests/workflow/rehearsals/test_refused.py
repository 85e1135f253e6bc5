"""Rehearsals that are refused before anything is created, each with its reason."""

from collections.abc import Callable

import pytest

from tests.workflow.rehearsals.rehearsal_world import VARIABLES, RehearsalWorld
from tests.workflow.stepper import Walk
from tests.workflow.world import APP, spec


def reasons(rehearsals: RehearsalWorld, walk: Walk) -> str:
    """Why it was refused; nothing was created."""
    assert walk.passed[-1] == "NotRehearsed"
    assert "PrepareRehearsal" not in walk.passed
    assert (rehearsals.services, rehearsals.instances) == ([], {})
    record = rehearsals.record()
    assert record.status == "REFUSED"
    return " ".join(record.reasons)


def test_a_spec_without_a_list_of_variables_is_refused(rehearsals: RehearsalWorld) -> None:
    rehearsals.world.put_spec(spec())

    assert "rehearsal: is missing in the spec" in reasons(rehearsals, rehearsals.rehearse())


def test_a_snapshot_that_is_older_than_the_password_is_refused(rehearsals: RehearsalWorld) -> None:
    changed_at = rehearsals.world.clock.now()
    rehearsals.world.cloud.faults.change_answers(
        "secretsmanager.DescribeSecret", lambda answer: answer.update(LastChangedDate=changed_at)
    )

    told = reasons(rehearsals, rehearsals.rehearse())

    assert "the secret secretsmanager:crops/db:url was changed at" in told
    assert "after the newest snapshot crops-yesterday of" in told
    assert "--new-snapshot" in told
    assert rehearsals.rehearse(takeSnapshot=True).passed[-1] == "Rehearsed"


def test_an_app_without_a_snapshot_is_refused(rehearsals: RehearsalWorld) -> None:
    rehearsals.world.cloud.faults.change_answers(
        "rds.DescribeDBSnapshots", lambda answer: answer.update(DBSnapshots=[])
    )

    assert "crops-db has no snapshot that is available" in reasons(
        rehearsals, rehearsals.rehearse()
    )


def test_a_policy_that_does_not_admit_the_service_is_printed_as_it_has_to_be(
    rehearsals: RehearsalWorld,
) -> None:
    rehearsals.allow("another-*")

    told = reasons(rehearsals, rehearsals.rehearse())

    assert f"the policy of {APP} does not let the temporary services of rehearsals pull" in told
    policy = told.partition("Set this policy: ")[2]
    rehearsals.world.cloud.client("ecr").set_repository_policy(
        repositoryName=APP, policyText=policy
    )
    assert rehearsals.rehearse().passed[-1] == "Rehearsed"


def test_reconcile_that_is_switched_off_is_refused(
    rehearsals: RehearsalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTGATE_RECONCILE_STATE", "DISABLED")
    from lightgate import runtime

    runtime._runtime.cache_clear()

    assert "Reconcile is switched off" in reasons(rehearsals, rehearsals.rehearse())


def test_a_second_rehearsal_at_the_same_time_is_refused(rehearsals: RehearsalWorld) -> None:
    rehearsals.begin().run_to("RunRehearsal")

    second = rehearsals.rehearse()

    assert "is still in progress" in str(second.data["admission"]["reasons"])


def test_another_variable_with_the_host_of_the_app_is_refused_and_all_is_removed(
    rehearsals: RehearsalWorld,
) -> None:
    rehearsals.put_spec(
        environment={**VARIABLES["environment"], "REPLICA": "postgres://crops@db/other"}
    )

    walk = rehearsals.rehearse()

    record = rehearsals.record()
    assert record.status == "REFUSED"
    assert "REPLICA names the host of the app's own database as well" in record.reasons[0]
    assert "RemoveRehearsal" in walk.passed
    assert (rehearsals.services, rehearsals.instances) == ([], {})


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ({"rollbackTo": 1}, "rollbackTo: has no use in a rehearsal"),
        ({"allowDestructive": True}, "allowDestructive: has no use in a rehearsal"),
        ({"takeSnapshot": "yes"}, "takeSnapshot: must be true or false"),
        ({"surprise": 1}, "surprise: is not a known key"),
    ],
)
def test_a_wrong_input_is_refused(
    rehearsals: RehearsalWorld, member: dict[str, object], reason: str
) -> None:
    assert reason in reasons(rehearsals, rehearsals.rehearse(**member))


def test_an_input_that_names_no_app_ends_without_a_record(rehearsals: RehearsalWorld) -> None:
    walk = rehearsals.start(["not", "an", "object"], "odd").run()

    assert walk.passed[-1] == "NotRehearsed"
    assert rehearsals.world.items() == []


def _aurora(rehearsals: RehearsalWorld) -> None:
    document = spec(database={"cluster": "crops"}, rehearsal=VARIABLES)
    rehearsals.world.put_spec(document)


def _oracle(rehearsals: RehearsalWorld) -> None:
    rehearsals.world.cloud.faults.change_answers(
        "rds.DescribeDBInstances",
        lambda answer: [one.update(Engine="oracle-se2") for one in answer["DBInstances"]],
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_aurora, "needs database.instance"),
        (_oracle, "runs oracle-se2; only PostgreSQL, MySQL and MariaDB can be rehearsed"),
    ],
)
def test_a_database_of_another_kind_is_refused(
    rehearsals: RehearsalWorld, change: Callable[[RehearsalWorld], None], reason: str
) -> None:
    change(rehearsals)

    assert reason in reasons(rehearsals, rehearsals.rehearse())
