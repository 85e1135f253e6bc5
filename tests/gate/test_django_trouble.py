"""Whatever is wrong: one failure with its cause, and no open gate."""

import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.cloud.postgres import Database
from tests.gate.programs import Program, Runner, eventually
from tests.gate.projects import ADD_COLOUR, SETTINGS, Project, Rows, sql

pytestmark = pytest.mark.slow


def fails(gate: Program) -> dict[str, Any]:
    """The one failure of a gate that stays shut."""
    failed = gate.event("failed")
    assert gate.named("succeeded") == []
    assert len(gate.named("failed")) == 1
    return failed


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"PASSWORD": "wrong"}, "not allowed"),
        ({"NAME": "nowhere"}, "no such database"),
        ({"PORT": 9}, "unreachable"),
        pytest.param({"HOST": "no-such-host.invalid"}, "unreachable", marks=pytest.mark.slow),
    ],
)
def test_a_database_that_does_not_let_us_in_is_named(
    runner: Runner, crops: Project, wrong: dict[str, Any], reason: str
) -> None:
    crops.database.update(wrong)
    gate = crops.gate(runner, django={"databaseTimeoutSeconds": 1})
    failed = fails(gate)
    assert failed["cause"] == "database"
    assert failed["detail"] == reason
    assert gate.event("database")["reason"] == reason
    assert "crops:" not in failed["error"]


def test_a_database_that_comes_back_is_waited_for(
    runner: Runner, crops: Project, database: Database
) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as admin:
        allow = f"alter database {database.name} with allow_connections".encode()
        admin.execute(allow + b" false")
        gate = crops.gate(runner, django={"databaseTimeoutSeconds": 60})
        assert gate.event("database")["state"] == "down"
        admin.execute(allow + b" true")
    gate.event("succeeded")
    assert [one["state"] for one in gate.named("database")] == ["down", "up"]


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("SECRET_KEY = 'x'", "settings.DATABASES is improperly configured"),
        (f"{SETTINGS}\n    INSTALLED_APPS = ['nothing']", "No module named 'nothing'"),
    ],
)
def test_settings_that_do_not_work_are_named(
    runner: Runner, crops: Project, settings: str, cause: str
) -> None:
    crops.write("settings.py", settings)
    assert cause in str(fails(crops.gate(runner)))


@pytest.mark.parametrize("module", ["socket.py", "json.py"])
def test_a_module_of_the_app_that_shadows_a_standard_one_is_named(
    runner: Runner, crops: Project, module: str
) -> None:
    crops.write(module, "raise ImportError('shadowed')")
    gate = crops.gate(runner)
    eventually(lambda: bool(gate.named("failed") or gate.named("succeeded")), "no end", gate)
    for failed in gate.named("failed"):
        assert "shadowed" in failed["error"]


def test_a_missing_manage_py_is_named(runner: Runner, crops: Project) -> None:
    (crops.directory / "manage.py").unlink()
    failed = fails(crops.gate(runner))
    assert failed["cause"] == "django"
    assert "manage.py" in failed["error"]


def test_a_missing_interpreter_is_named(runner: Runner, crops: Project) -> None:
    failed = fails(crops.gate(runner, django={"manage": ["no-python", "manage.py"]}))
    assert failed["cause"] == "exec"
    assert "no-python" in failed["error"]


def test_a_migration_that_cannot_be_read_is_named(runner: Runner, crops: Project) -> None:
    crops.write("crops/migrations/0002_wrong.py", "import no_such_module")
    failed = fails(crops.gate(runner))
    assert failed["cause"] == "plan"
    assert "no_such_module" in failed["error"]


def test_what_settings_print_is_passed_on_and_disturbs_nothing(
    runner: Runner, crops: Project
) -> None:
    with (crops.directory / "settings.py").open("a") as settings:
        settings.write('print(\'{"do": "open"}\')\nprint("half", end="")\n')
    gate = crops.gate(runner)
    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]
    assert gate.command_output.count(b'{"do": "open"}') == 2


def test_other_settings_named_in_the_command_are_those_that_are_used(
    runner: Runner, crops: Project
) -> None:
    crops.write("other.py", "from settings import *\nINSTALLED_APPS = []")
    command = ["timeout", "60", *crops.manage, "migrate", "--settings", "other"]
    done = crops.gate(runner, command=command).event("succeeded")
    assert done["schema"] == []


def test_a_role_with_short_limits_can_migrate(
    runner: Runner, crops: Project, rows: Rows, database: Database
) -> None:
    limits = ["statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"]
    with psycopg.connect(database.superuser_url, autocommit=True) as admin:
        role = f"hasty_{database.name}"
        admin.execute(f"create role {role} login password 'hasty' in role crops".encode())
        for limit in limits:
            admin.execute(f"alter role {role} set {limit} = '700ms'".encode())
    crops.database.update(USER=role, PASSWORD="hasty")
    rows(
        f"grant all on schema public to {role}; grant create on database {database.name} to {role}"
    )
    slow = "migrations.RunPython(lambda apps, editor: __import__('time').sleep(2))"
    crops.migration(slow, atomic=False)
    crops.gate(runner).event("succeeded")


@pytest.fixture
def poor(crops: Project, rows: Rows, database: Database) -> Project:
    """A role that may read and write rows, and make no table."""
    role = f"poor_{database.name}"
    with psycopg.connect(database.superuser_url, autocommit=True) as admin:
        admin.execute(f"create role {role} login password 'poor'".encode())
    rows(f"""
        create table django_migrations (id bigint generated by default as identity primary key,
            app text, name text, applied timestamptz);
        grant usage on schema public to {role};
        grant all on all tables in schema public to {role};
    """)
    crops.database.update(USER=role, PASSWORD="poor")
    crops.write("crops/migrations/0001_initial.py", "")
    (crops.directory / "crops/migrations/0001_initial.py").unlink()
    crops.migration("migrations.RunPython(migrations.RunPython.noop)")
    return crops


def test_without_the_right_to_make_a_table_nothing_is_promised(
    runner: Runner, poor: Project
) -> None:
    failed = fails(poor.gate(runner))
    assert failed["cause"] == "record"
    assert "permission denied" in failed["error"]
    assert failed["database"] == "unchanged"
    gate = poor.gate(runner, django={"requireLock": False}, then=[["false"]], afterFailure="exit")
    assert gate.event("locked")["recorded"] is False
    assert gate.event("failed")["recorded"] is False
    assert gate.is_alive()


def blocker(database: Database) -> psycopg.Connection[Any]:
    connection = psycopg.connect(database.url, application_name="long report")
    connection.execute("select * from crops_crop")
    return connection


def test_the_sessions_that_block_ddl_are_reported_and_it_is_tried_again(
    runner: Runner, crops: Project, rows: Rows, database: Database
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    with blocker(database) as report:
        gate = crops.gate(runner, release="r2", django={"lockTimeoutSeconds": 0.8})
        assert gate.event("locked")["lockTimeout"]["seconds"] == 0.8
        eventually(lambda: any("try" in one for one in gate.named("waiting")), "no second try",
                   gate)  # fmt: skip
        told = gate.named("waiting")[-1]
        assert told["holder"][0]["application"] == "long report"
        assert told["holder"][0]["pid"] == report.info.backend_pid
    assert gate.event("succeeded")["migrations"] == ["crops.0002_change"]
    assert rows.attempts()[0][2]["tries"] == 1


@pytest.mark.slow
def test_a_lock_that_never_comes_fails_after_three_more_tries(
    runner: Runner, crops: Project, rows: Rows, database: Database
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    with blocker(database):
        gate = crops.gate(runner, release="r2", django={"lockTimeoutSeconds": 0.2})
        failed = gate.event("failed")
    assert "lock timeout" in failed["error"]
    assert failed["database"] == "unchanged"
    assert gate.command_output.count(b"Operations to perform") == 4


@pytest.mark.parametrize(
    ("operations", "options"),
    [
        (sql("select 1"), {}),
        (ADD_COLOUR, {"OPTIONS": {"options": "-c search_path=public"}}),
    ],
    ids=["data", "options"],
)
def test_where_a_limit_for_locks_is_not_safe_it_is_not_set(
    runner: Runner, crops: Project, operations: str, options: dict[str, Any]
) -> None:
    crops.migration(operations)
    crops.database.update(options)
    gate = crops.gate(runner)
    limit = gate.event("locked")["lockTimeout"]
    assert limit["seconds"] is None
    assert limit["why"]
    gate.event("succeeded")


def test_a_replaced_migrate_command_has_no_plan(runner: Runner, crops: Project) -> None:
    crops.own_migrate(
        "    def handle(self, *a, **k):\n        print('ours')\n        super().handle(*a, **k)\n"
    )
    blocked = crops.gate(runner, django={"policy": "block"}, release="r1")
    assert fails(blocked)["cause"] == "refused"
    first = crops.gate(runner, release="r2")
    assert first.event("plan")["class"] == "unknown"
    assert first.event("succeeded")["migrations"] == ["crops.0001_initial"]
    again = crops.gate(runner, release="r2")
    assert again.event("succeeded")["migrations"] == []
    assert b"ours" not in again.command_output


def test_a_database_of_the_command_is_the_one_that_is_read(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    crops.write(
        "settings.py",
        (crops.directory / "settings.py").read_text()
        + "DATABASES['other'] = {**DATABASES['default']}\n"
        + "DATABASES['default'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}\n",
    )
    crops.gate(runner, "--database", "other").event("succeeded")
    assert rows.applied() == ["0001_initial"]
    assert not (crops.directory / "x").exists()


def test_a_target_in_the_command_is_what_is_pending(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    crops.migration(ADD_COLOUR)
    assert crops.gate(runner, "crops", "0001").event("succeeded")["migrations"] == [
        "crops.0001_initial"
    ]
    assert crops.gate(runner, "crops", "0001", release="r2").event("plan")["count"] == 0
    back = crops.gate(runner, "crops", "zero", release="r3")
    assert back.event("plan")["class"] == "breaking"
    back.event("succeeded")
    assert rows.columns() == set()


def test_a_squash_that_replaces_what_was_applied_is_recorded_and_not_pending(
    runner: Runner, crops: Project
) -> None:
    crops.migration(ADD_COLOUR)
    crops.gate(runner).event("succeeded")
    crops.write(
        "crops/migrations/0001_squashed.py",
        "from django.db import migrations\nclass Migration(migrations.Migration):\n"
        "    replaces = [('crops', '0001_initial'), ('crops', '0002_change')]\n",
    )
    done = crops.gate(runner, release="r2")
    assert done.event("plan")["count"] == 0
    assert done.event("succeeded")["schema"] == ["crops.0001_squashed"]
    again = crops.gate(runner, release="r3", command=["false"])
    assert again.event("succeeded")["schema"] == ["crops.0001_squashed"]


def test_sqlite_needs_no_lock(runner: Runner, crops: Project) -> None:
    crops.database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}
    gate = crops.gate(runner)
    gate.event("succeeded")
    assert gate.event("locked")["lock"] is None
    crops.migration("migrations.RunSQL('select no')")
    failed = crops.gate(runner, release="r2").event("failed")
    assert failed["database"] == "unchanged"


@pytest.mark.parametrize("code", [0, 1])
def test_a_command_that_is_not_django_says_itself_whether_it_is_needed(
    runner: Runner, tmp_path: Path, code: int
) -> None:
    ran = tmp_path / "ran"
    gate = runner.supervisor(["touch", str(ran)], pendingCommand=["sh", "-c", f"exit {code}"])
    gate.event("succeeded")
    assert ran.exists() is bool(code)


def test_a_hanging_question_is_ended(runner: Runner) -> None:
    gate = runner.supervisor(["true"], pendingCommand=["sleep", "60"], timeoutSeconds=0.2)
    assert "pendingCommand" in gate.event("failed")["error"]


def test_the_helper_ends_with_its_supervisor(runner: Runner, crops: Project, rows: Rows) -> None:
    rows("select pg_advisory_lock(1279743045, 1)")
    gate = crops.gate(runner)
    gate.event("waiting")
    os.kill(gate.process.pid, signal.SIGKILL)
    count = "select count(*) from pg_stat_activity where datname = current_database()"
    eventually(lambda: rows(count) == [(1,)], "the helper stays")


def test_events_stay_small(runner: Runner, crops: Project) -> None:
    many = ", ".join(
        f"migrations.AddField('crop', 'a_rather_long_name_{n}', models.TextField(null=True))"
        for n in range(40)
    )
    for _ in range(3):
        crops.migration(many.replace("name_", f"name_{crops.count}_"))
    gate = crops.gate(runner)
    plan = gate.event("plan")
    assert plan["count"] == 4
    gate.event("succeeded")
    lines = [line for line in gate.output.split(b"\n") if line.startswith(b'{"lightgate"')]
    assert max(map(len, lines)) < 8192
