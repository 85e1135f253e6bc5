"""The helper in older Pythons and Djangos, and with the older driver."""

from pathlib import Path

import pytest

from local.cloud.postgres import Database
from tests.gate.environments import interpreter
from tests.gate.programs import Runner
from tests.gate.projects import ADD_COLOUR, CREATE, HALF, REMOVE_NAME, Project, Rows, postgres

pytestmark = pytest.mark.slow
MATRIX = [
    ("3.8", "4.2", "psycopg2-binary"),
    ("3.9", "4.2", "psycopg[binary]"),
    ("3.10", "5.1", "psycopg2-binary"),
    ("3.11", "5.2", "psycopg[binary]"),
    ("3.12", "5.2", "psycopg2-binary"),
    ("3.12", "6.0", "psycopg[binary]"),
    ("3.13", "6.1", "psycopg2-binary"),
]


@pytest.mark.parametrize("versions", MATRIX, ids=lambda versions: "-".join(versions))
def test_the_whole_way_with_other_versions(
    runner: Runner, database: Database, rows: Rows, tmp_path: Path, versions: tuple[str, ...]
) -> None:
    project = Project(tmp_path / "app", postgres(database), interpreter(*versions))
    project.migration(CREATE, name="initial")
    project.migration(ADD_COLOUR)
    first = project.gate(runner)
    assert first.event("succeeded")["schema"] == ["crops.0002_change"]
    assert first.event("locked")["lockTimeout"]["seconds"] == 2
    assert project.gate(runner, command=["false"]).event("succeeded")["migrations"] == []
    project.migration(REMOVE_NAME)
    blocked = project.gate(runner, release="r2", django={"policy": "block"})
    assert blocked.event("failed")["cause"] == "refused"
    project.migration(HALF, atomic=False)
    failed = project.gate(runner, release="r3").event("failed")
    assert failed["error"] == "django.db.utils.DataError: division by zero"
    assert failed["database"] == "part-way"
    assert project.gate(runner, release="r3").event("failed")["cause"] == "attempt"
    assert [state for _, state, _ in rows.attempts()] == ["succeeded", "failed"]
    for number in ("0003", "0004"):
        (project.directory / f"crops/migrations/{number}_change.py").unlink()
    project.environment = {"LIGHTGATE_ROLLBACK": "checked", "LIGHTGATE_RELEASE": "r1-back"}
    back = project.gate(runner).event("failed")
    assert back["error"].startswith("crops.0003_change (breaking) was applied since; crops.0004")
    project.environment["LIGHTGATE_ROLLBACK"] = "unchecked"
    assert project.gate(runner).event("succeeded")["release"] == "r1-back"
