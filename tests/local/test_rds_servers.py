"""Snapshots and restores of an RDS instance that has a real PostgreSQL."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from local.cloud.account import create_database_record
from local.cloud.clients import client_for
from local.cloud.engine import running_engine
from local.cloud.postgres import Database, copy_data, running_database, running_server
from local.cloud.processes import LOOPBACK, Process, Program, free_port
from tests.local.conftest import REPOSITORY_ROOT
from tests.local.waiting import eventually

INSTANCE = "crops-db"
TAGS = [{"Key": "lightgate:rehearsal", "Value": "r1"}]


def rows(database: Database) -> int:
    with psycopg.connect(database.url) as connection:
        [count] = connection.execute("SELECT count(*) FROM crop").fetchone() or [0]
    return int(count)


def grow(database: Database, count: int) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS crop (name text)")
        connection.execute("INSERT INTO crop SELECT 'rye' FROM generate_series(1, %s)", [count])


def test_a_copy_has_the_data_of_its_moment_while_others_write(tmp_path: Path) -> None:
    with running_database(tmp_path / "data", tmp_path) as database:
        grow(database, 50_000)
        began = time.monotonic()
        copy_data(database, tmp_path / "data", tmp_path / "copy")
        took = time.monotonic() - began
        grow(database, 7)
        logs = tmp_path / "logs"
        logs.mkdir()
        other = replace(database, port=free_port())
        with running_server(other, tmp_path / "copy", logs):
            assert rows(other) == 50_000
            grow(other, 1)
        assert rows(database) == 50_007
    assert took < 5


@dataclass(frozen=True, slots=True)
class World:
    rds: Any
    database: Database
    directory: Path
    ports: list[int]

    def snapshot(self, name: str) -> None:
        self.rds.create_db_snapshot(DBInstanceIdentifier=INSTANCE, DBSnapshotIdentifier=name)
        eventually(lambda: self.status_of(name) == "available")

    def status_of(self, snapshot: str) -> str:
        [found] = self.rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
        return str(found["Status"])

    def restore(self, name: str, snapshot: str, **more: Any) -> Any:
        return self.rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot, **more
        )["DBInstance"]

    def instance(self, name: str) -> Any:
        [found] = self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        return found

    def server_of(self, name: str) -> Database:
        eventually(lambda: self.instance(name)["DBInstanceStatus"] == "available")
        endpoint = self.instance(name)["Endpoint"]
        assert endpoint["Address"] == LOOPBACK
        return replace(self.database, port=endpoint["Port"])

    def delete(self, name: str) -> None:
        self.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An account whose instance has a real server, and room for two restored ones."""
    directory = tmp_path_factory.mktemp("rds")
    gateway, ports = free_port(), [free_port(), free_port()]
    with (
        running_database(directory / "database", directory) as database,
        running_engine(
            port=free_port(),
            public_url=f"http://{LOOPBACK}:{gateway}",
            wait_scale=0.01,
            directory=directory / "engine",
            logs=directory,
        ) as engine,
        Process(
            Program(
                name="gateway",
                argv=[
                    *(sys.executable, "-m", "local.cloud.gateway", "--port", str(gateway)),
                    *("--engine", engine, "--lightsail", engine),
                    *("--snapshot-seconds", "0.3", "--restore-seconds", "0.3"),
                    *("--database-port", str(database.port)),
                    *("--database-data", str(directory / "database")),
                    *("--restored-data", str(directory / "restored")),
                    *(word for port in ports for word in ("--restored-port", str(port))),
                ],
                environment={"PATH": os.environ["PATH"]},
                directory=REPOSITORY_ROOT,
            ),
            directory,
        ) as process,
    ):
        endpoint = json.loads(process.first_line(timedelta(seconds=30)))["endpoint"]
        rds = client_for("rds", endpoint)
        create_database_record(rds, INSTANCE, database.port, database.password)
        yield World(rds, database, directory / "restored", ports)


def test_a_restored_instance_has_the_data_of_its_snapshot(world: World) -> None:
    grow(world.database, 10)
    before = rows(world.database)
    world.snapshot("as-of-ten")
    grow(world.database, 5)

    begun = world.restore("restored", "as-of-ten", PubliclyAccessible=False, Tags=TAGS)
    assert begun["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in begun
    server = world.server_of("restored")

    assert rows(server) == before
    grow(server, 100)
    assert rows(world.database) == before + 5
    shown = world.instance("restored")
    assert (shown["PubliclyAccessible"], shown["TagList"]) == (False, TAGS)

    world.delete("restored")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)
    with pytest.raises(world.rds.exceptions.DBInstanceNotFoundFault):
        world.instance("restored")
    world.rds.delete_db_snapshot(DBSnapshotIdentifier="as-of-ten")
    left = [one for one in world.directory.rglob("*") if one.name != "snapshots"]
    assert left == []


def test_what_rds_refuses_of_a_restore_is_refused(world: World) -> None:
    grow(world.database, 1)
    world.rds.create_db_snapshot(DBInstanceIdentifier=INSTANCE, DBSnapshotIdentifier="refused")
    with pytest.raises(ClientError) as error:
        world.restore("too-early", "refused")
    assert error.value.response["Error"]["Code"] == "InvalidDBSnapshotState"
    eventually(lambda: world.status_of("refused") == "available")

    for name, snapshot, code in [
        ("a--b", "refused", "InvalidParameterValue"),
        ("x" * 64, "refused", "InvalidParameterValue"),
        (INSTANCE, "refused", "DBInstanceAlreadyExists"),
        ("other", "nothing", "DBSnapshotNotFound"),
    ]:
        with pytest.raises(ClientError) as error:
            world.restore(name, snapshot)
        assert error.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required"):
        world.rds.delete_db_instance(DBInstanceIdentifier=INSTANCE)

    world.restore("protected", "refused", DeletionProtection=True)
    # In the default VPC an instance is public unless the call says otherwise.
    assert world.instance("protected")["PubliclyAccessible"]
    world.server_of("protected")
    with pytest.raises(ClientError, match="DeletionProtection"):
        world.delete("protected")
    world.restore("second", "refused")
    with pytest.raises(world.rds.exceptions.InvalidDBInstanceStateFault):
        world.delete("second")
    with pytest.raises(world.rds.exceptions.InstanceQuotaExceededFault):
        world.restore("third", "refused")
    world.rds.modify_db_instance(DBInstanceIdentifier="protected", DeletionProtection=False)
    world.delete("protected")
    world.server_of("second")
    world.delete("second")


def test_an_instance_without_a_server_stays_a_record(world: World) -> None:
    create_database_record(world.rds, "record-db", 5432, "of-the-tests")
    world.rds.create_db_snapshot(DBInstanceIdentifier="record-db", DBSnapshotIdentifier="of-record")
    eventually(lambda: world.status_of("of-record") == "available")

    world.restore("of-a-record", "of-record")

    assert world.instance("of-a-record")["DBInstanceStatus"] == "available"
    assert not (world.directory / "snapshots" / "of-record").exists()
    world.delete("of-a-record")
