"""The server's side of a node: a process (`init.py`) with a control socket.

The server uses it to launch containers and to get sockets inside the node's network. With these
it sends health checks and requests, and relays ports of the host.
"""

import asyncio
import contextlib
import functools
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from local.lightsail.node.port_relay import relay_connection

_MAX_MESSAGE = 1 << 16
_READ_SIZE = 1 << 16
type Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_PROGRAM = Path(__file__).with_name("init.py")


class NodeError(Exception):
    """The node refused a request, or has ended."""


@dataclass(frozen=True, slots=True)
class Launch:
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    root: str


class RunningContainer:
    """A container's main process. Its output is read to the end."""

    def __init__(self, send_signal: Callable[[int], Awaitable[None]]) -> None:
        self._send_signal = send_signal
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.output_ended = asyncio.Event()

    async def wait(self) -> int:
        """Wait until the process has ended and all its output is read."""
        code = await asyncio.shield(self.exited)
        await self.output_ended.wait()
        return code

    async def stop(self, grace: float) -> None:
        """Send TERM, then KILL after the grace period."""
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            if self.exited.done():
                return
            with contextlib.suppress(NodeError):
                await self._send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.exited), patience)


class Node:
    """One running node. After `stop` none of its processes is left."""

    def __init__(
        self, process: asyncio.subprocess.Process, control: socket.socket, *, isolated: bool
    ) -> None:
        self._process = process
        self.is_isolated = isolated
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._containers: dict[int, RunningContainer] = {}
        self._early_exits: dict[int, int] = {}
        self._servers: list[asyncio.Server] = []
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._ready: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def launch(cls, outside: Mapping[int, int], *, isolated: bool = True) -> Self:
        """Start a node. `outside` maps ports of its loopback to ports of the host's.

        A node that is not isolated uses the host's network and process namespace.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            # A session of its own, so that Ctrl-C reaches only the server, which stops the nodes.
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", str(_PROGRAM), str(theirs.fileno())),
                    *(str(os.getpid()), "isolated" if isolated else "shared"),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    env={},
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        node = cls(process, ours, isolated=isolated)
        node._loop.add_reader(ours.fileno(), node._receive)
        try:
            await asyncio.wait_for(node._ready, 30)
            for inside, host in outside.items():
                await node.serve(
                    "127.0.0.1", inside, functools.partial(relay_connection, port=host)
                )
        except BaseException:
            await node.stop(grace=0)
            raise
        return node

    @property
    def process(self) -> int:
        """The node's outermost process. The containers are its grandchildren."""
        return self._process.pid

    @property
    def is_gone(self) -> bool:
        return self._lost.done()

    async def start(self, wanted: Launch, on_output: Callable[[bytes], None]) -> RunningContainer:
        """Start a container; each piece of its output goes to ``on_output``, ``b""`` at its end."""
        reads, writes = os.pipe()
        description = os.memfd_create("launch")
        try:
            # In a file, because a command and its environment can be larger than a packet.
            os.write(description, json.dumps(asdict(wanted)).encode())
            answer, _ = await self._ask({"do": "launch"}, [description, writes])
        except BaseException:
            os.close(reads)
            raise
        finally:
            os.close(description)
            os.close(writes)
        container = RunningContainer(functools.partial(self._signal, answer["pid"]))
        self._containers[answer["pid"]] = container
        if (code := self._early_exits.pop(answer["pid"], None)) is not None:
            container.exited.set_result(code)
        self._read_output(reads, container, on_output)
        return container

    async def dial(self, port: int) -> socket.socket:
        """Return a socket that is connected to a port of the node's loopback, or raise OSError."""
        try:
            _, descriptors = await self._ask({"do": "socket"})
        except NodeError as problem:
            raise ConnectionRefusedError(str(problem)) from problem
        dialled = socket.socket(fileno=descriptors[0])
        dialled.setblocking(False)
        try:
            await self._loop.sock_connect(dialled, ("127.0.0.1", port))
        except BaseException:
            dialled.close()
            raise
        return dialled

    async def _signal(self, pid: int, number: int) -> None:
        await self._ask({"do": "signal", "pid": pid, "signal": int(number)})

    async def wait_lost(self) -> None:
        await asyncio.shield(self._lost)

    async def stop(self, grace: float) -> None:
        """Stop the containers, then the node. Returns when all its processes have ended."""
        running = [each for each in self._containers.values() if not each.exited.done()]
        await asyncio.gather(*(each.stop(grace) for each in running))
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """End the node and its containers now."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._lose("the node was stopped")
        # Without namespaces the node itself kills the containers, now that its socket is closed.
        if self.is_isolated and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def serve(self, address: str, port: int, answer: Connected) -> None:
        """Add an address to the node and answer connections to it."""
        _, descriptors = await self._ask({"do": "listen", "address": address, "port": port})
        listener = socket.socket(fileno=descriptors[0])
        listener.setblocking(False)
        self._servers.append(await asyncio.start_server(answer, sock=listener))

    async def _ask(
        self, request: dict[str, object], descriptors: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        if self._lost.done():
            raise NodeError("the node is gone")
        number = next(self._numbers)
        answered = self._answers[number] = self._loop.create_future()
        message = json.dumps({"id": number, **request}).encode()
        try:
            while True:
                try:
                    socket.send_fds(self._control, [message], descriptors)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.005)  # its queue is full of requests it is working on
            answer, received = await answered
        except OSError as problem:
            raise NodeError(f"the node is gone: {problem}") from problem
        except asyncio.CancelledError:
            # The answer may have come at the same moment. Then its sockets must be closed.
            if answered.done() and not answered.cancelled() and answered.exception() is None:
                for descriptor in answered.result()[1]:
                    os.close(descriptor)
            raise
        finally:
            self._answers.pop(number, None)
        if "error" in answer:
            raise NodeError(answer["error"])
        return answer, received

    def _receive(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _MAX_MESSAGE, 4)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._lose("the node is gone")
            return
        message = json.loads(data)
        if "event" in message:
            self._on_event(message)
        elif (waiting := self._answers.get(message["id"])) and not waiting.done():
            waiting.set_result((message, descriptors))
        else:  # the caller was canceled meanwhile
            for descriptor in descriptors:
                os.close(descriptor)

    def _on_event(self, message: dict[str, Any]) -> None:
        if message["event"] == "ready":
            self._ready.set_result(None)
        elif message["event"] == "refused":
            self._ready.set_exception(NodeError(message["why"]))
        elif (container := self._containers.pop(message["pid"], None)) is not None:
            container.exited.set_result(message["code"])
        else:
            self._early_exits[message["pid"]] = message["code"]

    def _lose(self, why: str) -> None:
        """Note that the node has ended, and raise NodeError for every caller that waits for it."""
        if self._lost.done():
            return
        self._lost.set_result(None)
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        if not self._ready.done():
            self._ready.set_exception(NodeError(why))
            self._ready.exception()  # otherwise asyncio warns if no caller waits
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(NodeError(why))
        for container in self._containers.values():
            if not container.exited.done():
                container.exited.set_result(-int(signal.SIGKILL))
        self._containers.clear()

    def _read_output(
        self, source: int, container: RunningContainer, on_output: Callable[[bytes], None]
    ) -> None:
        os.set_blocking(source, False)

        def read() -> None:
            try:
                piece = os.read(source, _READ_SIZE)
            except BlockingIOError:
                return
            except OSError:
                piece = b""
            on_output(piece)
            if not piece:
                self._loop.remove_reader(source)
                os.close(source)
                container.output_ended.set()

        self._loop.add_reader(source, read)
