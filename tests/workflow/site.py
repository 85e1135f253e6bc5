"""The app behind the public URL: whichever version serves answers."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from lightgate.spec.health_rules import Probe
from lightgate.verification.health import HttpAnswer


class Site:
    """What the app answers, by the version that serves. A version that is not bad does well.

    `asked` counts the requests by version, method and path, `urls` where they went. Every good
    answer has `headers`.
    """

    def __init__(self, serving: Callable[[], int | None]) -> None:
        self._serving = serving
        self.bad: dict[int, str] = {}
        self.headers: dict[str, str] = {}
        self.asked: Counter[tuple[int | None, str, str]] = Counter()
        self.expected: set[str | None] = set()
        self.urls: set[str] = set()

    def answer(self, url: str, probe: Probe) -> HttpAnswer:
        version = self._serving()
        self.urls.add(url)
        self.asked[version, probe.method, probe.path] += 1
        self.expected.add(probe.expected_text)
        took = timedelta(seconds=0.1)
        if version is None:
            return HttpAnswer(status=None, headers={}, body=b"", took=took, error="no connection")
        if (error := self.bad.get(version)) is not None:
            return HttpAnswer(status=500, headers={}, body=error.encode(), took=took)
        said = (probe.expected_text or "").encode()
        return HttpAnswer(status=200, headers=self.headers, body=said, took=took)
