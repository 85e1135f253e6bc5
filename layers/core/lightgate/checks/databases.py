"""The app's database: private, backed up, and with room for another snapshot."""

from collections.abc import Mapping
from typing import Any

from lightgate.backup.database_status import why_unusable
from lightgate.backup.restore_points import Description
from lightgate.checks.finding import Check, Finding, failure, ok, unknown, warning
from lightgate.spec.database_kinds import DatabaseKind

_QUOTAS = {
    DatabaseKind.INSTANCE: "ManualSnapshots",
    DatabaseKind.CLUSTER: "ManualClusterSnapshots",
}
_ALMOST_FULL = 0.8


def access(found: Description) -> Finding:
    """Whether the database can be reached from the internet."""
    if found.is_public is None:
        return unknown(
            Check.DATABASE, f"AWS does not say whether {found.name} is publicly accessible"
        )
    if found.is_public:
        return failure(
            Check.DATABASE, f"{found.name} is publicly accessible", *_make_private(found)
        )
    if (why := why_unusable(found)) is not None:
        return failure(Check.DATABASE, why)
    return ok(Check.DATABASE, f"{found.name} is {found.status} and not publicly accessible")


def public_warning(found: Description) -> str | None:
    """What a release says of a database that can be reached from the internet."""
    if not found.is_public:
        return None
    return (
        f"The database {found.name} is publicly accessible. To make it private: "
        f"{' and '.join(_make_private(found))}"
    )


def why_not_private(found: Description) -> str | None:
    """Why a spec with `requirePrivateDatabase` is refused; None if the database is private."""
    if found.is_public is None:
        return (
            f"requirePrivateDatabase: AWS does not say whether {found.name} is publicly "
            "accessible, and unknown is not private"
        )
    if not found.is_public:
        return None
    return (
        f"requirePrivateDatabase: the database {found.name} is publicly accessible. Make it "
        f"private, and release again: {' and '.join(_make_private(found))}"
    )


def _make_private(found: Description) -> tuple[str, ...]:
    """The commands that take the public address away."""
    match found.kind:
        case DatabaseKind.LIGHTSAIL:
            return (
                "aws lightsail update-relational-database --relational-database-name "
                f"{found.name} --no-publicly-accessible",
            )
        case DatabaseKind.CLUSTER if not found.public_members:
            return (
                f"aws rds modify-db-cluster --db-cluster-identifier {found.name} "
                "--no-publicly-accessible --apply-immediately",
            )
        case _:
            return tuple(
                f"aws rds modify-db-instance --db-instance-identifier {name} "
                "--no-publicly-accessible --apply-immediately"
                for name in found.public_members or (found.name,)
            )


def backups(found: Description) -> Finding:
    """Whether AWS itself backs the database up, so that a lost hour can be restored."""
    if found.backup_days is None:
        return unknown(Check.BACKUPS, f"AWS does not say whether {found.name} is backed up")
    if found.backup_days == 0:
        return failure(
            Check.BACKUPS, f"{found.name} has no automated backups", *_keep_backups(found)
        )
    if found.kind is DatabaseKind.LIGHTSAIL:
        return ok(Check.BACKUPS, f"automated backups of {found.name} are on")
    return ok(
        Check.BACKUPS, f"automated backups of {found.name} are kept for {found.backup_days} d"
    )


def _keep_backups(found: Description) -> tuple[str, ...]:
    match found.kind:
        case DatabaseKind.INSTANCE:
            return (
                f"aws rds modify-db-instance --db-instance-identifier {found.name} "
                "--backup-retention-period 7 --apply-immediately",
            )
        case DatabaseKind.CLUSTER:
            return (
                f"aws rds modify-db-cluster --db-cluster-identifier {found.name} "
                "--backup-retention-period 7 --apply-immediately",
            )
        case DatabaseKind.LIGHTSAIL:
            return (
                "aws lightsail update-relational-database --relational-database-name "
                f"{found.name} --enable-backup-retention",
            )


def snapshot_quota(kind: DatabaseKind, attributes: Mapping[str, Any]) -> Finding:
    """`attributes` is the answer of RDS's DescribeAccountAttributes."""
    quotas = {one["AccountQuotaName"]: one for one in attributes["AccountQuotas"]}
    if (name := _QUOTAS[kind]) not in quotas:
        return unknown(Check.SNAPSHOTS, f"RDS does not list the quota {name}")
    used, most = quotas[name]["Used"], quotas[name]["Max"]
    text = f"{used} of {most} manual snapshots of the account are used"
    fix = (
        "Delete old snapshots, or let Lightgate do it with database.keepSnapshots.",
        "aws service-quotas list-service-quotas --service-code rds lists the quotas that can grow.",
    )
    if used >= most:
        return failure(Check.SNAPSHOTS, f"{text}, so RDS takes no further one", *fix)
    if used >= _ALMOST_FULL * most:
        return warning(Check.SNAPSHOTS, text, *fix)
    return ok(Check.SNAPSHOTS, text)
