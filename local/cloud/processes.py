"""Start, await and stop child processes, with all their descendants."""

import contextlib
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Literal, Self

from local.cloud import supervise
from local.cloud.errors import LocalCloudError

LOOPBACK = "127.0.0.1"
_POLL = timedelta(milliseconds=20)
_given: set[int] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run and how to end it.

    `environment` is the whole environment. The existing directory `memory` is a file system in
    memory for this program, and is empty again when the program has ended.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    user: Literal["same", "nobody"] = "same"
    memory: Path | None = None
    stop_signal: Literal["TERM", "INT"] = "TERM"
    grace: timedelta = timedelta(seconds=5)


class Process:
    """One running program.

    Its output is in two files of the log directory, NAME.out and NAME.log (standard error). Its
    descendants end with it. It ends at `stop`, and when this process ends, even by a kill.
    """

    def __init__(self, program: Program, logs: Path) -> None:
        """Start the program and return at once."""
        self._program = program
        self.output = logs / f"{program.name}.out"
        self.log = logs / f"{program.name}.log"
        with self.output.open("wb") as output, self.log.open("wb") as log:
            self._supervisor = _start_supervisor(program, output, log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._supervisor.poll() is None

    def wait(self, within: timedelta) -> int:
        """Wait for the program to end and return its exit code."""
        try:
            return self._supervisor.wait(within.total_seconds())
        except subprocess.TimeoutExpired:
            self.stop()
            raise self.trouble(f"did not end within {within.total_seconds():g} s") from None

    def wait_until(self, ready: Callable[[], bool], within: timedelta) -> None:
        """Wait until `ready()`. Otherwise stop the program and raise an error with its log."""
        deadline = time.monotonic() + within.total_seconds()
        while not ready():
            if not self.running:
                raise self.trouble("ended before it was ready")
            if time.monotonic() > deadline:
                self.stop()
                raise self.trouble(f"was not ready within {within.total_seconds():g} s")
            time.sleep(_POLL.total_seconds())

    def first_line(self, within: timedelta) -> str:
        """The first whole line of the program's standard output."""
        self.wait_until(lambda: b"\n" in self.output.read_bytes(), within)
        return self.output.read_text().partition("\n")[0]

    def stop(self) -> None:
        """End the program and its descendants. Returns when all have ended."""
        lifeline = self._supervisor.stdin
        if lifeline is not None and not lifeline.closed:
            lifeline.close()
        self._supervisor.wait()

    def trouble(self, what: str) -> LocalCloudError:
        if self._supervisor.poll() == supervise.NO_NAMESPACES:
            return LocalCloudError(
                "the local cloud needs Linux namespaces, and this kernel refuses them to this user:"
                " run as root, or allow unprivileged user namespaces"
            )
        return LocalCloudError(f"{self._program.name} {what}: {_last_line(self.log)} ({self.log})")


def _start_supervisor(
    program: Program, output: IO[bytes], log: IO[bytes]
) -> "subprocess.Popen[bytes]":
    command = [
        *(sys.executable, "-I", "-S", str(Path(supervise.__file__))),
        *(program.user, str(program.memory or "-")),
        *(program.stop_signal, str(program.grace.total_seconds())),
        *program.argv,
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=log,
        env=dict(program.environment),
        cwd=program.directory,
        # Otherwise Ctrl-C would reach the program before this process stops it.
        start_new_session=True,
    )


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


def free_port() -> int:
    """A loopback port that is free now, and never the same one twice in one process.

    It is outside the kernel's ephemeral range. Another process may take it before it is used.
    """
    while True:
        port = 20000 + secrets.randbelow(12000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            if port not in _given:
                _given.add(port)
                return port


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
