"""What takes a plan back: the gate tells it, and following it undoes just that plan."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.gate.programs import Runner
from tests.gate.projects import ADD_COLOUR, HALF, HEAD, Project, Rows

CREATE_FARM = 'migrations.CreateModel("Farm", [("id", models.BigAutoField(primary_key=True))])'
NEXT = "20250303t000000z-1b2c3d4e-8f7e"


def adds(column: str) -> str:
    return ADD_COLOUR.replace("colour", column)


def migration(
    crops: Project, name: str, *after: str, operations: str = "", app: str = "crops"
) -> None:
    needed = [tuple(one.split(".")) for one in after]
    crops.write(f"{app}/__init__.py", "")
    crops.write(f"{app}/migrations/__init__.py", "")
    crops.write(
        f"{app}/migrations/{name}.py",
        f"{HEAD}class Migration(migrations.Migration):\n    dependencies = {needed}\n"
        f"    operations = [{operations}]\n",
    )


def follow(crops: Project, told: Any) -> None:
    """Call what the gate has told."""
    environment = {**os.environ, "DATABASES": json.dumps({"default": crops.database})}
    environment.update(crops.environment, PYTHONDONTWRITEBYTECODE="1")
    for call in told:
        subprocess.run(call, cwd=crops.directory, env=environment, check=True, capture_output=True)


def test_the_reversal_reverses_what_the_release_applied_and_no_more(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    crops.migration(ADD_COLOUR)
    crops.gate(runner).event("succeeded")
    before = rows.applied(), rows.columns()
    crops.migration(adds("size"))
    crops.migration(adds("weight"))
    gate = crops.gate(runner, release=NEXT)
    gate.event("succeeded")

    told = gate.event("plan")["takeBack"]
    follow(crops, told)

    assert told == [[*crops.manage, "migrate", "crops", "0002_change"]]
    assert (rows.applied(), rows.columns()) == before


def test_the_reversal_after_a_failure_reverses_the_part_that_was_applied(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    crops.migration(HALF.replace('"select 1 / 0"', '"select 1 / 0", "select 1"'))
    gate = crops.gate(runner)
    gate.event("failed")
    assert rows.columns() == {"id", "name", "colour"}

    follow(crops, gate.event("plan")["takeBack"])

    assert (rows.applied(), rows.columns()) == (["0001_initial"], {"id", "name"})


@pytest.mark.slow
def test_dependent_migrations_of_another_app_are_reversed_as_well(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    with (crops.directory / "settings.py").open("a") as settings:
        settings.write('\nINSTALLED_APPS += ["farms"]\n')
    rows.begin()
    migration(crops, "0002_colour", "crops.0001_initial", operations=ADD_COLOUR)
    migration(crops, "0001_farm", "crops.0002_colour", operations=CREATE_FARM, app="farms")
    migration(crops, "0003_size", "farms.0001_farm", "crops.0002_colour", operations=adds("size"))
    gate = crops.gate(runner)
    gate.event("succeeded")

    told = gate.event("plan")["takeBack"]
    follow(crops, told)

    assert told == [[*crops.manage, "migrate", "crops", "0001_initial"]]
    assert (rows.applied(), rows.columns()) == (["0001_initial"], {"id", "name"})
    assert "farms_farm" not in rows.tables()


@pytest.mark.slow
def test_apps_that_know_nothing_of_each_other_need_a_call_each(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    with (crops.directory / "settings.py").open("a") as settings:
        settings.write('\nINSTALLED_APPS += ["farms"]\n')
    rows.begin()
    crops.migration(ADD_COLOUR)  # as the second one
    crops.migration(adds("size"))
    migration(crops, "0001_farm", operations=CREATE_FARM, app="farms")
    gate = crops.gate(runner)
    gate.event("succeeded")

    told = gate.event("plan")["takeBack"]
    follow(crops, told)

    assert sorted(call[-2:] for call in told) == [["crops", "0001_initial"], ["farms", "zero"]]
    assert (rows.applied(), rows.columns()) == (["0001_initial"], {"id", "name"})


@pytest.mark.slow
def test_a_merge_is_not_reversed_if_earlier_migrations_would_be_too(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    migration(crops, "0002_a", "crops.0001_initial", operations=ADD_COLOUR)
    crops.gate(runner).event("succeeded")
    migration(crops, "0002_b", "crops.0001_initial", operations=adds("size"))
    migration(crops, "0003_merge", "crops.0002_a", "crops.0002_b")

    told = crops.gate(runner, release=NEXT).event("plan")["takeBack"]

    assert told == "crops.0002_b: migrate takes it back only with others"


@pytest.mark.slow
def test_behind_a_merge_the_name_is_given_in_full(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    migration(crops, "0002_a", "crops.0001_initial", operations=ADD_COLOUR)
    migration(crops, "0002_b", "crops.0001_initial", operations=adds("size"))
    migration(crops, "0003_merge", "crops.0002_a", "crops.0002_b")
    crops.gate(runner).event("succeeded")
    before = rows.applied(), rows.columns()
    migration(crops, "0004_next", "crops.0003_merge", operations=adds("weight"))
    gate = crops.gate(runner, release=NEXT)
    gate.event("succeeded")

    follow(crops, gate.event("plan")["takeBack"])

    assert (rows.applied(), rows.columns()) == before


@pytest.mark.slow
def test_a_name_that_begins_another_one_is_no_target_for_migrate(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    migration(crops, "0001_initial_again", "crops.0001_initial", operations=ADD_COLOUR)

    told = crops.gate(runner).event("plan")["takeBack"]

    assert told == "crops.0001_initial_again: migrate takes it back only with others"


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ("migrations.RunPython(lambda apps, editor: None)", "RunPython"),
        ('migrations.RunSQL("select 1")', "RunSQL"),
    ],
)
def test_one_irreversible_migration_makes_the_whole_plan_irreversible(
    runner: Runner, crops: Project, rows: Rows, operation: str, why: str
) -> None:
    rows.begin()
    crops.migration(operation)
    crops.migration(ADD_COLOUR)

    told = crops.gate(runner).event("plan")["takeBack"]

    assert told == f"crops.0002_change: {why} cannot be reversed for certain"


@pytest.mark.slow
def test_a_migration_that_is_only_recorded_as_applied_is_never_reversed(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    rows("drop table django_migrations")
    crops.migration(ADD_COLOUR)

    gate = crops.gate(runner, "--fake-initial")

    assert gate.event("succeeded")["migrations"] == ["crops.0002_change"]
    assert [one["migration"] for one in gate.named("applied")] == ["crops.0002_change"]
    assert gate.event("plan")["takeBack"].startswith("crops.0001_initial: it may be recorded")


@pytest.mark.slow
def test_a_faked_release_has_no_reversal(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)

    gate = crops.gate(runner, "--fake")

    assert gate.event("succeeded")["migrations"] == []
    assert gate.event("plan")["takeBack"].startswith("crops.0002_change: it may be recorded")


@pytest.mark.slow
def test_fake_initial_is_no_matter_where_nothing_initial_is_pending(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)

    told = crops.gate(runner, "--fake-initial").event("plan")["takeBack"]

    assert told == [[*crops.manage, "migrate", "crops", "0001_initial"]]


@pytest.mark.slow
def test_it_goes_by_the_commands_own_call_to_the_same_database_and_settings(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    crops.write("src/manage.py", (crops.directory / "manage.py").read_text())
    crops.write(
        "other.py", 'from settings import *\nDATABASES["analytics"] = DATABASES["default"]\n'
    )
    rows.begin()
    crops.migration(ADD_COLOUR)
    manage = ["env", crops.python, "src/manage.py"]
    options = ["--database", "analytics", "--settings", "other"]
    crops.environment["PYTHONPATH"] = str(crops.directory)
    gate = crops.gate(runner, command=[*manage, "migrate", *options], django={"manage": manage})
    gate.event("succeeded")

    told = gate.event("plan")["takeBack"]
    follow(crops, told)

    where = ["--settings=other", "--database=analytics"]
    assert told == [[*manage, "migrate", "crops", "0001_initial", *where]]
    assert rows.columns() == {"id", "name"}


@pytest.mark.slow
def test_hidden_arguments_may_fake_migrations(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    hidden = ["sh", "-c", f"{crops.python} manage.py migrate"]

    told = crops.gate(runner, command=hidden).event("plan")["takeBack"]

    assert told.startswith("crops.0002_change: it may be recorded")


@pytest.mark.slow
def test_what_has_no_room_in_the_event_is_left_out(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    many = "x" * 60
    for n in range(70):
        crops.migration(adds(f"d{n}"), name=many)

    plan = crops.gate(runner).event("plan")

    assert plan["count"] == 70
    assert "takeBack" not in plan
