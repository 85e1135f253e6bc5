"""The processes that a command has started, also those in sessions of their own."""

from __future__ import annotations

import os
from contextlib import suppress


def descendants(pids: set[int], /) -> set[int]:
    """The processes, and whatever they and their descendants have started."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    size = 0
    while size < len(pids):
        size = len(pids)
        pids = pids | {pid for pid, parent in parents.items() if parent in pids}
    return pids
