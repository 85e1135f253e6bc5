"""The mailbox, the gate's channel in S3: events go there, and the permit comes from there."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.failures import Failed
from lightgate.gate.programs.supervisor.helper import HelperProcess
from lightgate.gate.programs.supervisor.limits import LAST_DELIVERY, RETRIES

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.gate import Gate

# The object in S3 for an event. All other events go to `status`.
OBJECTS = {"plan": "plan", "succeeded": "result", "failed": "result"}


class Mailbox:
    """The events to send, the replies that came, and the S3 client while it has anything to do.

    `polled` is the object that is requested until it is closed; nothing if that is empty.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.outbox: dict[str, str] = {}  # the newest event for each object
        self.replies: deque[dict[str, Any]] = deque()  # to requests for the permit
        self.client: S3Client | None = None
        self.polled, self.next_poll, self.losses = "", 0.0, 0

    def put(self, event: str, line: str) -> None:
        if self.gate.config.get("mailbox"):
            self.outbox[OBJECTS.get(event, "status")] = line

    def update(self) -> None:
        """Start an S3 client if there is anything to send or to request, and none is running."""
        if self.client and self.client.has_ended():
            left = self.client.undelivered()
            self.client = None
            self.losses = self.losses + 1 if left else 0
            if self.losses < RETRIES:
                self.outbox = {**left, **self.outbox}
        is_urgent = self.outbox.keys() - {"status"}
        is_time = (self.outbox or self.polled) and monotonic() >= self.next_poll
        if not self.client and (is_urgent or is_time):
            outbox, self.outbox = self.outbox, {}
            self.next_poll = monotonic() + self.gate.config["mailbox"]["pollSeconds"]
            try:
                self.client = S3Client(self.gate, outbox)
            except Failed as failure:
                self.replies.append({"error": failure.error})

    def open(self, name: str) -> None:
        """Request the object again and again, at once for the first time."""
        self.polled, self.next_poll = name, 0.0

    def close(self) -> None:
        """End a client that only waits; the next one sends what this one has not sent."""
        self.polled = ""
        self.replies.clear()
        if self.client:
            self.client.kill(signal.SIGKILL)

    def deliver(self) -> None:
        """Send what is left, within a time limit."""
        end, self.next_poll = monotonic() + LAST_DELIVERY, 0.0
        while (self.outbox or self.client) and monotonic() < end:
            self.gate.poll(0.1)
        self.close()


class S3Client(HelperProcess):
    """Sends events to the mailbox, and polls for the permit if that is wanted."""

    def __init__(self, gate: Gate, outbox: dict[str, str]) -> None:
        self.outbox = outbox
        # `python3` as it was found: a path of the user's may lead to another one. Python does not
        # know its own path if it was started by a name that is not on PATH.
        python = sys.executable or os.readlink("/proc/self/exe")
        super().__init__(gate, [python, "-I", "-S", "-c", gate.config["s3Client"]])
        self.send(outbox=outbox, poll=gate.mailbox.polled, **gate.config["mailbox"])

    def handle(self, message: dict[str, Any]) -> None:
        if "sent" not in message:
            self.gate.mailbox.replies.append(message)
        elif message.get("final") or 200 <= message.get("status", 0) < 500:
            self.outbox.pop(message["sent"], None)

    def take(self, piece: bytes) -> None:
        """Drop its output: a traceback may show a URL, and URLs are secrets."""

    def undelivered(self) -> dict[str, str]:
        """Remove the process, which has ended, and return the events that it has not delivered."""
        for _ in range(9):
            self.receive()
        self.hang_up()
        self.close()
        self.gate.children.remove(self)
        return self.outbox
