"""The loop of the supervisor, which everything else runs in."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from itertools import accumulate
from resource import RUSAGE_CHILDREN, getrusage
from time import monotonic
from typing import Any, Callable

from lightgate.gate.programs.supervisor.child import Child
from lightgate.gate.programs.supervisor.failures import Failed, Stopped
from lightgate.gate.programs.supervisor.family import descendants
from lightgate.gate.programs.supervisor.limits import (
    BACKLOG,
    CLIENTS,
    EVENT_LIMIT,
    LINE_LIMIT,
    QUIET,
)
from lightgate.gate.programs.supervisor.mailbox import Mailbox
from lightgate.gate.programs.supervisor.masking import mask

# The signals that stop a container: TERM, and what an image may name as its STOPSIGNAL instead.
# The others are for the command. One that it dies of stops the container too.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
PASSED_ON = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
# The lists that are shortened in an event that is too long, in this order. The event says in
# `omitted` how many items each one lacks. Of the first two the newest items matter most.
NEWEST = ("lastLines", "migrationsApplied")
SHORTENED = (
    *NEWEST,
    "leftovers",
    "schema",
    "operations",
    "overridden",
    "migrations",
    "holder",
    "unplanned",
    "transactions",
    "blocking",
)


class Gate:
    """The event loop: signals, the dependents' connections, the commands' output, and time."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.facts: list[str] = []
        self.clients: list[socket.socket] = []
        self.applied: list[str] = []
        self.times: list[list[Any]] = []  # of each migration its name, begin, and seconds
        self.has_shown_a_migration = False
        self.result: dict[str, Any] = {}  # more fields of `succeeded`
        self.began: dict[bool, str] = {}  # when the command (False) or a migration (True) began
        self.mailbox = Mailbox(self)
        self.children: list[Child] = []  # the command, and after it its probe or helpers
        self.running: dict[str, str] = {}  # what runs before or after `migrate`, for a failure
        self.may_have_changed_rows = False  # by a command before `migrate`
        self.stopping = 0  # the signal that stops us
        self.pending = bytearray()  # output that stdout has not taken yet
        self.unfinished: Child | None = None  # who wrote a line without its end
        self.listener = socket.socket()
        self.signals, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *STOPS, *PASSED_ON):
            signal.signal(number, lambda *_: None)

    def listen(self) -> None:
        self.listener.setblocking(False)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.listener.bind(("127.0.0.1", self.config["port"]))
            self.listener.listen(64)
        except OSError as error:
            why = f"cannot listen on port {self.config['port']}: {error.strerror}"
            raise Failed("port", why, 1) from None

    def wait(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Poll until `done` or until the time is up; return whether it is done."""
        end = None if seconds is None else monotonic() + seconds
        while not done():
            if self.stopping:
                raise Stopped
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return False
            self.poll(left)
        return True

    def poll(self, seconds: float | None, peer: socket.socket | None = None) -> None:
        """Sleep until something happens, and handle it."""
        self.mailbox.update()
        readers: dict[int, Callable[[], object]] = {
            self.signals: self.handle_signals,
            self.listener.fileno(): self.accept,
        }
        for client in self.clients:
            # Dependents send nothing. If a connection can be read, it was closed or is not theirs.
            readers[client.fileno()] = lambda client=client: self.drop(client)  # type: ignore[misc]
        for child in self.children:
            if child.pipe is not None and len(self.pending) < BACKLOG:
                readers[child.pipe] = child.read
            if child.channel is not None:
                readers[child.channel.fileno()] = child.receive
        if peer:
            readers[peer.fileno()] = never
        poller = select.poll()
        for fd in readers:
            poller.register(fd, select.POLLIN)
        if self.pending:
            readers[1] = self.write_some
            poller.register(1, select.POLLOUT)
        if any(child.unsent for child in self.children):
            seconds = QUIET if seconds is None else min(seconds, QUIET)
        for fd, _ in poller.poll(None if seconds is None else int(min(seconds, 3600) * 1000) + 1):
            readers[fd]()
        for child in self.children:
            if monotonic() >= child.read_at + QUIET:
                child.flush()

    def handle_signals(self) -> None:
        for number in os.read(self.signals, 512):
            if number == signal.SIGCHLD:
                self.reap()
            elif number in STOPS:
                self.stopping = (
                    number  # `wait` raises Stopped then, and its caller ends the command
                )
            elif self.children and not self.children[0].is_probe:
                self.children[0].told = number
                self.children[0].tell(number)

    def reap(self) -> None:
        """Note the end of each of our children; as PID 1 we get those of others too."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for child in self.children:
                    if child.pid == pid:
                        killed = os.WIFSIGNALED(status)
                        child.code = -os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)
                        if child.told and child.exit_code() == 128 + child.told:
                            self.stopping = self.stopping or child.told
        except ChildProcessError:
            return

    def start(self, argv: list[str], is_probe: bool, extra: dict[str, str] | None = None) -> Child:
        child = Child(self, is_probe)
        child.start(argv, extra or {})
        return child

    def end(self, child: Child, grace: float) -> None:
        """Leave nothing of the child's process group: the stop signal, a grace period, KILL.

        If the child has not ended by itself, what it has put into other sessions goes too.

        A container's first process does not die of a signal that it has no handler for. If this one
        does, such as a shell, what it has started gets the whole grace period.
        """
        end = monotonic() + grace
        family: set[int] = set() if child.has_ended() else descendants({child.pid})
        child.tell(self.stopping or signal.SIGTERM)
        while monotonic() < end:
            if child.code is not None and (child.code >= 0 or not child.kill(0)):
                break
            self.poll(0.02)
        for pid in family and descendants(family):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        child.kill(signal.SIGKILL)
        while not child.has_ended():
            self.poll(None)
        child.close()
        self.children.remove(child)

    # Dependents, and dependencies

    def accept(self) -> None:
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        client.setblocking(False)
        if len(self.clients) >= CLIENTS:
            self.drop(self.clients[0])
        self.clients.append(client)
        self.send(client, "".join(self.facts))

    def announce(self, fact: str) -> None:
        self.facts.append(self.prefix(self.config["container"]) + fact + "\n")
        for client in self.clients[:]:
            self.send(client, self.facts[-1])

    def send(self, client: socket.socket, text: str) -> None:
        try:
            client.sendall(text.encode())
        except OSError:
            self.drop(client)

    def drop(self, client: socket.socket) -> None:
        if client in self.clients:  # one poll may find two reasons
            self.clients.remove(client)
            client.close()

    def prefix(self, container: str) -> str:
        return f"lightgate {self.config['release']} {container} "

    def wait_for_dependencies(self) -> None:
        after = self.config["after"]
        if after:
            self.emit("waiting", **{"for": [one[0] for one in after]})
        # One after the other: a fact once reached stays reached, so the order cannot matter.
        for dependency in after:
            pause = 0.05
            while not self.has_reached(dependency):
                self.wait(never, pause)
                pause = min(pause * 2, 1)

    def has_reached(self, dependency: tuple[str, str, str]) -> bool:
        """Whether the connection brought the fact. A peer that sends anything else is dropped."""
        container, port, condition = dependency
        ours, heard = self.prefix(container).encode(), b""
        with socket.socket() as peer:
            try:
                # If nothing listens on an ephemeral port, TCP may connect a socket to itself.
                # Such a connection must not occupy the port of the dependency.
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                peer.settimeout(1)
                peer.connect(("127.0.0.1", int(port)))
                peer.setblocking(False)
                while peer.getsockname() != peer.getpeername():
                    try:
                        data = peer.recv(LINE_LIMIT)
                    except BlockingIOError:
                        self.poll(None, peer)
                        if self.stopping:
                            raise Stopped from None
                        continue
                    *lines, heard = (heard + data).split(b"\n")
                    for line in lines:
                        if line == ours + condition.encode():
                            return True
                        if line == ours + b"FAILED":
                            raise Failed("dependency", f"{container} failed", 1)
                        if not line.startswith(ours):
                            return False
                    if not data or len(heard) > LINE_LIMIT:
                        return False
            except OSError:
                pass  # not there yet, or gone: the caller tries again
        return False

    # Output

    def report(self, failure: Failed) -> None:
        """Report the failure, once: a second failure only follows from the first."""
        if any(fact.endswith(" FAILED\n") for fact in self.facts):
            return
        fields: dict[str, Any] = {"cause": failure.cause, "error": failure.error}
        child = failure.child
        if child or self.applied:
            fields["migrationsApplied"] = self.applied
        if child:
            fields["migration"] = child.migration
            fields["exitCode"] = failure.code if failure.cause in ("exit", "signal") else None
            lines = child.tail()
            # An exception that caused others may stand far above the last lines.
            raised = map(child.shown, child.raised)
            fields["lastLines"] = [one for one in raised if one not in lines] + lines
        fields.update(self.running, **failure.more)
        if self.may_have_changed_rows:
            fields["rows"] = "not known"
        self.emit("failed", **{key: value for key, value in fields.items() if value is not None})
        self.announce("FAILED")

    def emit(self, event: str, **fields: Any) -> None:  # noqa: ANN401
        now = time.time()
        at = time.strftime(f"%FT%T.{int(now % 1 * 1000):03}Z", time.gmtime(now))
        who = {"release": self.config.get("release"), "container": self.config.get("container")}
        if event == "applying":
            self.began.setdefault("migration" in fields, at)
        elif event in ("succeeded", "failed"):
            if self.began:
                # The log may lag behind the mailbox, whose last event has to be complete.
                fields["beganAt"] = self.began.get(True) or self.began[False]
            # Of the commands that have ended.
            used = getrusage(RUSAGE_CHILDREN)
            fields["cpuSeconds"] = round(used.ru_utime + used.ru_stime, 2)
            fields["megabytes"] = used.ru_maxrss // 1024
        # The app chooses names, and can put anything into them.
        fields = mask(fields, self.config.get("secrets", []))
        fields = {"lightgate": 1, **who, "event": event, "at": at, **fields}
        line = json.dumps(shortened(fields))
        self.write(line.encode() + b"\n", None)
        self.mailbox.put(event, line)

    def write(self, data: bytes, writer: Child | None) -> None:
        if not data:
            return
        if self.unfinished and self.unfinished is not writer:
            self.pending += b"\n"
        self.pending += data
        self.unfinished = None if data.endswith(b"\n") else writer

    def write_some(self) -> None:
        """Write no more than a writable pipe takes: a slow reader must not stop the loop."""
        try:
            del self.pending[: os.write(1, self.pending[: select.PIPE_BUF])]
        except BlockingIOError:
            pass
        except OSError:
            self.pending.clear()  # nothing reads the output any more; the command matters more

    def drain(self) -> None:
        while self.pending and select.select([], [1], [], 1)[1]:
            self.write_some()


def shortened(fields: dict[str, Any]) -> dict[str, Any]:
    """The event with as much of its lists as there is room for, and how much that leaves out."""
    omitted: dict[str, int] = {}
    for key in SHORTENED:
        items, room = fields.get(key), EVENT_LIMIT - len(json.dumps(fields))
        if items and room < 0:
            room += len(json.dumps(items)) - 50  # for `omitted`
            step = -1 if key in NEWEST else 1
            sizes = accumulate(len(json.dumps(item)) + 2 for item in items[::step])
            kept = sum(size < room for size in sizes)
            omitted[key] = len(items) - kept
            fields = {**fields, key: items[::step][:kept][::step], "omitted": omitted}
    return fields


def never() -> bool:
    return False
