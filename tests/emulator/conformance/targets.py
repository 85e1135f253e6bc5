"""The places that the conformance tests run at: the emulator, or AWS itself.

A run on AWS creates container services and COSTS MONEY. It is made by ``LIGHTGATE_AWS=1`` only,
in ``LIGHTGATE_AWS_REGION`` (default us-east-1), with services named ``LIGHTGATE_AWS_PREFIX-...``
(default lightgate-conformance) and the image ``LIGHTGATE_AWS_IMAGE``, which must have python3.
What a run created, it deletes; one that was killed leaves services behind: delete them by hand.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulator.emulator import Emulator, Service
from tests.emulator.registry import HOST

SERVE = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["TAG"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
print("serving", os.environ["TAG"], flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


class Target:
    """Creates services and containers at one place; deletes what it created."""

    def __init__(self, api: Any, *, image: str, prefix: str, patience: float, pause: float) -> None:
        self.api = api
        self.patience = patience
        self.pause = pause
        self._image = image
        self._prefix = prefix
        self._created: list[Service] = []

    def service(self, *, scale: int = 1) -> Service:
        """Create a service and wait until it is READY."""
        name = f"{self._prefix}-{uuid.uuid4().hex[:8]}"
        self.api.create_container_service(serviceName=name, power="nano", scale=scale)
        service = Service(self, name)
        self._created.append(service)
        service.waits_for("READY")
        return service

    def script(self, source: str, **more: Any) -> dict[str, Any]:
        """Return a container that runs some Python."""
        return {"image": self._image, "command": ["python3", "-u", "-c", source], **more}

    def web(self, tag: str, after: float = 0) -> dict[str, Any]:
        """Return a container that serves its tag on port 8000, after so many seconds."""
        source = f"import time; time.sleep({after})\n{SERVE}" if after else SERVE
        return self.script(source, environment={"TAG": tag}, ports={"8000": "HTTP"})

    def delete_services(self) -> None:
        """Delete every service of this run, each as soon as it may be."""
        for service in self._created:
            service.wait_for(lambda name=service.name: self._deleted(name), "it may be deleted")  # type: ignore[misc]
        self._created.clear()

    def _deleted(self, name: str) -> bool:
        try:
            self.api.delete_container_service(serviceName=name)
        except ClientError as refusal:
            return refusal.response["Error"]["Code"] == "NotFoundException"
        return True


def aws() -> Target:
    """Return the real thing."""
    region = os.environ.get("LIGHTGATE_AWS_REGION", "us-east-1")
    return Target(
        boto3.client("lightsail", region_name=region),
        image=os.environ.get(
            "LIGHTGATE_AWS_IMAGE", "public.ecr.aws/docker/library/python:3.13-slim"
        ),
        prefix=os.environ.get("LIGHTGATE_AWS_PREFIX", "lightgate-conformance"),
        patience=2400,
        pause=5,
    )


@contextlib.contextmanager
def emulated(emulator: Emulator, setting: dict[str, object]) -> Iterator[Target]:
    """Set switches of the emulator for a block."""
    before = emulator.control("GET", "switches")
    emulator.control("PUT", "switches", setting)
    api = boto3.client(
        "lightsail",
        endpoint_url=emulator.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": 8}),
    )
    try:
        yield Target(
            api,
            image=f"{HOST}/web:latest",
            prefix="conformance",
            patience=emulator.patience,
            pause=emulator.pause,
        )
    finally:
        api.close()
        emulator.control("PUT", "switches", before)
