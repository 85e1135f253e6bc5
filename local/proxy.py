"""One HTTP exchange handed on, byte for byte."""

from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

# These belong to one connection, not to the message (RFC 9110, 7.6.1).
_OF_THE_CONNECTION = (
    *("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding"),
    *("Upgrade", "Expect"),
)
# aiohttp would add these where the client sent none.
_NOT_OURS_TO_ADD = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the upstream said."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    def saying(self, body: bytes) -> "Answer":
        """The same with another body."""
        headers = CIMultiDict(self.headers)
        headers.popall("Content-Length", None)
        return Answer(self.status, headers, body) if body != self.body else self

    def response(self) -> web.Response:
        return web.Response(status=self.status, headers=self.headers, body=self.body)


async def forward(
    session: aiohttp.ClientSession, upstream: str, request: web.Request, body: bytes
) -> Answer:
    """Send the request on as it came, the Host header too: a signature covers all of it.

    The session must neither decompress nor follow redirects on its own.
    """
    headers = _of_the_message(request.headers)
    headers.popall("Content-Length", None)
    async with session.request(
        request.method,
        URL(upstream + request.raw_path, encoded=True),
        headers=headers,
        data=body or None,
        allow_redirects=False,
        skip_auto_headers=_NOT_OURS_TO_ADD,
    ) as response:
        return Answer(response.status, _of_the_message(response.headers), await response.read())


def client_session() -> aiohttp.ClientSession:
    """A session for `forward`: patient, since a long poll or an invocation takes its time."""
    return aiohttp.ClientSession(
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _of_the_message(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in _OF_THE_CONNECTION:
        kept.popall(name, None)
    return kept
