"""On MariaDB migrations fail half-way, and the gate limits their waits for locks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.gate.programs import Runner, eventually
from tests.gate.projects import ADD_COLOUR, Project, sql
from tests.gate.rollbacks import NEWER
from tests.gate.test_mariadb import UNIQUE, columns, reader, released, rows, session

PYTHON = """

def change(apps, editor):
    with editor.connection.cursor() as cursor:
        cursor.execute("update crops_crop set name = 'x'")
        cursor.execute("alter table crops_crop add half int")
        cursor.execute("update crops_crop set nothing = 1")


class Migration"""


@pytest.mark.slow
def test_python_that_has_committed_by_changing_the_schema_is_part_way(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    name = on_mariadb.migration("migrations.RunPython(change)")
    file = on_mariadb.directory / f"crops/migrations/{name.partition('.')[2]}.py"
    file.write_text(file.read_text().replace("\nclass Migration", PYTHON, 1))

    failed = on_mariadb.gate(runner, release=NEWER).event("failed")

    assert failed["database"] == "part-way"
    assert failed["leftovers"][0][0] == "added column crops_crop.half"
    assert "effect" not in failed
    assert rows(on_mariadb, "select distinct name from crops_crop") == [["x"]]


def test_a_half_applied_migration_has_changed_nothing_beside_the_plan(
    runner: Runner, on_mariadb: Project
) -> None:
    released(runner, on_mariadb)
    first = on_mariadb.migration(ADD_COLOUR)
    rows(on_mariadb, "update crops_crop set name = 'a'")
    slug = 'migrations.AddField("crop", "slug", models.CharField(max_length=9, default="x"))'
    second = on_mariadb.migration(f"{slug}, {UNIQUE}")

    failed = on_mariadb.gate(runner, release=NEWER).event("failed")

    assert (failed["cause"], failed["database"]) == ("exit", "part-way")
    assert (failed["migration"], failed["migrationsApplied"]) == (second, [first])
    assert [what for what, _ in failed["leftovers"]] == ["added column crops_crop.slug"]
    assert "unplanned" not in failed


REFUSED = "alter table crops_crop modify name varchar(99), algorithm=instant"


@pytest.mark.parametrize(
    ("statement", "database"),
    [
        (REFUSED, "unchanged"),
        pytest.param(f"{REFUSED}; select 1", "not known", marks=pytest.mark.slow),
    ],
)
def test_a_statement_that_the_server_refuses_has_changed_nothing(
    runner: Runner, on_mariadb: Project, statement: str, database: str
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(sql(statement))
    failed = on_mariadb.gate(runner, release=NEWER).event("failed")
    assert "(184" in failed["error"]
    assert failed["database"] == database


ONLINE = sql("alter table crops_crop add size int, algorithm=inplace, lock=none")


@contextmanager
def locked(project: Project) -> Iterator[int]:
    """A session of the app that has locked the table for reads."""
    with session(project) as run:
        [[pid]] = run("select connection_id()")
        run("lock tables crops_crop read")
        yield pid


@pytest.mark.slow
@pytest.mark.parametrize("holding", [reader, locked])
def test_the_wait_of_an_online_change_is_reported_with_its_holder_and_limited(
    runner: Runner, on_mariadb: Project, holding: Callable[[Project], AbstractContextManager[int]]
) -> None:
    released(runner, on_mariadb)
    on_mariadb.migration(ONLINE)
    with holding(on_mariadb) as pid:
        gate = on_mariadb.gate(runner, release=NEWER, django={"lockTimeoutSeconds": 1})
        assert [one["pid"] for one in gate.event("waiting")["holder"]] == [pid]
        eventually(lambda: any("try" in one for one in gate.named("waiting")), "no try", gate)
    gate.event("succeeded")
    assert "size" in columns(on_mariadb)
