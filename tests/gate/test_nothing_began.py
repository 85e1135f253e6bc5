"""A command that fails before its first migration leaves the database unchanged, and says so."""

import json

import pytest

from lightgate.gate.report_reader import read_gate_report
from tests.gate.programs import RELEASE, Program, Runner
from tests.gate.projects import HALF, Project, Rows

CHECK = """
    import os
    from django.core import checks
    @checks.register()
    def broken(**_):
        {0}
    """
FAILS = CHECK.format('return [checks.Error("no mail server is set")]')
KILLED = CHECK.format("os.kill(os.getpid(), 9)")
# Changes rows, and cannot be undone as a whole.
FILL = "migrations.RunPython(lambda apps, editor: {})"


def failed_with(gate: Program) -> str:
    gate.event("failed")
    lines = [json.dumps(one) for one in gate.events]
    report = read_gate_report(RELEASE, {"migrate": lines})
    assert report.failure is not None
    assert (report.failure.database == "unchanged") == (report.changed is False)
    return f"{report.failure.cause}, {report.failure.database}"


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    ("models", "more", "end"),
    [
        (FAILS, [], "exit, unchanged"),
        (FAILS, ["--verbosity", "0"], "exit, not known"),
        (KILLED, [], "signal, unchanged"),
        ("", ["--no-such-option"], "arguments, unchanged"),
    ],
    ids=["a check fails", "it prints nothing", "killed by a check", "a wrong option"],
)
def test_a_command_that_came_to_no_migration_has_changed_nothing(
    runner: Runner, crops: Project, rows: Rows, models: str, more: list[str], end: str
) -> None:
    rows.begin()
    crops.migration(FILL.format("None"), atomic=False)
    crops.write("crops/models.py", models)

    assert failed_with(crops.gate(runner, *more)) == end
    assert rows.applied() == ["0001_initial"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("before", ["", "print('x', end='', flush=True), "])
def test_a_migration_that_began_and_left_no_trace_may_have_changed_rows(
    runner: Runner, crops: Project, rows: Rows, before: str
) -> None:
    rows.begin()
    crops.migration(FILL.format(f"({before}1 / 0)"), atomic=False)
    crops.write(
        "crops/models.py",
        """
        from django.db.models.signals import pre_migrate
        def say(**_):
            print("no newline here", end="", flush=True)
        pre_migrate.connect(say)
        """,
    )

    assert failed_with(crops.gate(runner)) == "exit, not known"


def test_on_sqlite_a_command_that_came_to_no_migration_has_changed_nothing(
    runner: Runner, crops: Project
) -> None:
    crops.database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}
    crops.migration(FILL.format("None"), atomic=False)
    crops.write("crops/models.py", FAILS)

    assert failed_with(crops.gate(runner)) == "exit, unchanged"


@pytest.mark.parametrize("silent", ["callback", "filter", "stdout"])
def test_without_djangos_own_lines_nothing_shows_that_no_migration_began(
    runner: Runner, crops: Project, rows: Rows, silent: str
) -> None:
    rows.begin()
    crops.migration(FILL.format("1 / 0"), atomic=False)
    if silent == "callback":
        crops.own_migrate("    def migration_progress_callback(self, *a, **k):\n        pass\n")
    elif silent == "filter":
        crops.own_migrate(
            "    from django.core.management.base import OutputWrapper\n\n"
            "    class Filter(OutputWrapper):\n        def write(self, *a, **k):\n"
            "            pass\n\n"
            "    def __init__(self, *a, **k):\n        super().__init__(*a, **k)\n"
            "        self.stdout = self.Filter(self.stdout._out)\n"
        )
    else:
        with (crops.directory / "settings.py").open("a") as settings:
            settings.write("\nimport sys\nsys.stdout = open('log', 'a')\n")

    assert failed_with(crops.gate(runner)) == "exit, not known"


@pytest.mark.parametrize("by", ["a command of before", "a handler of pre_migrate"])
def test_rows_that_were_changed_before_migrate_are_not_said_to_be_unchanged(
    runner: Runner, crops: Project, rows: Rows, by: str
) -> None:
    rows.begin()
    crops.migration(HALF)
    is_handler = by == "a handler of pre_migrate"
    if is_handler:
        crops.write("crops/models.py", "from django.db.models.signals import pre_migrate\n"
                    "def count(**_):\n    print('rows')\npre_migrate.connect(count)\n")  # fmt: skip

    before = [] if is_handler else [["true"]]
    failed = crops.gate(runner, before=before).event("failed")

    assert (failed["database"], failed["rows"]) == ("unchanged", "not known")


def test_a_command_that_only_checks_leaves_the_rows_known(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(HALF)

    before = [["true", "manage.py", "makemigrations", "--check"]]
    failed = crops.gate(runner, before=before).event("failed")

    assert (failed["database"], failed.get("rows")) == ("unchanged", None)
