"""A unique rule that rows break: the message names table and columns, and finds the rows."""

import json

import pytest

from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.report_reader import read_gate_report
from tests.support.failed_release import symptoms
from tests.support.printed import diagnose_command

BETWEEN = "The above exception was the direct cause of the following exception:"
TRACEBACK = "Traceback (most recent call last):"


def postgresql(error: str, detail: str) -> list[str]:
    return [
        "  Applying crops.0003_change...Traceback (most recent call last):",
        f"psycopg.errors.UniqueViolation: {error}",
        f"DETAIL:  {detail}",
        "",
        BETWEEN,
        "",
        TRACEBACK,
        f"django.db.utils.IntegrityError: {error}",
        f"DETAIL:  {detail}",
        "",
    ]


def mysql(value: str, key: str) -> list[str]:
    error = f"(1062, \"Duplicate entry '{value}' for key '{key}'\")"
    return [
        TRACEBACK,
        f"MySQLdb.IntegrityError: {error}",
        "",
        BETWEEN,
        "",
        TRACEBACK,
        f"django.db.utils.IntegrityError: {error}",
    ]


def explained(lines: list[str]) -> Diagnosis:
    return diagnose_command(lines, migration="crops.0003_change")


@pytest.mark.parametrize(
    ("index", "columns", "table"),
    [
        ("crops_crop_name_key", "name", '"crops_crop"'),
        ("crops_crop_name_day_1f2e3d4c_uniq", "name, day", '"crops_crop"'),
        ("crops_Crop_name_key", "name", '"crops_Crop"'),
        ("once", "name, lower(kind::text)", "TABLE"),
    ],
)
def test_postgresql_names_the_columns_and_its_index_often_the_table(
    index: str, columns: str, table: str
) -> None:
    found = explained(
        postgresql(
            f'could not create unique index "{index}"',
            f"Key ({columns})=(a secret, and (b)) is duplicated.",
        )
    )

    assert f"the same {columns}" in found.what
    query = f"{columns}, count(*) FROM {table} GROUP BY {columns} HAVING count(*) > 1"
    assert f"SELECT {query}" in found.next_action
    assert ("sqlmigrate crops 0003_change" in found.next_action) == (table == "TABLE")
    assert "a secret" not in found.what + found.next_action


def test_without_its_detail_the_command_that_shows_the_columns_is_named() -> None:
    found = explained(
        [TRACEBACK, 'django.db.utils.IntegrityError: could not create unique index "once"']
    )

    assert "Rows of a table have the same values in the columns of once." in found.what
    assert "SELECT COLUMNS, count(*) FROM TABLE GROUP BY COLUMNS" in found.next_action
    assert "python manage.py sqlmigrate crops 0003_change shows" in found.next_action


@pytest.mark.parametrize(
    ("key", "columns", "table"),
    [
        ("crops_crop.crops_crop_name_1f2e3d4c_uniq", "name", "`crops_crop`"),
        ("crops_crop.slug", "slug", "`crops_crop`"),
        ("crops_crop.crops_crop_farm_id_name_1f2e3d4c_uniq", "COLUMNS", "`crops_crop`"),
        ("slug", "COLUMNS", "TABLE"),
        ("once", "COLUMNS", "TABLE"),
    ],
)
def test_mysql_and_mariadb_name_what_their_key_shows(key: str, columns: str, table: str) -> None:
    found = explained(mysql("it's a secret", key))

    assert key.rpartition(".")[2] in found.what
    assert f"{columns}, count(*) FROM {table} GROUP BY {columns}" in found.next_action
    assert "secret" not in found.what + found.next_action


RELEASE = "20261116t015434z-7f5b2640-0c1d"


def planned(*operations: list[str]) -> Diagnosis:
    """Of a migration with these operations, whose rows have the same name."""
    who = {"lightgate": 1, "release": RELEASE, "container": "migrate"}
    error = 'django.db.utils.IntegrityError: could not create unique index "once"'
    plan = {"name": "crops.0003_change", "class": "breaking", "operations": operations}
    other = {"name": "farms.0002", "operations": [["breaking", "AddField", "farm.name"]]}
    events = [
        {"event": "plan", "hash": "1", "count": 2, "migrations": [other, plan]},
        {
            "event": "failed",
            "cause": "exit",
            "error": error,
            "exitCode": 1,
            "migration": "crops.0003_change",
            "lastLines": [TRACEBACK, error, "DETAIL:  Key (name)=(x) is duplicated."],
        },
    ]
    lines = [json.dumps({**who, "at": "2026-11-16T01:56:02Z", **event}) for event in events]
    return diagnose(symptoms(evidence=read_gate_report(RELEASE, {"migrate": lines}), logs={}))


def test_the_plan_names_the_model_where_the_index_shows_no_table() -> None:
    found = planned(["breaking", "AddConstraint", "crop"], ["compatible", "AddField", "crop.kind"])

    assert "Rows of crops_crop have the same name" in found.what
    assert 'FROM "crops_crop"' in found.next_action
    assert "unless the model crop has another db_table" in found.next_action


def test_a_plan_with_several_models_names_none() -> None:
    found = planned(["breaking", "AddConstraint", "crop"], ["data", "RunPython"])

    assert "Rows of a table have the same name" in found.what
    assert "sqlmigrate crops 0003_change shows TABLE" in found.next_action


@pytest.mark.parametrize("field", ["name", "nam"])
def test_a_new_unique_column_with_one_default_is_told_how_to_fill_it(field: str) -> None:
    found = planned(["breaking", "AddField", f"crop.{field}"])

    is_new = field == "name"
    assert ("gives each of them the same value" in found.what) == is_new
    assert ("null=True" in found.next_action) == is_new
    assert ("SELECT" in found.next_action) != is_new


def test_no_line_of_the_app_puts_a_statement_into_the_query() -> None:
    found = explained(
        postgresql(
            'could not create unique index "once"',
            "Key (name; DROP TABLE crops_crop; --)=(x) is duplicated.",
        )
    )

    assert "DROP" not in found.next_action


def test_a_row_that_a_migration_writes_twice_is_not_told_as_a_unique_rule() -> None:
    found = explained(
        postgresql(
            'duplicate key value violates unique constraint "crops_crop_name_key"',
            "Key (name)=(secret) already exists.",
        )
    )

    assert "writes a row whose name another row has already" in found.what
    assert "crops_crop_name_key" in found.what
    assert "secret" not in found.what + found.next_action


def test_a_sequence_that_is_behind_its_rows_gets_the_command_that_corrects_it() -> None:
    found = explained(
        postgresql(
            'duplicate key value violates unique constraint "crops_crop_pkey"',
            "Key (id)=(5) already exists.",
        )
    )

    assert "sqlsequencereset crops" in found.next_action
