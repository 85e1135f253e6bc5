"""What the gate understands of Django's migrate, from a copy of its output and from itself."""

import sys
import textwrap
from pathlib import Path

import pytest

from lightgate.gate.programs.supervisor.progress import read_progress
from tests.gate.programs import Runner, eventually, shell


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("  Applying crops.0003_add_price...", ("crops.0003_add_price", False, None)),
        ("  Applying crops.0003_add_price... OK", ("crops.0003_add_price", True, None)),
        ("  Applying crops.0003_add_price... FAKED", ("crops.0003_add_price", True, None)),
        ("  Applying a.0001_b... OK (0.012s)", ("a.0001_b", True, 0.012)),
        (" OK (0.012s)", (None, True, 0.012)),
        (" FAKED", (None, True, None)),
        ("  Applying a.0001_b...rows: OK", ("a.0001_b", False, None)),
        ("checked: OK", (None, False, None)),
        ("  Rendering model states... DONE", (None, False, None)),
        ("I am Applying x.y...", (None, False, None)),
        ("  Applying a.0001", (None, False, None)),
        ("", (None, False, None)),
    ],
)
def test_the_lines_of_migrate(line: str, means: object) -> None:
    assert read_progress(line) == means


def test_a_migration_is_reported_while_it_is_being_applied(
    runner: Runner, any_python: str, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    script = f"""
        echo 'Running migrations:'
        printf '  Appl'; sleep 0.05; printf 'ying crops.0001_initial...'
        while ! test -e {go}; do sleep 0.02; done
        printf '\\033[32;1m OK\\033[0m\\n  Applying crops.0002_data...'
        echo 'moved 3 rows'
        echo ' OK (1.500s)'
        printf '  Applying crops.0003_price...no newline'
        echo ' OK'
    """
    migrate = runner.supervisor(shell(script), python=any_python)
    eventually(lambda: len(migrate.named("applying")) == 2, "no migration is reported")
    assert migrate.named("applying")[1]["migration"] == "crops.0001_initial"
    assert migrate.named("applied") == []
    go.touch()
    done = migrate.event("succeeded")
    names = ["crops.0001_initial", "crops.0002_data", "crops.0003_price"]
    assert done["migrations"] == names
    assert [one["migration"] for one in migrate.named("applied")] == names
    assert migrate.named("applied")[1]["seconds"] == 1.5
    assert b"\n\x1b[32;1m OK" not in migrate.output.replace(b"...\x1b", b"")
    assert b"  Applying crops.0001_initial...\x1b[32;1m OK\x1b[0m\n" in migrate.output


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Django project with two good migrations and, in the environment, one that fails."""
    app = tmp_path / "crops"
    (app / "migrations").mkdir(parents=True)
    (app / "__init__.py").touch()
    (app / "migrations" / "__init__.py").touch()
    (tmp_path / "settings.py").write_text(
        textwrap.dedent("""
        SECRET_KEY = "x"
        INSTALLED_APPS = ["crops"]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
        """)
    )
    (tmp_path / "manage.py").write_text(
        textwrap.dedent("""
        import os, sys
        from django.core.management import execute_from_command_line
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
        execute_from_command_line(sys.argv)
        """)
    )
    (app / "migrations" / "0001_initial.py").write_text(
        textwrap.dedent("""
        from django.db import migrations, models
        class Migration(migrations.Migration):
            operations = [
                migrations.CreateModel("Crop", [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("name", models.TextField(null=True)),
                ]),
                migrations.RunSQL("insert into crops_crop (name) values (null)"),
            ]
        """)
    )
    (app / "migrations" / "0002_data.py").write_text(
        textwrap.dedent("""
        from django.db import migrations
        class Migration(migrations.Migration):
            dependencies = [("crops", "0001_initial")]
            operations = [migrations.RunPython(lambda apps, editor: print("moving"))]
        """)
    )
    return tmp_path


def migrate_command(*more: str) -> list[str]:
    return [sys.executable, "manage.py", "migrate", "--noinput", *more]


@pytest.mark.parametrize("more", [(), ("-v", "2"), ("--force-color",)])
def test_a_good_migration_is_reported_step_by_step(
    runner: Runner, project: Path, more: tuple[str, ...]
) -> None:
    migrate = runner.supervisor(migrate_command(*more), options={"cwd": project})
    names = ["crops.0001_initial", "crops.0002_data"]
    assert migrate.event("succeeded")["migrations"] == names
    assert [(one["event"], one["migration"]) for one in migrate.events[1:-1]] == [
        (event, name) for name in names for event in ("applying", "applied")
    ]
    again = runner.supervisor(migrate_command(*more), options={"cwd": project})
    assert again.event("succeeded")["migrations"] == []


def test_a_quiet_migration_succeeds_without_steps(runner: Runner, project: Path) -> None:
    migrate = runner.supervisor(migrate_command("-v", "0"), options={"cwd": project})
    assert migrate.event("succeeded")["migrations"] == []
    assert [one["event"] for one in migrate.events] == ["applying", "succeeded"]


def test_a_failing_migration_is_named_with_its_reason(runner: Runner, project: Path) -> None:
    (project / "crops" / "migrations" / "0003_name.py").write_text(
        textwrap.dedent("""
        from django.db import migrations, models
        class Migration(migrations.Migration):
            dependencies = [("crops", "0002_data")]
            operations = [migrations.AlterField("crop", "name", models.TextField())]
        """)
    )
    migrate = runner.supervisor(migrate_command(), options={"cwd": project})
    failed = migrate.event("failed")
    assert failed["cause"] == "exit"
    assert failed["exitCode"] == 1
    assert failed["migration"] == "crops.0003_name"
    assert failed["migrationsApplied"] == ["crops.0001_initial", "crops.0002_data"]
    assert failed["error"] == (
        "django.db.utils.IntegrityError: NOT NULL constraint failed: new__crops_crop.name"
    )
    # Both exceptions are there, and the frames of the project, without those of packages.
    lines = failed["lastLines"]
    assert "  Applying crops.0002_data...moving" in lines
    assert any(line.startswith("sqlite3.IntegrityError: NOT NULL") for line in lines)
    assert any(line.startswith('  File "') and "manage.py" in line for line in lines)
    assert not [line for line in lines if "site-packages" in line or set(line) & set("~^")]
