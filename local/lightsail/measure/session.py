"""The session of a measurement: temporary services, deployments, logs, waits."""

import contextlib
import hashlib
import io
import itertools
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

_HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ENTRYPOINT = (
    "import sys, time; print('entrypoint got', sys.argv[1:], flush=True); time.sleep(9999)"
)


class MeasurementError(Exception):
    """The measurement has no answer. The message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images that the measurements deploy; all have ``python3``."""

    plain: str
    by_digest: str | None = None
    with_entrypoint: str | None = None
    """An image whose ENTRYPOINT prints "entrypoint got" and what it was given, and stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """An endpoint to measure at. ``speed`` is how much faster than Lightsail it goes."""

    api: Any
    images: Images
    prefix: str = "measure"
    speed: float = 1.0
    patience: float = 3600.0
    """The maximum wait, in Lightsail's seconds."""
    database: tuple[str, int] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def seconds(self, lightsail_seconds: float) -> float:
        return lightsail_seconds / self.speed

    def wait_for[T](self, look: Callable[[], T], what: str) -> T:
        """Poll once a second until the result is true."""
        end = time.monotonic() + self.seconds(self.patience)
        while not (seen := look()):
            if time.monotonic() > end:
                raise MeasurementError(f"waited in vain for {what}")
            time.sleep(max(0.02, self.seconds(1)))
        return seen

    @contextlib.contextmanager
    def service(self, *, ready: bool = True) -> Iterator[str]:
        name = f"{self.prefix}-{next(self._numbers)}"
        self.api.create_container_service(serviceName=name, power="nano", scale=1)
        try:
            if ready:
                self.wait_for(lambda: self.read(name)["state"] == "READY", f"{name} to be READY")
            yield name
        finally:
            self.delete(name)

    def delete(self, name: str) -> None:

        def deleted() -> bool:
            try:
                self.api.delete_container_service(serviceName=name)
            except ClientError as refusal:
                return _code(refusal) == "NotFoundException"
            return True

        self.wait_for(deleted, f"the deletion of {name}")

    def read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get_container_services(serviceName=name)[
            "containerServices"
        ][0]
        return found

    def deploy(
        self, name: str, containers: Mapping[str, Any], public: tuple[str, int] | None = None
    ) -> dict[str, Any]:
        """Create a deployment and return the service in the answer."""
        request: dict[str, Any] = {"serviceName": name, "containers": containers}
        if public:
            request["publicEndpoint"] = {"containerName": public[0], "containerPort": public[1]}
        answer = self.api.create_container_service_deployment(**request)
        service: dict[str, Any] = answer["containerService"]
        return service

    def ended(self, name: str, version: int) -> tuple[str, float]:
        """Wait for a deployment's end. Returns its state and Lightsail's seconds until then."""
        began = time.monotonic()

        def state() -> str:
            listed = self.api.get_container_service_deployments(serviceName=name)["deployments"]
            found = [each["state"] for each in listed if each["version"] == version]
            return found[0] if found and found[0] != "ACTIVATING" else ""

        end = self.wait_for(state, f"the end of deployment {version}")
        return end, round((time.monotonic() - began) * self.speed, 1)

    def lines(self, name: str, container: str) -> list[str]:
        query: dict[str, Any] = {"serviceName": name, "containerName": container}
        messages: list[str] = []
        while True:
            page = self.api.get_container_log(**query)
            messages += [event["message"] for event in page["logEvents"]]
            if page.get("nextPageToken") in (None, query.get("pageToken")):
                return messages
            query["pageToken"] = page["nextPageToken"]

    def settled_lines(self, name: str, containers: Sequence[str]) -> list[list[str]]:
        """Return the logs once nothing is added for five minutes, since lines come late.

        Where something is started again for ever there is no such time: then after twenty minutes.
        """
        before: list[list[str]] = []
        for _ in range(4):
            time.sleep(self.seconds(300))
            after = [self.lines(name, each) for each in containers]
            if after == before:
                break
            before = after
        return before

    def python(self, source: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any member
        return {"image": self.images.plain, "command": ["python3", "-u", "-c", source], **more}


def refusal_of(call: Callable[[], object]) -> str:
    """Return the code and the text of the refusal, or `accepted`."""
    try:
        call()
    except ClientError as refusal:
        return f"{_code(refusal)}: {refusal.response['Error']['Message']}"
    return "accepted"


def _code(refusal: ClientError) -> str:
    return str(refusal.response["Error"]["Code"])


@contextlib.contextmanager
def small_registry() -> Iterator[tuple[str, Images]]:
    """Serve the two images that measuring at the emulator needs; yields the registry's URL."""
    content: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = content.get(self.path.removeprefix("/v2/"))
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", _MANIFEST)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    _add_image(content, "plain", {"Cmd": ["python3"]})
    digest = _add_image(content, "entry", {"Entrypoint": ["python3", "-c", _ENTRYPOINT]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield (
            f"http://127.0.0.1:{server.server_port}",
            Images(
                plain=f"{_HOST}/plain:latest",
                by_digest=f"{_HOST}/entry@{digest}",
                with_entrypoint=f"{_HOST}/entry:latest",
            ),
        )
    finally:
        server.shutdown()
        server.server_close()


def _add_image(content: dict[str, bytes], repository: str, config: Mapping[str, Any]) -> str:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w"):
        pass  # an image without files: the programs are the emulator's base path
    described = json.dumps({"architecture": "amd64", "os": "linux", "config": config}).encode()
    digests = []
    for blob in (described, layer.getvalue()):
        digests.append(_digest(blob))
        content[f"{repository}/blobs/{digests[-1]}"] = blob
    manifest = json.dumps(
        {"config": {"digest": digests[0]}, "layers": [{"digest": digests[1]}]}
    ).encode()
    for name in ("latest", _digest(manifest)):
        content[f"{repository}/manifests/{name}"] = manifest
    return _digest(manifest)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
