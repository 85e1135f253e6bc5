"""Where a project starts in another way for `migrate`, the plan is that of `migrate`."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from local.cloud.postgres import Database
from tests.gate.programs import Runner
from tests.gate.projects import Rows, postgres
from tests.local.fixtures import create_database
from tests.sites.gates import Ended, end_of, start
from tests.sites.sites import Site
from tests.sites.startups import STARTUPS, Startup
from tests.sites.table import record

pytestmark = pytest.mark.slow

VENV = Site(name="startups", package="Django", settings="")


@pytest.mark.parametrize("startup", STARTUPS, ids=lambda startup: startup.source.split(",")[0])
def test_plan_and_command_see_the_same_settings(
    runner: Runner, database: Database, tmp_path: Path, startup: Startup
) -> None:
    python = VENV.python()
    startup.write(tmp_path)
    other = create_database(replace(database, name=f"test_{uuid4().hex}"))
    databases = {"default": postgres(database), "other": postgres(other)}
    environment = {**startup.environment, "DATABASES": json.dumps(databases)}
    manage = ["python", "manage.py"]

    def release(name: str) -> Ended:
        gate = start(runner, name, python, manage, tmp_path, environment, *startup.options)
        return end_of(gate)

    first, again = release("r1"), release("r2")

    seen = set((tmp_path / "seen").read_text().splitlines())
    plan, applied = str(first.count), str(first.applied_count)
    pending = "nothing" if again.count == 0 else str(again.count)
    same = "the same" if len(seen) == 1 else f"{len(seen)} different ones"
    row = [startup.source, startup.decides, plan, applied, pending, same]
    record("startups", 1, [*row, f"{first.seconds:.1f}"])
    assert first.last["event"] == again.last["event"] == "succeeded", first.last
    assert sorted(first.planned) == first.applied == ["farm.0001_initial", "farm.0002_colour"]
    assert (again.count, again.applied) == (0, [])
    assert len(seen) == 1
    rows = Rows(database)
    assert "farm_crop" in rows.tables()
    rows.connection.close()
