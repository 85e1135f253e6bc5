"""Measures once a second how much CPU and memory the containers of each service use."""

import asyncio
import contextlib
import time
from collections.abc import Mapping

import psutil  # type: ignore[import-untyped]

from local.lightsail.model import POWERS
from local.lightsail.service.region import Region

_SAMPLE_INTERVAL = 1.0
_GIGABYTE = 1024**3

type Usage = Mapping[psutil.Process, tuple[float, int]]
"""CPU seconds and bytes in memory of each process."""


class MetricsSampler:
    """Samples the nodes of all services of a Region, for ever."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._before: Usage = {}
        self._time_before = time.monotonic()

    async def run(self) -> None:
        """Take a sample every second if any node runs."""
        while True:
            await asyncio.sleep(_SAMPLE_INTERVAL)
            nodes = {
                name: found
                for name, runner in self._region.services.items()
                if (found := runner.processes())
            }
            if nodes:
                self._record(nodes, await asyncio.to_thread(_measure, nodes))

    def _record(self, nodes: Mapping[str, list[int]], measured: Mapping[str, Usage]) -> None:
        now = time.monotonic()
        elapsed, self._time_before = now - self._time_before, now
        for name, usage in measured.items():
            runner = self._region.services.get(name)
            # A deployment may have begun during the measurement. These values are not its own.
            if runner is None or runner.processes() != nodes[name]:
                continue
            _, cpus, memory = POWERS[runner.service.power]
            used = sum(cpu - self._before.get(each, (0, 0))[0] for each, (cpu, _) in usage.items())
            held = sum(memory for _, memory in usage.values())
            switches, count = runner.switches(), len(nodes[name])
            runner.metrics.add(
                self._region.clock(),
                switches.seconds(switches.metric_interval),
                {
                    "CPUUtilization": _percent(used, elapsed * cpus * count),
                    "MemoryUtilization": _percent(held, memory * _GIGABYTE * count),
                },
            )
        self._before = {each: used for usage in measured.values() for each, used in usage.items()}


def _percent(used: float, available: float) -> float:
    # This machine does not limit a process to its share, so the share can be above 100.
    return round(min(100.0, 100 * used / available), 3) if available > 0 else 0.0


def _measure(nodes: Mapping[str, list[int]]) -> Mapping[str, Usage]:
    return {name: _usage(roots) for name, roots in nodes.items()}


def _usage(roots: list[int]) -> Usage:
    """The usage of all containers of these nodes, without the nodes' own two processes."""
    usage = {}
    for root in roots:
        with contextlib.suppress(psutil.Error):  # a process may end at any moment
            node = psutil.Process(root)
            for process in {*node.children(recursive=True)}.difference(node.children()):
                with contextlib.suppress(psutil.Error):
                    cpu, memory = process.cpu_times(), process.memory_info()
                    # Shared memory is the code of Python itself.
                    usage[process] = cpu.user + cpu.system, memory.rss - memory.shared
    return usage
