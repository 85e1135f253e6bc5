"""A node on which nothing can be written, a full disk, a cut cable, and too much output."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.cloud.postgres import Database, running_database, running_server
from tests.gate.nodes import Cable, Disk, as_nobody_on_read_only_files
from tests.gate.programs import RELEASE, Program, Runner, after, eventually, free_port, shell
from tests.gate.projects import ADD_COLOUR, CREATE, HALF, Project, Rows, postgres, sql
from tests.gate.test_django_lock import commands_of, final


def held_back(runner: Runner, port: int, release: str = RELEASE) -> Program:
    """An app that waits for the migration."""
    return runner.waiter(shell("echo up"), after=[after("migrate", port)], release=release)


def stays_shut(gate: Program, web: Program) -> dict[str, Any]:
    """The one failure of a gate behind which the app has not started."""
    assert web.event("failed")["error"] == "migrate failed"
    assert web.is_alive()
    assert b"up" not in web.output
    assert gate.named("succeeded") == []
    (failed,) = gate.named("failed")
    return failed


# Nothing may be written

CANNOT_WRITE = """
import tempfile
try:
    print("may write to", tempfile.gettempdir())
except FileNotFoundError:
    print("may write nowhere, as user", os.getuid())
"""


@pytest.fixture
def read_only(crops: Project) -> list[str]:
    with (crops.directory / "settings.py").open("a") as settings:
        settings.write(CANNOT_WRITE)
    # Python may try to keep what it has compiled, and must not mind that it cannot.
    crops.environment["PYTHONDONTWRITEBYTECODE"] = ""
    return as_nobody_on_read_only_files(crops.directory)


def test_where_nothing_can_be_written_an_unprivileged_user_migrates_and_opens(
    runner: Runner, crops: Project, rows: Rows, read_only: list[str]
) -> None:
    crops.migration(ADD_COLOUR)
    port = free_port()
    options = {"prefix": read_only}
    web = runner.waiter(shell("echo up; id -u"), after=[after("migrate", port)], options=options)
    gate = crops.gate(runner, port=port, options=options)

    done = gate.event("succeeded")

    assert done["migrations"] == ["crops.0001_initial", "crops.0002_change"]
    assert gate.event("locked")["recorded"] is True
    nowhere = b"may write nowhere, as user 65534"
    # What the helper and the command print reaches the output beside the events, not before them.
    eventually(lambda: gate.command_output.count(nowhere) == 2, "both wrote somewhere", gate)
    assert web.ends() == 0
    assert web.command_output == b"up\n65534\n"
    assert rows.applied() == ["0001_initial", "0002_change"]
    assert [state for _, state, _ in rows.attempts()] == ["succeeded"]


def test_a_failure_is_reported_and_recorded_if_nothing_can_be_written(
    runner: Runner, crops: Project, rows: Rows, read_only: list[str]
) -> None:
    rows.begin()
    crops.migration(HALF)
    port = free_port()
    web = held_back(runner, port)
    gate = crops.gate(runner, port=port, options={"prefix": read_only})

    gate.event("failed")

    failed = stays_shut(gate, web)
    assert failed["error"] == "django.db.utils.DataError: division by zero"
    assert failed["database"] == "unchanged"
    assert b"may write nowhere, as user 65534" in gate.command_output
    assert [state for _, state, _ in rows.attempts()] == ["failed"]
    assert rows.columns() == {"id", "name"}


# The disk is full

LARGE = "insert into large select repeat(md5(g::text), 200) from generate_series(1, 8000) g"


@pytest.fixture
def disk(database: Database, tmp_path: Path) -> Iterator[Disk]:
    """What holds all that is in the database, and little more. The log is on another one."""
    disk = Disk(tmp_path / "disk", megabytes=24)
    name, place = f"small_{database.name}", disk.directory / "data"
    place.mkdir(mode=0o700)
    with psycopg.connect(database.superuser_url, autocommit=True) as admin:
        admin.execute(f"create tablespace {name} location '{place}'".encode())
        admin.execute(f"alter database {database.name} set tablespace {name}".encode())
        yield disk
        disk.free()
        admin.execute(f"drop database {database.name} with (force)".encode())
        admin.execute(f"drop tablespace {name}".encode())
    disk.close()


@pytest.mark.slow
@pytest.mark.parametrize("atomic", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_disk_that_fills_up_is_the_cause_and_leaves_what_is_said(
    disk: Disk, runner: Runner, crops: Project, rows: Rows, atomic: bool
) -> None:
    rows.begin()
    rows("create table large (x text storage external)")
    crops.migration(f"{ADD_COLOUR}, {sql(LARGE)}", atomic=atomic)
    port = free_port()
    web = held_back(runner, port, "r2")
    gate = crops.gate(runner, release="r2", port=port)

    gate.event("failed")

    failed = stays_shut(gate, web)
    assert failed["cause"] == "exit"
    assert "No space left on device" in failed["error"]
    assert failed["migration"] == "crops.0002_change"
    assert failed["recorded"] is True
    assert failed["database"] == ("unchanged" if atomic else "part-way")
    assert ("colour" in rows.columns()) is not atomic
    assert rows.applied() == ["0001_initial"]
    assert [(release, state) for release, state, _ in rows.attempts()] == [("r2", "failed")]

    disk.free()
    assert crops.gate(runner, release="r2").event("failed")["cause"] == "attempt"
    if not atomic:
        rows("alter table crops_crop drop colour")
    assert crops.gate(runner, release="r3").event("succeeded")["migrations"] == [
        "crops.0002_change"
    ]
    assert rows("select count(*) from large") == [(8000,)]


def fill(disk: Disk, database: Database) -> None:
    """Fill the disk once a session has cached the catalogs there: the next one needs the cache."""
    psycopg.connect(database.url).close()
    disk.fill()


@pytest.mark.slow
def test_without_room_for_the_record_of_the_attempt_nothing_is_run(
    disk: Disk, database: Database, runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    fill(disk, database)
    port = free_port()
    web = held_back(runner, port, "r2")
    gate = crops.gate(runner, release="r2", port=port)

    gate.event("failed")

    failed = stays_shut(gate, web)
    assert failed["cause"] == "record"
    assert "No space left on device" in failed["error"]
    assert failed["database"] == "unchanged"
    assert gate.named("applying") == []
    assert rows.attempts() == []
    assert rows.columns() == {"id", "name"}
    # The server notices a little later that the helper has gone.
    eventually(lambda: rows.locks() == 0, "a lock is left")

    disk.free()
    crops.gate(runner, release="r2").event("succeeded")


@pytest.mark.slow
def test_without_room_for_the_record_a_gate_that_may_do_without_it_tries_and_says_so(
    disk: Disk, database: Database, runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(CREATE.replace("Crop", "Field"))
    fill(disk, database)
    port = free_port()
    web = held_back(runner, port, "r2")
    gate = crops.gate(runner, release="r2", port=port, django={"requireLock": False})

    gate.event("failed")

    failed = stays_shut(gate, web)
    assert gate.event("locked")["recorded"] is False
    assert "No space left on device" in failed["error"]
    assert failed["database"] == "unchanged"
    assert failed["recorded"] is False
    assert rows.attempts() == []


@dataclass
class Doomed:
    """A server with its log on a disk too small for the next migration: it goes down, for good."""

    disk: Disk
    data: Path
    logs: Path
    database: Database
    project: Project

    def fail(self, runner: Runner, port: int) -> Program:
        gate = self.project.gate(
            runner, release="r2", port=port, django={"databaseTimeoutSeconds": 1}
        )
        gate.event("failed")
        return gate


@pytest.fixture
def doomed(runner: Runner, tmp_path: Path) -> Iterator[Doomed]:
    disk = Disk(tmp_path / "disk", megabytes=72)
    data = disk.directory / "data"
    try:
        with running_database(data, tmp_path) as database:
            project = Project(tmp_path / "app", postgres(database))
            project.migration(CREATE, name="initial")
            project.gate(runner, release="r1").event("succeeded")
            large = f"create table large (x text storage external); {LARGE}"
            project.migration(f"{ADD_COLOUR}, {sql(large)}")
            yield Doomed(disk, data, tmp_path, database, project)
    finally:
        disk.close()


@pytest.mark.slow
def test_a_server_that_a_full_disk_takes_down_leaves_the_gate_shut_until_it_is_up_again(
    doomed: Doomed, runner: Runner
) -> None:
    port = free_port()
    web = held_back(runner, port, "r2")

    failed = stays_shut(doomed.fail(runner, port), web)

    # Whoever notices first: the command or the one that holds the lock beside it.
    assert failed["cause"] in ("exit", "lock")
    # The gate meets the crash itself, or the server while it recovers from it.
    told = ("server closed the connection", "the database system is in recovery mode")
    assert any(words in failed["error"] for words in told)
    assert failed["database"] == "not known"
    assert failed["recorded"] is False
    relaunched = doomed.fail(runner, free_port())
    assert relaunched.event("failed")["detail"] == "unreachable"

    doomed.disk.free()
    with running_server(doomed.database, doomed.data, doomed.logs):
        rows = Rows(doomed.database)
        assert rows.columns() == {"id", "name"}
        assert [state for _, state, _ in rows.attempts()] == ["succeeded", "started"]
        done = doomed.project.gate(runner, release="r3").event("succeeded")
        assert done["migrations"] == ["crops.0002_change"]
        assert rows("select count(*) from large") == [(8000,)]
        rows.connection.close()


@pytest.mark.slow
def test_a_server_that_a_full_disk_stops_is_reported_with_its_last_error(
    doomed: Doomed, runner: Runner
) -> None:
    gate = doomed.fail(runner, free_port())
    assert b"OperationalError: could not write" in gate.command_output
    assert "No space left on device" in str(gate.event("failed"))


# The network is gone

# Keepalives notice after 11 s, and 13 s are the longest that sent data stays without an answer.
NOTICED = 25.0


@pytest.fixture
def cable() -> Iterator[Cable]:
    cable = Cable()
    yield cable
    cable.close()


@pytest.fixture
def distant(cable: Cable, tmp_path: Path) -> Iterator[Database]:
    """A server that the node reaches over the cable."""
    data = tmp_path / "data"
    with running_database(data, tmp_path, addresses=[cable.host]) as database:
        with (data / "pg_hba.conf").open("a") as access:
            access.write(f"host all all {cable.host}/30 scram-sha-256\n")
        with psycopg.connect(database.superuser_url) as admin:
            admin.execute("select pg_reload_conf()")
        yield database


@pytest.mark.slow
@pytest.mark.parametrize("atomic", [True, False])
def test_the_lock_of_a_node_that_was_cut_off_is_soon_free_and_its_attempt_is_judged(
    cable: Cable, distant: Database, runner: Runner, tmp_path: Path, atomic: bool
) -> None:
    rows = Rows(distant)
    rows.begin()
    rows("create table pace as select 300 as seconds")
    crops = Project(tmp_path / "app", postgres(distant))
    crops.migration(CREATE, name="initial")
    slow = sql("select pg_sleep(seconds) from pace")
    crops.migration(f"{ADD_COLOUR}, {slow}", atomic=atomic)
    there = Project(crops.directory, postgres(distant, HOST=cable.host))
    cut_off = there.gate(runner, options={"prefix": cable.prefix})
    is_asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
    eventually(lambda: rows(is_asleep) == [(1,)], "does not migrate", cut_off)
    rows("update pace set seconds = 0")
    port = free_port()
    web = held_back(runner, port)
    next_ = crops.gate(runner, port=port)
    (holder,) = next_.event("waiting")["holder"]
    assert holder["application"].startswith("lightgate gate ")

    cable.cut()
    began = time.monotonic()
    how = final(next_)
    took = time.monotonic() - began

    assert took < NOTICED
    assert next_.named("succeeded" if atomic else "failed")
    if atomic:
        assert how == "succeeded"
        assert web.ends() == 0
        assert rows.applied() == ["0001_initial", "0002_change"]
    else:
        failed = stays_shut(next_, web)
        assert failed["cause"] == "attempt"
        assert failed["database"] == "part-way"
        assert next_.named("applying") == []
        assert rows.applied() == ["0001_initial"]
    assert rows.locks() == 0
    states = [(state, detail["tries"]) for _, state, detail in rows.attempts()]
    assert states == ([("succeeded", 2)] if atomic else [("started", 1)])

    # Nor does the node that was cut off go on, when it is back or before.
    eventually(lambda: commands_of(cut_off) == [], "it still migrates", cut_off)
    cable.plug()
    # It may be back soon enough to read what is there.
    assert cut_off.event("failed")["database"] in ("not known", "part-way")
    assert cut_off.named("succeeded") == []
    rows.connection.close()
    print(f"\nfree after {took:.1f} s")


# The port, and the output


@pytest.mark.slow
def test_on_a_taken_port_the_database_is_not_touched(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        gate = crops.gate(runner, port=other.getsockname()[1])
        assert gate.ends() == 1
    assert [one["event"] for one in gate.events] == ["failed"]
    assert gate.event("failed")["cause"] == "port"
    assert rows.tables() == set()


@pytest.mark.slow
def test_megabytes_of_a_migration_arrive_whole_beside_the_lock(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    # Without one newline: the end of Django's own line comes at the end of it.
    much = "migrations.RunPython(lambda apps, editor: print('x' * 4_000_000, end='', flush=True))"
    crops.migration(f"{much}, {much}, {ADD_COLOUR}")
    crops.migration("", name="quiet")
    gate = crops.gate(runner)

    done = gate.event("succeeded")

    names = ["crops.0001_initial", "crops.0002_change", "crops.0003_quiet"]
    assert done["migrations"] == names
    assert gate.command_output.count(b"x") == 8_000_000
    assert len(gate.named("locked")) == 1
    assert rows.applied() == [name.partition(".")[2] for name in names]
