from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from local.cloud.postgres import Database
from tests.emulator.emulator import Emulator
from tests.emulator.fixtures import emulator, registry
from tests.emulator.registry import Registry
from tests.gate.distributors import Containers
from tests.gate.mailbox_server import Mailbox, running_mailbox
from tests.gate.programs import Runner, free_port
from tests.gate.projects import CREATE, SETTINGS, Project, Rows, postgres
from tests.gate.servers import mariadb, running_mariadb
from tests.interpreters import any_python
from tests.local.fixtures import database, database_server

__all__ = ["any_python", "database", "database_server", "emulator", "registry"]


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with running_mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def crops(database: Database, tmp_path: Path) -> Project:
    """A project with one migration, on PostgreSQL."""
    project = Project(tmp_path / "app", postgres(database))
    project.migration(CREATE, name="initial")
    return project


@pytest.fixture(scope="session")
def mariadb_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def mariadb_socket(tmp_path_factory: pytest.TempPathFactory, mariadb_port: int) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("mariadb") / "server"
    with running_mariadb(directory, mariadb_port) as socket:
        mariadb(socket, "install soname 'metadata_lock_info'")
        mariadb(socket, "create user crops@'127.0.0.1' identified by 'crops'")
        yield socket


@pytest.fixture
def on_mariadb(mariadb_socket: Path, mariadb_port: int, tmp_path: Path) -> Project:
    """A project with one migration, as a user without other rights than on its database."""
    name = f"test_{uuid4().hex[:8]}"
    mariadb(mariadb_socket, f"create database {name}; grant all on {name}.* to crops@'127.0.0.1'")
    database = {
        "ENGINE": "django.db.backends.mysql",
        "NAME": name,
        "USER": "crops",
        "PASSWORD": "crops",
        "HOST": "127.0.0.1",
        "PORT": mariadb_port,
    }
    project = Project(tmp_path / "app", database)
    project.write(
        "settings.py",
        "import pymysql\npymysql.version_info = (2, 2, 8, 'final', 0)\n"
        "pymysql.install_as_MySQLdb()\n" + "\n".join(map(str.strip, SETTINGS.split("\n"))),
    )
    project.migration(CREATE, name="initial")
    return project


@pytest.fixture
def rows(database: Database) -> Iterator[Rows]:
    rows = Rows(database)
    yield rows
    rows.connection.close()


@pytest.fixture
def containers() -> Iterator[Containers]:
    containers = Containers()
    yield containers
    containers.close()


@pytest.fixture(scope="session")
def shared_emulator(registry: Registry) -> Iterator[Emulator]:
    # As long as a deployment takes on a busy machine, none is given up.
    with Emulator("--registry", registry.url, switches={"activation_limit": "18000"}) as running:
        yield running
