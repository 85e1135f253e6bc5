"""Whole rehearsals: what they create, what they tell, and what is left."""

import json

import pytest

from tests.workflow.rehearsals.rehearsal_world import (
    APP,
    LOCK,
    MIGRATION,
    RehearsalWorld,
    failed,
    rehearsed,
)
from tests.workflow.world import PASSWORD, SECRET_KEY


def test_a_rehearsal_measures_on_a_copy_and_leaves_nothing_behind(
    rehearsals: RehearsalWorld,
) -> None:
    walk = rehearsals.rehearse(course=rehearsed(LOCK), reason="before Monday")

    record = rehearsals.record()
    assert walk.passed[-1] == "Rehearsed"
    assert (record.status, record.kind, record.reason) == (
        "SUCCEEDED",
        "REHEARSAL",
        "before Monday",
    )
    assert record.summary == (
        "1 migration of latest succeeded in 4.5 s on the copy. Longest lock: crops.0002_size holds "
        "AccessExclusiveLock on crops_harvest for 3.2 s: reads and writes of the table wait. The "
        "app's own database was not touched."
    )
    assert record.rehearsal is not None
    assert record.rehearsal.snapshot == "crops-yesterday"
    assert record.rehearsal.is_removed
    assert (rehearsals.services, rehearsals.instances) == ([], {})


def test_the_copy_is_private_and_tagged_and_the_service_has_the_gate_alone(
    rehearsals: RehearsalWorld,
) -> None:
    walk = rehearsals.begin().run_to("WaitForRun")

    [(name, copy)] = rehearsals.instances.items()
    service = rehearsals.world.lightsail.services[name].service
    [deployment] = service.deployments
    tags = {tag["Key"]: tag["Value"] for tag in copy.tags}
    assert not copy.publicly_accessible
    assert tags == service.tags
    assert tags == {"lightgate:rehearsal": walk.name, "lightgate:stack": "lightgate"}
    assert rehearsals.services == [name]
    assert list(deployment.containers) == ["migrate"]
    assert deployment.public_endpoint is None
    assert service.scale == 1


def test_the_gate_has_only_variables_of_the_rehearsal_and_reaches_only_the_copy(
    rehearsals: RehearsalWorld,
) -> None:
    rehearsals.begin().run_to("WaitForRun")

    [name] = rehearsals.services
    [deployment] = rehearsals.world.lightsail.services[name].service.deployments
    environment = {
        key: value
        for key, value in deployment.containers["migrate"].environment.items()
        if not key.startswith("LIGHTGATE_")
    }
    host = rehearsals.instances[name].endpoint["Address"]
    assert environment == {
        "DJANGO_SETTINGS_MODULE": "crops.settings",
        "EMAIL_HOST": "none.invalid",
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": f"postgres://crops:{PASSWORD}@{host}/c",
    }


def test_no_secret_is_in_the_state_the_log_or_the_record(rehearsals: RehearsalWorld) -> None:
    walk = rehearsals.rehearse()

    written = [json.dumps(walk.data), *walk.said, rehearsals.world.functions.log]
    written += [str(item) for item in rehearsals.world.items()]
    for secret in (PASSWORD, SECRET_KEY):
        assert not [text for text in written if secret in text]


def test_a_migration_that_fails_on_the_copy_leaves_production_untouched(
    rehearsals: RehearsalWorld,
) -> None:
    before = rehearsals.world.lightsail.deployments(APP)

    walk = rehearsals.rehearse(course=failed('column "size" contains null values'))

    record = rehearsals.record()
    assert walk.passed[-1] == "NotRehearsed"
    assert (record.status, record.failure_code) == ("FAILED", "rehearsed-migration")
    assert record.summary == (
        f"Migration {MIGRATION} of latest failed on the copy. The app's own database was not "
        "touched."
    )
    assert record.reasons[0] == 'column "size" contains null values.'
    assert rehearsals.world.lightsail.deployments(APP) == before
    assert (rehearsals.services, rehearsals.instances) == ([], {})


@pytest.mark.parametrize(("limit", "status"), [(3, "FAILED"), (4, "SUCCEEDED")])
def test_a_lock_that_is_held_for_too_long_fails_the_rehearsal(
    rehearsals: RehearsalWorld, limit: int, status: str
) -> None:
    rehearsals.put_spec(maxLockSeconds=limit)

    rehearsals.rehearse(course=rehearsed(LOCK))

    record = rehearsals.record()
    assert record.status == status
    if status == "FAILED":
        assert record.failure_code == "rehearsed-lock"
        assert record.reasons == (
            f"{MIGRATION} holds AccessExclusiveLock on crops_harvest for 3.2 s: reads and writes "
            "of the table wait; rehearsal.maxLockSeconds is 3.",
        )


def test_a_new_snapshot_is_taken_and_restored_if_that_is_asked_for(
    rehearsals: RehearsalWorld,
) -> None:
    walk = rehearsals.rehearse(takeSnapshot=True)

    record = rehearsals.record()
    assert record.status == "SUCCEEDED"
    assert record.rehearsal is not None
    assert record.rehearsal.snapshot in rehearsals.world.instance.snapshots()
    assert record.rehearsal.snapshot != "crops-yesterday"
    assert walk.passed.count("WaitForPlace") > 2


def test_a_rehearsal_takes_no_lock_and_makes_no_version(rehearsals: RehearsalWorld) -> None:
    rehearsals.rehearse()

    assert rehearsals.world.lock.holder is None
    assert rehearsals.world.statuses() == []
