"""Distributors and loaders as real processes, with small programs in place of the gate's own."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from lightgate.gate.packaging import config_text, pack, program_text

# The first stays as the supervisor does, the second ends as the waiter's command does.
SUPERVISOR = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("supervisor", json.dumps(sys.argv[1:]), __name__, flush=True)
while True:
    time.sleep(60)
"""
WAITER = """
import json, sys
print("waiter", json.dumps(sys.argv[1:]), __name__, flush=True)
"""
CONFIG = config_text({"release": "20260102t030405z-0a1b2c3d-9f8e", "container": "first"})
DEADLINE = 30


def hash_of(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:24]


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), DEADLINE)


def handed_out(port: int) -> bytes:
    """What a distributor sends to whoever connects, once it listens."""
    with connect(port) as peer, peer.makefile("rb") as answer:
        return answer.read()


class Containers:
    """Starts processes, and ends whatever is left of them, at the latest after the deadline."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []
        self._deadline = threading.Timer(2 * DEADLINE, self._kill)
        self._deadline.start()

    def distributor(
        self,
        port: int,
        *command: str,
        texts: Sequence[str] = (SUPERVISOR, WAITER),
        python: str = sys.executable,
    ) -> subprocess.Popen[str]:
        packed = pack("\0".join(texts).encode())
        return self.run(python, program_text("distributor"), str(port), packed, CONFIG, *command)

    def loader(
        self,
        port: int,
        program: str,
        config: str = CONFIG,
        *command: str,
        texts: Sequence[str] = (SUPERVISOR, WAITER),
        python: str = sys.executable,
        prefix: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        own = (str(port), hash_of(*texts), str(texts.index(program)), *command)
        return self.run(python, program_text("loader"), config, *own, prefix=prefix)

    def run(
        self, python: str, *arguments: str, prefix: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*prefix, python, "-I", "-S", "-c", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        self._started.append(process)
        return process

    def _kill(self) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        self._deadline.cancel()
        self._kill()
        for process in self._started:
            process.wait()
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end: the exit code, the output, and the errors."""
    output, errors = process.communicate(timeout=DEADLINE)
    return process.returncode, output, errors
