"""Databases whose storage is encrypted with a KMS key."""

from moto.rds.models import rds_backends

from tests.component.cloud import ACCOUNT, REGION
from tests.workflow.rehearsals.rehearsal_world import RehearsalWorld


def test_a_snapshot_whose_key_may_not_be_used_refuses_the_rehearsal(
    rehearsals: RehearsalWorld,
) -> None:
    walk = rehearsals.begin()
    rehearsals.world.cloud.faults.refuse(
        "rds.RestoreDBInstanceFromDBSnapshot", "KMSKeyNotAccessibleFault", times=99
    )

    walk.run()

    record = rehearsals.record()
    assert record.status == "REFUSED"
    assert "The key's policy has to let the role of PrepareRehearsal use it" in record.reasons[0]
    assert (rehearsals.services, rehearsals.instances) == ([], {})


def test_a_database_with_a_key_warns_of_its_policy(rehearsals: RehearsalWorld) -> None:
    [database] = rds_backends[ACCOUNT][REGION].databases.values()
    database.kms_key_id = "arn:aws:kms:us-east-1:123456789012:key/own"

    rehearsals.rehearse()

    [warning] = rehearsals.record().warnings
    assert "key/own" in warning
