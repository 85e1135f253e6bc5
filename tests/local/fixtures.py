"""What several folders of tests share: a database server, and a fresh database in it."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from local.cloud.postgres import Database, running_database


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    directory = tmp_path_factory.mktemp("database")
    with running_database(directory / "data", directory) as server:
        yield server


@pytest.fixture
def database(database_server: Database) -> Database:
    """An empty database of its own for each test."""
    name = f"test_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} OWNER {} STRATEGY = file_copy")
    with psycopg.connect(database_server.superuser_url, autocommit=True) as connection:
        owner = sql.Identifier(database_server.user)
        connection.execute(create.format(sql.Identifier(name), owner))
    return replace(database_server, name=name)
