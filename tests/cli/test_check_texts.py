"""The texts of `lightgate check`: lines of migrations, tables and annotations."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lightgate.migrations.plan import Operation
from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect
from lightgate_cli.check.annotations import annotation
from lightgate_cli.check.judged import Judged, Migration
from lightgate_cli.check.lines import do_the_same, line_of
from lightgate_cli.check.table import lines

MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = []
    operations = [
        migrations.RunSQL("select 1"),
        migrations.RunSQL(
            "select 2"
        ),
    ]
"""
COMPUTED = "class Migration:\n    operations = [*range(2)]\n"


@pytest.mark.parametrize(
    ("source", "operation", "count", "line"),
    [
        (MIGRATION, 0, 2, 7),
        (MIGRATION, 1, 2, 8),
        (MIGRATION, None, 2, 4),
        (MIGRATION, 1, 3, 4),
        (COMPUTED, 1, 2, 1),
        ("x = 1\n", 0, 1, 1),
        ("class Migration:\n  (\n", 0, 1, 1),
        ("\0", 0, 1, 1),
    ],
)
def test_an_operation_has_its_line_or_that_of_its_class(
    source: str, operation: int | None, count: int, line: int
) -> None:
    assert line_of(source, operation, count) == line


@pytest.mark.parametrize(
    ("before", "now", "is_same"),
    [
        (MIGRATION, MIGRATION.replace("\n        ", " "), True),
        (MIGRATION, '"""Why."""\n' + MIGRATION + "    # a comment\n", True),
        (MIGRATION, MIGRATION + '    lightgate = "compatible: x"\n', True),
        (MIGRATION + "    replaces = [('crops', '0001')]\n", MIGRATION, True),
        (MIGRATION, MIGRATION.replace("select 2", "select 3"), False),
        (MIGRATION, MIGRATION + "    atomic = False\n", False),
        ("class (", "class (", True),
        ("class (", "class )", False),
    ],
)
def test_a_migration_is_changed_only_if_it_does_something_else(
    before: str, now: str, is_same: bool
) -> None:
    assert do_the_same(before, now) is is_same


def migration(effect: Effect, operations: Sequence[Operation] = (), **more: str) -> Migration:
    return Migration(
        name=more.get("name", "crops.0002_change"),
        effect=effect,
        file=Path(more.get("file", "/repo/crops/migrations/0002_change.py")),
        line=7,
        operations=operations,
        declared=more.get("declared"),
    )


def operation(effect: Effect, kind: str, target: str) -> Operation:
    return Operation(migration="crops.0002_change", kind=kind, effect=effect, target=target)


def test_an_annotation_has_no_character_that_means_something_to_github() -> None:
    odd = operation(Effect.BREAKING, "RemoveField", "crop.100%")
    file = "/repo/a,b:c/0002_change.py"

    assert annotation(
        migration(Effect.BREAKING, [odd, odd], file=file), DEFAULT_AUTOMATIC, Path("/repo")
    ) == (
        "::error file=a%2Cb%3Ac/0002_change.py,line=7,title=crops.0002_change is breaking::"
        "crops.0002_change: RemoveField crop.100%25: the previous version still uses it, and its "
        "queries fail without it.%0Acrops.0002_change: RemoveField crop.100%25: the previous "
        "version still uses it, and its queries fail without it."
    )


def test_a_file_outside_of_the_repository_is_not_in_the_annotation() -> None:
    drop = [operation(Effect.DATA, "RunPython", "")]

    for top in (None, Path("/elsewhere")):
        found = annotation(migration(Effect.DATA, drop), (Effect.DATA,), top)
        assert found is not None
        assert found.startswith("::warning title=crops.0002_change is data::crops.0002_change: Run")


def test_what_is_compatible_has_no_annotation() -> None:
    assert annotation(migration(Effect.COMPATIBLE), (), Path("/repo")) is None


def judged(*migrations: Migration) -> Judged:
    return Judged(server="SQLite", django="5.2", is_djangos=True, migrations=migrations, names={})


def test_operations_with_one_reason_are_one_line() -> None:
    many = [operation(Effect.BREAKING, "RemoveField", f"crop.f{n}") for n in range(8)]
    one = judged(migration(Effect.BREAKING, [*many, operation(Effect.DATA, "RunPython", "")]))

    assert list(lines(one, one.migrations, DEFAULT_AUTOMATIC, None))[1:5] == [
        "\x1b[31mFAIL\x1b[0m  crops.0002_change  \x1b[31mbreaking  \x1b[0m  RemoveField crop.f0, "
        "crop.f1, crop.f2, crop.f3, crop.f4, crop.f5 and 2 more",
        "        The previous version still uses it, and its queries fail without it.",
        "        RunPython: It runs code of the app, which may do anything to rows and schema.",
        "",
    ]


def test_lines_are_as_long_as_the_terminal_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    declared = "crops.0002_change is declared as compatible, which Lightgate has not checked: x."
    one = judged(migration(Effect.COMPATIBLE, declared=declared))

    monkeypatch.setenv("COLUMNS", "70")
    assert list(lines(one, one.migrations, DEFAULT_AUTOMATIC, None))[2:4] == [
        "        crops.0002_change is declared as compatible, which Lightgate",
        "        has not checked: x.",
    ]
