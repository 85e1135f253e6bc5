"""What the status of a database means for a release, and what people hear of it."""

import pytest

from lightgate.backup.database_status import (
    DatabaseReadiness,
    busy,
    missing,
    readiness_of,
    why_doubtful,
    why_unusable,
)
from lightgate.backup.restore_points import Description, Original
from lightgate.spec.database_kinds import DatabaseKind

ORIGINAL = Original(options={}, instance={}, address="")


def described(status: str = "available", **changes: object) -> Description:
    values = {"kind": DatabaseKind.INSTANCE, "name": "crops-db", "status": status, **changes}
    return Description(original=ORIGINAL, **values)  # type: ignore[arg-type]


# "Viewing DB instance status" and "Viewing DB cluster status" in AWS's user guides.
READY = ["available", "storage-optimization"]
CHANGING = [
    *("backing-up", "backtracking", "configuring-activity-stream", "converting-to-vpc"),
    *("configuring-enhanced-monitoring", "configuring-iam-database-auth", "creating"),
    *("configuring-log-exports", "failing-over", "maintenance", "migrating", "modifying"),
    *("moving-to-vpc", "preparing-data-migration", "promoting", "rebooting", "renaming"),
    *("resetting-master-credentials", "scaling-compute", "starting", "storage-config-upgrade"),
    *("storage-initialization", "update-iam-db-auth", "upgrading"),
]
DOWN = [
    *("cloning-failed", "delete-precheck", "deleting", "failed", "incompatible-create"),
    *("inaccessible-encryption-credentials", "inaccessible-encryption-credentials-recoverable"),
    *("incompatible-network", "incompatible-option-group", "incompatible-parameters", "stopped"),
    *("incompatible-restore", "insufficient-capacity", "migration-failed", "restore-error"),
    *("stopping", "storage-full"),
]


@pytest.mark.parametrize("status", [*DOWN, "Stopped"])
@pytest.mark.parametrize("kind", DatabaseKind)
def test_a_database_that_is_down_is_refused_with_its_status(
    kind: DatabaseKind, status: str
) -> None:
    why = why_unusable(described(status, kind=kind))

    assert readiness_of(status) is DatabaseReadiness.DOWN
    assert why is not None
    assert why.startswith(f"database.{kind}: ")
    assert f"crops-db has the status {status}." in why
    assert why_doubtful(described(status)) is None


@pytest.mark.parametrize("status", [*CHANGING, *READY])
def test_a_status_that_passes_by_itself_is_not_refused(status: str) -> None:
    assert readiness_of(status) is (
        DatabaseReadiness.READY if status in READY else DatabaseReadiness.CHANGING
    )
    assert why_unusable(described(status)) is None
    assert why_doubtful(described(status)) is None


@pytest.mark.parametrize("status", ["hibernating", "stopp", "unstopped", ""])
def test_an_unknown_status_is_a_warning_and_no_refusal(status: str) -> None:
    warning = why_doubtful(described(status))

    assert readiness_of(status) is DatabaseReadiness.UNKNOWN
    assert why_unusable(described(status)) is None
    assert warning is not None
    assert f"crops-db has the status {status}, which Lightgate does not know" in warning


def test_the_refusal_of_a_stopped_database_advises_to_start_it() -> None:
    assert "Start it" in (why_unusable(described("stopped")) or "")


def test_a_member_of_a_cluster_is_refused_with_what_to_write_instead() -> None:
    why = why_unusable(described(name="crops-1", cluster="crops-cluster")) or ""

    assert "crops-1 is a member of the DB cluster crops-cluster" in why
    assert 'write "cluster": "crops-cluster" instead of "instance": "crops-1"' in why


@pytest.mark.parametrize(
    ("kind", "other", "words"),
    [
        (
            DatabaseKind.INSTANCE,
            described(kind=DatabaseKind.CLUSTER),
            'but there is a DB cluster crops-db; write "cluster": "crops-db" instead of "instance"',
        ),
        (
            DatabaseKind.CLUSTER,
            described(),
            'but there is an RDS instance crops-db; write "instance": "crops-db" instead of '
            '"cluster"',
        ),
        (
            DatabaseKind.CLUSTER,
            described(cluster="crops"),
            'write "cluster": "crops" instead of "cluster": "crops-db"',
        ),
        (
            DatabaseKind.INSTANCE,
            described(kind=DatabaseKind.LIGHTSAIL),
            'but there is a Lightsail database crops-db; write "lightsail": "crops-db"',
        ),
    ],
)
def test_a_name_of_another_kind_of_database_is_recognised(
    kind: DatabaseKind, other: Description, words: str
) -> None:
    assert missing(kind, "crops-db").endswith(" crops-db in this region")
    assert words in missing(kind, "crops-db", other)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("available", "Not in the available state."),
        ("backing-up", "Not in the available state. Its status is backing-up."),
        ("hibernating", "Not in the available state. Its status is hibernating."),
    ],
)
def test_a_busy_database_is_shown_with_its_status(status: str, words: str) -> None:
    assert busy(described(status), "Not in the available state.") == words


def test_a_status_that_aws_names_itself_is_not_repeated() -> None:
    assert busy(described("modifying"), "It is modifying.") == "It is modifying."
