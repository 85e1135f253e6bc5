"""The schema changes beside a plan, and migrations are only recorded."""

from typing import Any

import pytest

from tests.gate.programs import Program, Runner
from tests.gate.projects import ADD_COLOUR, REMOVE_NAME, Project, Rows
from tests.gate.rollbacks import NEWER, OLD

ALTER = "alter table crops_crop "
RUN = "migrations.RunPython(change)"


def does(project: Project, statement: str, operations: str = RUN, **more: Any) -> str:
    """A migration whose Python runs the statement."""
    name = project.migration(operations, atomic="mysql" not in project.database["ENGINE"])
    file = project.directory / f"crops/migrations/{name.partition('.')[2]}.py"
    body = f"def change(apps, editor):\n    editor.execute({statement!r})\n\n\nclass Migration"
    written = "".join(f"\n    {key} = {value!r}" for key, value in more.items())
    text = file.read_text().replace("class Migration", body, 1)
    file.write_text(text.replace("    atomic", f"{written}\n    atomic", 1))
    return name


def unplanned(gate: Program) -> list[str]:
    failed = gate.event("failed")
    assert (failed["cause"], failed["database"]) == ("unplanned", "part-way")
    assert failed["migrationsApplied"]
    found: list[str] = failed["unplanned"]
    return found


GONE = "removed column crops_crop.name"
CHANGES = {
    "drop": (ALTER + "drop column name", RUN, GONE),
    "drop beside an added field": (ALTER + "drop column name", f"{ADD_COLOUR}, {RUN}", GONE),
    "drop within another operation": (
        ALTER + "drop column name",
        f"migrations.SeparateDatabaseAndState(database_operations=[{RUN}])",
        GONE,
    ),
    "rename": (ALTER + "rename column name to title", RUN, "added column crops_crop.title"),
    "required": (ALTER + "add size int not null default 1", RUN, "added column crops_crop.size"),
    "unique": ("create unique index one on crops_crop (id)", RUN, "added index crops_crop.one"),
    "check": (
        ALTER + "add constraint big check (id > 0)",
        RUN,
        "added constraint crops_crop.big",
    ),
    "table": ("drop table crops_crop", RUN, "removed table crops_crop"),
}


@pytest.mark.representatives(3)
@pytest.mark.parametrize(("statement", "operations", "what"), CHANGES.values(), ids=CHANGES)
def test_python_of_a_migration_that_changes_the_schema_is_a_failure(
    runner: Runner, crops: Project, rows: Rows, statement: str, operations: str, what: str
) -> None:
    rows.begin()
    does(crops, statement, operations)
    gate = crops.gate(runner)
    assert gate.event("plan")["class"] == "data"
    assert what in unplanned(gate)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drop", "rename", "required", "unique"])
def test_on_mariadb_python_of_a_migration_that_changes_the_schema_is_a_failure(
    runner: Runner, on_mariadb: Project, kind: str
) -> None:
    on_mariadb.gate(runner, release=OLD).event("succeeded")
    statement, operations, what = CHANGES[kind]
    does(on_mariadb, statement, operations)
    told = unplanned(on_mariadb.gate(runner, release=NEWER))
    assert what in [one.replace("constraint", "index") for one in told]


@pytest.mark.parametrize("declared", ["compatible", "breaking"])
def test_a_declaration_hides_no_change_of_the_schema_that_it_does_not_name(
    runner: Runner, crops: Project, rows: Rows, declared: str
) -> None:
    rows.begin()
    does(crops, ALTER + "drop column name", lightgate=f"{declared}: we are sure")
    gate = crops.gate(runner)
    if declared == "breaking":
        assert gate.event("succeeded")["effect"] == "breaking"
    else:
        assert unplanned(gate) == [GONE]


TWO = """migrations.CreateModel("Seed", [("id", models.BigAutoField(primary_key=True)),
    ("crop", models.ForeignKey("crops.Crop", models.CASCADE)),
    ("crops", models.ManyToManyField("crops.Crop", related_name="+"))])"""
PLANNED = {
    "key": 'migrations.AlterField("crop", "id", models.AutoField(primary_key=True))',
    "renamed": 'migrations.RenameModel("Crop", "Plant")',
    "moved": 'migrations.AlterModelTable("crop", "plants")',
    "database": f"migrations.SeparateDatabaseAndState(database_operations=[{ADD_COLOUR}])",
    "models": (
        f'migrations.SeparateDatabaseAndState([migrations.RunPython(change)], [{REMOVE_NAME}])'
    ),
    "required": (
        f'{RUN[:-1]}, migrations.RunPython.noop), '
        'migrations.AlterField("crop", "name", models.TextField(default=""))'
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("operations", PLANNED.values(), ids=PLANNED)
@pytest.mark.parametrize("server", ["crops", "on_mariadb"])
def test_what_the_plan_has_named_is_no_change_beside_it(
    runner: Runner, request: pytest.FixtureRequest, server: str, operations: str
) -> None:
    project = request.getfixturevalue(server)
    project.migration(TWO)
    project.gate(runner, release=OLD).event("succeeded")
    statement = ALTER + "drop column name" if REMOVE_NAME in operations else "select 1"
    if statement == "select 1" and server == "on_mariadb":
        statement = "update crops_crop set name = ''"
    name = does(project, statement, operations)
    done = project.gate(runner, release=NEWER).event("succeeded")
    assert done["migrations"] == [name]
    if "RenameModel" in operations or "AlterField" in operations:
        back = [*project.manage, "migrate", "crops", "0002"]
        project.gate(runner, release="20250303t000000z-r", command=back).event("succeeded")


@pytest.mark.parametrize("quiet", ["-v0", "--verbosity=0"])
def test_migrations_that_migrate_does_not_print_are_reported(
    runner: Runner, crops: Project, rows: Rows, quiet: str
) -> None:
    rows.begin()
    names = [crops.migration(ADD_COLOUR), crops.migration(REMOVE_NAME)]
    assert crops.gate(runner, quiet).event("succeeded")["migrations"] == names


def test_migrations_before_a_failure_are_reported_though_migrate_prints_nothing(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    first = crops.migration(ADD_COLOUR)
    crops.migration("migrations.RunSQL('select 1 / 0')")
    assert crops.gate(runner, "-v0").event("failed")["migrationsApplied"] == [first]


# Migrations that are only recorded


@pytest.mark.parametrize("quiet", [[], ["-v0"]])
def test_a_migration_that_is_only_recorded_is_reported_as_that(
    runner: Runner, crops: Project, rows: Rows, quiet: list[str]
) -> None:
    rows.begin()
    rows(ALTER + "add colour text")
    name = crops.migration(ADD_COLOUR)
    gate = crops.gate(runner, "--fake", *quiet)
    done = gate.event("succeeded")
    assert [one.get("fake") for one in gate.event("plan")["migrations"]] == [True]
    assert (done["migrations"], done["faked"]) == ([], [name])


@pytest.mark.parametrize("allow", [False, True])
def test_a_migration_whose_column_is_not_there_is_not_recorded_without_being_run(
    runner: Runner, crops: Project, rows: Rows, allow: bool
) -> None:
    rows.begin()
    name = crops.migration(ADD_COLOUR)
    gate = crops.gate(runner, "--fake", django={"allowDestructive": allow})
    if allow:
        assert gate.event("succeeded")["faked"] == [name]
        return
    failed = gate.event("failed")
    assert (failed["cause"], failed["detail"]) == ("refused", "lacking")
    assert failed["error"].startswith(f"{name} would be recorded without being run")
    assert failed["error"].endswith("the database lacks crops_crop.colour")
    assert rows.applied() == ["0001_initial"]


@pytest.mark.parametrize("columns", ["id bigint, name text", "id bigint"])
def test_of_an_initial_migration_the_columns_are_compared_before_it_is_only_recorded(
    runner: Runner, crops: Project, rows: Rows, columns: str
) -> None:
    rows(f"create table crops_crop ({columns})")
    name = crops.migration(ADD_COLOUR)
    gate = crops.gate(runner, "--fake-initial")
    if columns.endswith("text"):
        done = gate.event("succeeded")
        assert (done["migrations"], done["faked"]) == ([name], ["crops.0001_initial"])
    else:
        assert gate.event("failed")["error"].endswith("the database lacks crops_crop.name")
        assert "django_migrations" not in rows.tables()


@pytest.mark.slow
def test_a_reversal_that_is_only_recorded_is_reported_as_that(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name = crops.migration(ADD_COLOUR)
    crops.gate(runner).event("succeeded")
    back = [*crops.manage, "migrate", "crops", "0001", "--fake"]
    done = crops.gate(runner, release=NEWER, command=back).event("succeeded")
    assert (done["migrations"], done["faked"]) == ([], [name])
    assert "colour" in rows.columns()


@pytest.mark.slow
def test_on_mariadb_a_migration_that_is_only_recorded_is_reported_as_that(
    runner: Runner, on_mariadb: Project
) -> None:
    on_mariadb.gate(runner, release=OLD).event("succeeded")
    name = on_mariadb.migration(ADD_COLOUR)
    failed = on_mariadb.gate(runner, "--fake", release=NEWER).event("failed")
    assert failed["detail"] == "lacking"
    gate = on_mariadb.gate(
        runner, "--fake", release="20250303t000000z-r", django={"allowDestructive": True}
    )
    assert gate.event("succeeded")["faked"] == [name]
