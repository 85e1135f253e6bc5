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
    return create_database(replace(database_server, name=f"test_{uuid4().hex}"))


def create_database(database: Database, template: str = "template1") -> Database:
    """Create the database on its server: empty, or as a copy."""
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY = file_copy")
    names = map(sql.Identifier, (database.name, database.user, template))
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(create.format(*names))
    return database
