"""Behind a pooler, and on MariaDB."""

import os
import signal
from pathlib import Path

import pytest

from local.cloud.postgres import Database
from tests.gate.programs import Runner, eventually
from tests.gate.projects import ADD_COLOUR, CREATE, HALF, REMOVE_NAME, Project, Rows, sql
from tests.gate.rollbacks import OLD, back, newer, opens, stays_shut
from tests.gate.servers import mariadb, running_pooler
from tests.gate.test_django_lock import commands_of, final, rounds


@pytest.mark.slow
@pytest.mark.parametrize("round_", rounds(1, 10))
def test_behind_a_pooler_too_one_of_four_migrates(
    runner: Runner, crops: Project, rows: Rows, database: Database, tmp_path: Path, round_: int
) -> None:
    rows("create table trace (at timestamptz default now())")
    crops.migration(sql("insert into trace select from pg_sleep(0.3)"), atomic=round_ % 2 == 0)
    # As many as the one that migrates needs: those that wait must not take them.
    with running_pooler(database, tmp_path / "pooler", default_pool_size=4) as port:
        crops.database["PORT"] = port
        gates = [crops.gate(runner) for _ in range(4)]
        assert [final(gate) for gate in gates] == ["succeeded"] * 4
        (locked,) = [one for gate in gates for one in gate.named("locked")]
        assert locked["lockTimeout"]["seconds"] is None
        assert rows("select count(*) from trace") == [(1,)]
        assert rows.locks() == 0
        crops.migration(ADD_COLOUR)
        next_ = crops.gate(runner, release="r2")
        assert next_.event("locked")["lockTimeout"]["why"].startswith("a pooler")
        next_.event("succeeded")


@pytest.mark.slow
def test_what_a_pooled_backend_still_does_for_a_dead_command_is_waited_for(
    runner: Runner, crops: Project, rows: Rows, database: Database, tmp_path: Path
) -> None:
    rows.begin()
    crops.migration(sql("select pg_advisory_lock(7); create table late ()"), atomic=False)
    rows("select pg_advisory_lock(7)")
    with running_pooler(database, tmp_path / "pooler") as port:
        crops.database["PORT"] = port
        killed = crops.gate(runner, release="r1")
        busy = (
            "select count(*) from pg_stat_activity where query like '%late%' and state = 'active'"
        )
        eventually(lambda: rows(busy) == [(2,)], "does not migrate", killed)
        for pid in [killed.process.pid, *commands_of(killed)]:
            os.kill(pid, signal.SIGKILL)
        crops.migration(ADD_COLOUR)
        waiting = crops.gate(runner, release="r1")
        assert waiting.event("waiting")["holder"][0]["application"] == "lightgate:r1:migrate"
        assert waiting.named("locked") == []
        rows("select pg_advisory_unlock(7)")
        assert waiting.event("failed")["cause"] == "attempt"
        assert "late" in rows.tables()


def test_on_mariadb_one_of_four_migrates(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path
) -> None:
    name = on_mariadb.database["NAME"]
    mariadb(mariadb_socket, "create table trace (x int)", name)
    on_mariadb.migration(sql("insert into trace select sleep(0.3)"))
    gates = [on_mariadb.gate(runner) for _ in range(4)]
    assert [final(gate) for gate in gates] == ["succeeded"] * 4
    assert mariadb(mariadb_socket, "select count(*) from trace", name) == ["1"]
    assert sum(len(gate.named("locked")) for gate in gates) == 1


@pytest.mark.slow
def test_on_mariadb_a_failure_is_never_called_unchanged(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path
) -> None:
    on_mariadb.migration(HALF.replace("1 / 0", "no_such_column"))
    failed = on_mariadb.gate(runner, release="r2").event("failed")
    assert failed["cause"] == "exit"
    assert failed["database"] == "part-way"
    columns = mariadb(mariadb_socket, "show columns from crops_crop", on_mariadb.database["NAME"])
    assert "half" in columns
    assert on_mariadb.gate(runner, release="r2").event("failed")["cause"] == "attempt"


@pytest.mark.slow
def test_on_mariadb_the_lock_is_one_a_database_and_its_loss_stops_the_command(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path, tmp_path: Path
) -> None:
    on_mariadb.migration(sql("do sleep(60)"))
    gate = on_mariadb.gate(runner, release="r1")
    eventually(lambda: len(gate.named("applying")) == 3, "does not migrate", gate)
    other = Project(tmp_path / "other", on_mariadb.database, on_mariadb.python)
    other.write("settings.py", (on_mariadb.directory / "settings.py").read_text())
    other.migration(CREATE, name="initial")
    other.migration(ADD_COLOUR)
    waiting = other.gate(runner, release="r2")
    (holder,) = waiting.event("waiting")["holder"]
    mariadb(mariadb_socket, f"kill {holder['pid']}")
    assert gate.event("failed")["cause"] == "lock"


@pytest.mark.slow
def test_on_mariadb_the_gate_of_a_rollback_opens_on_additive_migrations(
    runner: Runner, on_mariadb: Project
) -> None:
    on_mariadb.gate(runner, release=OLD).event("succeeded")
    newer(runner, on_mariadb, ADD_COLOUR)

    opens(back(runner, on_mariadb))


@pytest.mark.slow
def test_on_mariadb_the_gate_of_a_rollback_stays_shut_on_what_may_break_its_code(
    runner: Runner, on_mariadb: Project
) -> None:
    on_mariadb.gate(runner, release=OLD).event("succeeded")
    [removed] = newer(runner, on_mariadb, REMOVE_NAME)

    failed = stays_shut(back(runner, on_mariadb))

    assert failed["error"] == f"{removed} (breaking) was applied since"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"PASSWORD": "wrong"}, "not allowed"),
        # The server does not tell a user without rights on it that there is none.
        pytest.param({"NAME": "nowhere"}, "not allowed", marks=pytest.mark.slow),
        pytest.param(
            {"NAME": "nowhere", "USER": "root", "PASSWORD": ""},
            "no such database",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"OPTIONS": {"unix_socket": "/nowhere"}}, "unreachable", marks=pytest.mark.slow
        ),
    ],
)
def test_a_mariadb_that_does_not_let_us_in_is_named(
    runner: Runner, on_mariadb: Project, wrong: dict[str, object], reason: str
) -> None:
    on_mariadb.database.update(wrong)
    failed = on_mariadb.gate(runner, django={"databaseTimeoutSeconds": 1}).event("failed")
    assert failed["detail"] == reason
