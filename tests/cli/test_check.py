"""`lightgate check` on real Django projects, without a server."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.cloud.postgres import Database
from tests.cli.calls import Said
from tests.cli.projects import EACH_CLASS, FARM, MYSQL, POSTGRES, TIDY, Tree, names
from tests.cli.test_schema import assert_valid
from tests.gate.environments import interpreter
from tests.gate.programs import Runner
from tests.gate.projects import ADD_COLOUR, CREATE, REMOVE_NAME, postgres
from tests.support.builders import spec_document

Call = Callable[..., Said]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setenv("DATABASES", json.dumps({"default": POSTGRES}))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return Tree(tmp_path / "app", POSTGRES)


@pytest.fixture
def check(lightgate: Call, tree: Tree) -> Call:
    def call(*arguments: object, python: str = sys.executable) -> Said:
        return lightgate("check", tree.manage_py, "--python", python, *arguments)

    return call


def with_each_class(tree: Tree) -> None:
    for name, operations in EACH_CLASS.items():
        tree.add(name, operations)


def test_each_migration_has_its_class_and_its_reason_without_a_server(
    check: Call, tree: Tree
) -> None:
    with_each_class(tree)

    said = check("crops")

    assert (said.code, said.errors) == (1, [])
    assert (
        said.output
        == """\
      MIGRATION           CLASS       OPERATION
ok    crops.0001_initial  compatible
ok    crops.0002_colour   compatible
ok    crops.0003_farm     restricted  CreateModel(ForeignKey) Farm
        DELETE crops_crop may fail: once a new row refers to a row of an older table, the previous
        version cannot delete that row any more, because it does not know the new table.
FAIL  crops.0004_tidy     data        RunPython
        It runs code of the app, which may do anything to rows and schema.
FAIL  crops.0005_drop     breaking    RemoveField crop.name
        The previous version still uses it, and its queries fail without it.
FAIL  crops.0006_sql      unknown     RunSQL
        It is SQL, which Lightgate does not read.

6 migrations: 1 breaking, 1 unknown, 1 data, 1 restricted, 2 compatible. Judged for PostgreSQL 16; \
no server was asked.
Not allowed: 3 of 6 (breaking, data, unknown). Allowed: compatible, restricted.

Next  Release a breaking change in two steps: first code that works before and after the change,
      then the migration. New columns need null=True or db_default.
Next  Lightgate cannot read what Python or SQL does. If the previous version works with the result,
      write the class and your reason into the migration class, such as
        lightgate = "compatible: fills a new column only"
      For a package, write the same into migrations.declared of the spec, and give --spec.
Next  To accept a class for this project, name it: --allow
      compatible,restricted,breaking,data,unknown
"""
    )


def test_without_a_choice_the_compatible_ones_are_only_counted(check: Call, tree: Tree) -> None:
    with_each_class(tree)

    said = check("--allow", "restricted,data,breaking,unknown")

    assert (said.code, said.errors) == (0, [])
    assert names(said.output) == [
        "ok crops.0003_farm restricted",
        "ok crops.0004_tidy data",
        "ok crops.0005_drop breaking",
        "ok crops.0006_sql unknown",
    ]
    assert said.output.splitlines()[-1] == "2 migrations of the class compatible are not listed."


def test_one_migration_can_be_chosen_by_its_name(check: Call, tree: Tree) -> None:
    with_each_class(tree)

    assert names(check("crops.0003_farm").output) == ["ok crops.0003_farm restricted"]
    wrong = check("crops.0003_barn")
    assert (wrong.code, wrong.output) == (2, "")
    assert wrong.errors[-1] == "Error: The project has no app or migration 'crops.0003_barn'."


def test_the_spec_gives_the_policy_and_the_declared_classes(
    check: Call, tree: Tree, written: Callable[..., Path]
) -> None:
    tree.add("initial", CREATE)
    tree.add("tidy", TIDY)
    tree.add("farm", FARM)
    declared = {"crops.0002_tidy": "compatible: fills a new column only"}
    migrations = {"automaticRollback": ["compatible"], "declared": declared}
    spec = written(spec_document(migrations=migrations))

    said = check("crops", "--spec", spec)

    assert said.code == 1
    assert names(said.output) == [
        "ok crops.0001_initial compatible",
        "ok crops.0002_tidy compatible",
        "FAIL crops.0003_farm restricted",
    ]
    sentence = (
        "crops.0002_tidy is declared as compatible, which Lightgate has not checked: fills a new "
        "column only."
    )
    assert sentence in " ".join(said.output.split())
    assert check("--spec", spec, "--allow", "restricted").code == 0
    everything = {"automaticRollback": ["restricted", "data", "breaking", "unknown"]}
    blocked = written(spec_document(migrations={**everything, "policy": "block"}))
    tree.add("drop", REMOVE_NAME)
    assert check("--spec", written(spec_document(migrations=everything), "warn.json")).code == 0
    assert check("--spec", blocked).output.count("FAIL") == 1
    wrong = check("--spec", written({"migrations": 7}))
    assert (wrong.code, wrong.output) == (1, "")


# The migrations since a commit


def test_the_new_migrations_are_one_release(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.commit()
    tree.add("farm", FARM)
    tree.add("size", 'migrations.AddField("farm", "size", models.IntegerField(default=0))')
    tree.commit()
    tree.add("colour", ADD_COLOUR)  # not committed yet

    said = check("--since", "HEAD~1")

    assert (said.code, said.errors) == (0, [])
    assert names(said.output) == [
        "ok crops.0002_farm restricted",
        "ok crops.0003_size compatible",
        "ok crops.0004_colour compatible",
    ]
    assert "\n3 migrations new since HEAD~1: 1 restricted, 2 compatible." in said.output
    assert names(check("crops.0003_size").output) == ["FAIL crops.0003_size breaking"]


def test_nothing_new_is_allowed(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.add("drop", REMOVE_NAME)
    tree.commit()

    assert check("--since", "main") == (0, "No migration is new since main.\n", [])


def test_what_others_have_added_to_the_branch_is_not_new_here(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.commit()
    tree.git("switch", "--create", "topic")
    tree.add("colour", ADD_COLOUR)
    tree.commit()
    tree.git("switch", "main")
    tree.write("crops/models.py", "")
    tree.commit()
    tree.git("switch", "topic")

    assert names(check("--since", "main").output) == ["ok crops.0002_colour compatible"]


def test_a_changed_migration_is_a_warning(check: Call, tree: Tree) -> None:
    changed, formatted, renamed = (
        tree.add(name, operations)
        for name, operations in [("initial", CREATE), ("colour", ADD_COLOUR), ("farm", FARM)]
    )
    tree.commit()
    changed.write_text(changed.read_text().replace("null=True", "null=False"))
    formatted.write_text(
        '"""Colours."""\n' + formatted.read_text() + '    lightgate = "compatible: x"  # ours\n'
    )
    renamed.rename(renamed.with_name("0003_barn.py"))
    tree.git("add", "--all")

    said = check("--since", "HEAD", "--github")

    assert said.code == 0
    assert said.errors == [
        "warning: crops.0001_initial does something else than at HEAD: a database that has applied "
        "it does not apply it again. Put the change into a new migration.",
        "warning: crops.0003_barn was 0003_farm at HEAD: a database that has applied it under its "
        "old name applies it again. Give it its old name.",
    ]
    assert names(said.output) == ["ok crops.0003_barn restricted"]
    assert (
        "::warning file=crops/migrations/0001_initial.py,line=1,title=crops.0001_initial is changed"
        "::crops.0001_initial does something else"
    ) in said.output


@pytest.mark.parametrize("is_gone", [False, True], ids=["files kept", "files deleted"])
def test_a_squash_of_what_is_applied_changes_nothing(
    check: Call, tree: Tree, is_gone: bool
) -> None:
    squashed = [tree.add("initial", CREATE), tree.add("tidy", TIDY)]
    tree.commit()
    squash = tree.add("squashed", f"{CREATE}, {TIDY}")
    text = squash.read_text().replace(
        "dependencies = [('crops', '0002_tidy')]", "dependencies = []"
    )
    replaces = "    replaces = [('crops', '0001_initial'), ('crops', '0002_tidy')]\n"
    squash.write_text(text + replaces)
    for file in squashed if is_gone else ():
        file.unlink()

    assert check("--since", "main").output == "No migration is new since main.\n"


def test_a_commit_that_git_does_not_know_is_named(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)

    outside = check("--since", "main")
    assert (outside.code, outside.output) == (2, "")
    assert outside.errors[0].startswith("error: git rev-parse: fatal: not a git repository")

    tree.commit()
    assert check("--since", "origin/main") == (
        2,
        "",
        [
            "error: --since origin/main: git knows no such commit; fetch the history first: `git "
            "fetch --unshallow origin`, or `fetch-depth: 0` for actions/checkout"
        ],
    )
    tree.git("switch", "--orphan", "other")
    tree.git("commit", "--allow-empty", "--message=x")
    tree.git("switch", "main")
    assert "it has no commit in common with HEAD" in check("--since", "other").errors[0]


def test_a_new_migration_before_an_applied_one_is_an_error(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    later = tree.add("colour", ADD_COLOUR)
    tree.commit()
    between = tree.add("between", TIDY)
    between.write_text(between.read_text().replace("0002_colour", "0001_initial"))
    later.write_text(later.read_text().replace("0001_initial", "0003_between"))

    said = check("--since", "main")

    assert said.code == 2
    assert said.errors[-1].endswith(
        "Migration crops.0002_colour is applied before its dependency crops.0003_between on "
        "database 'default'."
    )


# The output for machines


def test_the_json_has_each_migration_with_its_place(check: Call, tree: Tree) -> None:
    tree.ready("print('crops are ready')")
    with_each_class(tree)

    said = check("crops", "--json")

    assert (said.code, said.errors) == (1, [])
    found = json.loads(said.output)
    assert_valid("check", found)
    migrations = {one["name"]: one for one in found.pop("migrations")}
    assert isinstance(found.pop("django"), str)
    assert found == {
        "schemaVersion": 1,
        "server": "PostgreSQL 16",
        "since": None,
        "allowed": ["compatible", "restricted"],
        "ok": False,
        "counts": {"compatible": 2, "restricted": 1, "data": 1, "breaking": 1, "unknown": 1},
        "changed": [],
    }
    assert migrations["crops.0003_farm"] == {
        "name": "crops.0003_farm",
        "class": "restricted",
        "allowed": True,
        "file": str(tree.directory / "crops/migrations/0003_farm.py"),
        "line": 6,
        "declared": None,
        "operations": [
            {
                "class": "restricted",
                "kind": "CreateModel",
                "target": "Farm",
                "detail": "ForeignKey",
                "why": "DELETE crops_crop may fail: once a new row refers to a row of an older "
                "table, the previous version cannot delete that row any more, because it does not "
                "know the new table",
                "statements": ["DELETE crops_crop"],
            }
        ],
    }


def test_github_gets_an_annotation_at_the_line_of_the_operation(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.add("many", f"{ADD_COLOUR},\n    {FARM},\n    {REMOVE_NAME}")
    tree.add("farm", 'migrations.AddField("crop", "size", models.DecimalField(null=True))')
    tree.commit()

    said = check("crops", "--github")

    assert [line for line in said.output.splitlines() if line.startswith("::")] == [
        "::error file=crops/migrations/0002_many.py,line=10,title=crops.0002_many is breaking::"
        "crops.0002_many: RemoveField crop.name: the previous version still uses it, and its "
        "queries fail without it.%0Acrops.0002_many: CreateModel(ForeignKey) Farm: DELETE "
        "crops_crop may fail: once a new row refers to a row of an older table, the previous "
        "version cannot delete that row any more, because it does not know the new table."
    ]


# The project


def test_the_classes_are_those_of_the_gate(
    lightgate: Call,
    runner: Runner,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = Tree(tmp_path / "app", postgres(database))
    with_each_class(tree)
    plan = tree.gate(runner, "--plan", django={"policy": "block"}).event("plan")
    monkeypatch.setenv("DATABASES", json.dumps({"default": POSTGRES}))
    tree.commit()
    tree.git("commit", "--allow-empty", "--message=x")
    tree.git("checkout", "--orphan", "empty")
    tree.git("rm", "-r", "--cached", "crops/migrations")
    tree.git("commit", "--message=x")

    said = lightgate(
        "check", tree.manage_py, "--since", "HEAD", "--json", "--python", sys.executable
    )

    answer = json.loads(said.output)
    assert_valid("check", answer)
    found = {one["name"]: one["class"] for one in answer["migrations"]}
    assert found == {one["name"]: one["class"] for one in plan["migrations"]}
    assert len(found) == len(EACH_CLASS)


DIGITS = (
    'migrations.AddField("crop", "price", models.DecimalField(max_digits=5, decimal_places=2, '
    "null=True))"
)
WIDER = DIGITS.replace("AddField", "AlterField").replace("=5", "=9")


@pytest.mark.parametrize(
    ("engine", "server", "label"),
    [(POSTGRES, "PostgreSQL 16", "compatible"), (MYSQL, "MySQL 8.0", "restricted")],
    ids=["PostgreSQL", "MySQL"],
)
def test_the_rules_are_those_of_the_engine_in_the_settings(
    check: Call,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    engine: dict[str, Any],
    server: str,
    label: str,
) -> None:
    monkeypatch.setenv("DATABASES", json.dumps({"default": engine}))
    tree.write("crops/__init__.py", "import pymysql\npymysql.version_info = (2, 2, 8, 'final', 0)\n"
               "pymysql.install_as_MySQLdb()\n")  # fmt: skip
    tree.add("initial", CREATE)
    tree.add("price", DIGITS)
    tree.add("wider", WIDER)

    found = json.loads(check("crops.0003_wider", "--json").output)

    assert found["server"] == server
    assert found["migrations"][0]["class"] == label


def test_a_database_of_sqlite_is_not_even_created(
    check: Call, tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "crops.sqlite3"
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
    monkeypatch.setenv("DATABASES", json.dumps({"default": sqlite}))
    tree.add("initial", CREATE)
    tree.add("data", 'migrations.AddField("crop", "data", models.JSONField(null=True))')

    said = check("crops")

    assert said.code == 0
    assert "Judged for SQLite; no server was asked." in said.output
    assert not file.exists()


def test_no_code_of_the_project_reaches_a_database(
    check: Call, tree: Tree, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASES", json.dumps({"default": postgres(database)}))
    tree.add("initial", CREATE)
    tree.ready("from django.db import connection\nconnection.ensure_connection()")

    said = check()

    assert (said.code, said.output) == (2, "")
    assert (
        "django.db.utils.OperationalError: lightgate check connects to no database" in said.errors
    )


def test_a_project_that_cannot_be_loaded_shows_what_it_has_printed(check: Call, tree: Tree) -> None:
    tree.ready("raise RuntimeError('no seeds')")

    said = check("--json")

    found = json.loads(said.output)
    assert_valid("failure", found)
    assert (said.code, found["error"]) == (2, "cannot-check")
    assert said.errors[-2:] == [
        "RuntimeError: no seeds",
        f"error: {tree.manage_py} ended with exit code 1 before Django had loaded the project",
    ]


def test_a_manage_py_without_djangos_command_is_named(check: Call, tree: Tree) -> None:
    tree.write("manage.py", "")

    said = check()

    assert (said.code, said.output) == (2, "")
    assert said.errors == [
        f"error: {tree.manage_py} has not run Django's command: it has to call "
        "execute_from_command_line"
    ]


def test_a_python_without_django_is_named(check: Call, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)

    said = check(python=str(python))

    assert (said.code, said.output) == (2, "")
    assert said.errors[-1] == (
        f"error: {python} cannot import Django: activate the environment of the project, or name "
        "its Python, such as --python .venv/bin/python"
    )


def test_the_python_on_the_path_is_the_default(
    lightgate: Call, tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.add("initial", CREATE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lightgate("check", tree.manage_py) == (
        2,
        "",
        ["error: there is no python on PATH; name that of the project with --python"],
    )
    (tmp_path / "python").symlink_to(sys.executable)
    # A link from elsewhere does not know its environment.
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    assert lightgate("check", tree.manage_py).code == 0
    missing = lightgate("check", tree.manage_py, "--python", tmp_path / "python4")
    assert (missing.code, missing.output) == (2, "")
    assert missing.errors == [f"error: {tmp_path / 'python4'}: No such file or directory"]


def test_other_settings_can_be_named(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.write("production.py", "from settings import *\nINSTALLED_APPS = []\n")

    assert check("--settings", "production").output == "No migration is there.\n"
    assert check("--settings", "nowhere").code == 2


def test_two_latest_migrations_of_an_app_are_an_error(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.add("colour", ADD_COLOUR)
    other = tree.add("other", TIDY)
    other.write_text(other.read_text().replace("0002_colour", "0001_initial"))

    assert check() == (
        2,
        "",
        [
            "error: crops has several latest migrations: 0002_colour, 0003_other; run "
            "makemigrations --merge"
        ],
    )


def test_a_project_that_migrates_while_it_loads_is_refused(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.ready("from django.core.management import call_command\ncall_command('migrate')")

    said = check()

    assert (said.code, said.output) == (2, "")


def test_a_migrate_command_of_the_projects_own_is_a_warning(check: Call, tree: Tree) -> None:
    tree.add("initial", CREATE)
    tree.own_migrate("    def handle(self, *args, **options):\n        pass\n")

    said = check()

    assert said.code == 0
    assert said.errors == [
        "warning: the project's own migrate command replaces Django's, so the gate cannot read its "
        "plan, and each release counts as unknown"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "versions",
    [
        ("3.8", "4.2", "psycopg2-binary"),
        ("3.10", "5.1", "psycopg2-binary"),
        ("3.12", "5.2", "psycopg[binary]", "pymysql"),
        ("3.12", "6.0", "psycopg[binary]", "pymysql"),
    ],
    ids="-".join,
)
def test_the_project_may_have_an_older_python_and_django(
    check: Call, tree: Tree, versions: tuple[str, ...]
) -> None:
    with_each_class(tree)

    said = check("crops", python=interpreter(*versions))

    assert said.code == 1
    assert [row.split()[2] for row in names(said.output)] == [
        "compatible", "compatible", "restricted", "data", "breaking", "unknown",
    ]  # fmt: skip
