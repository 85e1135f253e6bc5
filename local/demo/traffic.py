"""A user of the app who never stops: reads and writes through the public URL, and counts."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PAUSE_SECONDS = 0.1
_TIMEOUT_SECONDS = 10
_MOST_FAILURES_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The counts so far. `failures` describes the first failed requests."""

    sent: int
    failed: int
    releases: tuple[str, ...]
    failures: tuple[str, ...]

    def and_then(self, later: Self) -> Self:
        """The sum of these and later counts."""
        return replace(
            later,
            sent=self.sent + later.sent,
            failed=self.failed + later.failed,
            releases=tuple(dict.fromkeys(self.releases + later.releases)),
            failures=self.failures + later.failures,
        )


class Traffic:
    """Sends a GET and a POST in turn, several times a second, while its block is open.

    Each request has a connection of its own, as a new visitor has. One that is refused,
    cut off, late or answered with an error counts as failed, and none is tried again.
    """

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._lock = threading.Lock()
        self._sent = 0
        self._failures: list[str] = []
        self._failed = 0
        self._releases: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def so_far(self) -> Requests:
        """The counts, and the releases that answered in the order of their first answer."""
        with self._lock:
            return Requests(
                sent=self._sent,
                failed=self._failed,
                releases=tuple(dict.fromkeys(self._releases)),
                failures=tuple(self._failures),
            )

    def _run(self) -> None:
        write = False
        while not self._stopped.wait(_PAUSE_SECONDS):
            self._request("POST" if write else "GET")
            write = not write

    def _request(self, method: str) -> None:
        trouble, release = "", ""
        try:
            answer = ask(self._address.netloc, method)
            release = answer.getheader("X-Release", "")
            if answer.status >= http.client.BAD_REQUEST:
                trouble = f"{answer.status} {answer.reason}"
        except (OSError, http.client.HTTPException) as error:
            trouble = f"{type(error).__name__}: {error}"
        with self._lock:
            self._sent += 1
            if release:
                self._releases.append(release)
            if trouble:
                self._failed += 1
                if len(self._failures) < _MOST_FAILURES_KEPT:
                    self._failures.append(f"{time.strftime('%H:%M:%S')} {method}: {trouble}")


def ask(netloc: str, method: str = "GET", path: str = "/") -> http.client.HTTPResponse:
    """One request, read to its end. A POST adds a harvest.

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
