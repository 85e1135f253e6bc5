"""What a gate measures in a rehearsal, against real servers."""

import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lightgate.gate.packaging import REHEARSAL, program_hash, program_text
from lightgate.migrations.measured import Measured, read_measured
from local.cloud.postgres import Database
from tests.gate.mailbox_server import Mailbox
from tests.gate.programs import RELEASE, Program, Runner, eventually
from tests.gate.projects import ADD_COLOUR, Project, Rows, sql
from tests.gate.servers import mariadb

TO_VARCHAR = 'migrations.AlterField("crop", "name", models.CharField(max_length=90, null=True))'
INDEX = 'migrations.AddIndex("crop", models.Index("name", name="by_name"))'
SLEEP = sql("select pg_sleep(0.6)")


def rehearse(runner: Runner, project: Project, mailbox: Mailbox, **config: Any) -> Program:
    """A gate that measures, and that has its permit."""
    mailbox.objects["classifier"] = program_text(REHEARSAL).encode()
    django = {"classifier": program_hash(REHEARSAL), **config.pop("django", {})}
    gate = project.gate(runner, mailbox=mailbox, django=django, **config)
    eventually(lambda: bool(mailbox.event("plan").get("hash")), "no plan is reported")
    mailbox.put_permit(plan=mailbox.event("plan")["hash"])
    return gate


def measured_by(gate: Program, end: str = "succeeded") -> Measured:
    gate.event(end)
    lines = gate.output.decode().splitlines()
    found = read_measured(RELEASE, "migrate", lines)
    assert found is not None
    return found


def locks_of(measured: Measured) -> dict[tuple[str | None, str, str], float]:
    assert measured.locks is not None
    return {(one.migration, one.table, one.mode): one.seconds for one in measured.locks}


@pytest.fixture
def full(crops: Project, rows: Rows) -> Project:
    """One migration is applied, and its table has rows."""
    rows.begin()
    rows("insert into crops_crop (name) select 'maize' from generate_series(1, 20000)")
    rows("select pg_stat_force_next_flush()")
    return crops


def test_each_lock_is_reported_with_its_migration_its_table_and_its_time(
    runner: Runner, full: Project, mailbox: Mailbox
) -> None:
    colour = full.migration(f"{ADD_COLOUR}, {SLEEP}")
    index = full.migration(f"{INDEX}, {SLEEP}")

    measured = measured_by(rehearse(runner, full, mailbox))

    locks = locks_of(measured)
    took = {one.name: one.seconds or 0 for one in measured.migrations}
    assert list(took) == [colour, index]
    assert min(took.values()) > 0.6
    assert measured.sample_seconds is not None
    latest = measured.sample_seconds + 0.1
    assert 0.5 < locks[colour, "crops_crop", "AccessExclusiveLock"] < took[colour] + latest
    assert 0.5 < locks[index, "crops_crop", "ShareLock"] < took[index] + latest
    assert (index, "crops_crop", "AccessExclusiveLock") not in locks
    assert measured.longest_lock is not None
    eventually(lambda: "measured" in mailbox.event("result"), "no result")


def test_a_rewritten_table_and_changed_rows_are_reported(
    runner: Runner, full: Project, mailbox: Mailbox
) -> None:
    full.migration('migrations.AlterField("crop", "id", models.TextField(primary_key=True))')
    full.migration(sql("update crops_crop set name = 'rye' where id < '2'"))

    measured = measured_by(rehearse(runner, full, mailbox))

    assert measured.tables is not None
    [table] = measured.tables
    assert (table.name, table.rows, table.is_rewritten) == ("crops_crop", 20_000, True)
    assert table.changed_rows == 11_111
    assert measured.unread == ()
    # Which tables the SQL of a migration needs is unknown, so not all may have been read before.
    assert measured.is_upper_bound


def test_a_plan_whose_tables_were_all_read_has_no_upper_bounds(
    runner: Runner, full: Project, mailbox: Mailbox
) -> None:
    full.migration(INDEX)

    measured = measured_by(rehearse(runner, full, mailbox))

    assert (measured.is_upper_bound, measured.unread) == (False, ())
    assert measured.tables == ()


def test_a_failed_migration_reports_its_measurements(
    runner: Runner, full: Project, mailbox: Mailbox
) -> None:
    failing = full.migration(f"{ADD_COLOUR}, {SLEEP}, " + sql("select 1 / 0"))

    measured = measured_by(rehearse(runner, full, mailbox), "failed")

    assert locks_of(measured)[failing, "crops_crop", "AccessExclusiveLock"] > 0.5
    assert [(one.name, one.seconds) for one in measured.migrations] == [(failing, None)]


def test_sessions_without_the_name_of_the_gate_are_known_by_their_ports(
    runner: Runner, full: Project, mailbox: Mailbox
) -> None:
    full.database["OPTIONS"] = {"application_name": "crops"}
    colour = full.migration(f"{ADD_COLOUR}, " + sql("select pg_sleep(1.5)"))

    locks = locks_of(measured_by(rehearse(runner, full, mailbox)))

    assert locks[colour, "crops_crop", "AccessExclusiveLock"] > 1


def test_the_gate_of_a_release_measures_nothing(
    runner: Runner, full: Project, mailbox: Mailbox
) -> None:
    full.migration(ADD_COLOUR)
    gate = full.gate(runner, mailbox=mailbox)
    eventually(lambda: bool(mailbox.event("plan").get("hash")), "no plan is reported")
    mailbox.put_permit(plan=mailbox.event("plan")["hash"])

    assert "measured" not in gate.event("succeeded")


def begin_on_mariadb(project: Project, runner: Runner, socket: Path) -> None:
    project.gate(runner).event("succeeded")
    rows = "insert into crops_crop (name) select 'maize' from seq_1_to_1000"
    mariadb(socket, f"use {project.database['NAME']}; {rows}")


def test_mariadb_tells_the_metadata_locks_if_it_has_the_plugin(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path, mailbox: Mailbox
) -> None:
    begin_on_mariadb(on_mariadb, runner, mariadb_socket)
    slow = sql("update crops_crop set name = if(id = 1, sleep(1.5), 'rye')")
    change = on_mariadb.migration(slow)

    measured = measured_by(rehearse(runner, on_mariadb, mailbox))

    assert measured.tables is None
    assert measured.is_upper_bound
    assert locks_of(measured)[change, "crops_crop", "SHARED_WRITE"] > 1
    assert [one.name for one in measured.migrations] == [change]


def test_without_the_plugin_mariadb_tells_no_locks_and_the_gate_guesses_none(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path, mailbox: Mailbox
) -> None:
    begin_on_mariadb(on_mariadb, runner, mariadb_socket)
    change = on_mariadb.migration(ADD_COLOUR)
    mariadb(mariadb_socket, "uninstall soname 'metadata_lock_info'")
    try:
        measured = measured_by(rehearse(runner, on_mariadb, mailbox))
    finally:
        mariadb(mariadb_socket, "install soname 'metadata_lock_info'")

    assert (measured.locks, measured.tables) == (None, None)
    assert [one.name for one in measured.migrations] == [change]


class Reader:
    """An app's session: it reads one row again and again, and notes its longest wait."""

    def __init__(self, database: Database) -> None:
        self._connection = psycopg.connect(database.url, autocommit=True)
        self._ended = threading.Event()
        self.longest = 0.0
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._ended.wait(0.01):
            began = time.monotonic()
            self._connection.execute("select from crops_crop limit 1")
            self.longest = max(self.longest, time.monotonic() - began)

    def stop(self) -> float:
        self._ended.set()
        self._thread.join()
        self._connection.close()
        return self.longest


@pytest.mark.slow
def test_the_time_of_a_lock_is_what_another_session_waits(
    runner: Runner, crops: Project, mailbox: Mailbox, rows: Rows, database: Database
) -> None:
    rows.begin()
    rows("insert into crops_crop (name) select 'maize' || n from generate_series(1, 2000000) n")
    crops.migration(TO_VARCHAR.replace("90", "9"))
    crops.migration('migrations.AlterField("crop", "id", models.TextField(primary_key=True))')
    reader = Reader(database)

    try:
        measured = measured_by(rehearse(runner, crops, mailbox))
    finally:
        waited = reader.stop()

    assert measured.longest_lock is not None
    assert measured.longest_lock.table == "crops_crop"
    assert measured.tables is not None
    assert [(one.rows, one.is_rewritten) for one in measured.tables] == [(2_000_000, True)]
    assert waited > 0.5
    assert waited / 2 < measured.longest_lock.seconds < waited * 2
