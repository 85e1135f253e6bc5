"""Gates as real processes: what the tests start, hear and end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightgate.gate.packaging import config_text, program_text
from local.cloud.processes import free_port

RELEASE = "20260102t030405z-0a1b2c3d-9f8e"
DEADLINE = 40.0


def killed_while_closing(kind: str, source: str) -> str:
    """The program; a TERM comes while an object of the class is closed, be it by its destructor."""
    return f"""
import os, signal, socket
def closed(it, close={kind}.close):
    os.kill(os.getpid(), signal.SIGTERM)
    close(it)
{kind}.close = closed
exec({source!r})
"""


class Program:
    """A running gate: its output as it comes, and its end."""

    def __init__(
        self,
        source: str,
        config: object,
        command: list[str],
        python: str = sys.executable,
        **options: Any,
    ) -> None:
        text = config if isinstance(config, str) else config_text(config)
        options.setdefault("stdout", subprocess.PIPE)
        prefix = options.pop("prefix", [])
        self.process = subprocess.Popen(
            [*prefix, python, "-I", "-S", "-c", source, text, *command],
            stderr=subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        self.output = b""
        self.errors = b""
        self._threads = [
            threading.Thread(target=self._collect, args=(name, stream), daemon=True)
            for name, stream in (("output", self.process.stdout), ("errors", self.process.stderr))
            if stream is not None
        ]
        for thread in self._threads:
            thread.start()

    def _collect(self, name: str, stream: Any) -> None:
        while data := os.read(stream.fileno(), 65536):
            setattr(self, name, getattr(self, name) + data)

    @property
    def events(self) -> list[dict[str, Any]]:
        found = []
        for line in self.output.split(b"\n")[:-1]:
            if line.startswith(b'{"lightgate"'):
                found.append(json.loads(line))
        return found

    def named(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"] == event]

    @property
    def command_output(self) -> bytes:
        lines = self.output.split(b"\n")
        return b"\n".join(line for line in lines if not line.startswith(b'{"lightgate"'))

    def event(self, name: str) -> dict[str, Any]:
        eventually(lambda: bool(self.named(name)), f"no event {name}", self)
        return self.named(name)[0]

    def says(self, text: bytes) -> None:
        """Wait until the command has printed it; what the gate prints does not count."""
        eventually(lambda: text in self.command_output, f"the command has not said {text!r}", self)

    def ends(self) -> int:
        code = self.process.wait(DEADLINE)
        for thread in self._threads:
            thread.join(DEADLINE)
        return code

    def told(self, number: int) -> None:
        self.process.send_signal(number)

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            thread.join(1)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def eventually(
    holds: Callable[[], bool], otherwise: str, *shown: Program, limit: float = DEADLINE
) -> None:
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end, (otherwise, *((one.output, one.errors) for one in shown))
        time.sleep(0.01)


def after(container: str, port: int, condition: str = "SUCCESS") -> str:
    return f"{container}:{port}" + ("" if condition == "SUCCESS" else f":{condition}")


class Runner:
    """Starts gates, and ends those that are left."""

    def __init__(self) -> None:
        self.programs: list[Program] = []

    def supervisor(
        self,
        command: list[str],
        *,
        python: str = sys.executable,
        options: Any = None,
        **config: Any,
    ) -> Program:
        whole = {
            "release": RELEASE,
            "container": "migrate",
            "after": [],
            "port": free_port(),
            "mode": "task",
            "timeoutSeconds": 30,
            "graceSeconds": 0.2,
            "afterFailure": "hold",
            "healthCheck": None,
            **config,
        }
        return self.program(program_text("supervisor"), whole, command, python, options)

    def waiter(
        self,
        command: list[str],
        *,
        python: str = sys.executable,
        options: Any = None,
        **config: Any,
    ) -> Program:
        whole = {"release": RELEASE, "container": "web", "after": [], **config}
        return self.program(program_text("waiter"), whole, command, python, options)

    def close(self) -> None:
        for program in self.programs:
            if program.is_alive():
                program.told(signal.SIGTERM)
        for program in self.programs:
            program.close()

    def program(
        self, source: str, config: object, command: list[str], python: str, options: Any
    ) -> Program:
        program = Program(source, config, command, python, **(options or {}))
        self.programs.append(program)
        return program


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def facts(port: int, until: str) -> list[str]:
    """What a supervisor sends to a client, up to the fact."""
    heard: list[str] = []
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as peer, peer.makefile() as lines:
                heard = []
                for line in lines:
                    heard.append(line.rstrip("\n"))
                    if line.rstrip("\n").endswith(" " + until):
                        return heard
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"{until} was not told, only {heard}")


def catches(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(mask >> (number - 1) & 1)


def resident_kilobytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
