"""The examples beside crops: their packages, and their releases on the local cloud."""

import hashlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.cloud import account, executions, registry
from local.cloud.cloud import LocalCloud, Stack
from local.cloud.registry import ImageConfig
from local.cloud.sns_inbox import NOT_EARLY, Inbox
from tests.support import local_cloud

ROOT = Path(__file__).parents[2]
VENVS = ROOT / "build" / "examples"
START, END = timedelta(seconds=120), timedelta(seconds=300)


def venv(name: str, *requirements: Path) -> Path:
    """The interpreter of the example's own packages, made when it is missing or outdated."""
    home = VENVS / name
    state = hashlib.sha256(b"".join(each.read_bytes() for each in requirements)).hexdigest()
    ready = home / "ready"
    if not ready.exists() or ready.read_text() != state:
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        files = [word for each in requirements for word in ("-r", str(each))]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [str(home / "bin/python"), "-m", "pip", "install", *options, *files],
        ):
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                pytest.skip(f"the packages cannot be installed here: {ran.stderr[-300:]}")
        ready.write_text(state)
    return home / "bin/python"


@dataclass(frozen=True, kw_only=True)
class Example:
    """An example with its service on the local cloud."""

    name: str
    cloud: LocalCloud
    stack: Stack
    inbox: Inbox
    url: str

    def release(self, tag: str, folders: Sequence[Path], cmd: Sequence[str]) -> Mapping[str, Any]:
        """Push the folders as an image, and wait for the message about its release."""
        machine, arn = self.cloud.client("stepfunctions"), self.stack.state_machine_arn
        known = set(executions.all_of(machine, arn))
        self.push(self.name, tag, folders, cmd)
        execution = executions.wait_for_start(machine, arn, known=known, within=START)
        local_cloud.wait_for_end(machine, execution, within=END)
        [message] = self.inbox.receive(1, START)
        found: Mapping[str, Any] = json.loads(message.text)
        return found

    def push(self, repository: str, tag: str, folders: Sequence[Path], cmd: Sequence[str]) -> str:
        image = registry.build(folders, ImageConfig(cmd=cmd))
        return registry.push(self.cloud.endpoint, repository, tag, image)

    def request(self, path: str, sent: object = None) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        body = None if sent is None else json.dumps(sent)
        try:
            method = "GET" if body is None else "POST"
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()


def spec_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (ROOT / "examples" / name / "containers-with-migrations.json").read_text("utf-8")
    )
    return found


@contextmanager
def running(name: str, python: Path) -> Iterator[Example]:
    """A cloud whose containers have the packages of the example, and an account for it."""
    with LocalCloud(base_path=python.parent) as cloud:
        stack = cloud.deploy()
        spec = spec_of(name)
        service = spec["serviceName"]
        account.create_repository(cloud.client("ecr"), spec["repository"])
        database = cloud.database
        account.create_database_record(
            cloud.client("rds"), spec["database"]["instance"], database.port, database.password
        )
        url = account.create_container_service(cloud.client("lightsail"), service)
        account.let_lightsail_pull(
            cloud.client("ecr"), cloud.client("lightsail"), spec["repository"], service
        )
        for key, value in {"DATABASE_URL": database.url, "SECRET_KEY": "for a test"}.items():
            parameter = f"/lightgate/secrets/{name}/{key}"
            account.put_secret_parameter(cloud.client("ssm"), parameter, value, name)
        inbox = Inbox(
            cloud.client("sns"), cloud.client("sqs"), stack.topic_arn, "people", NOT_EARLY
        )
        yield Example(name=name, cloud=cloud, stack=stack, inbox=inbox, url=url)
