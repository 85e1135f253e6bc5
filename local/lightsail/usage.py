"""What the processes of a node use, read from the kernel."""

import asyncio
import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local.lightsail.answers import POWERS
from local.lightsail.region import Region

_SAMPLE_INTERVAL = 1.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_GIGABYTE = 1024**3

type Identity = tuple[int, int]
"""A process: its number and its start time, since numbers come again."""


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the kernel's process table."""

    identity: Identity
    parent: int
    cpu_seconds: float
    memory: int
    """Bytes in memory, shared ones (the programs' own code) left out."""


class Meter:
    """Samples the nodes of all services of a Region, for ever."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._cpu_before: Mapping[Identity, float] = {}
        self._time_before = time.monotonic()

    async def run(self) -> None:
        """Take a sample every second, as long as there is something to measure."""
        while True:
            await asyncio.sleep(_SAMPLE_INTERVAL)
            nodes = {
                name: found
                for name, runner in self._region.services.items()
                if (found := runner.processes())
            }
            if nodes:
                self._take(nodes, await asyncio.to_thread(read_processes))

    def _take(self, nodes: Mapping[str, list[int]], table: list[Process]) -> None:
        now, clock = time.monotonic(), self._region.clock()
        elapsed, self._time_before = now - self._time_before, now
        children: defaultdict[int, list[Process]] = defaultdict(list)
        for process in table:
            children[process.parent].append(process)
        for name, roots in nodes.items():
            runner = self._region.services.get(name)
            # While the table was read, a new deployment may have begun: this is not its share.
            if runner is not None and runner.processes() == roots:
                inside = [containers_of(root, children) for root in roots]
                self._record(name, inside, elapsed, clock)
        self._cpu_before = {each.identity: each.cpu_seconds for each in table}

    def _record(
        self, name: str, nodes: list[list[Process]], elapsed: float, clock: datetime
    ) -> None:
        runner = self._region.services[name]
        _, cpus, memory = POWERS[runner.service.power]
        everything = [process for node in nodes for process in node]
        used = sum(
            each.cpu_seconds - self._cpu_before.get(each.identity, 0.0) for each in everything
        )
        held = sum(each.memory for each in everything)
        switches = runner.switches()
        runner.metrics.add(
            clock,
            switches.seconds(switches.metric_interval),
            {
                # This machine does not hold a process to its share, so more than all is cut off.
                "CPUUtilization": _percent(used, elapsed * cpus * len(nodes)),
                "MemoryUtilization": _percent(held, memory * _GIGABYTE * len(nodes)),
            },
        )


def _percent(used: float, available: float) -> float:
    return round(min(100.0, 100 * used / available), 3) if available > 0 else 0.0


def containers_of(root: int, children: Mapping[int, Iterable[Process]]) -> list[Process]:
    """Return all processes in a node: what descends from the node's own two."""
    waiting = [process for helper in children.get(root, ()) for process in _below(helper, children)]
    found = []
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting.extend(_below(process, children))
    return found


def _below(process: Process, children: Mapping[int, Iterable[Process]]) -> Iterable[Process]:
    return children.get(process.identity[0], ())


def read_processes() -> list[Process]:
    """Read the kernel's process table."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            # A process may end at any moment.
            with contextlib.suppress(OSError, ValueError, IndexError):
                found.append(_read_process(int(entry.name)))
    return found


def _read_process(pid: int) -> Process:
    directory = Path(f"/proc/{pid}")
    # The name stands in brackets and may hold anything, also a bracket.
    fields = (directory / "stat").read_text(errors="replace").rpartition(")")[2].split()
    _, resident, shared, *_ = map(int, (directory / "statm").read_text().split())
    return Process(
        identity=(pid, int(fields[19])),
        parent=int(fields[1]),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        memory=(resident - shared) * _PAGE,
    )
