from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from local.cloud.postgres import Database
from tests.crops.releases import Release
from tests.local.fixtures import create_database, database, database_server

__all__ = ["database", "database_server"]


@pytest.fixture(scope="session")
def database_of_v2(database_server: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A database that v2 has migrated, to be copied."""
    migrated = create_database(replace(database_server, name="of_v2"))
    Release("v2", tmp_path_factory.mktemp("v2"), migrated.url).migrate()
    return migrated


@pytest.fixture
def v2(database_of_v2: Database, database: Database, tmp_path: Path) -> Release:
    """The release before, with its schema in the database."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(database.name)))
    create_database(database, template=database_of_v2.name)
    return Release("v2", tmp_path, database.url)
