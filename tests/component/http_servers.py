"""A server that answers each connection with the bytes that a test gives, at the pace it gives."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

type Behaviour = Callable[[socket.socket], None]


@contextmanager
def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of a server that behaves so, towards one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, behave, tls), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)
        assert not thread.is_alive()


def _serve(listener: socket.socket, behave: Behaviour, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        # Whoever asks may hang up whenever it has seen enough.
        with plain, suppress(OSError):
            plain.settimeout(10)
            if tls is None:
                behave(plain)
            else:
                with tls.wrap_socket(plain, server_side=True) as peer:
                    behave(peer)


def saying(answer: bytes) -> Behaviour:
    """Read the request's head, answer, and hang up."""

    def behave(peer: socket.socket) -> None:
        _read_head(peer)
        peer.sendall(answer)

    return behave


def dripping(begin: bytes, drop: bytes) -> Behaviour:
    """Answer for ever, a little at a time: each single read is quick."""

    def behave(peer: socket.socket) -> None:
        _read_head(peer)
        peer.sendall(begin)
        pause = threading.Event()
        while not pause.wait(0.05):
            peer.sendall(drop)

    return behave


def silent(peer: socket.socket) -> None:
    """Take the request, and wait until the other one has gone."""
    while peer.recv(4096):
        pass


def flooding(begin: bytes) -> Behaviour:
    """Answer without end, as fast as it is taken."""

    def behave(peer: socket.socket) -> None:
        _read_head(peer)
        peer.sendall(begin)
        while True:
            peer.sendall(b"x" * 65536)

    return behave


def _read_head(peer: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = peer.recv(4096)
        if not piece:
            break
        head += piece
    return head
