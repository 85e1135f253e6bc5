"""The public URL: no request is lost, bodies pass both ways, headers are a load balancer's."""

import gzip
import json
import threading
import urllib.request
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.emulator.emulator import Emulator, Service
from tests.emulator.images import web


class Visitor(threading.Thread):
    """Asks the public URL as fast as it can, on one kept connection, and counts what fails."""

    def __init__(self, service: Service, method: str) -> None:
        super().__init__()
        self._address = urlsplit(service.url).netloc
        self._method = method
        self._over = threading.Event()
        self.sent = 0
        self.failures: list[str] = []
        self.seen: list[str] = []

    def run(self) -> None:
        connection = HTTPConnection(self._address, timeout=10)
        while not self._over.is_set():
            self.sent += 1
            try:
                body = b"x" * 2000 if self._method == "POST" else None
                connection.request(self._method, "/", body)
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, HTTPException) as problem:
                self.failures.append(repr(problem))
                connection.close()
                continue
            if answer.status != 200:
                self.failures.append(f"{answer.status} {text}")
            elif text not in self.seen:
                self.seen.append(text)
        connection.close()

    def stop(self) -> None:
        self._over.set()
        self.join()


def test_the_old_deployment_finishes_its_requests_in_progress(emulator: Emulator) -> None:
    service = emulator.service("draining")
    service.ended(service.deploy({"web": web("v1")}, "web"))
    with urllib.request.urlopen(service.url + "slow", timeout=10) as answer:
        assert answer.read(2) == b"0\n"
        service.ended(service.deploy({"web": web("v2")}, "web"))
        assert service.get() == (200, "v2")
        assert answer.read().split() == [b"%d" % number for number in range(1, 10)]


def test_a_replaced_node_drops_nothing_but_what_it_was_answering_when_it_died(
    emulator: Emulator,
) -> None:
    service = emulator.service("replacing", scale=2)
    service.ended(service.deploy({"web": web("v1")}, "web"))
    visitor = Visitor(service, "GET")
    visitor.start()
    try:
        before = len(service.log("web"))
        emulator.control("POST", "services/replacing/replace-node", {"node": 1})
        while service.log("web")[before:].count("listening on 8000") < 1:
            pass
        gently = list(visitor.failures)
        emulator.control("POST", "services/replacing/replace-node", {"node": 0, "abrupt": True})
        while service.log("web")[before:].count("listening on 8000") < 2:
            pass
    finally:
        visitor.stop()
    assert gently == []
    # An abrupt end may cut the one answer that the node was giving. A GET that it had not begun to
    # answer is asked again at the other node.
    assert len(visitor.failures) <= 1


def test_requests_are_spread_over_the_nodes(emulator: Emulator) -> None:
    service = emulator.service("spread", scale=2)
    service.ended(service.deploy({"web": web("v1")}, "web"))
    assert len({service.get("pid")[1] for _ in range(6)}) == 2


def test_headers_are_those_of_the_load_balancer(emulator: Emulator) -> None:
    service = emulator.service("headers")
    service.ended(service.deploy({"web": web("v1")}, "web"))
    headers = json.loads(service.get("headers")[1])
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["host"] == urlsplit(service.url).netloc


def test_a_body_passes_as_it_was_sent(emulator: Emulator) -> None:
    service = emulator.service("bodies")
    service.ended(service.deploy({"web": web("v1")}, "web"))
    packed = gzip.compress(b"x" * 100_000)
    for headers in ({"Content-Encoding": "gzip"}, {"Content-Encoding": "unheard-of"}, {}):
        request = urllib.request.Request(service.url + "echo", packed, headers, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.read() == packed


def test_an_error_of_the_app_is_passed_on_unchanged(emulator: Emulator) -> None:
    service = emulator.service("errors")
    service.ended(service.deploy({"web": web("v1")}, "web"))
    assert service.get("sick") == (500, "sick")
