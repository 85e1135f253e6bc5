"""The nodes of one deployment: as many as the scale says, each kept running or launched again."""

import asyncio
import contextlib
import enum
import logging
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from local.lightsail.model import Deployment
from local.lightsail.node.container_runner import (
    DeploymentLostError,
    NodeContext,
    NodeEndedError,
    NodeRun,
    UnhealthyError,
)
from local.lightsail.node.images import ImagePullError
from local.lightsail.node.node import NodeError

_LOG = logging.getLogger(__name__)


class GivenUp(enum.StrEnum):
    """Why a deployment failed. The value is the end of the name of its `time_to_fail_` switch."""

    EXIT = "exit"
    PULL = "pull"
    LIMIT = "limit"


class RolloutFailedError(Exception):
    """The deployment has failed."""

    def __init__(self, why: GivenUp) -> None:
        super().__init__(why.value)
        self.why = why


class _Place:
    """One place in the fleet: the node that runs in it now, and the task that relaunches it."""

    def __init__(self) -> None:
        self.run: NodeRun | None = None
        self.relauncher: asyncio.Task[None] | None = None
        self.failed_launches = 0

    @property
    def is_steady(self) -> bool:
        return self.run is not None and self.run.steady


@dataclass(eq=False)
class Fleet:
    """Runs a deployment. Failures count only while the deployment is ACTIVATING."""

    deployment: Deployment
    scale: int
    context: NodeContext
    announce: Callable[[str], None]
    activating: bool

    def __post_init__(self) -> None:
        self._places: list[_Place] = []
        self._failure: GivenUp | None = None
        self._changed = asyncio.Event()
        self._replacements: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self.announce(_started(self.scale))
        for _ in range(self.scale):
            self._add_place()

    def activated(self) -> None:
        """From now on nodes that end are launched again without a limit."""
        self.activating = False

    def healthy_runs(self) -> list[NodeRun]:
        """Return the nodes that may get requests: the healthy ones, or all if none is healthy."""
        runs = [each.run for each in self._places if each.run and each.run.session]
        return [run for run in runs if run.healthy] or runs

    def processes(self) -> list[int]:
        runs = [each.run for each in self._places if each.run is not None]
        return [run.process for run in runs if run.process is not None]

    async def steady(self) -> None:
        """Wait until every node is steady, or raise RolloutFailedError."""
        await self._wait_until(lambda: all(each.is_steady for each in self._places))

    async def hold(self, seconds: float) -> None:
        """Wait, or raise RolloutFailedError when the deployment fails meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait_until(lambda: False), seconds)

    def replace(self, index: int, *, abrupt: bool) -> None:
        """Replace a node as AWS may at any time: by one beside it, or by one after its death.

        Without namespaces the old node always ends first.
        """
        if not self._places:
            return
        place = self._places[index % len(self._places)]
        if abrupt:
            self._run_later(self._restart(place, drain_limit=0, grace=0))
        elif self.context.network.why_one_node is None:
            self._run_later(self._replace_beside(place))
        else:
            switches = self.context.switches()
            self._run_later(self._restart(place, switches.seconds(switches.drain_limit), None))

    async def stop(self, *, drain_limit: float, grace: float | None = None) -> None:
        """Let requests in progress finish, then end every node."""
        for task in list(self._replacements):
            task.cancel()
        places, self._places = self._places, []
        await asyncio.gather(*(self._retire(each, drain_limit, grace) for each in places))

    async def _wait_until(self, ready: Callable[[], bool]) -> None:
        while self._failure is None and not ready():
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise RolloutFailedError(self._failure)

    def _give_up(self, why: GivenUp) -> None:
        self._failure = why
        self._changed.set()

    def _add_place(self) -> _Place:
        place = _Place()
        self._places.append(place)
        place.relauncher = asyncio.create_task(self._keep(place))
        place.relauncher.add_done_callback(self._kept)
        return place

    def _kept(self, relauncher: asyncio.Task[None]) -> None:
        """A bug in this task must fail the deployment, which would wait for it otherwise."""
        if not relauncher.cancelled() and (problem := relauncher.exception()) is not None:
            _LOG.error("deployment %s: a node is lost", self.deployment.version, exc_info=problem)
            self._give_up(GivenUp.EXIT)

    async def _keep(self, place: _Place) -> None:
        """Run one node after the other in this place."""
        why, is_lost = GivenUp.EXIT, False
        while True:
            switches = self.context.switches()
            await asyncio.sleep(switches.seconds(switches.time_to_launch))
            place.run = NodeRun(
                self.deployment,
                self.context,
                self._new_directory(),
                self._changed.set,
                lambda: self.activating,
            )
            try:
                await place.run.run()
            except (NodeEndedError, NodeError, ImagePullError, DeploymentLostError, OSError) as end:
                _LOG.warning("deployment %s: a node ended: %s", self.deployment.version, end)
                is_lost = isinstance(end, DeploymentLostError)
                # A deployment with unhealthy nodes fails by its time limit, not by their number.
                if not is_lost and not isinstance(end, UnhealthyError):
                    why = GivenUp.PULL if isinstance(end, ImagePullError) else GivenUp.EXIT
                    place.failed_launches += 1
            if self.activating and (is_lost or self._is_enough(place)):
                self._give_up(why)
                return
            await asyncio.sleep(switches.seconds(switches.relaunch_delay))
            self.announce(_started(1))

    def _is_enough(self, place: _Place) -> bool:
        switches = self.context.switches()
        if switches.relaunch_growth == "none":
            return place.failed_launches >= switches.relaunch_limit
        failed = sum(each.failed_launches for each in self._places)
        return failed >= switches.launches(self.scale)

    def _new_directory(self) -> Path:
        self.context.workspace.mkdir(parents=True, exist_ok=True)
        prefix = f"{self.deployment.version}-"
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self.context.workspace))

    def _run_later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _restart(self, place: _Place, drain_limit: float, grace: float | None) -> None:
        if place in self._places:
            self._places.remove(place)
            await self._retire(place, drain_limit, grace)
            self.announce(_started(1))
            self._add_place()

    async def _replace_beside(self, old: _Place) -> None:
        self.announce(_started(1))
        new = self._add_place()
        await self._wait_until(lambda: new.is_steady)
        if old in self._places:
            self._places.remove(old)
            switches = self.context.switches()
            await self._retire(old, switches.seconds(switches.drain_limit), grace=None)

    async def _retire(self, place: _Place, drain_limit: float, grace: float | None) -> None:
        if place.run is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(place.run.drained(), drain_limit)
            place.run.grace = grace
        if place.relauncher is not None:
            place.relauncher.cancel()
            await asyncio.wait([place.relauncher])


def _started(nodes: int) -> str:
    return "Started 1 new node" if nodes == 1 else f"Started {nodes} new nodes"
