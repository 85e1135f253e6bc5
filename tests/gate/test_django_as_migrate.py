"""To the app the Django helper is the migrate command itself, and it migrates nothing."""

import contextlib
import sqlite3
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.gate.programs import Program, Runner, eventually
from tests.gate.projects import ADD_COLOUR, CREATE, MANAGE, REMOVE_NAME, Project, Rows

# What the app sees of its process.
SEEN = """
    import __main__
    with open("seen", "a") as seen:
        seen.write(repr([
            sys.argv, sys.path[0], sys.flags, os.readlink("/proc/self/fd/0"), os.getcwd(),
            __main__.__file__, __main__.__name__, getattr(sys, "orig_argv", [])[1:],
            # The command's sessions are known by their names, or by this variable.
            sorted(key for key in os.environ if not key.startswith(("PG", "LIGHTGATE_GATE"))),
            sorted(os.listdir("/proc/self/fd"))[:3],
        ]) + "\\n")
    """


@pytest.fixture
def lite(tmp_path: Path) -> Project:
    """A project on SQLite, whose first migration is applied."""
    file = tmp_path / "app/db.sqlite3"
    project = Project(tmp_path / "app", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)})
    project.migration(CREATE, name="initial")
    return project


def fails(gate: Program, cause: str) -> dict[str, Any]:
    failed = gate.event("failed")
    assert failed["cause"] == cause, failed
    return failed


def add_to_settings(project: Project, text: str) -> None:
    with (project.directory / "settings.py").open("a") as settings:
        settings.write(textwrap.dedent(text))


# What the app sees


@pytest.mark.parametrize(
    "words",
    [
        ["manage.py"],
        pytest.param(["-u", "-W", "ignore", "manage.py"], marks=pytest.mark.slow),
        pytest.param(["-m", "django"], marks=pytest.mark.slow),
        pytest.param(["-I", "src/isolated.py"], marks=pytest.mark.slow),
        pytest.param(["src"], marks=pytest.mark.slow),
        pytest.param(["../app/manage.py"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_helper_and_command_are_one_and_the_same_to_the_app(
    runner: Runner, lite: Project, words: list[str]
) -> None:
    add_to_settings(lite, "import sys\n" + textwrap.dedent(SEEN))
    for name in ("__main__", "isolated"):
        text = "import sys\nsys.path.append('.')\n" + textwrap.dedent(MANAGE)
        lite.write(f"src/{name}.py", text)
    lite.environment["DJANGO_SETTINGS_MODULE"] = "settings"
    manage = [lite.python, *words]
    command = [*manage, "migrate", "--noinput", "-v", "2"]
    gate = lite.gate(runner, command=command, django={"manage": manage})
    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]
    seen = (lite.directory / "seen").read_text().splitlines()
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_an_app_that_behaves_otherwise_unless_it_migrates_is_planned_as_it_migrates(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    """It migrates when it starts, queries a table when it starts, and has another database then."""
    crops.ready("""
        from django.core.management import call_command
        from crops.models import Crop
        if sys.argv[1:2] != ["migrate"] or len(sys.argv) > 3:
            call_command("migrate")
            Crop.objects.count()
        """)
    crops.write(
        "crops/models.py",
        "from django.db import models\nclass Crop(models.Model):\n    name = models.TextField()\n",
    )
    add_to_settings(
        crops,
        """
        import sys
        if "migrate" not in sys.argv:
            DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        """,
    )
    assert crops.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]
    name = crops.migration(REMOVE_NAME)
    blocked = crops.gate(runner, django={"policy": "block"}, release="r2")
    assert blocked.event("refused")["operations"] == [f"{name}: RemoveField crop.name (breaking)"]
    assert rows.columns() == {"id", "name"}


def test_an_option_of_the_project_counts_for_the_plan_and_is_in_its_reversal(
    runner: Runner, lite: Project
) -> None:
    """As with django-configurations: `--configuration` chooses the settings, by argv."""
    add_to_settings(
        lite,
        """
        import sys
        if "--configuration=Prod" in sys.argv:
            DATABASES["default"]["NAME"] += ".prod"
        """,
    )
    lite.write(
        "manage.py",
        """
        import os, sys
        from django.core.management import base, execute_from_command_line
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
        usual = base.BaseCommand.create_parser
        def create_parser(self, *args, **kwargs):
            parser = usual(self, *args, **kwargs)
            parser.add_argument("--configuration", default="Dev")
            return parser
        base.BaseCommand.create_parser = create_parser
        execute_from_command_line(sys.argv)
        """,
    )
    assert lite.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]
    gate = lite.gate(runner, "--configuration=Prod")
    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]
    expected = [*lite.manage, "migrate", "crops", "zero", "--configuration=Prod"]
    assert gate.event("plan")["takeBack"] == [expected]


@pytest.mark.parametrize(
    ("words", "cause", "error"),
    [
        (["corps"], "plan", "No installed app with label 'corps'."),
        (["--nope"], "arguments", "unrecognized arguments: --nope"),
        pytest.param(
            ["crops", "0009"],
            "plan",
            "Cannot find a migration matching '0009' from app 'crops'.",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["--database", "x"], "arguments", "invalid choice: 'x'", marks=pytest.mark.slow
        ),
        pytest.param(["--help"], "arguments", "they only print", marks=pytest.mark.slow),
        pytest.param(["--prune"], "arguments", "--prune removes records", marks=pytest.mark.slow),
        pytest.param(
            ["--no-color", "--force-color"], "arguments", "exclude", marks=pytest.mark.slow
        ),
    ],
)
def test_arguments_that_django_refuses_keep_the_gate_shut(
    runner: Runner, lite: Project, words: list[str], cause: str, error: str
) -> None:
    failed = fails(lite.gate(runner, *words), cause)
    assert error in failed["error"]
    assert failed["database"] == "unchanged"


@pytest.mark.slow
def test_a_conflict_of_migrations_keeps_the_gate_shut(runner: Runner, lite: Project) -> None:
    lite.migration(ADD_COLOUR)
    text = (lite.directory / "crops/migrations/0002_change.py").read_text()
    lite.write("crops/migrations/0002_other.py", text.replace("colour", "shade"))
    assert "Conflicting migrations" in fails(lite.gate(runner), "plan")["error"]


@pytest.mark.slow
def test_a_database_that_only_the_commands_code_names_has_to_be_among_its_words(
    runner: Runner, lite: Project
) -> None:
    add_to_settings(lite, "DATABASES['owner'] = DATABASES['default']\n")
    lite.own_migrate(
        "    def add_arguments(self, parser):\n        super().add_arguments(parser)\n"
        "        parser.set_defaults(database='owner')\n"
    )
    failed = fails(lite.gate(runner), "arguments")
    assert failed["error"] == (
        "migrate uses the database 'owner', which its words do not name: add --database=owner"
    )
    gate = lite.gate(runner, "--database=owner")
    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]


# Subclasses of Django's migrate


def test_a_subclass_that_only_filters_what_is_printed_has_a_plan(
    runner: Runner, lite: Project
) -> None:
    """As that of pretix; that of nautobot overrides nothing at all."""
    lite.own_migrate(
        "    def __init__(self, *args, **options):\n        super().__init__(*args, **options)\n"
        "        self.stdout.write('ours')\n"
        "    def add_arguments(self, parser):\n        super().add_arguments(parser)\n"
        "        parser.add_argument('--slowly', action='store_true')\n"
    )
    lite.write("crops/management/commands/shell.py", "raise ImportError('no IPython')\n")
    gate = lite.gate(runner, "--slowly")
    assert gate.event("plan")["count"] == 1
    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]
    again = lite.gate(runner, "--slowly", release="r2")
    assert again.event("plan")["count"] == 0
    assert again.event("succeeded")["migrations"] == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["handle", "execute", "run_from_argv", "sync_apps"])
def test_a_subclass_that_may_apply_something_else_has_no_plan(
    runner: Runner, lite: Project, method: str
) -> None:
    lite.own_migrate(
        f"    def {method}(self, *a, **k):\n        return super().{method}(*a, **k)\n"
    )
    assert lite.gate(runner).event("plan")["class"] == "unknown"


def test_a_method_of_the_app_behind_a_decorator_of_django_is_the_apps(
    runner: Runner, lite: Project
) -> None:
    """As one that was copied from Django, whose own `handle` has this decorator."""
    lite.own_migrate(
        "    from django.core.management.base import no_translations\n\n"
        "    @no_translations\n    def handle(self, *a, **k):\n"
        "        return super().handle(*a, **k)\n"
    )
    assert lite.gate(runner).event("plan")["class"] == "unknown"


@pytest.mark.slow
def test_a_patch_of_djangos_own_migrate_counts_as_the_apps(runner: Runner, lite: Project) -> None:
    lite.ready("""
        import functools
        from django.core.management.commands.migrate import Command
        usual = Command.handle
        @functools.wraps(usual)
        def handle(self, *args, **options):
            return usual(self, *args, **options)
        Command.handle = handle
        """)
    assert lite.gate(runner).event("plan")["class"] == "unknown"


# An app that migrates by itself


@pytest.mark.parametrize(
    "body",
    [
        'from django.core.management import call_command; call_command("migrate")',
        pytest.param(
            'subprocess.run([sys.executable, "manage.py", "migrate"])', marks=pytest.mark.slow
        ),
        pytest.param('os.system(f"{sys.executable} manage.py migrate")', marks=pytest.mark.slow),
        pytest.param(
            "try:\n    subprocess.run(['sh', '-c', 'exec python manage.py migrate'])\n"
            "except BaseException:\n    pass",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_app_that_migrates_when_it_loads_is_kept_from_it(
    runner: Runner, crops: Project, rows: Rows, body: str
) -> None:
    rows.begin()
    crops.ready(body)
    crops.migration(REMOVE_NAME)
    gate = crops.gate(runner)
    failed = fails(gate, "loading")
    assert "migrates" in failed["error"]
    gate.says(b"crops/apps.py")
    assert failed["database"] == "unchanged"
    assert rows.columns() == {"id", "name"}


def test_a_script_that_migrates_by_itself_is_refused_for_that(
    runner: Runner, lite: Project
) -> None:
    lite.write(
        "manage.py",
        """
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
        import django
        django.setup()
        from django.core.management import call_command
        call_command(sys.argv[1])
        """,
    )
    failed = fails(lite.gate(runner), "manage")
    assert failed["error"] == (
        "manage.py migrates by itself: it has to call execute_from_command_line"
    )
    assert failed["database"] == "unchanged"


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("alter table crops_crop drop column name", "its schema"),
        pytest.param(
            "insert into django_migrations (app, name) values ('crops', '0002_change')",
            "crops.0002_change",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_change_of_the_database_by_loading_the_app_fails_once_and_for_all(
    runner: Runner, crops: Project, rows: Rows, statement: str, error: str
) -> None:
    rows.begin()
    crops.ready(f"""
        from django.db import connection
        with connection.cursor() as cursor:
            if not os.path.exists("done"):
                open("done", "w").close()
                cursor.execute({statement!r})
        """)
    crops.migration(ADD_COLOUR)
    failed = fails(crops.gate(runner), "loading")
    assert failed["error"] == f"while the app was loaded, the database has changed: {error}"
    assert (failed["database"], failed["recorded"]) == ("part-way", True)
    again = fails(crops.gate(runner), "attempt")
    assert (again["error"], again["database"]) == (failed["error"], "part-way")


def test_what_the_app_sets_for_its_sessions_is_no_change_by_loading(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    """Before the app is loaded, the gate's session has another search path."""
    rows.begin()
    rows("create schema farm")
    crops.ready("""
        from django.db.backends.signals import connection_created
        def choose(connection, **_):
            connection.cursor().execute("set search_path to farm")
        self.choose = choose
        connection_created.connect(choose)
        """)
    assert crops.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]
    assert rows("select count(*) from farm.crops_crop") == [(0,)]


def test_an_app_that_migrates_later_is_stopped_and_the_state_is_not_known(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration('migrations.RunSQL("select pg_sleep(20)")')
    crops.ready("""
        import threading, time
        from django.core.management import call_command
        def later():
            time.sleep(6)
            call_command("migrate")
        if not os.environ.get("LIGHTGATE_GATE"):
            threading.Thread(target=later, daemon=True).start()
        """)
    failed = fails(crops.gate(runner), "loading")
    assert failed["database"] != "unchanged"


@pytest.mark.slow
def test_a_table_that_loading_makes_in_another_database_is_the_apps_own(
    runner: Runner, lite: Project
) -> None:
    file = str(lite.directory / "cache.sqlite3")
    add_to_settings(lite, f"DATABASES['cache'] = {{**DATABASES['default'], 'NAME': {file!r}}}\n")
    lite.ready("""
        from django.db import connections
        from django.db.migrations.recorder import MigrationRecorder
        MigrationRecorder(connections["cache"]).ensure_schema()
        """)
    assert lite.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]


# Ways to start


EXECS = """
    import os, sys
    if not os.environ.get("AGAIN"):
        os.environ["AGAIN"] = "1"
        os.execv(sys.executable, {words})
    """


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "[sys.executable] + sys.argv",
        pytest.param('[sys.executable, "-u", "-W", "ignore", *sys.argv]', marks=pytest.mark.slow),
    ],
)
def test_a_manage_py_that_becomes_another_python_is_followed(
    runner: Runner, crops: Project, rows: Rows, words: str
) -> None:
    rows.begin()
    name = crops.migration(REMOVE_NAME)
    crops.write("manage.py", textwrap.dedent(EXECS.format(words=words)) + textwrap.dedent(MANAGE))
    blocked = crops.gate(runner, django={"policy": "block"})
    assert blocked.event("refused")["operations"] == [f"{name}: RemoveField crop.name (breaking)"]
    assert rows.columns() == {"id", "name"}
    assert crops.gate(runner, release="r2").event("succeeded")["migrations"] == [name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    [
        "os.execv(sys.executable, [sys.executable, 'manage.py', *sys.argv[1:], '-v', '2'])",
        "import subprocess; sys.exit(subprocess.call([sys.executable, *sys.argv]))",
        "os.posix_spawn(sys.executable, [sys.executable, *sys.argv], os.environ)",
    ],
)
def test_a_manage_py_that_starts_another_migrate_is_refused(
    runner: Runner, crops: Project, rows: Rows, start: str
) -> None:
    rows.begin()
    crops.migration(REMOVE_NAME)
    once = "import os, sys\nif not os.environ.get('AGAIN'):\n    os.environ['AGAIN'] = '1'\n"
    crops.write("manage.py", f"{once}    {start}\n{textwrap.dedent(MANAGE)}")
    assert "starts a process that migrates" in fails(crops.gate(runner), "loading")["error"]
    assert rows.columns() == {"id", "name"}


@pytest.mark.slow
def test_a_manage_py_that_replaces_what_waits_for_sockets_is_planned(
    runner: Runner, lite: Project
) -> None:
    """As eventlet and gevent do. These replacements wait for something that never comes."""
    waits = "def wait(*_, **__):\n    while True:\n        pause(60)\n"
    patch = "import os, select\nfrom time import sleep as pause\n"
    patch += waits + "select.select = os.read = wait\n"
    lite.write("manage.py", patch + textwrap.dedent(MANAGE))

    assert lite.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]


def test_a_manage_py_that_forks_is_planned_in_its_child(runner: Runner, lite: Project) -> None:
    forks = "import os\npid = os.fork()\nif pid:\n    os._exit(os.waitpid(pid, 0)[1] >> 8)\n"
    lite.write("manage.py", forks + textwrap.dedent(MANAGE))
    assert lite.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]


@pytest.mark.parametrize(
    "first",
    [
        "#!{python} -u",
        pytest.param("#!/usr/bin/env -S {python} -u", marks=pytest.mark.slow),
        pytest.param("#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''", marks=pytest.mark.slow),
    ],
)
def test_a_script_that_names_its_python_is_started_with_it(
    runner: Runner, lite: Project, first: str
) -> None:
    path = "import sys\nsys.path.insert(0, '.')\n" + textwrap.dedent(MANAGE)
    lite.write("bin/crops-admin", f"{first.format(python=lite.python)}\n{path}")
    (lite.directory / "bin/crops-admin").chmod(0o755)
    lite.write("bin/python", f'#!/bin/sh\nexec {lite.python} "$@"\n')
    (lite.directory / "bin/python").chmod(0o755)
    lite.environment["PATH"] = f"{lite.directory}/bin:/usr/bin:/bin"
    manage = ["crops-admin"]
    gate = lite.gate(runner, command=[*manage, "migrate", "--noinput"], django={"manage": manage})
    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]


def test_a_script_that_is_not_pythons_is_refused(runner: Runner, lite: Project) -> None:
    lite.write("run.sh", f'#!/bin/sh\nexec {lite.python} manage.py "$@"\n')
    (lite.directory / "run.sh").chmod(0o755)
    gate = lite.gate(runner, command=["./run.sh", "migrate"], django={"manage": ["./run.sh"]})
    failed = fails(gate, "manage")
    assert failed["error"].startswith("'./run.sh' is no program of Python's")
    assert not Path(lite.database["NAME"]).exists()


def test_a_manage_py_that_never_calls_migrate_is_named(runner: Runner, lite: Project) -> None:
    lite.write("manage.py", "print('hello')\n")
    assert fails(lite.gate(runner), "django")["error"] == "manage.py has ended without `migrate`"


@pytest.mark.slow
def test_an_engine_that_has_models_is_read_once_they_can_be_loaded(
    runner: Runner, crops: Project
) -> None:
    """As that of PostGIS."""
    crops.write("engine/__init__.py", "")
    crops.write(
        "engine/base.py",
        """
        from django.db import models
        from django.db.backends.postgresql.base import *
        class Spatial(models.Model):
            class Meta:
                app_label = "crops"
                managed = False
        """,
    )
    crops.database["ENGINE"] = "engine"
    assert crops.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]
    name = crops.migration(ADD_COLOUR)
    assert crops.gate(runner, release="r2").event("succeeded")["migrations"] == [name]


# Nothing migrates where the launcher cannot watch


def test_a_django_that_is_loaded_past_the_launcher_does_not_run(
    runner: Runner, lite: Project
) -> None:
    finder = """
        import sys
        from importlib.machinery import PathFinder
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                is_ours = name == "django.core.management"
                return PathFinder.find_spec(name, path) if is_ours else None
        sys.meta_path.insert(0, Finder)
        """
    lite.write("manage.py", textwrap.dedent(finder) + textwrap.dedent(MANAGE))
    failed = fails(lite.gate(runner), "manage")
    assert "is loaded in a way that cannot be watched" in failed["error"]
    assert "crops_crop" not in tables(lite)


@pytest.mark.slow
def test_a_tool_that_wraps_the_loaders_of_modules_does_not_matter(
    runner: Runner, lite: Project
) -> None:
    """As ddtrace does with wrapt: what is set on its loader is set on the one within."""
    tool = """
        import importlib.util, sys
        class Wrapped:
            def __init__(self, loader):
                self.__dict__["loader"] = loader
            def __getattr__(self, name):
                return getattr(self.loader, name)
            def __setattr__(self, name, value):
                setattr(self.loader, name, value)
            def exec_module(self, module):
                self.loader.exec_module(module)
        class Finder:
            busy = set()
            def find_spec(self, name, path=None, target=None):
                if not name.startswith("django.") or name in self.busy:
                    return None
                self.busy.add(name)
                spec = importlib.util.find_spec(name)
                self.busy.discard(name)
                spec.loader = Wrapped(spec.loader)
                return spec
        sys.meta_path.insert(0, Finder())
        """
    lite.write("manage.py", textwrap.dedent(tool) + textwrap.dedent(MANAGE))
    assert lite.gate(runner).event("succeeded")["migrations"] == ["crops.0001_initial"]


@pytest.mark.slow
def test_a_manage_py_that_calls_the_executor_itself_migrates_nothing(
    runner: Runner, lite: Project
) -> None:
    lite.write(
        "manage.py",
        """
        import os
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
        import django
        django.setup()
        from django.db import connection
        from django.db.migrations.executor import MigrationExecutor
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
        """,
    )
    failed = fails(lite.gate(runner), "manage")
    assert "it has to call execute_from_command_line" in failed["error"]
    assert tables(lite) == set()


def tables(project: Project) -> set[str]:
    with contextlib.closing(sqlite3.connect(project.database["NAME"])) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master")}


def test_a_query_of_the_gate_waits_for_a_database_file_that_is_locked(
    runner: Runner, lite: Project
) -> None:
    lite.database["OPTIONS"] = {"timeout": 0.1}
    with contextlib.closing(sqlite3.connect(lite.database["NAME"])) as other:
        other.execute("create table farm (id integer)")
        other.execute("begin exclusive")
        gate = lite.gate(runner)
        assert "is locked" in gate.event("waiting")["why"]
        other.execute("commit")
        assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]


# An app that is slow to load


@pytest.mark.slow
def test_the_import_that_an_app_waits_for_is_named_at_the_time_limit(
    runner: Runner, lite: Project
) -> None:
    lite.write("farms.py", "import subprocess\n\nsubprocess.run(['sleep', '200'])\n")
    lite.write("manage.py", "import farms\n")

    gate = lite.gate(runner, timeoutSeconds=5)
    eventually(lambda: bool(gate.named("failed")), "does not give up", gate, limit=120)

    failed = fails(gate, "slow-loading")

    assert failed["database"] == "unchanged"
    place = f'File "{lite.directory}/farms.py", line 3 in <module>'
    assert failed["error"] == f"the app has not loaded within 70 s; it is at {place}"


@pytest.mark.slow
def test_an_app_may_take_as_long_to_load_as_its_time_limit(runner: Runner, lite: Project) -> None:
    lite.write("crops/models.py", "import time\n\ntime.sleep(75)\n")
    gate = lite.gate(runner, timeoutSeconds=600)
    eventually(lambda: bool(gate.named("plan") or gate.named("failed")), "no end", gate, limit=120)

    assert gate.named("failed") == []
