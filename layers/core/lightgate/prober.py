"""Asks a public URL, and takes whatever a server may do in answer.

Redirects are answers, and are not followed. Certificates are checked. Nothing that a server
sends, or does not send, raises an error, takes longer than the time limit, or fills the memory;
only the lookup of the name is left to the time limits of the system's resolver.
"""

import http.client
import io
import socket
import ssl
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from lightgate.gate_log import plain_text
from lightgate.verification import LARGEST_BODY_BYTES, Answer, Probe

_USER_AGENT = "Lightgate"
_LARGEST_HEADER = 4096
# An answer that is slower than its bound is still an answer, and says more than none.
_SLACK = timedelta(seconds=5)


def ask(url: str, probe: Probe) -> Answer:
    """The answer to the probe, complete or cut off at LARGEST_BODY_BYTES."""
    began = time.monotonic()
    end = began + (probe.latency + _SLACK).total_seconds()
    try:
        status, headers, body = _exchange(url, probe, end)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _failed(_words(error), began)
    return Answer(status=status, headers=headers, body=body, took=_since(began))


def _exchange(url: str, probe: Probe, end: float) -> tuple[int, dict[str, str], bytes]:
    address = urlsplit(url)
    is_tls = address.scheme == "https"
    port = address.port or (443 if is_tls else 80)
    host = address.hostname or ""
    connection = http.client.HTTPConnection(host, port)
    with (
        socket.create_connection((host, port), _left(end)) as plain,
        _trusted(plain, host) if is_tls else plain as peer,
    ):
        # http.client asks no more of its socket than what _Bounded has.
        connection.sock = _Bounded(peer, end)
        connection.request(
            probe.method,
            address.path.rstrip("/") + probe.path,
            probe.body.encode() if probe.body is not None else None,
            {
                "Host": address.netloc,
                "User-Agent": _USER_AGENT,
                "Accept-Encoding": "identity",
                "Connection": "close",
                **probe.headers,
            },
        )
        response = connection.getresponse()
        headers = {
            name.lower(): plain_text(value, _LARGEST_HEADER) or ""
            for name, value in response.getheaders()
        }
        return response.status, headers, _body(response)


def _trusted(plain: socket.socket, host: str) -> ssl.SSLSocket:
    """The connection behind a handshake, which takes the time limit of connecting."""
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _body(response: http.client.HTTPResponse) -> bytes:
    """Its beginning. A body that ends before it should is no whole answer, and raises."""
    body = b""
    while len(body) < LARGEST_BODY_BYTES:
        piece = response.read1(LARGEST_BODY_BYTES - len(body))
        if not piece:
            if response.length:
                raise http.client.IncompleteRead(body, response.length)
            break
        body += piece
    return body


class _Bounded:
    """A connection whose every read ends with the whole exchange, however slowly a server drips."""

    def __init__(self, peer: socket.socket, end: float) -> None:
        self._peer, self._end = peer, end

    def sendall(self, data: bytes) -> None:
        self._peer.settimeout(_left(self._end))
        self._peer.sendall(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._peer, self._end))

    def close(self) -> None:
        """Its owner closes the socket."""


class _Reader(io.RawIOBase):
    def __init__(self, peer: socket.socket, end: float) -> None:
        self._peer, self._end = peer, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever bytes can be written into
        self._peer.settimeout(_left(self._end))
        return self._peer.recv_into(buffer)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)


def _failed(error: str, began: float) -> Answer:
    return Answer(status=None, headers={}, body=b"", took=_since(began), error=error)


def _words(error: Exception) -> str:
    """Why there was no answer, without what the server may have sent instead of one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.HTTPException | ValueError):
        return f"the answer is not HTTP ({type(error).__name__})"
    return f"no connection: {getattr(error, 'strerror', None) or type(error).__name__}"
