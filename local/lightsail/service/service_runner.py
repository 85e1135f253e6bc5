"""Carries out the changes of one container service: deployments, updates, deletion."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from local.lightsail.model import (
    Container,
    Deployment,
    PublicEndpoint,
    Service,
    ServiceState,
    StateDetail,
)
from local.lightsail.node.container_runner import NodeContext
from local.lightsail.node.images import ImageStore
from local.lightsail.node.network import Network
from local.lightsail.service.fleet import Fleet, GivenUp, RolloutFailedError
from local.lightsail.service.load_balancer import LoadBalancer
from local.lightsail.service.logs import LogStore
from local.lightsail.service.metrics import Metrics
from local.lightsail.switches import Switches

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Host:
    clock: Callable[[], datetime]
    images: ImageStore
    logs: LogStore
    network: Network
    base_paths: tuple[Path, ...]
    workspace: Path
    saved: Callable[[], None]
    """Called after every change of a service, to store it on disk."""


@dataclass(eq=False)
class ServiceRunner:
    """Carries out the changes of one service in the background, one at a time."""

    service: Service
    host: Host
    switches: Callable[[], Switches]
    closed: Callable[[], None]

    def __post_init__(self) -> None:
        self.load_balancer = LoadBalancer()
        self.metrics = Metrics()
        self._fleet: Fleet | None = None
        self._before: tuple[Service, datetime] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._workspace = self.host.workspace / self.service.name
        self._pulled: set[str] = set()

    @property
    def shown(self) -> Service:
        """The service as reads return it: up to `read_lag` seconds old after a create."""
        if self._before is not None and self.host.clock() < self._before[1]:
            return self._before[0]
        return self.service

    async def open(self, port: int = 0) -> None:
        await self.load_balancer.open(port)

    async def close(self) -> None:
        """End all nodes at once, because the emulator ends."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._fleet is not None:
            await self._fleet.stop(drain_limit=0, grace=0)
        await self.load_balancer.close()

    def begin(self) -> None:
        """Provision a new service, then its first deployment if it has one."""
        self._work(self._provision())

    def resume(self) -> None:
        """Continue after a restart of the emulator."""
        if self.service.changing is ServiceState.PENDING:
            self.begin()
        elif self.service.changing is ServiceState.DELETING:
            self._work(self._delete())
        else:
            self._work(self._resume())

    def deploy(
        self, containers: Mapping[str, Container], endpoint: PublicEndpoint | None
    ) -> Service:
        """Accept a deployment and start it. Returns the service for the answer."""
        now = self.host.clock()
        self.service.refuse_if_busy(self.switches().busy_error_text)
        before = self.service
        after = before.deploying(containers, endpoint, now)
        switches = self.switches()
        if switches.read_lag:
            self._before = (before, now + timedelta(seconds=switches.seconds(switches.read_lag)))
        self._set(after)
        deployment = after.deployments[-1]
        self._work(self._roll_out(deployment))
        at_once = StateDetail.CREATING_DEPLOYMENT if switches.state_detail_at_create else None
        return after.showing(at_once)

    def update(self, changes: Mapping[str, Any]) -> Service:
        """Accept new values of the service's fields."""
        self.service.refuse_if_busy(self.switches().busy_error_text)
        before = self.service
        updating, detail = ServiceState.UPDATING, StateDetail.PROVISIONING_SERVICE
        self._set(replace(before, **changes).begun(updating, detail))
        self._work(self._update(before))
        return self.service

    def delete(self) -> None:
        switches = self.switches()
        self.service.refuse_deletion_if_busy(switches.busy_delete_text, switches.busy_error_text)
        self._set(self.service.begun(ServiceState.DELETING))
        self._work(self._delete())

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._set(replace(self.service, tags=dict(tags)))

    def processes(self) -> list[int]:
        return self._fleet.processes() if self._fleet is not None else []

    def replace_node(self, index: int, *, abrupt: bool) -> bool:
        """Replace a node of the active deployment. False if the service runs nothing."""
        if self._fleet is not None:
            self._fleet.replace(index, abrupt=abrupt)
        return self._fleet is not None

    async def _provision(self) -> None:
        self._show(StateDetail.CREATING_SYSTEM_RESOURCES)
        await self._pause(self.switches().time_to_ready)
        self._set(self.service.with_principal().ended())
        if (deployment := self.service.next_deployment) is not None:
            await self._roll_out(deployment)

    async def _resume(self) -> None:
        current, upcoming = self.service.current_deployment, self.service.next_deployment
        if self.service.is_disabled:
            self.load_balancer.disable()
        elif current is not None:
            await self._serve_again(current)
        if self.service.changing is ServiceState.UPDATING:
            self._set(self.service.ended())
        if upcoming is not None:
            await self._roll_out(upcoming)

    async def _roll_out(self, deployment: Deployment) -> None:
        """Start a version beside the current one, then switch to it or fail it."""
        version = deployment.version
        announce = self._announcer(deployment)
        announce("Creating your deployment")
        self._show(StateDetail.CREATING_DEPLOYMENT)
        fleet = self._new_fleet(deployment, activating=True)
        await self._make_room()
        problem = await self._bring_up(fleet, announce)
        if problem is None:
            announce("Finalizing your deployment")
            self._switch_to(fleet)
            self._set(self.service.activated(version))
            return
        announce("Took too long" if problem is GivenUp.LIMIT else "Canceled")
        await self._pause(getattr(self.switches(), f"time_to_fail_{problem}"))
        await self._bring_back(fleet)
        self._set(self.service.failed(version))
        await fleet.stop(drain_limit=0)

    async def _make_room(self) -> None:
        """Without namespaces, end the live nodes before the new ones start."""
        if self._fleet is not None and self.host.network.why_one_node is not None:
            switches = self.switches()
            await self._fleet.stop(drain_limit=switches.seconds(switches.drain_limit))

    async def _bring_back(self, failed: Fleet) -> None:
        """Without namespaces, launch the previous version again after a failure."""
        current = self.service.current_deployment
        if current is not None and self.host.network.why_one_node is not None:
            await failed.stop(drain_limit=0)
            await self._serve_again(current)

    async def _bring_up(self, fleet: Fleet, announce: Callable[[str], None]) -> GivenUp | None:
        """Start a fleet and wait until it may serve. Returns the reason if it failed."""
        switches = self.switches()
        try:
            fleet.start()
            async with asyncio.timeout(switches.seconds(switches.activation_limit)):
                self._show(StateDetail.EVALUATING_HEALTH_CHECK)
                await fleet.steady()
                announce("Reached a steady state")
                self._show(StateDetail.ACTIVATING_DEPLOYMENT)
                await fleet.hold(switches.seconds(switches.time_to_active))
                await fleet.steady()
        except TimeoutError:
            return GivenUp.LIMIT
        except RolloutFailedError as problem:
            return problem.why
        except asyncio.CancelledError:
            await asyncio.shield(fleet.stop(drain_limit=0, grace=0))
            raise
        return None

    async def _update(self, before: Service) -> None:
        await self._pause(self.switches().time_to_update)
        after = self.service
        current = after.current_deployment
        if after.is_disabled:
            self.load_balancer.disable()
            await self._make_room()  # for what may be enabled next
            self._retire(self._fleet)
            self._fleet = None
        elif current is not None and before.is_disabled:
            await self._serve_again(current)
        elif before.is_disabled:
            self.load_balancer.serve(None)
        elif current is not None and (before.power, before.scale) != (after.power, after.scale):
            await self._deploy_again(current)
        if after.puller_role or after.principal_arn:
            self._set(self.service.with_principal())
        self._set(self.service.ended())

    async def _serve_again(self, deployment: Deployment) -> None:
        """Launch the active deployment, which the emulator never gives up."""
        fleet = self._new_fleet(deployment, activating=False)
        self._switch_to(fleet)
        fleet.start()
        switches = self.switches()
        try:
            async with asyncio.timeout(switches.seconds(switches.activation_limit)):
                await fleet.steady()
        except TimeoutError:
            _LOG.warning("%s: deployment %s is not steady", self.service.name, deployment.version)

    async def _deploy_again(self, current: Deployment) -> None:
        """Launch the active deployment with another power or scale beside itself."""
        if self.switches().capacity_takes_version:
            again = self.service.with_first_deployment(
                current.containers, current.public_endpoint, self.host.clock()
            )
            self._set(again)
            await self._roll_out(again.deployments[-1])
            return
        fleet = self._new_fleet(current, activating=True)
        await self._make_room()
        problem = await self._bring_up(fleet, self._announcer(current))
        if problem is None:
            self._switch_to(fleet)
        else:
            _LOG.warning("%s: the change failed: %s", self.service.name, problem)
            await self._bring_back(fleet)
            await fleet.stop(drain_limit=0)

    async def _delete(self) -> None:
        self.load_balancer.serve(None)
        if self._fleet is not None:
            await self._fleet.stop(drain_limit=0)
            self._fleet = None
        await self.load_balancer.close()
        self.host.logs.forget(self.service.name)
        await asyncio.to_thread(shutil.rmtree, self._workspace, ignore_errors=True)
        self.closed()

    def _new_fleet(self, deployment: Deployment, *, activating: bool) -> Fleet:
        name = self.service.name
        context = NodeContext(
            images=self.host.images,
            pulled=self._pulled,
            network=self.host.network,
            base_paths=self.host.base_paths,
            workspace=self._workspace,
            say=lambda container, line: self.host.logs.append(name, container, line),
            switches=self.switches,
        )
        announce, scale = self._announcer(deployment), self.service.scale
        return Fleet(deployment, scale, context, announce, activating)

    def _switch_to(self, fleet: Fleet) -> None:
        """Send the next request to this fleet, and drain the previous one."""
        fleet.activated()
        old, self._fleet = self._fleet, fleet
        self.load_balancer.serve(fleet)
        self.metrics.forget()
        self._retire(old)

    def _retire(self, fleet: Fleet | None) -> None:
        if fleet is not None:
            switches = self.switches()
            self._work(fleet.stop(drain_limit=switches.seconds(switches.drain_limit)))

    def _announcer(self, deployment: Deployment) -> Callable[[str], None]:
        """Return a function that writes Lightsail's own lines to the logs (section 3)."""
        switches = self.switches()
        names = list(deployment.containers)
        if switches.puller_policy == "silent":
            names = []
        elif switches.system_lines == "first":
            names = names[:1]

        def announce(line: str) -> None:
            text = f"[deployment:{deployment.version}] {line}"
            for name in names:
                self.host.logs.append(self.service.name, name, text)

        return announce

    def _set(self, service: Service) -> None:
        self.service = service
        self.host.saved()

    def _show(self, detail: StateDetail) -> None:
        if self.service.changing is not ServiceState.UPDATING:
            self._set(self.service.showing(detail))

    async def _pause(self, lightsail_seconds: float) -> None:
        await asyncio.sleep(self.switches().seconds(lightsail_seconds))

    def _work(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            _LOG.error("%s: background work failed", self.service.name, exc_info=problem)
