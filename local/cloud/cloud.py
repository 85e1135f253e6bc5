"""The whole local cloud, from nothing to a deployed stack and back to nothing."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from local.cloud import sam
from local.cloud.clients import client_for
from local.cloud.engine import running_engine
from local.cloud.errors import LocalCloudError
from local.cloud.postgres import Database, running_database
from local.cloud.processes import LOOPBACK, Process, Program, accepts_connections, free_port

PROJECT = Path(__file__).resolve().parents[2]
# The name of the production stack.
STACK = "lightgate"
_START = timedelta(seconds=30)

_RESTORED_INSTANCES = 4
_SPEED = 60
"""The factor by which Lightsail, RDS and the waits of the state machine are faster here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The outputs of a deployed stack."""

    apps_path: str
    state_machine_arn: str
    topic_arn: str
    table_name: str


@dataclass(eq=False, kw_only=True)
class LocalCloud:
    """A context manager in which the cloud runs.

    At the end its directory is removed. After an error the directory stays, because of the logs.
    """

    snapshot_seconds: float = 60
    """The duration of an RDS snapshot, in AWS's seconds."""
    restore_seconds: float = 300
    """The duration of the restore of an RDS instance, in AWS's seconds."""
    port: int = 0
    base_path: Path = Path(sys.executable).parent
    """The programs that every container has beside its image, such as Python."""
    on_progress: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self._running = contextlib.ExitStack()
        self.database: Database
        self.endpoint: str

    def __enter__(self) -> Self:
        if self.port and accepts_connections(self.port):
            raise LocalCloudError(f"port {self.port} is in use: choose another one")
        self.directory = Path(tempfile.mkdtemp(prefix="lightgate-"))
        self.logs = self.directory / "logs"
        self.logs.mkdir()
        # If one program does not start, the others are stopped.
        with contextlib.ExitStack() as starting:
            self._start(starting)
            self._running = starting.pop_all()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._running.close()
        if error is None or isinstance(error, KeyboardInterrupt | SystemExit):
            shutil.rmtree(self.directory)
        else:
            error.add_note(f"the logs are in {self.logs}")

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 has no static types
        return client_for(service, self.endpoint)

    def deploy(
        self,
        project: Path = PROJECT,
        *,
        stack: str = STACK,
        environment: str = "local",
        overrides: Sequence[str] = (),
    ) -> Stack:
        """Build and deploy a stack with the real SAM, or update it.

        `environment` is one of samconfig.toml. `overrides` are parameters as `Name=value`.
        """
        self.on_progress("building the stack")
        template = sam.build(project, self.logs)
        self.on_progress("deploying the stack")
        outputs = sam.deploy(
            project,
            template,
            stack,
            self.endpoint,
            self.logs,
            environment=environment,
            overrides=overrides,
        )
        return Stack(
            apps_path=outputs["AppsPath"],
            state_machine_arn=outputs["StateMachineArn"],
            topic_arn=outputs["TopicArn"],
            table_name=outputs["TableName"],
        )

    def _start(self, stack: contextlib.ExitStack) -> None:
        self.on_progress("starting the database")
        self.database = stack.enter_context(
            running_database(self.directory / "database", self.logs)
        )
        # Each program needs the addresses of the others when it starts.
        gateway, engine, lightsail = self.port or free_port(), free_port(), free_port()
        restored_ports = [free_port() for _ in range(_RESTORED_INSTANCES)]
        self.endpoint = f"http://{LOOPBACK}:{gateway}"
        self.on_progress("starting the engine")
        engine_url = stack.enter_context(
            running_engine(
                port=engine,
                public_url=self.endpoint,
                wait_scale=1 / _SPEED,
                directory=self.directory / "engine",
                logs=self.logs,
            )
        )
        self.on_progress("starting Lightsail")
        state = self.directory / "lightsail"
        state.mkdir()
        self.lightsail_endpoint = self._start_program(
            stack,
            "lightsail",
            port=lightsail,
            state=state,
            registry=self.endpoint,
            base_path=self.base_path,
            outside=[self.database.port, gateway, *restored_ports],
            iam=engine_url,
            speed=_SPEED,
            # A minute of real time, because a container starts slowly on a busy machine.
            activation_limit=60 * _SPEED,
        )
        self.on_progress("starting the gateway")
        self._start_program(
            stack,
            "cloud.gateway",
            port=gateway,
            engine=engine_url,
            lightsail=self.lightsail_endpoint,
            snapshot_seconds=self.snapshot_seconds / _SPEED,
            restore_seconds=self.restore_seconds / _SPEED,
            database_port=self.database.port,
            database_data=self.directory / "database",
            restored_port=restored_ports,
            restored_data=self.directory / "restored",
        )

    def _start_program(self, stack: contextlib.ExitStack, module: str, **options: object) -> str:
        """Start a program and return the endpoint that it prints when it listens."""
        words = [
            word
            for name, values in options.items()
            for value in (values if isinstance(values, list) else [values])
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        program = Program(
            name=module.rpartition(".")[2],
            argv=[sys.executable, "-m", f"local.{module}", *words],
            environment={
                "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
                "HOME": str(self.directory),
                "TMPDIR": str(self.directory),
                "LANG": "C.UTF-8",
                "TZ": "UTC",
            },
            directory=PROJECT,
        )
        process = stack.enter_context(Process(program, self.logs))
        return str(json.loads(process.first_line(_START))["endpoint"])
