"""How nodes get their network: each one of its own or, where none can be made, the machine's."""

import asyncio
import errno
import functools
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Protocol

from local.lightsail.node.node import Node, NodeError
from local.lightsail.node.port_relay import relay_connection


class NoNetworkError(Exception):
    """Nodes cannot be had on this machine; the message says why."""


class Network(Protocol):
    """What a machine has for nodes."""

    @property
    def why_one_node(self) -> str | None:
        """Why a service can have one node at a time only; None where nodes run side by side."""
        ...

    async def launch_node(self) -> Node:
        """Start a node, or raise NodeError."""
        ...

    def claim(self, node: Node, ports: Iterable[int]) -> int | None:
        """Take ports for a node's container; returns the first that something else has."""
        ...

    def close(self) -> None:
        """Give back what the network itself holds."""
        ...


class OwnNetworks:
    """A network and process namespace for each node: every node has all ports to itself."""

    why_one_node = None

    def __init__(self, outside: Mapping[int, int]) -> None:
        """Use ports of the machine (values) as ports of each node's loopback (keys)."""
        self._outside = outside

    async def launch_node(self) -> Node:
        """Start a node in namespaces of its own."""
        return await Node.launch(self._outside)

    def claim(self, node: Node, ports: Iterable[int]) -> None:
        """Do nothing: who listens where is between the containers of the node."""

    def close(self) -> None:
        """Do nothing: each node closes what it holds."""


class MachineNetwork:
    """The network of the machine for all nodes.

    Two nodes would listen on the same port, so a service has one node at a time. A port that
    another service or a program of the machine has is refused to a container before it starts:
    its app might not notice, and the other's answers would then pass for its own.
    """

    def __init__(self, why: str) -> None:
        """Say why nodes have no networks of their own."""
        self.why_one_node = f"nodes side by side need Linux network namespaces, {why}"
        self._relays: list[asyncio.Server] = []
        self._holders: dict[int, Node] = {}

    async def open(self, outside: Mapping[int, int]) -> None:
        """Let ports of the machine (values) be reached by other numbers of its own (keys)."""
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
        """Start a node on the machine's network."""
        return await Node.launch({}, isolated=False)

    def claim(self, node: Node, ports: Iterable[int]) -> int | None:
        """Take ports for a node's container; returns the first that something else has."""
        wanted = list(ports)
        for port in wanted:
            holder = self._holders.get(port, node)
            if (holder is not node and not holder.is_gone) or _is_listened_on(port):
                return port
        self._holders.update(dict.fromkeys(wanted, node))
        return None

    def close(self) -> None:
        """Stop relaying."""
        for each in self._relays:
            each.close()


async def find_network(outside: Mapping[int, int], *, namespaces: bool) -> Network:
    """Find out, with one node, which network nodes can have on this machine."""
    if sys.platform != "linux":
        raise NoNetworkError("nodes are processes of Linux, which this system is not")
    why = "which --no-namespaces rules out"
    if namespaces:
        own = OwnNetworks(outside)
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
    """Tell whether anything on the machine listens on a port, at whatever address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as problem:
            return problem.errno == errno.EADDRINUSE
    return False
