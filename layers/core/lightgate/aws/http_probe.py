"""Asks a public URL, and takes whatever a server may do in answer.

Redirects are answers, and are not followed. Certificates are checked. Nothing that a server
sends, or does not send, raises an error, takes longer than the time limit, or fills the memory.
One limit is for all of it: the lookup of the name, all addresses, TLS, sending and reading.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from lightgate.gate.log_lines import plain_text
from lightgate.spec.health_rules import Probe
from lightgate.verification.health import LARGEST_BODY_BYTES, HttpAnswer

_USER_AGENT = "Lightgate"
_LARGEST_HEADER = 4096
# An answer that is slower than its bound is still an answer, and says more than none.
_SLACK = timedelta(seconds=5)


def ask(url: str, probe: Probe) -> HttpAnswer:
    """The answer to the probe, complete or cut off at LARGEST_BODY_BYTES."""
    began = time.monotonic()
    end = began + longest(probe.latency).total_seconds()
    try:
        status, headers, body = _exchange(url, probe, end)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _failed(_words(error), began)
    return HttpAnswer(status=status, headers=headers, body=body, took=_since(began))


def longest(latency: timedelta) -> timedelta:
    """The most that a probe of this latency takes, whatever the server does."""
    return latency + _SLACK


def _exchange(url: str, probe: Probe, end: float) -> tuple[int, dict[str, str], bytes]:
    address = urlsplit(url)
    is_tls = address.scheme == "https"
    port = address.port or (443 if is_tls else 80)
    host = address.hostname or ""
    connection = http.client.HTTPConnection(host, port)
    with (
        _connected(host, port, end) as plain,
        _trusted(plain, host, end) if is_tls else plain as peer,
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


def _connected(host: str, port: int, end: float) -> socket.socket:
    """A connection to the first address that takes one; each has its share of what time is left."""
    failure: OSError = OSError("the name has no address")
    addresses = _resolved(host, port, end)
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        peer = socket.socket(family, kind, protocol)
        try:
            peer.settimeout(_left(end) / (len(addresses) - tried))
            peer.connect(address)
        except OSError as error:
            peer.close()
            failure = error
        else:
            return peer
    raise failure


def _resolved(host: str, port: int, end: float) -> list[Any]:
    """The addresses of the name. The system's resolver has a mind of its own about time."""
    found: list[Any] = []

    def resolve() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    resolving = threading.Thread(target=resolve, daemon=True)
    resolving.start()
    resolving.join(_left(end))
    if not found:
        raise TimeoutError("timed out")
    if isinstance(found[0], Exception):
        raise found[0]
    addresses: list[Any] = found[0]
    return addresses


def _trusted(plain: socket.socket, host: str, end: float) -> ssl.SSLSocket:
    """The connection behind a handshake."""
    plain.settimeout(_left(end))
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
        rest = memoryview(data)
        while rest:
            self._peer.settimeout(_left(self._end))
            rest = rest[self._peer.send(rest) :]

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


def _failed(error: str, began: float) -> HttpAnswer:
    return HttpAnswer(status=None, headers={}, body=b"", took=_since(began), error=error)


def _words(error: Exception) -> str:
    """Why there was no answer, without what the server may have sent instead of one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.HTTPException | ValueError):
        return f"the answer is not HTTP ({type(error).__name__})"
    return f"no connection: {getattr(error, 'strerror', None) or type(error).__name__}"
