"""Runs a release of the example app as its containers would: manage.py, and gunicorn."""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local import crops
from local.processes import Process, Program, free_port


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    release: str
    content: Any


@dataclass(frozen=True, slots=True)
class Site:
    """A release that serves."""

    url: str

    def get(self, path: str = "/") -> Answer:
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, **harvest: object) -> Answer:
        body = json.dumps(harvest).encode()
        return self._ask(urllib.request.Request(self.url + "/", data=body, method="POST"))

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            response = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            content = json.loads(response.read())
            return Answer(response.status, response.headers["X-Release"], content)


class Release:
    """A release on disk, and the database that it is to use."""

    def __init__(self, name: str, directory: Path, database_url: str) -> None:
        self.name = name
        self._directory = directory / name
        self._environment = _environment(database_url, home=directory)
        for folder in crops.folders(name):
            shutil.copytree(folder, self._directory, dirs_exist_ok=True)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def migrate(self) -> None:
        completed = self.manage("migrate", "--noinput")
        assert completed.returncode == 0, completed.stderr

    @contextmanager
    def serving(self) -> Iterator[Site]:
        port = free_port()
        server = Program(
            name=f"gunicorn-{self.name}",
            argv=[sys.executable, "-m", "gunicorn", "crops.wsgi", "--bind", f"127.0.0.1:{port}"],
            environment=self._environment,
            directory=self._directory,
        )
        site = Site(f"http://127.0.0.1:{port}")
        with Process(server, self._directory) as process:
            process.wait_until(lambda: _answers(site), timedelta(seconds=20))
            yield site


def _answers(site: Site) -> bool:
    try:
        site.get("/healthz")
    except OSError:
        return False
    return True


def _environment(database_url: str, home: Path) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),  # gunicorn keeps a control socket there
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "crops.settings_production",
        "SECRET_KEY": "of the tests",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
