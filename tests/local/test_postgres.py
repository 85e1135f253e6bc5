"""The embedded PostgreSQL."""

from pathlib import Path

import psycopg
import pytest

from local.cloud.postgres import Database, running_database


def test_the_role_of_the_app_owns_its_database_and_is_no_superuser(
    database_server: Database,
) -> None:
    with psycopg.connect(database_server.url) as connection:
        row = connection.execute(
            "SELECT current_user, rolsuper, pg_get_userbyid(datdba) FROM pg_roles, pg_database"
            " WHERE rolname = current_user AND datname = current_database()"
        ).fetchone()

    assert row == ("crops", False, "crops")


def test_nobody_enters_without_the_password(database_server: Database) -> None:
    wrong = database_server.url.replace(f":{database_server.password}@", ":wrong@")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_the_server_is_gone_with_the_block_although_a_client_is_connected(tmp_path: Path) -> None:
    with running_database(tmp_path / "data", tmp_path) as database:
        client = psycopg.connect(database.url)

    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")
    client.close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database.url)
