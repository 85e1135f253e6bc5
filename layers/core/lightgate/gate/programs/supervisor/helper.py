"""A process that works for the supervisor and talks to it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.child import Child
from lightgate.gate.programs.supervisor.failures import MALFORMED

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.gate import Gate


class HelperProcess(Child):
    """A child with a socket as its standard input: JSON lines, both ways."""

    def __init__(self, gate: Gate, argv: list[str]) -> None:
        super().__init__(gate, is_probe=True)
        self.buffer = b""
        self.channel, theirs = socket.socketpair()
        self.channel.setblocking(False)
        self.stdin = theirs.fileno()
        with theirs:
            self.start(argv, {})

    def send(self, **message: Any) -> None:  # noqa: ANN401
        try:
            if self.channel:
                self.channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # it has gone, which shows when the answer is missing

    def receive(self) -> None:
        try:
            data = self.channel.recv(65536) if self.channel else b""
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.hang_up()
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            try:
                self.handle(dict(json.loads(line)))
            except MALFORMED:
                continue  # the app itself has written there

    def handle(self, message: dict[str, Any]) -> None:
        """Act on a message."""

    def hang_up(self) -> None:
        if self.channel:
            self.channel.close()
            self.channel = None
