"""The gate on MariaDB, which commits each DDL statement at once."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.gate.programs import Runner, eventually, free_port
from tests.gate.projects import ADD_COLOUR, REMOVE_NAME, Project, sql
from tests.gate.rollbacks import NEWER, OLD, back, opens, stays_shut
from tests.gate.servers import mariadb, running_mariadb
from tests.gate.test_django_lock import commands_of

ADD_SLUG = 'migrations.AddField("crop", "slug", models.CharField(max_length=9, default="x"))'
UNIQUE = (
    'migrations.AddConstraint("crop", models.UniqueConstraint(fields=["slug"], name="one_slug"))'
)
PLUS_ONE = "update crops_crop set id = id + 100 where sleep(%s) = 0"

Sql = Callable[[str], Any]


@contextmanager
def session(project: Project) -> Iterator[Sql]:
    """A session of the app beside the gate."""
    database = project.database
    connection = pymysql.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=database["USER"],
        password=database["PASSWORD"],
        database=database["NAME"],
    )

    def run(statement: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    with connection:
        yield run


def rows(project: Project, statement: str) -> list[Any]:
    with session(project) as run:
        found = [list(row) for row in run(statement)]
        run("commit")
        return found


def columns(project: Project) -> set[str]:
    return {row[0] for row in rows(project, "show columns from crops_crop")}


def released(runner: Runner, project: Project) -> None:
    """The old version, with two rows."""
    project.gate(runner, release=OLD).event("succeeded")
    rows(project, "insert into crops_crop (name) values ('a'), ('b')")


def without(project: Project, *names: str) -> None:
    for name in names:
        (project.directory / f"crops/migrations/{name.partition('.')[2]}.py").unlink()


def half_applied(runner: Runner, project: Project) -> dict[str, Any]:
    """A release whose second migration fails after its first statement was committed."""
    names = [project.migration(ADD_SLUG), project.migration(f"{REMOVE_NAME}, {UNIQUE}")]
    gate = project.gate(runner, release=NEWER)
    failed = gate.event("failed")
    assert gate.event("plan")["atomic"] is False
    without(project, *names)
    return failed


def test_what_mariadb_has_committed_is_part_way_and_has_no_effect_that_may_be_trusted(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)

    failed = half_applied(runner, on_mariadb)

    assert "1062" in failed["error"]
    assert failed["database"] == "part-way"
    assert "effect" not in failed
    assert failed["leftovers"] == [["removed column crops_crop.name", None]]
    assert columns(on_mariadb) == {"id", "slug"}


@pytest.mark.slow
def test_old_code_stays_shut_after_a_half_applied_release_until_it_is_repaired(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    half_applied(runner, on_mariadb)
    rows(on_mariadb, "delete from django_migrations where name = '0002_change'")

    failed = stays_shut(back(runner, on_mariadb))

    assert "crops.0003_change may be half applied" in failed["error"]
    assert NEWER in failed["error"]
    # A command by hand in between says that it applied nothing; it opens unchecked.
    opens(back(runner, on_mariadb, "unchecked"))
    stays_shut(back(runner, on_mariadb))
    rows(on_mariadb, "alter table crops_crop drop column slug, add column name longtext after id")
    opens(back(runner, on_mariadb))


def test_what_is_left_can_be_undone_as_reported_and_then_released(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    name = on_mariadb.migration(f"{ADD_SLUG}, {UNIQUE}")
    left = on_mariadb.gate(runner, release=NEWER).event("failed")["leftovers"]
    assert left == [["added column crops_crop.slug", "ALTER TABLE `crops_crop` DROP COLUMN `slug`"]]
    again = on_mariadb.gate(runner, release=NEWER).event("failed")
    assert (again["cause"], again["leftovers"]) == ("attempt", left)
    for _, undo in left:
        rows(on_mariadb, undo)
    without(on_mariadb, name)
    on_mariadb.migration(ADD_SLUG)
    on_mariadb.gate(runner, release="20250303t000000z-r").event("succeeded")


@pytest.mark.slow
def test_what_was_renamed_is_never_to_be_dropped(runner: Runner, on_mariadb: Project) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(
        f"migrations.RenameField('crop', 'name', 'title'), {sql('select no_such_column')}"
    )
    left = on_mariadb.gate(runner, release=NEWER).event("failed")["leftovers"]
    assert sorted(left) == [
        ["added column crops_crop.title", None],
        ["removed column crops_crop.name", None],
    ]


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        (sql("create view seeds as select id from crops_crop"), ["added table seeds"]),
        (
            'migrations.AlterField("crop", "name", models.TextField(null=True, '
            'db_collation="utf8mb4_bin"))',
            ["changed column crops_crop.name"],
        ),
    ],
    ids=["view", "collation"],
)
def test_what_a_statement_of_ours_cannot_undo_is_listed_without_one(
    runner: Runner, on_mariadb: Project, operation: str, left: list[str]
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(f"{operation}, {sql('select no_such_column')}")
    failed = on_mariadb.gate(runner, release=NEWER).event("failed")
    assert failed["database"] == "part-way"
    assert failed["leftovers"] == [[what, None] for what in left]


def test_every_kind_of_leftover_can_be_undone(runner: Runner, on_mariadb: Project) -> None:
    released(runner, on_mariadb)
    before = rows(on_mariadb, "show create table crops_crop")
    on_mariadb.migration(
        sql(
            "create table seed (id int primary key); alter table crops_crop add column size int,"
            " add index by_size (size), add constraint big check (size > 0),"
            " add constraint seeded foreign key (size) references seed (id);"
            " alter table crops_crop add unique index one (id, size); select no_such_column"
        )
    )
    left = on_mariadb.gate(runner, release=NEWER).event("failed")["leftovers"]
    assert {what for what, _ in left} == {
        "added constraint crops_crop.big",
        "added constraint crops_crop.one",
        "added constraint crops_crop.seeded",
        "added index crops_crop.by_size",
        "added column crops_crop.size",
        "added table seed",
    }
    for _, undo in left:
        rows(on_mariadb, undo)
    assert rows(on_mariadb, "show create table crops_crop") == before
    assert rows(on_mariadb, "show tables like 'seed'") == []


@pytest.mark.slow
def test_a_statement_of_a_stopped_command_is_ended_with_it(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(sql(PLUS_ONE % 30))
    gate = on_mariadb.gate(runner, release=NEWER, timeoutSeconds=2)
    assert gate.event("failed")["cause"] == "timeout"
    ours = "select id from information_schema.processlist where info like 'update crops%'"
    assert rows(on_mariadb, ours) == []
    assert rows(on_mariadb, "select max(id) < 100 from crops_crop") == [[1]]


@pytest.mark.slow
def test_the_next_release_waits_for_what_a_killed_node_has_left_in_the_server(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(sql(PLUS_ONE % 20))
    killed = on_mariadb.gate(runner, release="r1")
    ours = "select id from information_schema.processlist where info like 'update crops%'"
    eventually(lambda: bool(rows(on_mariadb, ours)), "does not migrate", killed)
    on_record = (
        "select detail like '%\"sessions\": [[%' from lightgate_attempt where state='started'"
    )
    eventually(lambda: [1] in rows(on_mariadb, on_record), "its session is not known", killed)
    for pid in [killed.process.pid, *commands_of(killed)]:
        os.kill(pid, signal.SIGKILL)
    waiting = on_mariadb.gate(runner, release="r2")
    (holder,) = waiting.event("waiting")["holder"]
    assert holder["application"] == "lightgate:r1:migrate"
    assert rows(on_mariadb, ours) == [[holder["pid"]]]
    assert waiting.named("locked") == []
    rows(on_mariadb, f"kill {holder['pid']}")
    waiting.event("locked")


def test_a_statement_of_the_app_is_not_waited_for(runner: Runner, on_mariadb: Project) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(ADD_COLOUR)
    with session(on_mariadb) as app:
        report = "create temporary table report select sleep(20)"
        thread = threading.Thread(target=lambda: suppressed(app, report))
        thread.start()
        gate = on_mariadb.gate(runner, release=NEWER)
        gate.event("succeeded")
        assert gate.named("waiting") == []
        assert thread.is_alive()
        mariadb_kill(on_mariadb, "create temporary")
        thread.join()


def suppressed(run: Sql, statement: str) -> None:
    with suppress(Exception):
        run(statement)


def mariadb_kill(project: Project, beginning: str) -> None:
    [[found]] = rows(
        project,
        f"select id from information_schema.processlist where info like '{beginning}%'",  # noqa: S608
    )
    rows(project, f"kill query {found}")


@pytest.mark.slow
def test_a_migration_longer_than_wait_timeout_succeeds(runner: Runner, on_mariadb: Project) -> None:
    released(runner, on_mariadb)
    on_mariadb.database["OPTIONS"] = {"init_command": "set session wait_timeout = 1"}
    on_mariadb.migration(sql("do sleep(3)"))
    gate = on_mariadb.gate(runner, release=NEWER)
    assert gate.event("succeeded")["migrations"] == ["crops.0002_change"]


@pytest.mark.slow
def test_when_the_helpers_session_is_lost_the_success_is_recorded_all_the_same(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(sql("do sleep(3)"))
    gate = on_mariadb.gate(runner, release=NEWER)
    eventually(lambda: len(gate.named("applying")) == 2, "does not migrate", gate)
    name = on_mariadb.database["NAME"]
    lock = f"is_used_lock('lightgate:{name}')"
    sessions = f"select id, info from information_schema.processlist where db = '{name}'"  # noqa: S608
    found = rows(on_mariadb, f"{sessions} and id not in (connection_id(), {lock})")
    others = [pid for pid, info in found if not str(info).startswith("do sleep")]
    assert others
    for pid in others:
        rows(on_mariadb, f"kill {pid}")
    gate.event("succeeded")
    assert rows(on_mariadb, "select count(*) from lightgate_attempt where state = 'started'") == [
        [0]
    ]


@contextmanager
def reader(project: Project) -> Iterator[int]:
    """A transaction of the app that has read the table, and keeps its metadata lock."""
    with session(project) as run:
        [[pid]] = run("select connection_id()")
        run("begin")
        run("select * from crops_crop")
        yield pid


@pytest.mark.slow
def test_a_metadata_lock_is_reported_with_its_holder_and_the_wait_is_limited(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(ADD_COLOUR)
    with reader(on_mariadb) as pid:
        gate = on_mariadb.gate(runner, release=NEWER, django={"lockTimeoutSeconds": 1})
        waiting = gate.event("waiting")
        assert waiting["for"] == ["database lock"]
        assert [one["pid"] for one in waiting["holder"]] == [pid]
        assert gate.event("locked")["lockTimeout"] == {"seconds": 1}
        eventually(lambda: any("try" in one for one in gate.named("waiting")), "no try", gate)
        # Between two tries nobody else has to wait.
        rows(on_mariadb, "select count(*) from crops_crop")
    assert gate.event("succeeded")["migrations"] == ["crops.0002_change"]


@pytest.mark.slow
def test_after_the_last_try_a_metadata_lock_has_left_nothing(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(ADD_COLOUR)
    with reader(on_mariadb):
        gate = on_mariadb.gate(runner, release=NEWER, django={"lockTimeoutSeconds": 0.1})
        failed = gate.event("failed")
    assert (failed["cause"], failed["detail"]) == ("exit", "lock timeout")
    assert failed["database"] == "unchanged"
    assert "colour" not in columns(on_mariadb)


@pytest.mark.slow
def test_a_wait_is_not_ended_where_that_would_leave_a_half_applied_plan(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    rows(on_mariadb, "create table other (id int)")
    on_mariadb.migration(f"{sql('alter table other add x int')}, {ADD_COLOUR}")
    with reader(on_mariadb):
        gate = on_mariadb.gate(runner, release=NEWER, django={"lockTimeoutSeconds": 0.1})
        gate.event("waiting")
        time.sleep(2)
        assert gate.named("failed") == []
        assert not any("try" in one for one in gate.named("waiting"))
    gate.event("succeeded")


@pytest.mark.slow
@pytest.mark.parametrize("is_shown", [True, False])
def test_the_holder_is_read_from_what_the_server_shows(
    runner: Runner, on_mariadb: Project, tmp_path: Path, is_shown: bool
) -> None:
    port = free_port()
    options = ["--performance-schema=ON"] if is_shown else []
    options += ["--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"] if is_shown else []
    with running_mariadb(tmp_path / "server", port, *options) as socket:
        mariadb(
            socket,
            "create database x; create user crops@'127.0.0.1' identified by 'crops';"
            " grant all on x.* to crops@'127.0.0.1';"
            " grant select on performance_schema.* to crops@'127.0.0.1'",
        )
        on_mariadb.database.update(PORT=port, NAME="x")
        released(runner, on_mariadb)
        on_mariadb.migration(ADD_COLOUR)
        with reader(on_mariadb) as pid, session(on_mariadb) as app:
            thread = threading.Thread(target=app, args=("select sleep(6), id from crops_crop",))
            thread.start()
            gate = on_mariadb.gate(runner, release=NEWER)
            waiting = gate.event("waiting")
            shown = {one["pid"] for one in waiting["holder" if is_shown else "suspects"]}
            assert (pid in shown) == is_shown  # asleep in its transaction
            assert len(shown) == 1 + is_shown
            thread.join()
        gate.event("succeeded")


def test_the_session_that_locks_a_table_of_the_gate_is_named(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(ADD_COLOUR)
    with session(on_mariadb) as run:
        [[pid]] = run("select connection_id()")
        run("lock tables lightgate_attempt write")
        gate = on_mariadb.gate(runner, release=NEWER)
        waiting = gate.event("waiting")
        assert waiting["for"] == ["database lock"]
        assert [one["pid"] for one in waiting["holder"]] == [pid]
        run("unlock tables")
        gate.event("succeeded")


@pytest.mark.slow
def test_the_wait_for_a_server_that_is_being_backed_up_has_an_end(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(ADD_COLOUR)
    root = pymysql.connect(unix_socket=str(mariadb_socket), user="root")
    with root, root.cursor() as cursor:
        cursor.execute("flush tables with read lock")
        failed = on_mariadb.gate(runner, release=NEWER, timeoutSeconds=3).event("failed")
        cursor.execute("unlock tables")
    assert (failed["cause"], failed["detail"]) == ("lock", "not free")
    assert failed["database"] == "unchanged"


def test_the_session_that_locks_a_row_is_named_if_the_user_may_see_it(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path
) -> None:
    released(runner, on_mariadb)
    user, name = f"sees_{on_mariadb.database['NAME']}", on_mariadb.database["NAME"]
    mariadb(
        mariadb_socket,
        f"create user {user}@'127.0.0.1' identified by 'crops'; grant process on *.* to"
        f" {user}@'127.0.0.1'; grant all on {name}.* to {user}@'127.0.0.1'",
    )
    on_mariadb.migration(sql("update crops_crop set name = 'c' where id = 1"))
    with session(on_mariadb) as run:
        [[pid]] = run("select connection_id()")
        run("begin")
        run("update crops_crop set name = 'd' where id = 1")
        on_mariadb.database["USER"] = user
        gate = on_mariadb.gate(runner, release=NEWER)
        assert [one["pid"] for one in gate.event("waiting")["holder"]] == [pid]
        run("rollback")
    gate.event("succeeded")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("with max_user_connections 2", "too many connections"),
        ("account lock", "not allowed"),
    ],
)
def test_a_user_that_may_not_connect_any_more_is_called_that(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path, change: str, detail: str
) -> None:
    released(runner, on_mariadb)
    user, name = f"out_{on_mariadb.database['NAME']}", on_mariadb.database["NAME"]
    who = f"{user}@'127.0.0.1'"
    mariadb(
        mariadb_socket,
        f"create user {who} identified by 'crops'; grant all on {name}.* to {who};"
        f" alter user {who} {change}",
    )
    on_mariadb.migration(ADD_COLOUR)
    on_mariadb.database["USER"] = user
    gate = on_mariadb.gate(runner, release=NEWER, django={"databaseTimeoutSeconds": 1})
    assert gate.event("failed")["detail"] == detail
    assert gate.event("failed")["database"] == "unchanged"


def deadlocked(project: Project, tmp_path: Path) -> str:
    """A migration that changes two rows, and waits for a file between them."""
    go = tmp_path / "go"
    there = f"__import__('os').path.exists({str(go)!r})"
    wait = f"[__import__('time').sleep(.05) for _ in iter(lambda: {there}, True)]"
    change = "update crops_crop set name = concat(name, '+') where name like '%s%%'"
    first, second = (f"e.connection.cursor().execute({change % name!r})" for name in "ab")
    return project.migration(f"migrations.RunPython(lambda a, e: [{first}, {wait}, {second}])")


@pytest.mark.slow
def test_a_deadlock_that_has_left_nothing_is_tried_again(
    runner: Runner, on_mariadb: Project, tmp_path: Path
) -> None:
    released(runner, on_mariadb)
    rows(on_mariadb, "insert into crops_crop (name) select concat('c', seq) from seq_1_to_100")
    name = deadlocked(on_mariadb, tmp_path)
    with session(on_mariadb) as app:
        app("begin")
        # The server ends the transaction that has changed less: not this one.
        app("update crops_crop set name = concat(name, '!') where id > 1")
        gate = on_mariadb.gate(runner, release=NEWER)
        waits = "select count(*) from crops_crop where name = 'a+'"
        eventually(lambda: len(gate.named("applying")) == 2, "does not migrate", gate)
        time.sleep(0.5)
        (tmp_path / "go").touch()
        app("update crops_crop set name = concat(name, '!') where id = 1")
        app("commit")
    assert gate.event("succeeded")["migrations"] == [name]
    assert b"1213" in gate.command_output
    assert rows(on_mariadb, "select name from crops_crop where id < 3") == [["a!+"], ["b!+"]]
    assert rows(on_mariadb, waits) == [[0]]


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (1213, "deadlock"),
        (1205, "lock timeout"),
        (2006, "connection lost"),
        (4031, "connection lost"),
        (1969, "statement timeout"),
        (1062, None),
    ],
)
def test_the_code_of_the_server_is_reported(
    runner: Runner, on_mariadb: Project, code: int, detail: str | None
) -> None:
    released(runner, on_mariadb)
    raised = f"__import__('django.db').db.OperationalError({code}, 'in whatever words')"
    on_mariadb.migration(
        f"{ADD_COLOUR}, migrations.RunPython(lambda a, e: (_ for _ in ()).throw({raised}))"
    )
    gate = on_mariadb.gate(runner, release=NEWER)
    failed = gate.event("failed")
    assert failed.get("detail") == detail
    assert failed["database"] == "part-way"  # so it was not tried again
    assert gate.command_output.count(b"Operations to perform") == 1
