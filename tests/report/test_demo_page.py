"""The page that `KEEP=1 make demo` serves."""

import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.error import HTTPError

import pytest

from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.release_facts import ReleaseFacts
from local.demo import page
from tests.cli import releases
from tests.cli.releases import APP, NOW, V3
from tests.cli.test_status import facts
from tests.report.parsed import parsed


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    def read_release(release: str, app: str, *_: object) -> ReleaseFacts:
        if (app, release) != (APP, V3):
            raise CommandError(Problem.NOT_FOUND, f"There is no release {release} on record.")
        return ReleaseFacts(record=releases.v3(), now=NOW)

    connection = SimpleNamespace(
        now=lambda: NOW, outputs={}, releases=SimpleNamespace(find=lambda *_: None)
    )
    monkeypatch.setattr(page, "Connection", lambda _target: connection)
    monkeypatch.setattr(page, "all_apps", lambda _connection: [facts()])
    monkeypatch.setattr(page, "read_release", read_release)
    with page.serving_the_page() as url:
        yield url


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return str(answer.read().decode())


def test_the_name_of_a_release_leads_to_its_page_and_back(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    apps = parsed(get(url))
    [address] = {
        each.attributes["href"] for each in apps.named("a") if V3 in each.attributes["href"]
    }

    release = parsed(get(url.rstrip("/") + address))

    assert "Release v3 of crops-backend failed and v2.1 is still live." in release.text
    assert release.named("a")[0].attributes["href"] == "/"


def test_a_release_that_does_not_exist_is_not_found(url: str) -> None:
    with pytest.raises(HTTPError, match="404") as error:
        get(f"{url}{APP}/%3Cscript%3E")

    with error.value as answer:
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.read() == b"There is no release <script> on record."
