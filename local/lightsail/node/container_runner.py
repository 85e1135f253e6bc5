"""Runs the containers of a deployment on one node, from the pull of the images to the end.

The switches `exit_zero`, `exit_nonzero` and `exit_scope` decide what the exit of a container
changes, because that is unknown (docs/lightsail.md, "When a container ends").
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.lightsail.model import Container, Deployment
from local.lightsail.node.credentials import offer_credentials
from local.lightsail.node.health_check import HealthCounter, watch_health
from local.lightsail.node.http_client import node_session
from local.lightsail.node.images import Image, ImagePullError, ImageStore
from local.lightsail.node.launch import RUNNABLE_ARCHITECTURE, home_in, launch_of
from local.lightsail.node.network import Network
from local.lightsail.node.node import Node, NodeError
from local.lightsail.node.output_lines import LineCollector
from local.lightsail.switches import Switches

if TYPE_CHECKING:
    import aiohttp

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeContext:
    """The parts of the emulator that every node of a service uses."""

    images: ImageStore
    pulled: set[str]
    """The images that the service's nodes have pulled so far."""
    network: Network
    base_paths: Sequence[Path]
    workspace: Path
    say: Callable[[str, str], None]
    """Adds a line to the log of a container name."""
    switches: Callable[[], Switches]


class NodeEndedError(Exception):
    """The node must be launched again."""


class UnhealthyError(NodeEndedError):
    """The node failed its health check, and must be replaced because of a switch."""


class DeploymentLostError(Exception):
    """A container ended in a way that fails its deployment."""


@dataclass(eq=False)
class NodeRun:
    """One node from its launch to its end."""

    deployment: Deployment
    context: NodeContext
    directory: Path
    on_change: Callable[[], None]
    is_activating: Callable[[], bool]

    def __post_init__(self) -> None:
        self._credentials: Mapping[str, str] = {}
        self._down = set(self.deployment.containers)
        self._last_launch = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self.session: aiohttp.ClientSession | None = None
        self.process: int | None = None
        """The node's outermost process while the node runs. The containers are its descendants."""
        self.healthy = False
        self.grace: float | None = None
        self.in_progress = 0

    @property
    def port(self) -> int:
        endpoint = self.deployment.public_endpoint
        return endpoint.container_port if endpoint else 0

    @property
    def steady(self) -> bool:
        return self.healthy and not self._down

    def enter(self) -> None:
        """Count a request that is forwarded to this node now."""
        self.in_progress += 1
        self._idle.clear()

    def leave(self) -> None:
        self.in_progress -= 1
        if self.in_progress == 0:
            self._idle.set()

    async def drained(self) -> None:
        """Wait until no request is in progress."""
        await self._idle.wait()

    async def run(self) -> None:
        """Run the node until it must be replaced, then stop it and raise the reason."""
        try:
            images = await self._pull()
            node = await self.context.network.launch_node()
            self.process = node.process
            try:
                await self._run_on(node, images)
            finally:
                self.process = None
                self._set_healthy(False)
                await self._end(node)
        except ExceptionGroup as group:
            raise _reason(group) from None
        finally:
            # A thread finishes this also when the task is canceled.
            await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def _pull(self) -> dict[str, Image]:
        context, switches = self.context, self.context.switches()
        references = sorted({each.image for each in self.deployment.containers.values()})
        if switches.puller_policy != "allows":
            raise ImagePullError("the repository's policy does not let the service's role pull")
        pulled = await asyncio.gather(*map(context.images.pull, references))
        if not context.pulled.issuperset(references):
            await asyncio.sleep(switches.seconds(switches.time_to_pull))
            context.pulled.update(references)
        return dict(zip(references, pulled, strict=True))

    async def _run_on(self, node: Node, images: Mapping[str, Image]) -> None:
        if self.context.switches().container_credentials == "role":
            self._credentials = await offer_credentials(node)
        async with asyncio.TaskGroup() as tasks:
            for name in self.deployment.containers:
                tasks.create_task(self._keep_container(node, name, images))
            tasks.create_task(self._watch(node))
            await node.wait_lost()
            raise NodeEndedError("the node is gone")

    async def _end(self, node: Node) -> None:
        switches = self.context.switches()
        grace = switches.seconds(switches.stop_grace) if self.grace is None else self.grace
        # Shielded, because a second cancellation, at the end of the server, would leave a node.
        try:
            await asyncio.shield(node.stop(grace))
        finally:
            if self.session is not None:
                await self.session.close()

    async def _keep_container(self, node: Node, name: str, images: Mapping[str, Image]) -> None:
        launches = 0
        while True:
            launches += 1
            code = await self._run_container(node, name, launches, images)
            _LOG.info("%s: container %s exited with %s", self.deployment.version, name, code)
            switches = self.context.switches()
            action = switches.exit_zero if code == 0 else switches.exit_nonzero
            if action == "tolerate":
                return
            if action == "fail" and self.is_activating():
                raise DeploymentLostError(f"container {name} exited with {code}")
            if switches.exit_scope == "node":
                raise NodeEndedError(f"container {name} exited with {code}")
            self._down.add(name)
            self.on_change()
            if self.is_activating() and launches >= switches.relaunch_limit:
                raise DeploymentLostError(f"container {name} exited {launches} times")
            await asyncio.sleep(switches.seconds(switches.relaunch_delay))

    async def _run_container(
        self, node: Node, name: str, launch: int, images: Mapping[str, Image]
    ) -> int:
        container = self.deployment.containers[name]
        image = images[container.image]
        say = self.context.say
        root = self.directory / f"{name}-{launch}"
        await asyncio.to_thread(shutil.copytree, image.root, root, symlinks=True)
        Path(home_in(root)).mkdir(exist_ok=True)
        wanted = launch_of(
            container,
            image,
            root,
            base_paths=self.context.base_paths,
            command_mode=self.context.switches().command_mode,
            credentials=self._credentials,
        )
        if image.architecture != RUNNABLE_ARCHITECTURE:
            say(name, f"exec {wanted.argv[0]}: exec format error")
            return 1
        if (port := self.context.network.claim(node, _tcp_ports(container))) is not None:
            say(name, f"bind 0.0.0.0:{port}: address already in use, by another on this machine")
            return 1
        lines = LineCollector(lambda line: say(name, line), time.monotonic)
        running = await node.start(wanted, lines.feed)
        self._down.discard(name)
        self._last_launch = time.monotonic()
        self.on_change()
        return await running.wait()

    async def _watch(self, node: Node) -> None:
        """Update `healthy` by the health check, or by the settling time if there is none."""
        endpoint = self.deployment.public_endpoint
        switches = self.context.switches()
        if endpoint is None:
            await self._settle()
            return
        self.session = node_session(node, endpoint.container_port)
        interval = switches.seconds(endpoint.health_check.interval_seconds)
        await watch_health(self.session, endpoint, interval, self._on_probe)

    def _on_probe(self, counter: HealthCounter) -> None:
        was_healthy = self.healthy
        self._set_healthy(counter.healthy)
        if not counter.failed:
            return
        switches = self.context.switches()
        if self.is_activating():
            is_lost = switches.unhealthy_node == "relaunch"
        else:  # An active node that was never healthy is still starting.
            is_lost = switches.unhealthy_active == "relaunch" and was_healthy
        if is_lost:
            raise UnhealthyError("the health check failed")

    async def _settle(self) -> None:
        switches = self.context.switches()
        enough = switches.seconds(switches.settle_time)
        while True:
            stayed = time.monotonic() - self._last_launch
            self._set_healthy(not self._down and stayed >= enough)
            await asyncio.sleep(min(0.05, enough) or 0.01)

    def _set_healthy(self, healthy: bool) -> None:
        if healthy != self.healthy:
            self.healthy = healthy
            self.on_change()


def _tcp_ports(container: Container) -> list[int]:
    return [int(port) for port, protocol in container.ports.items() if protocol != "UDP"]


def _reason(group: ExceptionGroup[Exception]) -> Exception:
    """Choose one reason for a node's end from the exceptions of its tasks."""
    for kind in (DeploymentLostError, NodeEndedError, NodeError, OSError):
        for each in group.exceptions:
            if isinstance(each, kind):
                is_reason = isinstance(each, DeploymentLostError | NodeEndedError)
                return each if is_reason else NodeEndedError(str(each))
    return group
