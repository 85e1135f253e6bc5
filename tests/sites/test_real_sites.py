"""Wagtail, pretix, nautobot and django-oscar migrate behind the gate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.gate.programs import Runner
from tests.gate.projects import postgres
from tests.gate.servers import mariadb
from tests.sites.gates import Ended, end_of, start
from tests.sites.sites import SITES, Site
from tests.sites.table import record

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(request: pytest.FixtureRequest, engine: str) -> Iterator[dict[str, Any]]:
    """An empty database, as Django's settings have it."""
    if engine == "PostgreSQL":
        yield postgres(request.getfixturevalue("database"))
        return
    socket: Path = request.getfixturevalue("mariadb_socket")
    name = f"test_{uuid4().hex[:8]}"
    mariadb(socket, f"create database {name} character set utf8mb4")
    yield {
        "ENGINE": "django.db.backends.mysql",
        "NAME": name,
        "USER": "root",
        "OPTIONS": {"unix_socket": str(socket)},
    }
    mariadb(socket, f"drop database {name}")


CASES = [(site, engine) for site in SITES for engine in site.engines]


@pytest.mark.parametrize(("site", "engine"), CASES, ids=[f"{s.name}-{e}" for s, e in CASES])
def test_a_real_site_migrates_once_and_reports_a_failure(
    runner: Runner, site: Site, engine: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    python = site.python()
    site.write(tmp_path)
    environment = {**site.environment, "DATABASES": json.dumps({"default": settings})}
    versions = f"{site.package} {site.version()}, Django {site.django()}"

    def release(run: str, **more: str) -> Ended:
        name = run.replace(" ", "-")
        gate = start(runner, name, python, site.manage, tmp_path, {**environment, **more})
        found = end_of(gate)
        record("sites", 3, [versions, engine, run, *found.cells()])
        return found

    first = release("empty database")
    assert first.last["event"] == "succeeded"
    assert first.count == first.applied_count > 100

    again = release("nothing pending")
    assert again.last["event"] == "succeeded"
    assert (again.count, again.applied) == (0, [])

    failed = release("planted failure", PLANTED="1")
    assert failed.last["cause"] == "exit"
    assert failed.last["migration"] == "planted.0001_initial"
    assert failed.last["database"] == ("unchanged" if engine == "PostgreSQL" else "part-way")
