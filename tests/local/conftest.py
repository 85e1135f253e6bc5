"""A real engine behind a real gateway; Lightsail is a stub that says what it was asked."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.cloud import executions
from local.cloud.clients import client_for
from local.cloud.engine import running_engine
from local.cloud.processes import LOOPBACK, Process, Program, free_port
from local.cloud.sns_inbox import Inbox
from tests.component import table
from tests.local.fixtures import database, database_server
from tests.support import local_cloud
from tests.support.state_machine import with_pages
from tests.workflow.release_machine import DEFINITION

__all__ = ["database", "database_server"]

type RunFrom = Callable[..., executions.Execution]

SOON = timedelta(seconds=20)
REPOSITORY_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Account:
    """An account behind the gateway, and the engine that nobody else should talk to."""

    url: str
    engine_url: str
    logs: Path

    def client(self, service: str) -> Any:
        return client_for(service, self.url)


class _Echo(BaseHTTPRequestHandler):
    """Answers every request with the operation that it named."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"containerServices": [], "asked": self.headers["X-Amz-Target"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="session")
def lightsail_stub() -> Iterator[str]:
    with ThreadingHTTPServer((LOOPBACK, 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def account(lightsail_stub: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    directory = tmp_path_factory.mktemp("account")
    port = free_port()
    with ExitStack() as stack:
        engine = stack.enter_context(
            running_engine(
                port=free_port(),
                public_url=f"http://{LOOPBACK}:{port}",
                wait_scale=0.01,
                directory=directory / "engine",
                logs=directory,
            )
        )
        gateway = Program(
            name="gateway",
            argv=[
                *(sys.executable, "-m", "local.cloud.gateway", "--port", str(port)),
                *("--engine", engine, "--lightsail", lightsail_stub),
                *("--snapshot-seconds", "3600"),
            ],
            environment={"PATH": os.environ["PATH"]},
            directory=REPOSITORY_ROOT,
        )
        process = stack.enter_context(Process(gateway, directory))
        endpoint = json.loads(process.first_line(timedelta(seconds=30)))["endpoint"]
        yield Account(endpoint, engine, directory)


@pytest.fixture
def client(account: Account) -> Callable[[str], Any]:
    return account.client


@pytest.fixture(scope="session")
def role(account: Account) -> str:
    """A role that may do everything."""
    principal = {"Service": "states.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = account.client("iam")
    made = iam.create_role(RoleName="machines", AssumeRolePolicyDocument=trust)
    may = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(
        RoleName="machines",
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]}),
    )
    arn: str = made["Role"]["Arn"]
    return arn


@pytest.fixture
def run_from(client: Callable[[str], Any], topic: str, role: str) -> RunFrom:
    """Run the real definition from one state on, with what has come to it.

    It succeeds when it comes to the state `until`.
    """

    def run(start: str, state: dict[str, Any], until: str | None = None) -> executions.Execution:
        text = DEFINITION.read_text().replace("${TopicArn}", topic)
        definition = json.loads(with_pages(text.replace("${TableName}", table.NAME)))
        definition["StartAt"] = start
        if until is not None:
            definition["States"][until] = {"Type": "Succeed"}
        machine = client("stepfunctions").create_state_machine(
            name=f"from-{uuid4().hex}", definition=json.dumps(definition), roleArn=role
        )["stateMachineArn"]
        arn = local_cloud.start(client("stepfunctions"), machine, state)
        return local_cloud.wait_for_end(client("stepfunctions"), arn, within=SOON)

    return run


@pytest.fixture
def topic(client: Callable[[str], Any]) -> str:
    arn: str = client("sns").create_topic(Name=f"topic-{uuid4().hex}")["TopicArn"]
    return arn


@pytest.fixture
def inbox(client: Callable[[str], Any], topic: str) -> Inbox:
    return Inbox(client("sns"), client("sqs"), topic, topic.rpartition(":")[2])
