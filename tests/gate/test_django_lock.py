"""One migration at a time, and a failed one only once: the lock and the record of attempts."""

import contextlib
import os
import signal
from pathlib import Path

import psycopg
import pytest

from tests.gate.programs import Program, Runner, eventually
from tests.gate.projects import HALF, Project, Rows, sql

FINAL = ("succeeded", "failed")


def final(gate: Program) -> str:
    def ended() -> list[str]:
        return [one["event"] for one in gate.events if one["event"] in FINAL]

    eventually(lambda: bool(ended()), "the gate does not come to an end", gate)
    return ended()[0]


def commands_of(gate: Program) -> list[int]:
    """The processes of its `migrate`."""
    return [pid for pid, words in children_of(gate) if b"migrate" in words and b"-c" not in words]


def helpers_of(gate: Program) -> list[int]:
    """Its Django helpers, which have the words of the command and the launcher among them."""
    return [pid for pid, words in children_of(gate) if b"migrate" in words and b"-c" in words]


def children_of(gate: Program) -> list[tuple[int, list[bytes]]]:
    found = []
    children = Path(f"/proc/{gate.process.pid}/task/{gate.process.pid}/children").read_text()
    for pid in children.split():
        with contextlib.suppress(OSError):  # it may just have ended
            found.append((int(pid), Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")))
    return found


def rounds(normal: int, slow: int) -> list[object]:
    return [*range(normal), *(pytest.param(n, marks=pytest.mark.slow) for n in range(normal, slow))]


@pytest.mark.parametrize("round_", rounds(1, 10))
def test_of_eight_gates_at_once_one_migrates_and_all_open(
    runner: Runner, crops: Project, rows: Rows, round_: int
) -> None:
    # A statement that leaves a trace each time that it is run.
    rows("create table trace (at timestamptz default now())")
    crops.migration(sql("insert into trace select from pg_sleep(0.3)"), atomic=round_ % 2 == 0)
    gates = [crops.gate(runner) for _ in range(8)]
    assert [final(gate) for gate in gates] == ["succeeded"] * 8
    assert rows("select count(*) from trace") == [(1,)]
    assert sum(len(gate.named("locked")) for gate in gates) == 1
    assert [state for _, state, _ in rows.attempts()] == ["succeeded"]
    assert rows.locks() == 0


@pytest.mark.slow
@pytest.mark.parametrize("round_", rounds(1, 10))
def test_of_eight_gates_at_once_one_tries_what_fails_and_none_opens(
    runner: Runner, crops: Project, rows: Rows, round_: int
) -> None:
    crops.migration(HALF, atomic=round_ % 2 == 0)
    gates = [crops.gate(runner) for _ in range(8)]
    assert [final(gate) for gate in gates] == ["failed"] * 8
    assert sum(len(gate.named("locked")) for gate in gates) == 1
    assert sorted(gate.event("failed")["cause"] for gate in gates) == ["attempt"] * 7 + ["exit"]
    assert {gate.event("failed")["database"] for gate in gates} == {"part-way"}
    assert [state for _, state, _ in rows.attempts()] == ["failed"]


def test_a_failed_migration_is_not_run_again_by_its_release_but_by_the_next(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name = crops.migration(HALF)
    first = crops.gate(runner, release="r2", afterFailure="exit")
    assert first.ends() == 1
    failed = first.event("failed")
    assert failed["migration"] == name
    assert failed["error"] == "django.db.utils.DataError: division by zero"
    assert failed["database"] == "unchanged"
    assert failed["recorded"] is True
    again = crops.gate(runner, release="r2", afterFailure="exit")
    assert again.ends() == 1
    assert again.event("failed")["cause"] == "attempt"
    assert again.event("failed")["detail"] == "failed before"
    assert again.event("failed")["migration"] == name
    assert "division by zero" in again.event("failed")["error"]
    assert again.named("applying") == []
    other = crops.gate(runner, release="r3")
    assert other.event("failed")["cause"] == "exit"
    assert [(release, state) for release, state, _ in rows.attempts()] == [
        ("r2", "failed"),
        ("r3", "failed"),
    ]


@pytest.mark.slow
def test_a_failure_after_the_last_migration_keeps_the_gate_shut_after_a_relaunch(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    seed = [["sh", "-c", "echo no seed; exit 3"]]
    first = crops.gate(runner, then=seed)
    assert first.event("failed")["error"] == "no seed"
    assert first.event("failed")["database"] == "part-way"
    assert first.event("failed")["migrationsApplied"] == ["crops.0001_initial"]
    assert rows.applied() == ["0001_initial"]
    assert crops.gate(runner, then=seed).event("failed")["cause"] == "attempt"


@pytest.mark.slow
def test_commands_before_and_after_run_in_order(
    runner: Runner, crops: Project, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    done = crops.gate(
        runner,
        before=[[*crops.manage, "migrate", "--plan"], ["sh", "-c", f"echo a >> {log}"]],
        then=[["sh", "-c", f"echo b >> {log}"], ["sh", "-c", f"echo c >> {log}"]],
    )
    assert done.event("succeeded")["migrations"] == ["crops.0001_initial"]
    assert log.read_text().split() == ["a", "b", "c"]
    assert b"Planned operations" in done.command_output


@pytest.mark.slow
def test_a_command_that_leaves_something_pending_does_not_open_the_gate(
    runner: Runner, crops: Project
) -> None:
    failed = crops.gate(runner, command=["true"]).event("failed")
    assert failed["cause"] == "pending"
    assert "crops.0001_initial" in failed["error"]


def held(statement: str, until: Path) -> str:
    """The operations that run the statement and wait for a file."""
    exists = f"__import__('os').path.exists({str(until)!r})"
    wait = f"[__import__('time').sleep(.05) for _ in iter(lambda: {exists}, True)]"
    return f"{sql(statement)}, migrations.RunPython(lambda apps, editor: {wait})"


def test_a_gate_with_nothing_to_do_opens_while_another_release_migrates(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    rows.begin()
    newer = Project(tmp_path / "newer", crops.database)
    newer.migration("", name="initial")
    newer.migration(held("select 1", tmp_path / "go"))
    migrating = newer.gate(runner, release="r2")
    eventually(lambda: len(migrating.named("applying")) == 2, "does not migrate", migrating)
    crops.gate(runner, release="r1").event("succeeded")
    waiting = newer.gate(runner, release="r3")
    holder = waiting.event("waiting")["holder"]
    assert [one["application"] for one in holder] == ["lightgate gate r2 migrate"]
    (tmp_path / "go").touch()
    migrating.event("succeeded")
    assert waiting.event("succeeded")["migrations"] == []
    assert crops.gate(runner, release="r1").event("succeeded")["schema"] == ["crops.0001_initial"]


def test_without_its_helper_a_command_is_stopped(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    crops.migration(held("select 1", tmp_path / "go"))
    migrate = crops.gate(runner, afterFailure="exit")
    eventually(lambda: len(migrate.named("applying")) == 3, "does not migrate", migrate)
    (helper,) = helpers_of(migrate)
    os.kill(helper, signal.SIGKILL)
    failed = migrate.event("failed")
    assert failed["cause"] == "lock"
    assert failed["database"] == "not known"
    assert failed["migration"] == "crops.0002_change"
    assert migrate.is_alive()  # not on record: who relaunches it would run it again
    assert commands_of(migrate) == []
    assert rows.applied() == ["0001_initial"]


@pytest.mark.slow
def test_when_the_lock_is_lost_the_command_is_stopped(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    crops.migration(held("select 1", tmp_path / "go"))
    migrate = crops.gate(runner)
    eventually(lambda: len(migrate.named("applying")) == 3, "does not migrate", migrate)
    rows("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
    failed = migrate.event("failed")
    assert (failed["cause"], failed["detail"]) == ("lock", "lost")
    assert rows.applied() == ["0001_initial"]
    # All of it was atomic, so the next one may do it again.
    (tmp_path / "go").touch()
    assert crops.gate(runner).event("succeeded")["migrations"] == ["crops.0002_change"]
    assert rows.attempts()[0][2]["tries"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("atomic", [True, False])
def test_an_attempt_that_never_ended_is_judged(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path, atomic: bool
) -> None:
    go = tmp_path / "go"
    crops.migration(held("create table half ()", go), atomic=atomic)
    migrate = crops.gate(runner)
    eventually(lambda: len(migrate.named("applying")) == 3, "does not migrate", migrate)
    eventually(lambda: atomic or "half" in rows.tables(), "nothing is half done")
    for pid in [migrate.process.pid, *commands_of(migrate)]:
        os.kill(pid, signal.SIGKILL)
    go.touch()
    again = crops.gate(runner)
    assert final(again) == ("succeeded" if atomic else "failed")
    if not atomic:
        assert again.event("failed")["cause"] == "attempt"
        assert again.event("failed")["detail"] == "never ended"
        assert again.event("failed")["database"] == "part-way"
        assert again.named("applying") == []


@pytest.mark.slow
def test_a_migration_that_was_committed_and_not_recorded_is_not_run_again(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    rows.begin()
    go = tmp_path / "go"
    crops.migration(held("alter table crops_crop add colour text", go))
    killed = crops.gate(runner, release="r2")
    eventually(lambda: len(killed.named("applying")) == 2, "does not migrate", killed)
    for pid in [killed.process.pid, *commands_of(killed)]:
        os.kill(pid, signal.SIGKILL)
    go.touch()
    # The record is written after the commit when some of the SQL is deferred.
    rows("alter table crops_crop add colour text")
    again = crops.gate(runner, release="r2")
    assert again.event("failed")["cause"] == "attempt"
    assert again.event("failed")["database"] == "part-way"


@pytest.mark.slow
def test_a_session_that_outlives_its_gate_is_waited_for(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    left = psycopg.connect(rows.connection.info.dsn, password="crops",
                           application_name="lightgate:r0:migrate")  # fmt: skip
    gate = crops.gate(runner)
    told = gate.event("waiting")
    assert [one["application"] for one in told["holder"]] == ["lightgate:r0:migrate"]
    assert told["holder"][0]["pid"] == left.info.backend_pid
    assert gate.named("locked") == []
    left.close()
    gate.event("succeeded")


@pytest.mark.slow
def test_waiting_for_the_lock_has_an_end(runner: Runner, crops: Project, rows: Rows) -> None:
    rows("select pg_advisory_lock(1279743045, 1)")
    failed = crops.gate(runner, timeoutSeconds=1).event("failed")
    assert (failed["cause"], failed["detail"]) == ("lock", "not free")
    assert failed["holder"][0]["pid"] == rows.connection.info.backend_pid
    assert failed["database"] == "unchanged"


@pytest.mark.slow
@pytest.mark.parametrize("level", ["READ_COMMITTED", "REPEATABLE_READ"])
def test_an_index_can_be_made_concurrently_beside_the_lock(
    runner: Runner, crops: Project, rows: Rows, level: str
) -> None:
    settings = (crops.directory / "settings.py").read_text()
    crops.write(
        "settings.py",
        settings + "from django.db.backends.postgresql.psycopg_any import IsolationLevel\n"
        f"DATABASES['default']['OPTIONS'] = {{'isolation_level': IsolationLevel.{level}}}\n",
    )
    crops.migration(
        "__import__('django.contrib.postgres.operations', fromlist=['x']).AddIndexConcurrently("
        "'crop', models.Index(fields=['name'], name='by_name'))",
        atomic=False,
    )
    gate = crops.gate(runner, timeoutSeconds=10)
    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial", "crops.0002_change"]
    valid = "select indisvalid from pg_index where indexrelid = 'by_name'::regclass"
    assert rows(valid) == [(True,)]


@pytest.mark.slow
def test_sessions_that_cannot_be_named_leave_nothing_to_run_again(
    runner: Runner, crops: Project, tmp_path: Path
) -> None:
    crops.database["OPTIONS"] = {"application_name": "mine"}
    crops.migration(held("select 1", tmp_path / "go"))
    migrate = crops.gate(runner)
    assert migrate.event("locked")["lockTimeout"]["named"] is False
    eventually(lambda: len(migrate.named("applying")) == 3, "does not migrate", migrate)
    migrate.told(signal.SIGTERM)
    assert migrate.ends() == 143
    assert crops.gate(runner).event("failed")["cause"] == "attempt"
