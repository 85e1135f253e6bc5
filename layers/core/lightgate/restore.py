"""The commands that bring a database back: always as a new one, beside the one that is there."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lightgate.backup import DatabaseKind

# RDS takes 63 characters; a cluster's first instance gets two more than the cluster.
_LONGEST_NAME = 63
_NEW = "restored-"


def restored_name(database: str, release: str) -> str:
    """The name of the new database, which says of which release's restore point it is made."""
    suffix = f"-{_NEW}{release.partition('-')[0]}"
    return database[: _LONGEST_NAME - len(suffix) - 2].rstrip("-") + suffix


def restore_from_snapshot(
    kind: DatabaseKind, database: str, release: str, snapshot: str
) -> Sequence[str]:
    """What a person runs, one line after the other, to get the database of the snapshot."""
    new = restored_name(database, release)
    match kind:
        case DatabaseKind.INSTANCE:
            return [
                "aws rds restore-db-instance-from-db-snapshot"
                f" --db-instance-identifier {new} --db-snapshot-identifier {snapshot}"
                f"{_network_of_instance(database)}"
            ]
        case DatabaseKind.CLUSTER:
            return [
                "aws rds restore-db-cluster-from-snapshot"
                f" --db-cluster-identifier {new} --snapshot-identifier {snapshot}"
                f" --engine {_of_cluster(database, 'Engine')}{_network_of_cluster(database)}",
                _first_instance(database, new),
            ]
        case DatabaseKind.LIGHTSAIL:
            return [
                "aws lightsail create-relational-database-from-snapshot"
                f" --relational-database-name {new}"
                f" --relational-database-snapshot-name {snapshot}"
            ]


def restore_to_moment(
    kind: DatabaseKind, database: str, release: str, moment: datetime
) -> Sequence[str]:
    """The same for the database as it was at the moment, from its continuous backup."""
    new = restored_name(database, release)
    at = moment.astimezone(UTC)
    match kind:
        case DatabaseKind.INSTANCE:
            return [
                "aws rds restore-db-instance-to-point-in-time"
                f" --source-db-instance-identifier {database}"
                f" --target-db-instance-identifier {new} --restore-time {at:%Y-%m-%dT%H:%M:%SZ}"
                f"{_network_of_instance(database)}"
            ]
        case DatabaseKind.CLUSTER:
            return [
                "aws rds restore-db-cluster-to-point-in-time"
                f" --source-db-cluster-identifier {database} --db-cluster-identifier {new}"
                f" --restore-to-time {at:%Y-%m-%dT%H:%M:%SZ}{_network_of_cluster(database)}",
                _first_instance(database, new),
            ]
        case DatabaseKind.LIGHTSAIL:
            return [
                "aws lightsail create-relational-database-from-snapshot"
                f" --relational-database-name {new}"
                f" --source-relational-database-name {database}"
                f" --restore-time {int(at.timestamp())}"
            ]


def _network_of_instance(database: str) -> str:
    """Without these a new instance gets the default ones, and the app may not reach it."""
    subnets = _of_instance(database, "DBSubnetGroup.DBSubnetGroupName")
    groups = _of_instance(database, "VpcSecurityGroups[].VpcSecurityGroupId")
    return f" --db-subnet-group-name {subnets} --vpc-security-group-ids {groups}"


def _network_of_cluster(database: str) -> str:
    subnets = _of_cluster(database, "DBSubnetGroup")
    groups = _of_cluster(database, "VpcSecurityGroups[].VpcSecurityGroupId")
    return f" --db-subnet-group-name {subnets} --vpc-security-group-ids {groups}"


def _first_instance(database: str, new: str) -> str:
    """A restored cluster has no instance, so nothing answers for it."""
    size = (
        f"$(aws rds describe-db-instances --filters Name=db-cluster-id,Values={database}"
        " --query 'DBInstances[0].DBInstanceClass' --output text)"
    )
    return (
        f"aws rds create-db-instance --db-instance-identifier {new}-1"
        f" --db-cluster-identifier {new} --engine {_of_cluster(database, 'Engine')}"
        f" --db-instance-class {size}"
    )


def _of_instance(database: str, query: str) -> str:
    return (
        f"$(aws rds describe-db-instances --db-instance-identifier {database}"
        f" --query 'DBInstances[0].{query}' --output text)"
    )


def _of_cluster(database: str, query: str) -> str:
    return (
        f"$(aws rds describe-db-clusters --db-cluster-identifier {database}"
        f" --query 'DBClusters[0].{query}' --output text)"
    )
