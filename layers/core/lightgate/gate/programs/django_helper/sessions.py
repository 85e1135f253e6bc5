"""The sessions that our commands have on the server, known by the TCP ports of their processes.

PostgreSQL knows them by their name as well, unless the settings give them another one. On MySQL no
variable of the environment reaches a session.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import Error  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.database import Database

MARK = "LIGHTGATE_GATE"  # in the environment of the commands


class Sessions:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.mark = {MARK: str(os.getpid())}
        self.known: list[list[str]] = []  # of each session its id and what makes it unique

    def read(self) -> list[Any]:
        sql = self.database.engine.get("sessions")
        return self.database.rows(sql) if sql else []

    def can_be_known(self) -> bool:
        """Whether the server sees the ports of this node: not behind a proxy or on a socket."""
        return bool(self.ours(self.read(), None))

    def ours(self, rows: list[Any], mark: str | None) -> list[Any]:
        """Those with the address of our own session and a port of these processes."""
        ports = read_ports(mark)
        address = next((row[4].rpartition(":")[0] for row in rows if row[5] and row[4]), None)
        found = (row for row in rows if (row[4] or "").rpartition(":")[0] == address)
        return [row for row in found if row[4].rpartition(":")[2] in ports]

    def notice(self, rows: list[Any]) -> bool:
        """Remember the sessions of our command; return whether there are new ones."""
        now = self.ours(rows, "%s=%s" % next(iter(self.mark.items())))
        new = [[str(row[0]), row[3]] for row in now if [str(row[0]), row[3]] not in self.known]
        self.known += new
        return bool(new)

    def end(self, ids: list[Any]) -> None:
        """End sessions of our stopped command, whose statements the server would finish."""
        for one in ids:
            with suppress(Error):
                self.database.rows(self.database.engine["end"] % one)


def read_ports(mark: str | None) -> set[str]:
    """The TCP ports of the processes with this in their environment; without it, our own."""
    ports, sockets = set(), set()
    for entry in ["self"] if mark is None else filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with suppress(OSError):  # it has ended, or is not ours to read
            with open(f"/proc/{entry}/environ", "rb") as environment:  # noqa: PTH123
                if mark and mark.encode() not in environment.read().split(b"\0"):
                    continue
            for number in os.listdir(f"/proc/{entry}/fd"):  # noqa: PTH208
                with suppress(OSError):
                    sockets.add(os.readlink(f"/proc/{entry}/fd/{number}"))
    for name in ("tcp", "tcp6"):
        with suppress(OSError), open(f"/proc/self/net/{name}") as lines:  # noqa: PTH123
            for words in map(str.split, lines):
                if f"socket:[{words[9]}]" in sockets:
                    ports.add(str(int(words[1].rpartition(":")[2], 16)))
    return ports
