"""The commands that people are given must be right the first time, and never overwrite anything."""

import re
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

import botocore.session
import pytest
from botocore import xform_name

from lightgate.backup import BackupMode, DatabaseKind
from lightgate.restore import restore_from_snapshot, restore_to_moment, restored_name

RELEASE = "20261122t154106z-87ae2d53-5d93"
MOMENT = datetime(2026, 11, 22, 15, 41, 6, tzinfo=UTC)
NEW = "crops-db-restored-20261122t154106z"
SESSION = botocore.session.get_session()


def all_commands() -> list[str]:
    return [
        command
        for kind in DatabaseKind
        for commands in (
            restore_from_snapshot(kind, "crops-db", RELEASE, "lightgate-crops-1"),
            restore_to_moment(kind, "crops-db", RELEASE, MOMENT),
        )
        for command in commands
    ]


@pytest.mark.parametrize("command", all_commands())
def test_a_command_is_one_that_the_cli_knows(command: str) -> None:
    inner = re.findall(r"\$\((.*?)\)", command)
    outer = re.sub(r"\$\(.*?\)", "VALUE", command)

    for one in (outer, *inner):
        check(shlex.split(one))


def check(words: Sequence[str]) -> None:
    program, service, name, *options = words
    assert program == "aws"
    model = SESSION.get_service_model(service)
    operation = next(
        model.operation_model(one) for one in model.operation_names if xform_name(one, "-") == name
    )
    given = {word.removeprefix("--") for word in options if word.startswith("--")}
    known = {xform_name(member, "-"): member for member in operation.input_shape.members}
    assert given - {"query", "output"} <= known.keys()
    assert set(operation.input_shape.required_members) <= {known[o] for o in given & known.keys()}


@pytest.mark.parametrize("command", all_commands())
def test_a_restore_makes_a_new_database(command: str) -> None:
    targets = re.findall(
        r"--(?:target-)?(?:db-instance-identifier|db-cluster-identifier|relational-database-name) "
        r"(\S+)",
        re.sub(r"\$\(.*?\)", "VALUE", command),
    )

    assert targets
    assert all(target.startswith(NEW) for target in targets)


def test_the_new_name_fits_whatever_the_old_one_is() -> None:
    for length in range(1, 64):
        new = restored_name("x" * (length - 1) + "-", RELEASE)
        assert re.fullmatch(r"[a-z](-?[a-z0-9])*", new) or length == 1
        assert len(f"{new}-1") <= 63


def test_a_restore_names_the_snapshot_or_the_moment() -> None:
    for command in restore_from_snapshot(DatabaseKind.INSTANCE, "d", RELEASE, "lightgate-x"):
        assert "--db-snapshot-identifier lightgate-x" in command
    for command in restore_to_moment(DatabaseKind.INSTANCE, "d", RELEASE, MOMENT):
        assert "--restore-time 2026-11-22T15:41:06Z" in command


def test_only_a_lightsail_database_is_usually_left_alone_when_nothing_is_pending() -> None:
    assert {kind: kind.usual_mode for kind in DatabaseKind} == {
        DatabaseKind.INSTANCE: BackupMode.ALWAYS,
        DatabaseKind.CLUSTER: BackupMode.ALWAYS,
        DatabaseKind.LIGHTSAIL: BackupMode.WHEN_PENDING,
    }
