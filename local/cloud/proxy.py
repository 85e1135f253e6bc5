"""Forward one HTTP request and its response, byte for byte."""

from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

# RFC 9110, section 7.6.1.
_HOP_BY_HOP = (
    *("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection"),
    *("TE", "Trailer", "Transfer-Encoding", "Upgrade"),
)
# aiohttp would add these headers to a request.
ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of the upstream."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    def with_body(self, body: bytes) -> "Answer":
        headers = CIMultiDict(self.headers)
        headers.popall("Content-Length", None)
        return Answer(self.status, headers, body) if body != self.body else self

    def response(self) -> web.Response:
        return web.Response(status=self.status, headers=self.headers, body=self.body)


async def forward(
    session: aiohttp.ClientSession, upstream: str, request: web.Request, body: bytes
) -> Answer:
    """Forward the request unchanged, also its Host header: the signature covers all of it."""
    headers = end_to_end(request.headers)
    for name in ("Content-Length", "Expect"):
        headers.popall(name, None)
    async with session.request(
        request.method,
        URL(upstream + request.raw_path, encoded=True),
        headers=headers,
        data=body or None,
        allow_redirects=False,
        skip_auto_headers=ADDED_BY_AIOHTTP,
    ) as response:
        return Answer(response.status, end_to_end(response.headers), await response.read())


def client_session() -> aiohttp.ClientSession:
    """A session for `forward`, without a time limit: a long poll or an invocation takes long."""
    return aiohttp.ClientSession(
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers without those that belong to one connection only."""
    kept = CIMultiDict(headers)
    for name in (*headers.get("Connection", "").split(","), *_HOP_BY_HOP):
        kept.popall(name.strip(), None)
    return kept
