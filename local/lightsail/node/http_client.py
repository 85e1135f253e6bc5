"""HTTP connections to a port inside a node, for health probes and for the public URL."""

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import BaseConnector
from aiohttp.tracing import Trace

from local.cloud.proxy import ADDED_BY_AIOHTTP
from local.lightsail.node.node import Node


class NodeConnector(BaseConnector):
    """Connects to 127.0.0.1:`port` of a node, for every request again.

    A server may close an idle connection while a request is sent on it, which would be lost.
    """

    def __init__(self, node: Node, port: int) -> None:
        super().__init__(force_close=True, limit=0)
        self._node = node
        self._port = port

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],  # noqa: ARG002 - part of the signature
        timeout: aiohttp.ClientTimeout,  # noqa: ARG002 - the whole request has a time limit
    ) -> ResponseHandler:
        try:
            dialled = await self._node.dial(self._port)
            try:
                _, protocol = await self._loop.create_connection(self._factory, sock=dialled)
            except BaseException:
                dialled.close()
                raise
        except OSError as problem:
            raise aiohttp.ClientConnectorError(req.connection_key, problem) from problem
        return protocol


def node_session(node: Node, port: int) -> aiohttp.ClientSession:
    """Return a client for one port of a node. It adds no header and decompresses no body."""
    return aiohttp.ClientSession(
        connector=NodeConnector(node, port),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        skip_auto_headers=ADDED_BY_AIOHTTP,
    )
