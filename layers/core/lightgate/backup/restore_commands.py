"""The commands that restore a database into a new one, beside the original.

They are for bash or zsh. The network, the parameters and the access of the original are given as
options, as far as they are known: the defaults of AWS could be another network. The new database
is never publicly accessible.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jmespath  # type: ignore[import-untyped]

from lightgate.backup.restore_points import Original
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.secret_reference import SecretStore

if TYPE_CHECKING:
    from lightgate.spec.keys import AppSpec


# RDS takes 63 characters; a cluster's first instance gets two more than the cluster.
_LONGEST_NAME = 63
_NEW = "restored-"

# The options of a restore, and where the description of the original has their values.
_OF_INSTANCE = {
    "db-instance-class": "DBInstanceClass",
    "db-subnet-group-name": "DBSubnetGroup.DBSubnetGroupName",
    "vpc-security-group-ids": "VpcSecurityGroups[].VpcSecurityGroupId",
    "db-parameter-group-name": "DBParameterGroups[0].DBParameterGroupName",
}
_OF_CLUSTER = {
    "engine": "Engine",
    "engine-version": "EngineVersion",
    "db-subnet-group-name": "DBSubnetGroup",
    "vpc-security-group-ids": "VpcSecurityGroups[].VpcSecurityGroupId",
    "db-cluster-parameter-group-name": "DBClusterParameterGroup",
}
# Instances of a Multi-AZ DB cluster come and go with it: their options are the cluster's.
_OF_MULTI_AZ_CLUSTER = {
    "db-cluster-instance-class": "DBClusterInstanceClass",
    "storage-type": "StorageType",
    "iops": "Iops",
}
_OF_FIRST_INSTANCE = {
    "db-instance-class": "DBInstanceClass",
    "db-parameter-group-name": "DBParameterGroups[0].DBParameterGroupName",
}
_OF_LIGHTSAIL = {"relational-database-bundle-id": "relationalDatabaseBundleId"}
# A restore to a moment takes them from the original by itself, and refuses to be told.
_NOT_TO_A_MOMENT = ("engine", "engine-version")
_SWITCHES = {
    "multi-az": "MultiAZ",
    "deletion-protection": "DeletionProtection",
    "enable-iam-database-authentication": "IAMDatabaseAuthenticationEnabled",
}
_CLUSTER_SWITCHES = {name: _SWITCHES[name] for name in list(_SWITCHES)[1:]}
# Also if the original is public: a restored database has all of its data.
_PRIVATE = "no-publicly-accessible"
_DESCRIBED = {
    DatabaseKind.INSTANCE: "aws rds describe-db-instances --db-instance-identifier {}"
    " --query 'DBInstances[0].{}' --output text",
    DatabaseKind.CLUSTER: "aws rds describe-db-clusters --db-cluster-identifier {}"
    " --query 'DBClusters[0].{}' --output text",
    DatabaseKind.LIGHTSAIL: "aws lightsail get-relational-database --relational-database-name {}"
    " --query 'relationalDatabase.{}' --output text",
}
_FIRST_INSTANCE = (
    "aws rds describe-db-instances --filters Name=db-cluster-id,Values={}"
    " --query 'DBInstances[0].{}' --output text"
)
_ADDRESSES = {
    DatabaseKind.INSTANCE: "Endpoint.Address",
    DatabaseKind.CLUSTER: "Endpoint",
    DatabaseKind.LIGHTSAIL: "masterEndpoint.address",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreInput:
    """What the commands say of the app: noted when its release is admitted.

    `original` is None where nobody could read it. `parameter` has the spec, `secrets` are the
    names of those that the app gets, by their store. `digest` is the image that served before.
    """

    original: Original | None
    parameter: str
    secrets: Mapping[str, Sequence[str]]
    digest: str | None


def secrets_of(spec: AppSpec) -> Mapping[str, Sequence[str]]:
    """The names of the secrets that the app's containers get, by their store."""
    references = [one for c in spec.containers.values() for one in c.secrets.values()]
    return {
        store.value: sorted({one.name for one in references if one.store is store})
        for store in SecretStore
    }


def of_instance(found: Mapping[str, Any]) -> Original:
    """By the description that RDS gives of it."""
    options = {**_values(_OF_INSTANCE, found), **_switches(_SWITCHES, found)}
    return Original(
        options={**options, _PRIVATE: ""},
        instance={},
        address=_address(DatabaseKind.INSTANCE, found),
    )


def of_cluster(found: Mapping[str, Any], instance: Mapping[str, Any]) -> Original:
    """By the descriptions of it and of one of its instances.

    `instance` in what comes back is empty for a Multi-AZ DB cluster, which makes its own.
    """
    if not found.get("Engine", "aurora").startswith("aurora"):
        options = {**_OF_CLUSTER, **_OF_MULTI_AZ_CLUSTER}
        # RDS refuses to be told the base rate of the other storage types.
        if not found.get("StorageType", "").startswith("io"):
            del options["iops"]
        return Original(
            options={
                **_values(options, found),
                **_switches(_CLUSTER_SWITCHES, found),
                _PRIVATE: "",
            },
            instance={},
            address=_address(DatabaseKind.CLUSTER, found),
        )
    scaling = found.get("ServerlessV2ScalingConfiguration", {})
    limits = ",".join(f"{k}={scaling[k]}" for k in ("MinCapacity", "MaxCapacity") if k in scaling)
    return Original(
        options={
            **_values(_OF_CLUSTER, found),
            **({"serverless-v2-scaling-configuration": limits} if limits else {}),
            **_switches(_CLUSTER_SWITCHES, found),
        },
        instance={
            **_values(_OF_FIRST_INSTANCE, instance),
            _PRIVATE: "",
        },
        address=_address(DatabaseKind.CLUSTER, found),
    )


def of_lightsail(found: Mapping[str, Any]) -> Original:
    """By the description that Lightsail gives of it."""
    return Original(
        options={
            **_values(_OF_LIGHTSAIL, found),
            _PRIVATE: "",
        },
        instance={},
        address=_address(DatabaseKind.LIGHTSAIL, found),
    )


def _values(options: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, str]:
    values = {option: jmespath.search(query, found) for option, query in options.items()}
    return {
        option: " ".join(value) if isinstance(value, list) else str(value)
        for option, value in values.items()
        if value
    }


def _switches(switches: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, str]:
    return {switch: "" for switch, member in switches.items() if found.get(member)}


def _address(kind: DatabaseKind, found: Mapping[str, Any]) -> str:
    return jmespath.search(_ADDRESSES[kind], found) or ""


def _looked_up(kind: DatabaseKind, database: str) -> Original:
    """The same, where nobody has read it: the commands ask for it themselves."""

    def asked(options: Mapping[str, str], how: str) -> dict[str, str]:
        return {option: f"$({how.format(database, query)})" for option, query in options.items()}

    how = _DESCRIBED[kind]
    address = f"$({how.format(database, _ADDRESSES[kind])})"
    if kind is DatabaseKind.CLUSTER:
        instance = {**asked(_OF_FIRST_INSTANCE, _FIRST_INSTANCE), _PRIVATE: ""}
        return Original(options=asked(_OF_CLUSTER, how), instance=instance, address=address)
    of_kind = _OF_INSTANCE if kind is DatabaseKind.INSTANCE else _OF_LIGHTSAIL
    options = {**asked(of_kind, how), _PRIVATE: ""}
    return Original(options=options, instance={}, address=address)


def restored_name(database: str, release: str) -> str:
    """The name of the new database, which says of which release's restore point it is made."""
    suffix = f"-{_NEW}{release.partition('-')[0]}"
    return database[: _LONGEST_NAME - len(suffix) - 2].rstrip("-") + suffix


def restore_from_snapshot(
    kind: DatabaseKind, database: str, release: str, snapshot: str, original: Original | None = None
) -> Sequence[str]:
    """The commands, line by line, that restore the snapshot into a new database."""
    new, original = restored_name(database, release), original or _looked_up(kind, database)
    match kind:
        case DatabaseKind.INSTANCE:
            restore = (
                "aws rds restore-db-instance-from-db-snapshot"
                f" --db-instance-identifier {new} --db-snapshot-identifier {snapshot}"
            )
        case DatabaseKind.CLUSTER:
            restore = (
                "aws rds restore-db-cluster-from-snapshot"
                f" --db-cluster-identifier {new} --snapshot-identifier {snapshot}"
            )
        case DatabaseKind.LIGHTSAIL:
            restore = (
                "aws lightsail create-relational-database-from-snapshot"
                f" --relational-database-name {new}"
                f" --relational-database-snapshot-name {snapshot}"
            )
    return _until_it_is_there(kind, new, restore + _written(original.options), original)


def restore_to_moment(
    kind: DatabaseKind,
    database: str,
    release: str,
    moment: datetime,
    original: Original | None = None,
) -> Sequence[str]:
    """The same for the database as it was at the moment, from its continuous backup."""
    new, original = restored_name(database, release), original or _looked_up(kind, database)
    at = moment.astimezone(UTC)
    match kind:
        case DatabaseKind.INSTANCE:
            restore = (
                "aws rds restore-db-instance-to-point-in-time"
                f" --source-db-instance-identifier {database}"
                f" --target-db-instance-identifier {new} --restore-time {at:%Y-%m-%dT%H:%M:%SZ}"
            )
        case DatabaseKind.CLUSTER:
            restore = (
                "aws rds restore-db-cluster-to-point-in-time"
                f" --source-db-cluster-identifier {database} --db-cluster-identifier {new}"
                f" --restore-to-time {at:%Y-%m-%dT%H:%M:%SZ}"
            )
        case DatabaseKind.LIGHTSAIL:
            restore = (
                "aws lightsail create-relational-database-from-snapshot"
                f" --relational-database-name {new}"
                f" --source-relational-database-name {database}"
                f" --restore-time {int(at.timestamp())}"
            )
    options = {k: v for k, v in original.options.items() if k not in _NOT_TO_A_MOMENT}
    return _until_it_is_there(kind, new, restore + _written(options), original)


def _written(options: Mapping[str, str]) -> str:
    return "".join(f" --{option} {value}".rstrip() for option, value in options.items())


def _until_it_is_there(
    kind: DatabaseKind, new: str, restore: str, original: Original
) -> Sequence[str]:
    wait = "aws rds wait db-instance-available --db-instance-identifier"
    match kind:
        case DatabaseKind.INSTANCE:
            return [restore, f"{wait} {new}"]
        case DatabaseKind.CLUSTER:
            is_there = [
                restore,
                f"aws rds wait db-cluster-available --db-cluster-identifier {new}",
            ]
            if not original.instance:
                return is_there
            # A restored Aurora cluster has no instance, so nothing answers for it.
            return [
                *is_there,
                f"aws rds create-db-instance --db-instance-identifier {new}-1"
                f" --db-cluster-identifier {new}"
                f" --engine $({_DESCRIBED[kind].format(new, 'Engine')})"
                f"{_written(original.instance)}",
                f"{wait} {new}-1",
            ]
        case DatabaseKind.LIGHTSAIL:
            state = _DESCRIBED[kind].format(new, "state")
            return [restore, f'until [ "$({state})" = available ]; do sleep 30; done']


def point_the_app(
    kind: DatabaseKind,
    database: str,
    release: str,
    restore_input: RestoreInput,
    start: str | None,
) -> Sequence[str]:
    """What a person runs then, so that the app works with the new database.

    The new address takes the place of the old one in each of the secrets that has it, and in the
    spec in its parameter, which gets the new name as well. `start` releases the image that
    fits, None if that is unknown.
    """
    new = restored_name(database, release)
    original, parameter = (
        restore_input.original or _looked_up(kind, database),
        restore_input.parameter,
    )
    return [
        f"OLD={original.address}",
        f"NEW=$({_DESCRIBED[kind].format(new, _ADDRESSES[kind])})",
        *(
            _EXCHANGED[SecretStore(store)].format(names=shlex.join(names))
            for store, names in restore_input.secrets.items()
            if names
        ),
        f"SPEC=$(aws ssm get-parameter --name {parameter} --query Parameter.Value --output text"
        f""" | sed -E 's/("{kind.value}" *: *)"{database}"/\\1"{new}"/')""",
        f"aws ssm put-parameter --name {parameter} --type String --tier Intelligent-Tiering"
        ' --overwrite --value "${SPEC//${OLD:?}/${NEW:?}}"',
        *([start] if start is not None else []),
    ]


# Whatever does not name the old address stays as it is, and the value is shown nowhere.
_EXCHANGED = {
    SecretStore.SECRETS_MANAGER: (
        "for S in {names}; do V=$(aws secretsmanager get-secret-value --secret-id $S"
        " --query SecretString --output text); [[ $V == *${{OLD:?}}* ]] &&"
        " aws secretsmanager put-secret-value --secret-id $S"
        ' --secret-string "${{V//$OLD/${{NEW:?}}}}"; done'
    ),
    SecretStore.PARAMETER_STORE: (
        "for S in {names}; do V=$(aws ssm get-parameter --name $S --with-decryption"
        " --query Parameter.Value --output text); [[ $V == *${{OLD:?}}* ]] &&"
        " aws ssm put-parameter --name $S --overwrite"
        ' --value "${{V//$OLD/${{NEW:?}}}}"; done'
    ),
}
