"""The gate of a Django app: it reads the plan first, and does only what is to be done."""

import json
import sys
import time
from pathlib import Path

import pytest

from lightgate.migrations.compatibility import Verdict, judge_plan
from lightgate.migrations.plan import read_plan
from tests.gate.programs import Runner, eventually, resident_kilobytes
from tests.gate.projects import ADD_COLOUR, HALF, REMOVE_NAME, Project, Rows


def test_what_is_pending_is_applied_once_and_on_record(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    crops.migration(ADD_COLOUR)
    migrate = crops.gate(runner)
    done = migrate.event("succeeded")
    assert done["migrations"] == ["crops.0001_initial", "crops.0002_change"]
    assert done["schema"] == ["crops.0002_change"]
    assert rows.columns() == {"id", "name", "colour"}
    assert [(release, state) for release, state, _ in rows.attempts()] == [
        (done["release"], "succeeded")
    ]
    assert rows.locks() == 0


def test_an_empty_plan_runs_nothing_and_touches_nothing(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    again = crops.gate(runner, command=["false"])
    assert again.event("succeeded")["migrations"] == []
    assert again.named("applying") == []
    assert rows.tables() == {"crops_crop", "django_migrations"}


def test_the_output_of_an_app_while_its_plan_is_read_is_in_the_log(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    with (crops.directory / "settings.py").open("a") as settings:
        settings.write('\nprint("no mail server is set")\n')
    crops.environment["PYTHONUNBUFFERED"] = ""
    rows.begin()
    gate = crops.gate(runner)
    gate.event("succeeded")
    gate.says(b"no mail server is set\n")


def test_a_column_whose_type_is_a_domain_of_the_server_is_unknown(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    rows("create domain postcode as text not null")
    crops.write(
        "crops/fields.py",
        "from django.db import models\n\nclass Postcode(models.TextField):\n"
        "    def db_type(self, connection):\n        return 'postcode'\n",
    )
    column = '__import__("crops.fields").fields.Postcode(null=True)'
    name = crops.migration(f'migrations.AddField("crop", "postcode", {column})')

    gate = crops.gate(runner, django={"policy": "block"}, release="r2")

    assert gate.event("refused")["operations"] == [f"{name}: AddField crop.postcode type (unknown)"]


def test_a_blocked_plan_applies_nothing(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    name = crops.migration(REMOVE_NAME)
    migrate = crops.gate(runner, django={"policy": "block"}, release="r2")
    assert migrate.event("refused")["operations"] == [f"{name}: RemoveField crop.name (breaking)"]
    assert migrate.event("failed")["cause"] == "refused"
    assert rows.columns() == {"id", "name"}
    allowed = crops.gate(runner, django={"policy": "block", "allowDestructive": True}, release="r2")
    assert allowed.event("succeeded")["migrations"] == [name]
    assert allowed.event("plan")["allowDestructive"] is True


def test_a_plan_that_is_too_long_shows_the_dangers_first_and_counts_the_rest(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    for number in range(90):
        crops.migration(ADD_COLOUR.replace("colour", f"c{number}"), name="a_name_" * 6)
    danger = crops.migration(", ".join([REMOVE_NAME, *[ADD_COLOUR.replace("col", "x")] * 2]))

    gate = crops.gate(runner, django={"policy": "block"}, release="r2")

    told = gate.event("plan")
    assert gate.event("failed")["cause"] == "refused"
    assert told["migrations"][0]["name"] == danger
    assert told["migrations"][0]["operations"] == [["breaking", "RemoveField", "crop.name"]]
    assert told["migrations"][0]["omitted"] == 2
    assert (told["count"], told["class"]) == (91, "breaking")
    assert told["classes"] == {"breaking": 1, "compatible": 92}
    assert told["omitted"]["migrations"] == 91 - len(told["migrations"]) > 0
    plan = read_plan("r2", "migrate", [json.dumps(told)])
    assert plan is not None
    assert str(plan.cut).startswith(
        f"{len(told['migrations'])} of 91 pending migrations are listed"
    )
    assert judge_plan(plan).verdict is Verdict.ONE_WAY


def test_a_failure_reports_the_worst_class_of_what_was_applied(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    crops.migration(HALF)
    failed = crops.gate(runner).event("failed")
    assert (failed["database"], failed["effect"]) == ("part-way", "compatible")
    crops.migration(ADD_COLOUR.replace("colour", "shade"), name="never_reached")
    again = crops.gate(runner, release="r2").event("failed")
    assert (again["database"], again.get("effect")) == ("unchanged", None)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_with_nothing_to_do_it_opens_soon_and_leaves_no_helper(
    runner: Runner, crops: Project, rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    rows.begin()
    began = time.monotonic()
    gate = crops.gate(runner)
    gate.event("succeeded")
    took = time.monotonic() - began
    children = f"/proc/{gate.process.pid}/task/{gate.process.pid}/children"
    eventually(lambda: Path(children).read_text() == "", "the helper stays")
    size = resident_kilobytes(gate.process.pid)
    with capsys.disabled():
        print(f"\nnothing to migrate: open after {took:.2f} s; then {size} kB resident")
    # Python with the modules of the gate has 12 MB; each of five containers may have 32.
    assert size <= 17 * 1024
