from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud.postgres import Database
from tests.emulator.emulator import Emulator
from tests.emulator.fixtures import emulator, registry
from tests.emulator.registry import Registry
from tests.gate.distributors import Containers
from tests.gate.mailbox_server import Mailbox, running_mailbox
from tests.gate.programs import Runner
from tests.gate.projects import CREATE, Project, Rows, postgres
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
