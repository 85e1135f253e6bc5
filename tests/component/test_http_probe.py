"""Whatever a server does, there is an answer, in time and of bounded size."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from lightgate.aws import http_probe as prober
from lightgate.aws.http_probe import ask
from lightgate.spec.health_rules import Probe
from lightgate.verification.health import LARGEST_BODY_BYTES, HttpAnswer
from tests.component.http_servers import Behaviour, dripping, flooding, saying, serving, silent

READ = Probe(
    method="GET",
    path="/healthz",
    success_codes="200",
    latency=timedelta(seconds=5),
    headers={},
    body=None,
    expected_header=None,
    expected_text=None,
)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """A probe whose time is up after half a second."""
    monkeypatch.setattr(prober, "_SLACK", timedelta())
    return replace(READ, latency=timedelta(seconds=0.5))


def answer_of(behave: Behaviour, probe: Probe = READ) -> HttpAnswer:
    with serving(behave) as url:
        return ask(url, probe)


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("X-Release", "v2")
        self.end_headers()
        head = {"path": self.path, **{name.lower(): v for name, v in self.headers.items()}}
        self.wfile.write(json.dumps([head, body.decode()]).encode())

    def log_message(self, *_: object) -> None: ...


def test_a_request_is_sent_as_it_is_asked_for() -> None:
    probe = replace(
        READ, method="POST", path="/plots?a=1", headers={"X-Probe": "yes"}, body='{"crop": "rye"}'
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        answer = ask(f"http://127.0.0.1:{server.server_port}/", probe)
        server.shutdown()
        thread.join()
        address = f"127.0.0.1:{server.server_port}"

    head, body = json.loads(answer.body)
    assert (answer.status, answer.headers["x-release"], body) == (201, "v2", '{"crop": "rye"}')
    assert head["path"] == "/plots?a=1"
    assert head["host"] == address
    assert (head["x-probe"], head["user-agent"]) == ("yes", "Lightgate")
    assert answer.took < timedelta(seconds=5)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"

    answer = answer_of(saying(elsewhere))

    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1:9/")


def test_the_beginning_of_a_body_without_end_is_enough() -> None:
    answer = answer_of(flooding(OK + b"\r\n"))

    assert (answer.status, len(answer.body)) == (200, LARGEST_BODY_BYTES)


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    "behave",
    [
        silent,
        dripping(OK + b"\r\n", b"x"),
        dripping(OK, b"X-A: b\r\n"),
        dripping(b"", b"H"),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["silence", "body", "headers", "status", "continue", "chunks"],
)
def test_a_slow_server_gets_no_more_than_its_time(behave: Behaviour, impatient: Probe) -> None:
    answer = answer_of(behave, impatient)

    assert answer.status is None
    assert answer.error
    assert answer.took < timedelta(seconds=3)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe garbage \r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
    ids=[
        *("nothing", "garbage", "another protocol", "no code", "cut off", "bad chunk"),
        *("many headers", "a long header"),
    ],
)
def test_an_invalid_http_answer_is_named_and_not_quoted(raw: bytes) -> None:
    answer = answer_of(saying(raw))

    assert answer.status is None
    assert answer.error
    assert "garbage" not in answer.error
    assert "SSH" not in answer.error


def test_a_header_cannot_bring_control_characters() -> None:
    answer = answer_of(saying(OK + b"X-Release: a\x1b[31m\r\nContent-Length: 0\r\n\r\n"))

    assert answer.headers["x-release"] == "a [31m"


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise_an_error(raw: bytes, begins_well: bool) -> None:
    answer = answer_of(saying((OK if begins_well else b"") + raw))

    assert (answer.status is None) == (answer.error is not None)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://no-such-host.invalid/", "http://[::1", "https:///"]
)
def test_no_answer_is_a_problem(url: str) -> None:
    answer = ask(url, READ)

    assert answer.status is None
    assert answer.error


def certificate(directory: Path, address: str) -> ssl.SSLContext:
    """What a server at this address needs; the certificate is signed by itself, in cert.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, SHA256())
    )
    file = directory / "cert.pem"
    file.write_bytes(signed.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, directory / "key.pem")
    return context


def test_an_untrusted_certificate_is_no_answer(tmp_path: Path) -> None:
    with serving(saying(OK + b"\r\n"), certificate(tmp_path, "127.0.0.1")) as url:
        answer = ask(url, READ)

    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("the certificate is not trusted: self-signed")


@pytest.mark.parametrize(("name", "status"), [("127.0.0.1", 200), ("127.0.0.2", None)])
def test_a_trusted_certificate_counts_for_its_own_name_only(
    name: str, status: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = certificate(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))

    with serving(saying(OK + b"Content-Length: 2\r\n\r\nok"), server) as url:
        answer = ask(url, READ)

    assert answer.status == status


def test_a_slow_handshake_gets_no_more_than_its_time(impatient: Probe) -> None:
    with serving(silent) as url:
        answer = ask(url.replace("http:", "https:"), impatient)

    assert answer.error == "no answer in time"
    assert answer.took < timedelta(seconds=3)


def test_addresses_that_do_not_answer_share_one_time_limit(
    impatient: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_port() as port:
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", port)) for n in (2, 3, 4)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        answer = ask(f"http://app.example:{port}", impatient)

    assert answer.error == "no answer in time"
    assert answer.took < timedelta(seconds=1)


def test_an_address_that_refuses_leaves_the_next_one_to_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = socket.getaddrinfo

    def with_a_dead_one(_host: str, port: int, **how: Any) -> list[Any]:
        found = resolve("127.0.0.1", port, **how)
        return [(*found[0][:4], ("127.0.0.9", port)), *found]

    with serving(saying(OK + b"\r\n")) as url:
        monkeypatch.setattr(socket, "getaddrinfo", with_a_dead_one)
        assert ask(url, READ).status == 200


def test_a_name_that_is_not_resolved_in_time_is_no_answer(
    impatient: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(2))

    answer = ask("http://app.example", impatient)

    assert answer.error == "no answer in time"
    assert answer.took < timedelta(seconds=1)


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes no connection and refuses none: its backlog is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("0.0.0.0", 0))
        listening.listen(0)
        port: int = listening.getsockname()[1]
        for _ in range(6):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        time.sleep(0.2)
        yield port
