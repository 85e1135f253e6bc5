"""What people and machines hear of snapshots that could not be deleted."""

import json
from typing import Any

import pytest

from lightgate.notifications.pruning import not_pruned
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.keys import Database
from tests.support.builders import EXECUTION, admitted
from tests.support.messages import CONSOLE

WHERE: Any = {"execution": EXECUTION, "console": CONSOLE}
COMMANDS = {
    DatabaseKind.INSTANCE: "aws rds delete-db-snapshot --db-snapshot-identifier s1",
    DatabaseKind.CLUSTER: "aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier s1",
    DatabaseKind.LIGHTSAIL: (
        "aws lightsail delete-relational-database-snapshot --relational-database-snapshot-name s1"
    ),
}


def database(kind: DatabaseKind = DatabaseKind.INSTANCE) -> Database:
    return Database(**{kind.value: "crops-db"}, keep_snapshots=2, timeout_seconds=60)


@pytest.mark.parametrize("kind", DatabaseKind)
def test_each_snapshot_is_named_with_its_reason_and_the_command(kind: DatabaseKind) -> None:
    failed = {"s1": "AccessDenied: not authorized", "s2": "InvalidDBSnapshotState: in use"}

    forms = json.loads(not_pruned(admitted(), database(kind), failed, [], **WHERE).message)

    head = (
        "Release 7f5b2640fe6f of crops-backend succeeded, but 2 old snapshots could not be deleted."
    )
    assert forms["email"].startswith(f"{head}\n")
    assert (
        "\ns1: AccessDenied: not authorized\ns2: InvalidDBSnapshotState: in use\n"
        in (forms["email"])
    )
    assert f"\n{COMMANDS[kind]}\n" in forms["email"]
    assert json.loads(forms["sqs"])["failed"] == failed
    assert "s1: AccessDenied" in json.loads(forms["https"])["content"]["description"]


def test_what_keeps_lightgate_from_looking_is_reported() -> None:
    notice = not_pruned(admitted(), None, {}, ["RDS answers AccessDenied."], **WHERE)
    forms = json.loads(notice.message)

    assert notice.subject == (
        "[production] crops-backend NOT_PRUNED 7f5b2640fe6f, old snapshots could not be deleted"
    )
    assert "old snapshots could not be deleted" in forms["email"]
    assert "\nRDS answers AccessDenied.\n" in forms["email"]
    assert "To delete them" not in forms["email"]
    assert json.loads(forms["sqs"])["reasons"] == ["RDS answers AccessDenied."]


def test_a_message_of_a_hundred_snapshots_is_one_that_sns_takes() -> None:
    failed = {f"s{number:03}": "x\n" * 100_000 for number in range(100)}

    message = not_pruned(admitted(), database(), failed, [], **WHERE).message

    assert len(message.encode()) < 64 * 1024
    assert "The log of PruneSnapshots has 90 more." in json.loads(message)["email"]
