"""A manage.py that patches the standard library for green threads, as eventlet and gevent do."""

from pathlib import Path

import pytest

from local.cloud.postgres import Database
from tests.gate.environments import interpreter
from tests.gate.mailbox_server import Mailbox
from tests.gate.programs import Runner, eventually, free_port
from tests.gate.projects import ADD_COLOUR, CREATE, HALF, MANAGE, Project, Rows, postgres
from tests.gate.test_django_mailbox import told_plan

pytestmark = pytest.mark.slow
PATCHES = {
    "eventlet": "import eventlet\neventlet.monkey_patch()\n",
    "gevent": "from gevent import monkey\nmonkey.patch_all()\n",
}


@pytest.mark.parametrize("version", ["3.8", "3.13"])
@pytest.mark.parametrize("driver", ["psycopg2-binary", "psycopg[binary]"])
@pytest.mark.parametrize("patch", PATCHES)
def test_a_patched_manage_py_migrates_as_any_other(
    runner: Runner,
    database: Database,
    rows: Rows,
    tmp_path: Path,
    patch: str,
    driver: str,
    version: str,
) -> None:
    django = "4.2" if version == "3.8" else "5.2"
    project = Project(
        tmp_path / "app", postgres(database), interpreter(version, django, driver, patch)
    )
    project.write("manage.py", PATCHES[patch] + "\n".join(map(str.strip, MANAGE.splitlines())))
    project.migration(CREATE, name="initial")
    project.migration(ADD_COLOUR)

    gate = project.gate(runner)

    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial", "crops.0002_change"]
    assert rows.applied() == ["0001_initial", "0002_change"]
    assert project.gate(runner, command=["false"]).event("succeeded")["migrations"] == []
    project.migration(HALF)
    failed = project.gate(runner, release="r3").event("failed")
    assert failed["error"] == "django.db.utils.DataError: division by zero"
    assert failed["database"] == "unchanged"


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patched_manage_py_waits_for_its_permit(
    runner: Runner, database: Database, mailbox: Mailbox, tmp_path: Path, patch: str
) -> None:
    python = interpreter("3.13", "5.2", "psycopg[binary]", patch)
    project = Project(tmp_path / "app", postgres(database), python)
    project.write("manage.py", PATCHES[patch] + "\n".join(map(str.strip, MANAGE.splitlines())))
    project.migration(CREATE, name="initial")
    gate = project.gate(runner, mailbox=mailbox)
    plan = told_plan(mailbox)
    eventually(lambda: mailbox.polls > 2, "nothing polls for the permit")

    mailbox.put_permit(plan=plan)

    assert gate.event("succeeded")["migrations"] == ["crops.0001_initial"]


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patched_manage_py_waits_for_its_database(
    runner: Runner, database: Database, tmp_path: Path, patch: str
) -> None:
    python = interpreter("3.13", "5.2", "psycopg[binary]", patch)
    project = Project(tmp_path / "app", postgres(database, PORT=free_port()), python)
    project.write("manage.py", PATCHES[patch] + "\n".join(map(str.strip, MANAGE.splitlines())))
    project.migration(CREATE, name="initial")

    failed = project.gate(runner, django={"databaseTimeoutSeconds": 3}).event("failed")

    assert (failed["cause"], failed["detail"]) == ("database", "unreachable")
