"""The gate on PostgreSQL: plans that cannot be undone, and locks of other sessions."""

import threading
from pathlib import Path

import psycopg
import pytest

from local.cloud.postgres import Database
from tests.gate.programs import Runner, eventually
from tests.gate.projects import ADD_COLOUR, REMOVE_NAME, Project, Rows, sql
from tests.gate.rollbacks import NEWER, OLD, back, opens, stays_shut
from tests.gate.test_django_lock import commands_of

ADD_INDEX = (
    "__import__('django.contrib.postgres.operations', fromlist=['x']).AddIndexConcurrently("
    "'crop', models.Index(fields=['name'], name='by_name'))"
)
FAILS = sql("select 1 / 0")


def locked(database: Database, *statements: str) -> psycopg.Connection[object]:
    """A session of somebody else in a transaction that has done this."""
    connection = psycopg.connect(database.url, application_name="psql")
    for statement in statements:
        connection.execute(statement.encode())
    return connection


def test_a_lock_on_a_table_that_the_plan_does_not_touch_is_not_waited_for(
    runner: Runner, crops: Project, rows: Rows, database: Database
) -> None:
    rows.begin()
    rows("create table other (id int primary key check (id > 0), parent int references other)")
    crops.migration(ADD_COLOUR)
    with locked(database, "lock table other in access exclusive mode"):
        gate = crops.gate(runner, release=NEWER)
        gate.event("succeeded")
    assert gate.named("waiting") == []


def test_the_session_that_locks_a_table_of_the_gate_is_named(
    runner: Runner, crops: Project, rows: Rows, database: Database
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    with locked(database, "lock table django_migrations in access exclusive mode") as other:
        gate = crops.gate(runner, release=NEWER)
        waiting = gate.event("waiting")
        assert waiting["for"] == ["database lock"]
        [holder] = waiting["holder"]
        assert (holder["pid"], holder["application"]) == (other.info.backend_pid, "psql")
        assert gate.named("plan") == []
    gate.event("succeeded")


@pytest.mark.slow
@pytest.mark.parametrize("table", ["django_migrations", "lightgate_attempt"])
def test_the_wait_for_a_locked_table_has_an_end(
    runner: Runner, crops: Project, database: Database, table: str
) -> None:
    crops.gate(runner, release=OLD).event("succeeded")
    crops.migration(ADD_COLOUR)
    with locked(database, f"lock table {table} in access exclusive mode") as other:
        failed = crops.gate(runner, release=NEWER, timeoutSeconds=3).event("failed")
        assert (failed["cause"], failed["detail"]) == ("lock", "not free")
        assert failed["holder"][0]["pid"] == other.info.backend_pid
        assert failed["database"] == "unchanged"


def test_old_code_stays_shut_after_a_plan_that_was_not_atomic_failed(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name = crops.migration(f"{REMOVE_NAME}, {FAILS}", atomic=False)
    failed = crops.gate(runner, release=NEWER).event("failed")
    (crops.directory / f"crops/migrations/{name.partition('.')[2]}.py").unlink()
    assert failed["leftovers"] == [["removed column crops_crop.name", None]]
    assert f"{name} may be half applied" in stays_shut(back(runner, crops))["error"]
    opens(back(runner, crops, "unchecked"))
    assert f"{name} may be half applied" in stays_shut(back(runner, crops))["error"]


@pytest.mark.parametrize("operation", [REMOVE_NAME, pytest.param(FAILS, marks=pytest.mark.slow)])
def test_old_code_opens_after_a_half_applied_plan_only_if_the_schema_shows_the_repair(
    runner: Runner, crops: Project, rows: Rows, operation: str
) -> None:
    rows.begin()
    check = 'models.CheckConstraint(condition=models.Q(id=0), name="never")'
    broken = f'migrations.AddConstraint("crop", {check})'
    rows("insert into crops_crop (name) values ('a')")
    name = crops.migration(f"{operation}, {broken}", atomic=False)
    crops.gate(runner, release=NEWER).event("failed")
    (crops.directory / f"crops/migrations/{name.partition('.')[2]}.py").unlink()
    stays_shut(back(runner, crops))
    if operation == REMOVE_NAME:
        rows("alter table crops_crop add column name text")
        opens(back(runner, crops))


def test_an_attempt_that_never_ended_keeps_old_code_shut_unless_it_was_atomic(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    rows(
        "create table lightgate_attempt (release_id varchar(128), container varchar(128),"
        " state varchar(16), detail text)"
    )
    insert = (
        "insert into lightgate_attempt values ('r', 'migrate', 'started',"
        ' \'{"at": "2025-02-02T00:00:00Z", "atomic": %s}\')'
    )
    rows(insert % "false")
    stays_shut(back(runner, crops))
    rows("delete from lightgate_attempt")
    rows(insert % "true")
    opens(back(runner, crops))


def test_an_invalid_index_is_reported_with_the_statement_that_drops_it(
    runner: Runner, crops: Project, rows: Rows, database: Database
) -> None:
    rows.begin()
    crops.migration(ADD_INDEX, atomic=False)
    crops.database["OPTIONS"] = {"options": "-c statement_timeout=1500"}
    with locked(database, "insert into crops_crop (name) values ('a')"):
        failed = crops.gate(runner, release=NEWER).event("failed")
    assert failed["detail"] == "statement timeout"
    assert failed["leftovers"] == [["added invalid index crops_crop.by_name", "DROP INDEX by_name"]]
    del crops.database["OPTIONS"]
    again = crops.gate(runner, release="r3").event("failed")
    assert "already exists" in again["error"]
    rows(failed["leftovers"][0][1])
    crops.gate(runner, release="r4").event("succeeded")


def test_a_migration_that_was_applied_before_the_failure_is_not_to_be_undone(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR, atomic=False)
    crops.migration(f"{ADD_COLOUR.replace('colour', 'size')}, {FAILS}", atomic=False)
    failed = crops.gate(runner, release=NEWER).event("failed")
    assert failed["leftovers"] == [
        ["added column crops_crop.size", 'ALTER TABLE crops_crop DROP COLUMN "size"']
    ]


def test_a_deadlock_is_tried_again(
    runner: Runner, crops: Project, rows: Rows, database: Database, tmp_path: Path
) -> None:
    rows.begin()
    rows("insert into crops_crop (name) values ('a'), ('b')")
    go = tmp_path / "go"
    there = f"__import__('os').path.exists({str(go)!r})"
    wait = f"[__import__('time').sleep(.05) for _ in iter(lambda: {there}, True)]"
    change = "update crops_crop set name = name || '+' where name like '%s%%'"
    crops.migration(
        f"{sql(change % 'a')}, migrations.RunPython(lambda a, e: {wait}), {sql(change % 'b')}"
    )
    with psycopg.connect(database.superuser_url, dbname=database.name) as other:
        other.execute("set deadlock_timeout = '1min'")
        other.execute("update crops_crop set name = name || '!' where name like 'b%'")
        gate = crops.gate(runner, release=NEWER)
        half = "select count(*) from pg_stat_activity where state = 'idle in transaction'"
        half += " and application_name like 'lightgate:%'"
        eventually(lambda: rows(half) == [(1,)], "does not migrate", gate)
        both = "update crops_crop set name = name || '!' where name like 'a%'"
        thread = threading.Thread(target=lambda: (other.execute(both), other.commit()))
        thread.start()
        go.touch()
        assert gate.event("succeeded")["migrations"] == ["crops.0002_change"]
        thread.join()
    assert b"deadlock detected" in gate.command_output
    assert sorted(rows("select name from crops_crop")) == [("a!+",), ("b!+",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "detail"),
    [
        ("select pg_terminate_backend(pg_backend_pid())", "connection lost"),
        ("set local statement_timeout = 1; select pg_sleep(1)", "statement timeout"),
        ("set local lock_timeout = 1; lock table other", "lock timeout"),
    ],
)
def test_what_the_server_says_has_a_code(
    runner: Runner, crops: Project, rows: Rows, database: Database, statement: str, detail: str
) -> None:
    rows.begin()
    rows("create table other (id int)")
    crops.migration(sql(statement))
    with locked(database, "lock table other in access exclusive mode"):
        failed = crops.gate(runner, release=NEWER).event("failed")
    assert (failed["cause"], failed["detail"]) == ("exit", detail)
    assert failed["database"] == "unchanged"


def test_a_statement_of_a_stopped_command_is_ended_with_it(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    # The settings hide the command's sessions from their name, and from limits of ours.
    crops.database["OPTIONS"] = {"application_name": "mine", "options": "-c search_path=public"}
    crops.migration(sql("select pg_sleep(60)"), atomic=False)
    gate = crops.gate(runner, release=NEWER, timeoutSeconds=2)
    assert gate.event("failed")["cause"] == "timeout"
    assert commands_of(gate) == []
    running = "select count(*) from pg_stat_activity where query like 'select pg_sleep(60)%'"
    assert rows(running) == [(0,)]


@pytest.mark.slow
def test_sql_that_commits_is_not_atomic(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    crops.migration(f"{sql('create table half (); commit')}, {FAILS}")
    gate = crops.gate(runner, release=NEWER)
    assert gate.event("plan")["atomic"] is False
    assert gate.event("failed")["database"] == "part-way"
