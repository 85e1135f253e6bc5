"""The public URL of a service: a reverse proxy over the healthy nodes of the active deployment.

Its address stays the same as long as the service exists. It chooses a node for a request and counts
the request on that node in one step. So no request goes to a node that is being stopped.
"""

import contextlib
import itertools
import logging
import socket

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from local.cloud.proxy import end_to_end
from local.lightsail.node.container_runner import NodeRun
from local.lightsail.service.fleet import Fleet

_LOG = logging.getLogger(__name__)
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS"))
_PIECE = 1 << 16


class LoadBalancer:
    def __init__(self) -> None:
        self._fleet: Fleet | None = None
        self._disabled = False
        self._turn = itertools.count()
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def open(self, port: int) -> None:
        """Listen on this port, or on a free one if it is taken."""
        listener = _listen(port)
        self.port = listener.getsockname()[1]
        server = web.Server(self._handle, access_log=None, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, listener, backlog=1024).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def serve(self, fleet: Fleet | None) -> None:
        """Send requests to this fleet from the next one on."""
        self._fleet = fleet
        self._disabled = False

    def disable(self) -> None:
        """Answer 503 from the next request on."""
        self._fleet = None
        self._disabled = True

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._disabled:
            return web.Response(status=503, text="503 Service Temporarily Unavailable\n")
        if self._fleet is None or self._fleet.deployment.public_endpoint is None:
            return web.Response(status=404, text="404 No Such Service\n")
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        tried: list[NodeRun] = []
        while run := self._choose(tried):
            tried.append(run)
            run.enter()
            try:
                async with contextlib.AsyncExitStack() as open_answer:
                    try:
                        answer = await self._forward(request, run)
                        open_answer.callback(answer.close)
                    except aiohttp.ClientConnectorError:
                        continue  # nothing was sent: any request may go to another node
                    except (aiohttp.ClientError, OSError) as problem:
                        _LOG.warning("%s %s: %s", request.method, request.path, problem)
                        if request.method in _REPEATABLE and not request.body_exists:
                            continue
                        return web.Response(status=502, text="502 Bad Gateway\n")
                    return await self._pass_on(request, answer)
            finally:
                run.leave()
        return web.Response(status=502 if tried else 503, text="No node answered\n")

    def _choose(self, tried: list[NodeRun]) -> NodeRun | None:
        """Choose the nodes in turn, and none twice for one request."""
        fleet = self._fleet
        runs = [run for run in fleet.healthy_runs() if run not in tried] if fleet else []
        return runs[next(self._turn) % len(runs)] if runs else None

    async def _forward(self, request: web.BaseRequest, run: NodeRun) -> aiohttp.ClientResponse:
        if run.session is None or run.session.closed:
            raise aiohttp.ClientConnectionError("the node is gone")
        target = URL(f"http://127.0.0.1:{run.port}{_path(request)}", encoded=True)
        return await run.session.request(
            request.method,
            target,
            headers=_request_headers(request),
            data=request.content.iter_chunked(_PIECE) if request.body_exists else None,
            allow_redirects=False,
        )

    async def _pass_on(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        headers = end_to_end(answer.headers)
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        if "Content-Length" not in headers and _may_chunk(request, answer):
            response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
        except (aiohttp.ClientError, OSError):
            # The client must see a body that was cut off, not one that seems to be complete.
            if request.transport is not None:
                request.transport.abort()
        return response


def _may_chunk(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> bool:
    has_body = request.method != "HEAD" and answer.status not in (204, 304)
    return has_body and request.version >= aiohttp.HttpVersion11


def _path(request: web.BaseRequest) -> str:
    """Return the unchanged path, also of `GET http://host/path`."""
    raw = request.raw_path
    return raw if raw.startswith("/") else URL(raw, encoded=True).raw_path_qs


def _request_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    """Add the headers of Lightsail's load balancer, which terminates TLS."""
    headers = end_to_end(request.headers)
    client = request.remote or "127.0.0.1"
    before = headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{before}, {client}" if before else client
    headers["X-Forwarded-Proto"] = "https"
    headers["X-Forwarded-Port"] = "443"
    headers.pop("Expect", None)
    return headers


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=1024)
    except OSError:
        return socket.create_server(("127.0.0.1", 0), backlog=1024)
