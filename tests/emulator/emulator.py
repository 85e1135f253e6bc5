"""The emulator as a process of its own, and a client of it with the words of the tests."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[2]
BASE_PATH = Path(sys.executable).parent
DEADLINE = 60.0
"""Only a failure waits so long; other suites may keep the machine busy."""

QUICK = {
    "speed": "100",
    "time_to_ready": "0",
    "time_to_update": "0",
    "time_to_pull": "0",
    "time_to_active": "0",
    "log_lag": "0",
    "drain_limit": "1000",
    "stop_grace": "20",
    "settle_time": "30",
    "activation_limit": "6000",
}
"""Lightsail in a hurry: a health check every 50 ms, and no pause that only costs time. But a
deployment may take its time, as on a busy machine it does."""

DEFAULT_CHECK = {
    "healthyThreshold": 2,
    "unhealthyThreshold": 2,
    "timeoutSeconds": 2,
    "intervalSeconds": 5,
    "path": "/",
    "successCodes": "200-499",
}
"""The health check of a public endpoint that names none, as Lightsail fills it in."""


def wait_for[T](
    look: Callable[[], T], what: str, limit: float = DEADLINE, pause: float = 0.02
) -> T:
    """Look again and again until there is something to see."""
    end = time.monotonic() + limit
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}; last seen {seen!r}")
        time.sleep(pause)


class Lightsail(Protocol):
    """Where services are: an emulator, or AWS."""

    @property
    def api(self) -> Any: ...

    patience: float
    pause: float


class Emulator:
    """A running ``python -m local.lightsail``."""

    api: Any
    # Under some settings a deployment that is never healthy takes a minute to be given up.
    patience = 2 * DEADLINE
    pause = 0.02

    def __init__(self, *flags: str, switches: dict[str, str] | None = None) -> None:
        chosen = {**QUICK, **(switches or {})}
        self._command = [
            *(sys.executable, "-m", "local.lightsail", "--exit-with-parent"),
            *("--base-path", str(BASE_PATH), "--log-level", "warning"),
            *(f"--{name.replace('_', '-')}={value}" for name, value in chosen.items()),
            *flags,
        ]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.endpoint: str = json.loads(line)["endpoint"]
        self.api = boto3.client(
            "lightsail",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def control(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.endpoint}/_control/{path}", json.dumps(body or {}).encode(), method=method
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def service(self, name: str, scale: int = 1, **switches: object) -> "Service":
        """Create a service with switches of its own and wait until it is READY."""
        if switches:
            self.control("PUT", f"services/{name}/switches", switches)
        self.api.create_container_service(serviceName=name, power="nano", scale=scale)
        service = Service(self, name)
        wait_for(lambda: service.state == "READY", f"{name} is READY")
        return service

    def delete_services(self) -> None:
        """Delete every service that is in a state to be deleted."""
        for each in self.api.get_container_services()["containerServices"]:
            busy, gone = (
                self.api.exceptions.InvalidInputException,
                self.api.exceptions.NotFoundException,
            )
            with contextlib.suppress(busy, gone):
                self.api.delete_container_service(serviceName=each["containerServiceName"])


class Service:
    """One container service, as a client sees it."""

    def __init__(self, lightsail: Lightsail, name: str) -> None:
        self.lightsail = lightsail
        self.api = lightsail.api
        self.name = name

    def wait_for[T](self, look: Callable[[], T], what: str) -> T:
        """Look again and again, as patiently as the place deserves."""
        return wait_for(look, what, self.lightsail.patience, self.lightsail.pause)

    def waits_for(self, *states: str) -> str:
        """Wait until the service is in one of some states; returns it."""
        what = f"{self.name} is {' or '.join(states)}"
        return self.wait_for(lambda: state if (state := self.state) in states else "", what)

    def read(self) -> dict[str, Any]:
        found = self.api.get_container_services(serviceName=self.name)["containerServices"]
        service: dict[str, Any] = found[0]
        return service

    @property
    def state(self) -> str:
        return str(self.read()["state"])

    @property
    def url(self) -> str:
        return str(self.read()["url"])

    def deploy(
        self, containers: dict[str, dict[str, Any]], public: str | None = None, **check: Any
    ) -> int:
        """Create a deployment; returns its version."""
        request: dict[str, Any] = {"serviceName": self.name, "containers": containers}
        if public:
            port = int(next(iter(containers[public]["ports"])))
            request["publicEndpoint"] = {"containerName": public, "containerPort": port}
            if check:
                request["publicEndpoint"]["healthCheck"] = check
        answer = self.api.create_container_service_deployment(**request)
        return int(answer["containerService"]["nextDeployment"]["version"])

    def deployment_state(self, version: int) -> str:
        listed = self.api.get_container_service_deployments(serviceName=self.name)["deployments"]
        # A read that lags does not show it yet.
        return next((str(each["state"]) for each in listed if each["version"] == version), "")

    def ended(self, version: int) -> str:
        """Wait until a deployment is no longer ACTIVATING; returns its state."""

        def state() -> str:
            found = self.deployment_state(version)
            upcoming = self.read().get("nextDeployment", {}).get("state")
            return found if found not in ("", "ACTIVATING") and upcoming != "ACTIVATING" else ""

        try:
            return self.wait_for(state, f"{self.name} version {version} ends")
        except AssertionError as problem:
            problem.add_note(f"the log of web ends with {self.log('web')[-8:]}")
            raise

    def log(self, container: str, **query: Any) -> list[str]:
        """Read the whole log of a container, page by page."""
        messages: list[str] = []
        while True:
            page = self.api.get_container_log(
                serviceName=self.name, containerName=container, **query
            )
            messages += [event["message"] for event in page["logEvents"]]
            if page.get("nextPageToken") in (None, query.get("pageToken")):
                return messages
            query["pageToken"] = page["nextPageToken"]

    def get(self, path: str = "") -> tuple[int, str]:
        """Ask the public URL."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
