"""The operations that block a large table, against the locks that PostgreSQL really takes."""

# mypy: disable-error-code="import-untyped, name-defined, misc"

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import django
import pymysql
import pytest
from django.contrib.postgres import operations as postgres
from django.contrib.postgres.functions import RandomUUID
from django.db import DatabaseError, connections, migrations, models
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now
from django.db.utils import ConnectionHandler

import tests.gate.django_settings  # noqa: F401 - before what needs them
from lightgate.gate.programs.django_classifier.blocking import Blocking
from lightgate.gate.programs.django_classifier.compatibility import Known
from lightgate.gate.programs.django_helper import __main__ as helper_module
from lightgate.gate.programs.django_helper.__main__ import Helper
from lightgate.gate.programs.django_helper.database import Database as HelperDatabase
from lightgate.gate.programs.django_helper.plan import Plan
from lightgate.migrations.plan import read_plan
from local.cloud.postgres import Database
from tests.gate.programs import Runner
from tests.gate.projects import Project, Rows
from tests.gate.projects import postgres as settings_of
from tests.gate.servers import mariadb

M, F = migrations, models
ALL, WRITES = "reads and writes", "writes"
BEFORE = [
    M.CreateModel("Farm", [("id", F.AutoField(primary_key=True)), ("name", F.TextField())]),
    M.CreateModel(
        "Crop",
        [
            ("id", F.AutoField(primary_key=True)),
            ("name", F.CharField(max_length=20)),
            ("note", F.TextField(null=True)),
            ("size", F.IntegerField(null=True)),
            ("price", F.DecimalField(max_digits=6, decimal_places=2, null=True)),
            ("farm", F.IntegerField(null=True)),
        ],
    ),
    M.CreateModel(
        "Harvest",
        [
            ("id", F.AutoField(primary_key=True)),
            ("crop", F.ForeignKey("crops.Crop", F.CASCADE)),
            ("day", F.DateField(null=True)),
        ],
    ),
]
TABLES = ["crops_farm", "crops_crop", "crops_harvest"]
HAS_DB_DEFAULT = django.VERSION >= (5, 0)
POSITIVE = F.CheckConstraint(name="positive", condition=F.Q(size__gt=0))


def add(name: str, field: Any) -> Any:
    return M.AddField("Crop", name, field)


def alter(name: str, field: Any) -> Any:
    return M.AlterField("Crop", name, field)


@pytest.fixture(scope="module")
def state() -> ProjectState:
    state = ProjectState()
    for operation in BEFORE:
        operation.state_forwards("crops", state)
    return state


@contextmanager
def connected(database: dict[str, Any]) -> Iterator[Any]:
    usual = connections["default"]
    connections["default"] = ConnectionHandler({"default": database})["default"]
    yield connections["default"]
    connections["default"].close()
    connections["default"] = usual


def create(connection: Any, state: ProjectState) -> None:
    with connection.schema_editor() as editor:
        for model in state.apps.get_models():
            editor.create_model(model)
    with connection.cursor() as cursor:
        cursor.execute("insert into crops_farm (name) values ('north')")
        cursor.execute("insert into crops_crop (name, size, farm) values ('beet', 1, 1)")
        cursor.execute("insert into crops_harvest (crop_id, day) values (1, '2026-01-01')")


@pytest.fixture
def server(database: Database, state: ProjectState) -> Iterator[Any]:
    with connected(settings_of(database)) as connection:
        create(connection, state)
        yield connection


class _Undone(Exception):  # noqa: N818
    pass


def seen(server: Any, state: ProjectState, operations: list[Any]) -> dict[str, str]:
    """What each table is blocked for while PostgreSQL works through its rows."""
    found: dict[str, str] = {}
    with server.cursor() as cursor, suppress(_Undone), server.schema_editor() as editor:
        files = tables_of(cursor)
        for operation in operations:
            after = state.clone()
            operation.state_forwards("crops", after)
            operation.database_forwards("crops", editor, state, after)
            state = after
        for statement in editor.deferred_sql:
            editor.execute(statement)
        editor.deferred_sql.clear()
        for table, (file, scans, modes) in tables_of(cursor).items():
            if (file, scans) != files[table][:2]:
                found[table] = ALL if "AccessExclusiveLock" in modes else WRITES
        raise _Undone
    return found


def tables_of(cursor: Any) -> dict[str, Any]:
    cursor.execute(
        """SELECT c.relname, pg_relation_filenode(c.oid), s.seq_scan + coalesce(s.idx_scan, 0),
        (SELECT array_agg(l.mode) FROM pg_locks l
        WHERE l.pid = pg_backend_pid() AND l.relation = c.oid)
        FROM pg_class c JOIN pg_stat_xact_user_tables s ON s.relid = c.oid
        WHERE c.relname = ANY(%s)""",
        [TABLES],
    )
    return {name: (file, scans, modes or []) for name, file, scans, modes in cursor.fetchall()}


def told(connection: Any, state: ProjectState, operations: list[Any]) -> dict[str, str]:
    known, blocking = Known(connection), Blocking(is_atomic=True)
    found: dict[str, str] = {}
    known.large = dict.fromkeys(TABLES, (10**6, 10**8))
    state = state.clone()
    for operation in operations:
        for _, table, reads in blocking.find(operation, "crops", state, known):
            found[table] = ALL if reads else found.get(table, WRITES)
        operation.state_forwards("crops", state)
    return found


PLANS = {
    "column": [add("it", F.IntegerField(null=True))],
    "column-with-default": [add("it", F.IntegerField(default=3))],
    "column-with-check": [add("it", F.PositiveIntegerField(null=True))],
    "unique-column": [add("it", F.IntegerField(null=True, unique=True))],
    "indexed-column": [add("it", F.IntegerField(null=True, db_index=True))],
    "foreign-key": [add("it", F.ForeignKey("crops.Farm", F.CASCADE, null=True))],
    "foreign-key-without-constraint": [
        add("it", F.ForeignKey("crops.Farm", F.CASCADE, null=True, db_constraint=False))
    ],
    "many-to-many": [add("it", F.ManyToManyField("crops.Farm"))],
    "now": [add("it", F.DateTimeField(db_default=Now()))],
    "volatile": [add("it", F.UUIDField(db_default=RandomUUID()))],
    "generated": [
        add(
            "it",
            F.GeneratedField(
                expression=F.F("size") + 1, output_field=F.IntegerField(), db_persist=True
            ),
        )
    ],
    "index": [M.AddIndex("Crop", F.Index(fields=["size"], name="by_size"))],
    "column-and-index": [
        add("it", F.IntegerField(null=True)),
        M.AddIndex("Crop", F.Index(fields=["size"], name="by_size")),
    ],
    "removed-index": [
        M.AlterField("Harvest", "crop", F.ForeignKey("crops.Crop", F.CASCADE, db_index=False))
    ],
    "check": [M.AddConstraint("Crop", POSITIVE)],
    "check-not-valid": [postgres.AddConstraintNotValid("Crop", POSITIVE)],
    "unique": [M.AddConstraint("Crop", F.UniqueConstraint(fields=["name"], name="one_name"))],
    "unique-if": [
        M.AddConstraint(
            "Crop",
            F.UniqueConstraint(fields=["name"], name="one_name", condition=F.Q(size__gt=0)),
        )
    ],
    "unique-together": [M.AlterUniqueTogether("Crop", {("name", "size")})],
    "not-null": [alter("size", F.IntegerField(default=0))],
    "null": [alter("name", F.CharField(max_length=20, null=True))],
    "longer-text": [alter("name", F.CharField(max_length=30))],
    "shorter-text": [alter("name", F.CharField(max_length=10))],
    "unlimited-text": [alter("name", F.TextField())],
    "limited-text": [alter("note", F.CharField(max_length=30, null=True))],
    "more-digits": [alter("price", F.DecimalField(None, None, 9, 2, null=True))],
    "more-places": [alter("price", F.DecimalField(None, None, 9, 3, null=True))],
    "wider": [alter("size", F.BigIntegerField(null=True))],
    "key": [alter("id", F.BigAutoField(primary_key=True))],
    "to-foreign-key": [
        alter("farm", F.ForeignKey("crops.Farm", F.CASCADE, null=True, db_column="farm"))
    ],
    "to-index": [alter("size", F.IntegerField(null=True, db_index=True))],
    "to-unique": [alter("size", F.IntegerField(null=True, unique=True))],
    "to-check": [alter("size", F.PositiveIntegerField(null=True))],
    "choices": [alter("size", F.IntegerField(null=True, choices=[(1, "one")]))],
    "removed-column": [M.RemoveField("Crop", "note")],
    "removed-table": [M.DeleteModel("Harvest")],
    "renamed-column": [M.RenameField("Crop", "note", "notes")],
    "renamed-table": [M.RenameModel("Farm", "Estate")],
    "new-table": [
        M.CreateModel(
            "Visit",
            [
                ("id", F.AutoField(primary_key=True)),
                ("farm", F.ForeignKey("crops.Farm", F.CASCADE)),
            ],
        )
    ],
    "sql": [M.RunSQL("create index by_note on crops_crop (note)")],
}


@pytest.mark.parametrize("name", PLANS)
def test_a_large_table_is_said_to_be_blocked_just_where_postgresql_blocks_it(
    server: Any, state: ProjectState, name: str
) -> None:
    assert told(server, state, PLANS[name]) == seen(server, state, PLANS[name])


ONLY_ON_POSTGRESQL = ("volatile", "check-not-valid", "unique-if", "sql")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PLANS.keys() - set(ONLY_ON_POSTGRESQL)))
def test_a_large_table_is_said_to_be_blocked_just_where_mariadb_lets_nobody_write(
    on_mariadb: Project, state: ProjectState, name: str
) -> None:
    """MariaDB is asked to do it with LOCK=NONE, and refuses where others could not write."""
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()
    with connected(on_mariadb.database) as connection:
        create(connection, state)
        assert told(connection, state, PLANS[name]) == refused(connection, state, PLANS[name])


def refused(connection: Any, state: ProjectState, operations: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for operation in operations:
        after = state.clone()
        operation.state_forwards("crops", after)
        with connection.schema_editor(collect_sql=True) as editor:
            operation.database_forwards("crops", editor, state, after)
        state = after
        for statement in editor.collected_sql:
            altered = re.match(r"(ALTER TABLE|CREATE (?:UNIQUE )?INDEX .* ON) `(\w+)`", statement)
            comma = "," if statement.startswith("ALTER") else ""
            try:
                with connection.cursor() as cursor:
                    cursor.execute(
                        f"{statement.rstrip(';')}{comma} LOCK=NONE" if altered else statement
                    )
            except DatabaseError as error:
                if error.args[0] not in (1845, 1846):
                    raise
                assert altered is not None
                found[altered[2]] = WRITES
                with connection.cursor() as cursor:
                    cursor.execute(statement)
    return {table: how for table, how in found.items() if table in TABLES}


# Through the gate

INDEX = "migrations.AddIndex('Crop', models.Index(fields=['name'], name='by_name'))"


def test_the_plan_names_what_blocks_a_large_table_with_its_size_and_a_way_around_it(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    fill(rows)
    name = crops.migration(INDEX)
    gate = crops.gate(runner, django={"largeTableRows": 2000}, release="r2")
    gate.event("succeeded")
    [[migration, operation, why, reads, table, count, size]] = gate.event("plan")["blocking"]
    assert (migration, operation, why, reads) == (name, "AddIndex Crop", "index", False)
    assert (table, count) == ("crops_crop", 2000)
    assert 50_000 < size < 500_000
    plan = read_plan("r2", "migrate", [json.dumps(gate.event("plan"))])
    assert plan is not None
    told = " ".join(map(str, plan.blocking))
    assert "blocks writes of the table crops_crop (about 2,000 rows" in told
    assert "AddIndexConcurrently" in told


@pytest.mark.parametrize(
    ("rows_of_a_large_table", "operation", "is_concurrent"),
    [(2001, INDEX, False), (2000, INDEX.replace("AddIndex", "AddIndexConcurrently"), True)],
)
def test_a_smaller_table_and_a_concurrent_index_are_no_risk(
    runner: Runner,
    crops: Project,
    rows: Rows,
    rows_of_a_large_table: int,
    operation: str,
    is_concurrent: bool,
) -> None:
    fill(rows)
    if is_concurrent:
        operation = operation.replace(
            "migrations.", "__import__('django.contrib.postgres.operations', fromlist=['any'])."
        )
    crops.migration(operation, atomic=not is_concurrent)
    large = {"largeTableRows": rows_of_a_large_table, "lockRisk": "block"}
    gate = crops.gate(runner, django=large, release="r2")
    gate.event("succeeded")
    assert not {"blocking", "declared"} & gate.event("plan").keys()


def test_a_plan_that_blocks_a_large_table_is_refused_if_the_spec_says_so(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    fill(rows)
    name = crops.migration(INDEX)
    large = {"largeTableRows": 1000, "lockRisk": "block"}
    failed = crops.gate(runner, django=large, release="r2").event("failed")
    assert (failed["cause"], failed["detail"]) == ("refused", "lock risk")
    assert failed["error"] == f"lockRisk: {name}: AddIndex Crop (crops_crop, 2000 rows)"
    assert failed["database"] == "unchanged"
    allowed = crops.gate(runner, django={**large, "allowDestructive": True}, release="r2")
    assert allowed.event("succeeded")["migrations"] == [name]


def test_an_open_transaction_that_has_locked_a_table_of_the_plan_is_named(
    server: Any, rows: Rows
) -> None:
    rows("begin; select count(*) from crops_crop")
    [[pid]] = rows("select pg_backend_pid()")
    helper = HelperDatabase(None, {"release": "r", "container": "c"}, server)  # type: ignore[arg-type]
    [found] = helper.open_transactions({"crops_crop"}, 0)
    assert (found["pid"], found["tables"]) == (pid, "crops_crop")
    assert found["query"] == "select pg_backend_pid()"
    assert helper.open_transactions({"crops_harvest"}, 0) == []
    assert helper.open_transactions({"crops_crop"}, 60) == []


def test_the_plan_names_the_open_transactions(
    server: Any, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows("begin; select count(*) from crops_crop")
    monkeypatch.setattr(helper_module, "OPEN_FOR", 0)
    told: dict[str, Any] = {}
    config = {"release": "r", "container": "c", "policy": "warn", "allowDestructive": False}
    helper = Helper(SimpleNamespace(emit=lambda _, **fields: told.update(fields)), config)  # type: ignore[arg-type]
    helper.database = HelperDatabase(helper.channel, config, server)
    plan = Plan()
    plan.migrations, plan.tables = [], {"crops_crop"}

    helper.report_plan(plan)

    assert [one["tables"] for one in told["transactions"]] == ["crops_crop"]


def test_mariadb_has_the_size_of_a_table_and_the_open_transactions(
    runner: Runner, on_mariadb: Project, mariadb_socket: Path
) -> None:
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()
    on_mariadb.gate(runner).event("succeeded")
    mariadb(mariadb_socket, "grant process on *.* to crops@'127.0.0.1'")
    try:
        with connected(on_mariadb.database) as connection, connection.cursor() as cursor:
            values = ",".join(["('beet')"] * 2000)
            cursor.execute(f"insert into crops_crop (name) values {values}")  # noqa: S608
            cursor.execute("analyze table crops_crop")
            helper = HelperDatabase(None, {"release": "r", "container": "c"}, connection)  # type: ignore[arg-type]
            with closing(pymysql.connect(**connection.get_connection_params())) as other:
                other.begin()
                other.query("select count(*) from crops_crop")
                [found] = helper.open_transactions({"crops_crop"}, 0)
                assert found["pid"] == other.thread_id()
                assert helper.open_transactions({"crops_crop"}, 60) == []
    finally:
        mariadb(mariadb_socket, "revoke process on *.* from crops@'127.0.0.1'")
    name = on_mariadb.migration(
        "migrations.AlterField('Crop', 'name', models.CharField(max_length=9))"
    )
    gate = on_mariadb.gate(runner, django={"largeTableRows": 1000}, release="r2")
    [[migration, _, why, reads, table, _, _]] = gate.event("plan")["blocking"]
    assert (migration, why, reads, table) == (name, "copy", False, "crops_crop")


def fill(rows: Rows) -> None:
    """2,000 rows, which the server has counted."""
    rows.begin()
    rows("insert into crops_crop (name) select 'beet' from generate_series(1, 2000)")
    rows("analyze crops_crop")
