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

from local.cloud.processes import Process, Program, free_port
from local.demo import crops

_GUNICORN = (sys.executable, "-m", "gunicorn", "crops.wsgi")


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
            body = response.read()
            is_json = response.headers["Content-Type"] == "application/json"
            content = json.loads(body) if is_json else body.decode()
            return Answer(response.status, response.headers["X-Release"], content)


class Release:
    """A release on disk, and the database that it is to use."""

    def __init__(self, name: str, directory: Path, database_url: str) -> None:
        self.name = name
        self._directory = directory / name
        self._environment = _environment(database_url, home=directory)
        for folder in crops.folders(name):
            shutil.copytree(folder, self._directory, dirs_exist_ok=True)

    def manage(
        self, *arguments: str, seconds: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run manage.py; TimeoutExpired if it has not ended after `seconds`, and is killed."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def migrate(self) -> None:
        completed = self.manage("migrate", "--noinput")
        assert completed.returncode == 0, completed.stderr

    @contextmanager
    def serving(self) -> Iterator[Site]:
        site = Site(f"http://127.0.0.1:{free_port()}")
        with self.started(site) as process:
            process.wait_until(lambda: _answers(site), timedelta(seconds=20))
            yield site

    def started(self, site: Site) -> Process:
        """The app's server as its container would run it, whether or not it comes up there."""
        server = Program(
            name=f"gunicorn-{self.name}",
            argv=[*_GUNICORN, "--bind", site.url.removeprefix("http://")],
            environment=self._environment,
            directory=self._directory,
        )
        return Process(server, self._directory)


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
