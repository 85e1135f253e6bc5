from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate.programs import Runner, free_port
from tests.gate.servers import running_mariadb
from tests.local.fixtures import database, database_server

__all__ = ["database", "database_server"]


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def mariadb_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_mariadb(tmp_path_factory.mktemp("mariadb") / "server", free_port()) as socket:
        yield socket
