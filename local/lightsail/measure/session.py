"""The session of a measurement: temporary services, deployments, logs, waits."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

from local.cloud import registry
from local.cloud.registry import ImageConfig

_HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
_ENTRYPOINT = (
    "import sys, time; print('entrypoint got', sys.argv[1:], flush=True); time.sleep(9999)"
)


class MeasurementError(Exception):
    """The measurement has no answer. The message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images that the measurements deploy. All have `python3`."""

    plain: str
    by_digest: str | None = None
    with_entrypoint: str | None = None
    """An image whose ENTRYPOINT prints "entrypoint got" and its arguments, and does not end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A deployment that has ended, after this many of Lightsail's seconds."""

    version: int
    state: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An endpoint to measure at. `speed` is the factor by which it is faster than Lightsail."""

    api: Any
    images: Images
    prefix: str = "measure"
    speed: float = 1.0
    longest_wait: float = 3600.0
    """In Lightsail's seconds."""
    database: tuple[str, int] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def seconds(self, lightsail_seconds: float) -> float:
        return lightsail_seconds / self.speed

    def wait_for[T](self, look: Callable[[], T], what: str) -> T:
        """Poll once a second of Lightsail's until the result is true."""
        end = time.monotonic() + self.seconds(self.longest_wait)
        while not (seen := look()):
            if time.monotonic() > end:
                raise MeasurementError(f"{what} did not happen within {self.longest_wait:g} s")
            time.sleep(max(0.02, self.seconds(1)))
        return seen

    def wait_for_state(self, name: str, *states: str) -> None:
        what = f"{name} {' or '.join(states)}"
        self.wait_for(lambda: self.read(name)["state"] in states, what)

    @contextlib.contextmanager
    def service(self, *, ready: bool = True) -> Iterator[str]:
        """Create a service for the block, and delete it at the end."""
        name = f"{self.prefix}-{next(self._numbers)}"
        self.api.create_container_service(serviceName=name, power="nano", scale=1)
        try:
            if ready:
                self.wait_for_state(name, "READY")
            yield name
        finally:
            self.wait_for(lambda: self._is_deleted(name), f"the deletion of {name}")

    def _is_deleted(self, name: str) -> bool:
        try:
            self.api.delete_container_service(serviceName=name)
        except ClientError as refusal:
            return _code(refusal) == "NotFoundException"
        return True

    def read(self, name: str) -> dict[str, Any]:
        service: dict[str, Any]
        [service] = self.api.get_container_services(serviceName=name)["containerServices"]
        return service

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

    def deploy_and_wait(
        self, name: str, containers: Mapping[str, Any], public: tuple[str, int] | None = None
    ) -> Ended:
        self.deploy(name, containers, public)
        return self.end_of_newest(name)

    def end_of_newest(self, name: str) -> Ended:
        """Wait for the end of the newest deployment."""
        began = time.monotonic()

        def newest() -> dict[str, Any] | None:
            found = self._newest(name)
            return found if found.get("state", "ACTIVATING") != "ACTIVATING" else None

        deployment = self.wait_for(newest, f"the end of a deployment of {name}") or {}
        seconds = round((time.monotonic() - began) * self.speed, 1)
        return Ended(int(deployment["version"]), str(deployment["state"]), seconds)

    def newest_version(self, name: str) -> int:
        return int(self._newest(name)["version"])

    def _newest(self, name: str) -> dict[str, Any]:
        listed = self.api.get_container_service_deployments(serviceName=name)["deployments"]
        newest: dict[str, Any] = max(listed, key=lambda each: each["version"], default={})
        return newest

    def lines(self, name: str, container: str) -> list[str]:
        """Return the whole log of a container."""
        query: dict[str, Any] = {"serviceName": name, "containerName": container}
        messages: list[str] = []
        while True:
            page = self.api.get_container_log(**query)
            messages += [event["message"] for event in page["logEvents"]]
            if page.get("nextPageToken") in (None, query.get("pageToken")):
                return messages
            query["pageToken"] = page["nextPageToken"]

    def settled_lines(self, name: str, containers: Sequence[str]) -> list[list[str]]:
        """Return the logs once they have not changed for five minutes, because lines come late.

        The log of a container that restarts for ever always changes: then after twenty minutes.
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
        """Return a container that runs this program."""
        return {"image": self.images.plain, "command": ["python3", "-u", "-c", source], **more}


def why_refused(call: Callable[[], object]) -> str:
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
    """Serve two images without files for the emulator. Yields the registry's URL."""
    plain = registry.build([], ImageConfig(cmd=("python3",), working_dir="/"))
    command = ("python3", "-c", _ENTRYPOINT)
    entry = registry.build([], ImageConfig(entrypoint=command, working_dir="/"))
    content: dict[str, bytes] = {}
    for name, image in (("plain", plain), ("entry", entry)):
        content |= {f"/v2/{name}/blobs/{digest}": blob for digest, blob in image.blobs.items()}
        for reference in ("latest", image.digest):
            content[f"/v2/{name}/manifests/{reference}"] = image.manifest

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = content.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield (
            f"http://127.0.0.1:{server.server_port}",
            Images(
                plain=f"{_HOST}/plain:latest",
                by_digest=f"{_HOST}/entry@{entry.digest}",
                with_entrypoint=f"{_HOST}/entry:latest",
            ),
        )
    finally:
        server.shutdown()
        server.server_close()
