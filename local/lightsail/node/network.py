"""The network of the nodes: one for each node or, without namespaces, the machine's."""

import asyncio
import errno
import functools
import os
import socket
import sys
from collections.abc import Iterable, Mapping

from local.lightsail.node.node import Node, NodeError
from local.lightsail.node.port_relay import relay_connection


class NoNetworkError(Exception):
    """This machine cannot run nodes. The message is the reason."""


class Network:
    """A network and process namespace for each node, so every node has all ports to itself."""

    why_one_node: str | None = None
    """Why a service can have only one node at a time, or None if it can have several."""

    def __init__(self, outside: Mapping[int, int]) -> None:
        """`outside` maps ports of each node's loopback to ports of the machine."""
        self._outside = outside

    async def launch_node(self) -> Node:
        """Start a node, or raise NodeError."""
        return await Node.launch(self._outside)

    def claim(self, node: Node, ports: Iterable[int]) -> int | None:  # noqa: ARG002
        """Take ports for a node's container. Returns the first one that is taken already."""
        return None

    def close(self) -> None: ...


class MachineNetwork(Network):
    """The network of the machine for all nodes.

    Two nodes would listen on the same port, so a service has one node at a time. A container does
    not start if its port is taken: otherwise answers of another program could pass for its own.
    """

    def __init__(self, why: str) -> None:
        super().__init__({})
        self.why_one_node = f"nodes side by side need Linux network namespaces, {why}"
        self._relays: list[asyncio.Server] = []
        self._holders: dict[int, Node] = {}

    async def open(self, outside: Mapping[int, int]) -> None:
        """Relay ports of the machine (keys) to other ports of it (values)."""
        for inside, host in outside.items():
            if inside != host:
                relay = functools.partial(relay_connection, port=host)
                try:
                    self._relays.append(await asyncio.start_server(relay, "127.0.0.1", inside))
                except OSError as problem:
                    self.close()
                    raise NoNetworkError(
                        f"cannot listen on 127.0.0.1:{inside} for the containers: "
                        f"{os.strerror(problem.errno or 0)}"
                    ) from None

    async def launch_node(self) -> Node:
        return await Node.launch(self._outside, isolated=False)

    def claim(self, node: Node, ports: Iterable[int]) -> int | None:
        wanted = list(ports)
        for port in wanted:
            holder = self._holders.get(port, node)
            if (holder is not node and not holder.is_gone) or _is_listened_on(port):
                return port
        self._holders.update(dict.fromkeys(wanted, node))
        return None

    def close(self) -> None:
        for each in self._relays:
            each.close()


async def find_network(outside: Mapping[int, int], *, namespaces: bool) -> Network:
    """Find out with one node whether this machine allows namespaces."""
    if sys.platform != "linux":
        raise NoNetworkError("nodes are processes of Linux, which this system is not")
    why = "which --no-namespaces rules out"
    if namespaces:
        own = Network(outside)
        if (problem := await _why_no_node(own)) is None:
            return own
        why = f"which cannot be made here: {problem}"
    shared = MachineNetwork(why)
    if (problem := await _why_no_node(shared)) is not None:
        raise NoNetworkError(f"no node can be started: {problem}")
    await shared.open(outside)
    return shared


async def _why_no_node(network: Network) -> str | None:
    try:
        node = await network.launch_node()
    except NodeError as problem:
        return str(problem)
    except TimeoutError:
        raise NoNetworkError("a node did not start within 30 seconds") from None
    await node.stop(grace=0)
    return None


def _is_listened_on(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as problem:
            return problem.errno == errno.EADDRINUSE
    return False
