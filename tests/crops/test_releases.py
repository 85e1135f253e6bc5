"""The example app's releases, on a real PostgreSQL."""

from pathlib import Path

import psycopg
import pytest

from local.cloud.postgres import Database
from local.demo.crops import RELEASES
from tests.crops.releases import Release

INSERT_OF_V1 = """
    INSERT INTO harvests_harvest (crop, kilograms, harvested_on) VALUES ('wheat', 1, '2026-08-01')
"""


def columns(database: Database) -> set[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
    with psycopg.connect(database.url) as connection:
        return {name for (name,) in connection.execute(query, ["harvests_harvest"])}


def applied(database: Database) -> list[str]:
    query = "SELECT name FROM django_migrations WHERE app = 'harvests' ORDER BY id"
    with psycopg.connect(database.url) as connection:
        return [name for (name,) in connection.execute(query)]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", RELEASES)
def test_the_migrations_of_a_release_make_the_models_of_that_release(
    name: str, database: Database, tmp_path: Path
) -> None:
    completed = Release(name, tmp_path, database.url).manage(
        "makemigrations", "--check", "--dry-run"
    )

    assert completed.returncode == 0, completed.stdout


def test_v1_serves_what_is_in_the_database_and_adds_to_it(
    database: Database, tmp_path: Path
) -> None:
    v1 = Release("v1", tmp_path, database.url)
    v1.migrate()

    with v1.serving() as site:
        before = site.get()
        added = site.post(crop="barley", kilograms=7, harvested_on="2026-07-01")
        after = site.get()
        healthy = site.get("/healthz")

    assert (before.status, before.release) == (200, "v1")
    assert added.status == 201
    assert after.content["count"] == before.content["count"] + 1
    assert after.content["latest"][0] == added.content["added"]
    assert healthy.status == 200


def test_an_app_without_its_database_is_not_healthy(database: Database, tmp_path: Path) -> None:
    nowhere = database.url.replace(str(database.port), "1")

    with Release("v1", tmp_path, nowhere).serving() as site:
        assert site.get("/healthz").status == 503


def test_v2_fills_the_season_of_the_rows_that_were_there(
    database: Database, tmp_path: Path
) -> None:
    Release("v1", tmp_path, database.url).migrate()
    v2 = Release("v2", tmp_path, database.url)
    v2.migrate()

    with psycopg.connect(database.url) as connection:
        query = "SELECT crop, season FROM harvests_harvest ORDER BY id"
        stored = connection.execute(query).fetchall()
    with v2.serving() as site:
        added = site.post(harvested_on="2026-04-02").content["added"]

    assert stored[0] == ("wheat", "summer")
    assert all(season for _, season in stored)
    assert added["season"] == "spring"


def test_v1_goes_on_reading_and_writing_on_the_schema_of_v2(
    v2: Release, database: Database, tmp_path: Path
) -> None:
    v1 = Release("v1", tmp_path, database.url)

    with v1.serving() as site:
        added = site.post(harvested_on="2026-12-24")
        read = site.get()
    with v2.serving() as site:
        latest = site.get().content["latest"][0]

    assert (added.status, read.status) == (201, 200)
    assert latest == added.content["added"] | {"season": "winter"}


def test_v3_fails_half_way_and_leaves_the_schema_of_v2(
    v2: Release, database: Database, tmp_path: Path
) -> None:
    v3 = Release("v3", tmp_path, database.url)
    schema = columns(database)

    completed = v3.manage("migrate", "--noinput")

    assert completed.returncode != 0
    assert 'could not create unique index "one_harvest_a_day"' in completed.stderr
    assert columns(database) == schema
    assert applied(database)[-1] == "0005_tidy_crops"
    with psycopg.connect(database.url) as connection:
        connection.execute(INSERT_OF_V1)
    with v2.serving() as site:
        assert site.get().status == 200
        assert site.post().status == 201


def test_the_column_of_v3_was_there_before_its_migration_failed(
    database: Database, tmp_path: Path
) -> None:
    v3 = Release("v3", tmp_path, database.url)

    planned = v3.manage("sqlmigrate", "harvests", "0006_one_harvest_a_day").stdout

    assert planned.index('ADD COLUMN "field"') < planned.index("one_harvest_a_day")
