"""Reads and writes of a user of the app through its public URL, and their results."""

import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_PAUSE_SECONDS = 0.1
_TIMEOUT_SECONDS = 10
_MOST_FAILURES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Requests:
    """The results so far: the release that answered each request, and each failed request."""

    answers: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def sent(self) -> int:
        return len(self.answers)

    @property
    def failed(self) -> int:
        return len(self.errors)

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases that answered, in the order of their first answer."""
        return tuple(dict.fromkeys(filter(None, self.answers)))

    @property
    def failures(self) -> tuple[str, ...]:
        return self.errors[:_MOST_FAILURES_SHOWN]

    def and_then(self, later: Self) -> "Requests":
        return Requests(self.answers + later.answers, self.errors + later.errors)


class Traffic:
    """Sends a GET and a POST in turn, several times a second, while its block is open.

    Each request has its own connection, as that of a new visitor. A request fails if it is refused,
    cut off, late or answered with an error. Traffic does not try it again.
    """

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._answers: list[str] = []
        self._errors: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def so_far(self) -> Requests:
        return Requests(tuple(self._answers), tuple(self._errors))

    def _run(self) -> None:
        for method in itertools.cycle(("GET", "POST")):
            if self._stopped.wait(_PAUSE_SECONDS):
                return
            self._request(method)

    def _request(self, method: str) -> None:
        trouble, release = "", ""
        try:
            answer = send(self._address.netloc, method)
            release = answer.getheader("X-Release", "")
            if answer.status >= http.client.BAD_REQUEST:
                trouble = f"{answer.status} {answer.reason}"
        except (OSError, http.client.HTTPException) as error:
            trouble = f"{type(error).__name__}: {error}"
        if trouble:
            self._errors.append(f"{time.strftime('%H:%M:%S')} {method}: {trouble}")
        self._answers.append(release)


def send(netloc: str, method: str = "GET", path: str = "/") -> http.client.HTTPResponse:
    """Send one request and read the whole answer. A POST adds a harvest.

    Raises:
        OSError, http.client.HTTPException: there was no whole answer.
    """
    connection = http.client.HTTPConnection(netloc, timeout=_TIMEOUT_SECONDS)
    body = json.dumps({"crop": "barley", "kilograms": 3}) if method == "POST" else None
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer
