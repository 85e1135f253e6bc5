"""The channel to the supervisor.

It uses the module that `socket` is built on. An app may have replaced `select`, `socket` and
`os.read` by those of green threads, as eventlet and gevent do.
"""

from __future__ import annotations

import _socket
import json
import os
import sys
from contextlib import suppress
from typing import Any

BEAT = 0.5  # seconds between two signs of life


class Channel:
    def __init__(self, socket: int) -> None:
        # A copy: the launcher makes another channel if the app cannot be read yet.
        self.socket, self.buffer = _socket.socket(fileno=os.dup(socket)), b""

    def emit(self, event: str, **fields: Any) -> None:  # noqa: ANN401
        """Have the supervisor report an event."""
        self.send(event=event, **fields)

    def send(self, **message: Any) -> None:  # noqa: ANN401
        # After our last message we are killed, and what the app has printed must be out by then.
        with suppress(Exception):  # the app may have replaced it by anything
            sys.stdout.flush()
        data = json.dumps(message, default=str).encode() + b"\n"
        try:
            self.socket.settimeout(None)
            self.socket.sendall(data)
        except OSError:
            os._exit(1)  # the supervisor has gone

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """A message if one comes within that time. Otherwise send a sign of life."""
        while b"\n" not in self.buffer:
            self.socket.settimeout(seconds)
            try:
                data = self.socket.recv(65536)
            except _socket.timeout:
                self.send(beat=1)
                return None
            except OSError:
                data = b""
            if not data:
                os._exit(1)
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
