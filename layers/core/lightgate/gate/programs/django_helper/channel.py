"""The channel to the supervisor."""

from __future__ import annotations

import json
import os
import select
import sys
from contextlib import suppress
from typing import Any

BEAT = 0.5  # seconds between two signs of life


class Channel:
    def __init__(self, socket: int) -> None:
        self.socket, self.buffer = socket, b""

    def emit(self, event: str, **fields: Any) -> None:  # noqa: ANN401
        """Have the supervisor report an event."""
        self.send(event=event, **fields)

    def send(self, **message: Any) -> None:  # noqa: ANN401
        # After our last message we are killed, and what the app has printed must be out by then.
        with suppress(Exception):  # the app may have replaced it by anything
            sys.stdout.flush()
        data = json.dumps(message, default=str).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self.socket, data) :]
        except OSError:
            os._exit(1)  # the supervisor has gone

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """A message if one comes within that time. Otherwise send a sign of life."""
        while b"\n" not in self.buffer:
            if not select.select([self.socket], [], [], seconds)[0]:
                self.send(beat=1)
                return None
            data = os.read(self.socket, 65536)
            if not data:
                os._exit(1)
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
