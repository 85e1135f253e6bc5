"""A mailbox on loopback, which responds as S3 does, healthy or not."""

import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lightgate.gate.packaging import CLASSIFIER, program_text
from tests.gate.programs import RELEASE

READ = ("permit", "classifier")
NAMES = (*READ, "status", "plan", "result")
PATIENT = {"pollSeconds": 0.05, "patienceSeconds": 30, "reachSeconds": 30}


class Mailbox:
    """Its objects, how it responds, and what a gate needs to reach it."""

    def __init__(self, port: int, scheme: str = "http") -> None:
        self.objects = {"classifier": program_text(CLASSIFIER).encode()}
        self.polls = 0  # of the permit
        self.misses = 0
        self.limits: dict[str, Any] = dict(PATIENT)
        self.refusal: tuple[int, str, str] | None = None
        self.is_deaf = False
        self.drips = False
        self.url = f"{scheme}://127.0.0.1:{port}/crops/{RELEASE}/migrate/*.json?X-Amz-Signature="
        self.signatures = {name: f"secret-of-{name}" for name in NAMES}

    def options(self, **environment: str) -> dict[str, Any]:
        """How to start a gate that has the URLs."""
        urls = json.dumps({"url": self.url, "signatures": self.signatures})
        return {"env": {**os.environ, "LIGHTGATE_MAILBOX": urls, **environment}}

    def put_permit(self, **changes: Any) -> None:
        usual = {"release": RELEASE, "plan": "unknown", "state": "granted"}
        permit = {"lightgate": 1, **usual, "until": time.time() + 60, **changes}
        self.objects["permit"] = json.dumps(permit).encode()

    def event(self, name: str) -> dict[str, Any]:
        """The event in an object; nothing if it has not come."""
        event: dict[str, Any] = json.loads(self.objects.get(name, b"{}"))
        return event

    def answer(self, method: str, name: str, signature: str, body: bytes) -> tuple[int, bytes]:
        if self.refusal:
            return error(*self.refusal)
        if signature != self.signatures[name] or (method == "GET") is not (name in READ):
            return error(403, "SignatureDoesNotMatch", "The signature does not match.")
        if method == "PUT":
            self.objects[name] = body
            return 200, b""
        self.polls += name == "permit"
        if name not in self.objects:
            self.misses += 1
            return error(403, "AccessDenied", "Access Denied")
        return 200, self.objects[name]


def error(status: int, code: str, message: str) -> tuple[int, bytes]:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


@contextmanager
def running_mailbox(certificate: Path | None = None) -> Iterator[Mailbox]:
    class Handler(BaseHTTPRequestHandler):
        def exchange(self) -> None:
            url = urlsplit(self.path)
            name = url.path.rpartition("/")[2].removesuffix(".json")
            signature = parse_qs(url.query)["X-Amz-Signature"][0]
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            while mailbox.is_deaf and not ended.wait(0.05):
                pass
            status, answer = mailbox.answer(self.command, name, signature, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            while mailbox.drips and not ended.wait(0.1):
                self.send_header("X-Drop", "x")
                self.flush_headers()
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.exchange()

        def do_PUT(self) -> None:
            self.exchange()

        def handle(self) -> None:
            # An S3 client that was ended does not read the response.
            with suppress(OSError):
                super().handle()

        def log_message(self, *_: object) -> None: ...

    ended = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        mailbox = Mailbox(server.server_port, "https" if certificate else "http")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield mailbox
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def make_certificate(file: Path, *, lasts: timedelta = timedelta(days=1)) -> Path:
    """A certificate for loopback that has signed itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailbox")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + lasts)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
