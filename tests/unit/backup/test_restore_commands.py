"""The commands that people are given must be right the first time, and never overwrite anything."""

import json
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from lightgate.backup.restore_commands import (
    RestoreInput,
    of_cluster,
    of_instance,
    of_lightsail,
    point_the_app,
    restore_from_snapshot,
    restore_to_moment,
    secrets_of,
)
from lightgate.backup.restore_points import Original
from lightgate.codec import decode, encode
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.spec.parser import parse_spec
from tests.support.builders import Json, spec_document

RELEASE = "20261122t154106z-87ae2d53-5d93"
MOMENT = datetime(2026, 11, 22, 15, 41, 6, tzinfo=UTC)
NEW = "crops-db-restored-20261122t154106z"
SESSION = botocore.session.get_session()
START = "aws stepfunctions start-execution --state-machine-arn arn --input '{}'"
INSTANCE: Json = {
    "DBInstanceClass": "db.m6g.large",
    "DBSubnetGroup": {"DBSubnetGroupName": "of-the-app"},
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}, {"VpcSecurityGroupId": "sg-2"}],
    "DBParameterGroups": [{"DBParameterGroupName": "tuned"}],
    "PubliclyAccessible": False,
    "MultiAZ": True,
    "DeletionProtection": True,
    "IAMDatabaseAuthenticationEnabled": True,
    "Endpoint": {"Address": "crops-db.abc.eu-central-1.rds.amazonaws.com", "Port": 5432},
}
CLUSTER: Json = {
    "Engine": "aurora-postgresql",
    "EngineVersion": "16.4",
    "DBSubnetGroup": "of-the-app",
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
    "DBClusterParameterGroup": "tuned",
    "DeletionProtection": True,
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 4.0},
    "Endpoint": "crops-db.cluster-abc.eu-central-1.rds.amazonaws.com",
}
MULTI_AZ: Json = {
    "Engine": "postgres",
    "EngineVersion": "16.4",
    "DBSubnetGroup": "of-the-app",
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
    "DBClusterParameterGroup": "tuned",
    "DBClusterInstanceClass": "db.m6gd.large",
    "StorageType": "io1",
    "Iops": 1000,
    "PubliclyAccessible": False,
    "Endpoint": "crops-db.cluster-abc.eu-central-1.rds.amazonaws.com",
}
LIGHTSAIL: Json = {
    "relationalDatabaseBundleId": "small_ha_2_0",
    "publiclyAccessible": False,
    "masterEndpoint": {"address": "ls-1.abc.rds.amazonaws.com"},
}
ORIGINALS = {
    DatabaseKind.INSTANCE: of_instance(INSTANCE),
    DatabaseKind.CLUSTER: of_cluster(CLUSTER, INSTANCE),
    DatabaseKind.LIGHTSAIL: of_lightsail(LIGHTSAIL),
}


def restore_input(original: Original | None) -> RestoreInput:
    secrets = {"secretsmanager": ["crops/db", "crops/mail"], "ssm": ["/crops/key"]}
    return RestoreInput(
        original=original, parameter="/lightgate/apps/crops", secrets=secrets, digest=None
    )


def restore(kind: DatabaseKind, to: str, original: Original | None) -> Sequence[str]:
    if to == "snapshot":
        return restore_from_snapshot(kind, "crops-db", RELEASE, "lightgate-crops-1", original)
    return restore_to_moment(kind, "crops-db", RELEASE, MOMENT, original)


every_restore = pytest.mark.parametrize(
    ("kind", "commands"),
    [
        (kind, restore(kind, to, original))
        for kind in DatabaseKind
        for original in (ORIGINALS[kind], None)
        for to in ("snapshot", "moment")
    ],
)


# Instead of the CLI: notes the call, and answers as AWS would.
AWS = """
aws() {
  printf '%s\\1' "$@" >> calls; printf '\\2' >> calls
  case "$*" in
    *get-relational-database*.state*) echo available ;;
    *Endpoint*restored*|*restored*ndpoint*) echo new.example ;;
    *ndpoint*) echo old.example ;;
    *crops/db*) echo '{"url": "postgres://crops:s3 cret*@old.example/crops"}' ;;
    *get-parameter*apps*) echo '{"database": {"instance": "crops-db"}, "h": "old.example"}' ;;
    *) echo something ;;
  esac
}
"""


def calls(folder: Path, *commands: Sequence[str]) -> list[list[str]]:
    """What the lines call in a shell, each as its words."""
    lines = "\n".join([AWS, *(line for each in commands for line in each)])
    shell = subprocess.run(["bash", "-u"], input=lines, cwd=folder, capture_output=True, text=True)
    assert shell.stderr == ""
    found = (folder / "calls").read_text().split("\2")[:-1]
    return [call.split("\1")[:-1] for call in found]


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("kind", DatabaseKind)
@pytest.mark.parametrize("to", ["snapshot", "moment"])
def test_every_call_is_one_that_the_cli_knows(
    tmp_path: Path, kind: DatabaseKind, to: str, *, is_known: bool
) -> None:
    original = ORIGINALS[kind] if is_known else None
    change = point_the_app(kind, "crops-db", RELEASE, restore_input(original), START)

    found = calls(tmp_path, restore(kind, to, original), change)

    assert len(found) > 8
    for call in found:
        check(call)


def test_the_new_address_takes_the_place_of_the_old_one_and_nothing_else_changes(
    tmp_path: Path,
) -> None:
    found = calls(
        tmp_path,
        point_the_app(DatabaseKind.INSTANCE, "crops-db", RELEASE, restore_input(None), START),
    )

    changed = {call[3]: call[-1] for call in found if call[1].startswith("put-")}
    assert changed == {
        "crops/db": '{"url": "postgres://crops:s3 cret*@new.example/crops"}',
        "/lightgate/apps/crops": f'{{"database": {{"instance": "{NEW}"}}, "h": "new.example"}}',
    }
    assert found[-1][:2] == ["stepfunctions", "start-execution"]


def check(words: Sequence[str]) -> None:
    service, name, *options = words
    if name == "wait":
        name = options.pop(0)
        waiters = {xform_name(one) for one in SESSION.get_waiter_model(service).waiter_names}
        assert name.replace("-", "_") in waiters
        return
    model = SESSION.get_service_model(service)
    operation = next(
        model.operation_model(one) for one in model.operation_names if xform_name(one, "-") == name
    )
    given = {
        re.sub("^no-(?=publicly)", "", word.removeprefix("--"))
        for word in options
        if word.startswith("--")
    }
    known = {xform_name(member, "-"): member for member in operation.input_shape.members}
    assert given - {"query", "output"} <= known.keys()
    assert set(operation.input_shape.required_members) <= {known[o] for o in given & known.keys()}


@every_restore
def test_a_restore_makes_a_new_database_and_waits_for_it(
    kind: DatabaseKind, commands: Sequence[str]
) -> None:
    targets = re.findall(
        r"--(?:target-)?(?:db-instance-identifier|db-cluster-identifier|relational-database-name) "
        r"(\S+)",
        re.sub(r"\$\(.*?\)", "VALUE", "\n".join(commands)),
    )

    assert targets
    assert all(target.startswith(NEW) for target in targets)
    is_lightsail = kind is DatabaseKind.LIGHTSAIL
    assert ("sleep" if is_lightsail else "aws rds wait db-instance-available") in commands[-1]


@every_restore
def test_a_copy_is_not_reachable_from_everywhere(
    kind: DatabaseKind, commands: Sequence[str]
) -> None:
    [creates] = [
        command
        for command in commands
        if command.startswith(
            "aws rds create-db-instance" if kind is DatabaseKind.CLUSTER else commands[0][:30]
        )
    ]

    assert " --no-publicly-accessible" in creates


@pytest.mark.parametrize("to", ["snapshot", "moment"])
def test_a_multi_az_cluster_is_restored_with_its_own_instances(tmp_path: Path, to: str) -> None:
    commands = restore(DatabaseKind.CLUSTER, to, of_cluster(MULTI_AZ, INSTANCE))

    for call in calls(tmp_path, commands):
        check(call)
    restored, wait = commands
    assert (
        " --db-cluster-parameter-group-name tuned --db-cluster-instance-class db.m6gd.large"
        " --storage-type io1 --iops 1000 --no-publicly-accessible"
    ) in restored
    assert wait.startswith("aws rds wait db-cluster-available")


def test_the_base_rate_of_a_storage_type_is_not_given_to_a_restore() -> None:
    found = {**MULTI_AZ, "StorageType": "gp3", "Iops": 3000}

    assert "iops" not in of_cluster(found, {}).options


def test_a_copy_of_a_public_database_is_not_public() -> None:
    original = of_instance({**INSTANCE, "PubliclyAccessible": True})

    commands = restore(DatabaseKind.INSTANCE, "snapshot", original)

    assert " --no-publicly-accessible" in commands[0]


def test_a_restore_takes_over_what_the_original_has() -> None:
    at = "aws rds restore-db-instance-from-db-snapshot --db-instance-identifier"
    instance = (
        " --db-instance-class db.m6g.large --db-subnet-group-name of-the-app"
        " --vpc-security-group-ids sg-1 sg-2 --db-parameter-group-name tuned"
        " --multi-az --deletion-protection --enable-iam-database-authentication"
        " --no-publicly-accessible"
    )
    cluster = (
        "--engine aurora-postgresql --engine-version 16.4 --db-subnet-group-name of-the-app"
        " --vpc-security-group-ids sg-1 --db-cluster-parameter-group-name tuned"
        " --serverless-v2-scaling-configuration MinCapacity=0.5,MaxCapacity=4.0"
        " --deletion-protection"
    )
    by_kind = {kind: restore(kind, "snapshot", original) for kind, original in ORIGINALS.items()}

    assert by_kind[DatabaseKind.INSTANCE][0] == (
        f"{at} {NEW} --db-snapshot-identifier lightgate-crops-1{instance}"
    )
    assert by_kind[DatabaseKind.CLUSTER][0].endswith(
        f"--snapshot-identifier lightgate-crops-1 {cluster}"
    )
    assert by_kind[DatabaseKind.CLUSTER][2].endswith(
        " --db-instance-class db.m6g.large --db-parameter-group-name tuned --no-publicly-accessible"
    )
    assert " --relational-database-bundle-id small_ha_2_0 " in by_kind[DatabaseKind.LIGHTSAIL][0]


def test_the_app_gets_the_address_name_and_image_that_fit() -> None:
    commands = point_the_app(
        DatabaseKind.INSTANCE,
        "crops-db",
        RELEASE,
        restore_input(ORIGINALS[DatabaseKind.INSTANCE]),
        START,
    )

    assert commands[0] == "OLD=crops-db.abc.eu-central-1.rds.amazonaws.com"
    assert f"--db-instance-identifier {NEW}" in commands[1]
    assert commands[2].startswith("for S in crops/db crops/mail; do V=$(aws secretsmanager ")
    assert commands[3].startswith("for S in /crops/key; do V=$(aws ssm ")
    assert f'"{NEW}"' in commands[4]
    assert "--name /lightgate/apps/crops " in commands[5]
    assert commands[6] == START


def test_the_restore_input_survives_json() -> None:
    for original in (*ORIGINALS.values(), None):
        noted = restore_input(original)
        assert encode(decode(RestoreInput, encode(noted))) == encode(noted)


def test_only_the_names_of_secrets_are_noted() -> None:
    spec = parse_spec(
        json.dumps(spec_document(secrets={"DATABASE_URL": "secretsmanager:crops/db:url"}))
    )

    assert secrets_of(spec) == {"secretsmanager": ["crops/db"], "ssm": []}


def test_a_restore_names_the_snapshot_or_the_moment() -> None:
    snapshot = restore(DatabaseKind.INSTANCE, "snapshot", None)
    moment = restore(DatabaseKind.INSTANCE, "moment", None)

    assert "--db-snapshot-identifier lightgate-crops-1" in snapshot[0]
    assert "--restore-time 2026-11-22T15:41:06Z" in moment[0]


def test_only_a_lightsail_database_is_usually_left_alone_when_nothing_is_pending() -> None:
    assert {kind: kind.usual_mode for kind in DatabaseKind} == {
        DatabaseKind.INSTANCE: BackupMode.ALWAYS,
        DatabaseKind.CLUSTER: BackupMode.ALWAYS,
        DatabaseKind.LIGHTSAIL: BackupMode.WHEN_PENDING,
    }
