"""The example with Flask and Alembic, released on the local cloud."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.cloud import account
from tests.e2e.example_apps import ROOT, Example, running, spec_of, venv

pytestmark = pytest.mark.slow

HOME = ROOT / "examples" / "stalls"
CMD = ("gunicorn", "stalls:app", "--bind", "0.0.0.0:8000")
RELEASES = ("v1", "v2", "v2.1", "v3")


@pytest.fixture(scope="module")
def stalls() -> Iterator[Example]:
    with running("stalls", venv("stalls", HOME / "requirements.txt")) as example:
        spec = spec_of("stalls")
        spec["verification"]["watchSeconds"] = 10
        account.put_app(example.cloud.client("ssm"), "stalls", spec)
        yield example


def folders(release: str) -> list[Path]:
    parts = RELEASES[: RELEASES.index(release) + 1]
    # v1 has no folder of its own: it is what all releases share.
    return [HOME / "app", *(HOME / "releases" / part for part in parts[1:])]


def release(stalls: Example, name: str) -> Mapping[str, Any]:
    return stalls.release(name, folders(name), CMD)


def test_alembic_migrates_behind_the_gate_and_a_failure_keeps_the_old_version(
    stalls: Example,
) -> None:
    first = release(stalls, "v1")
    assert first["status"] == "SUCCEEDED", first
    assert stalls.request("/")[1]["release"] == "v1"

    second = release(stalls, "v2")
    assert second["status"] == "SUCCEEDED", second
    assert stalls.request("/", {"place": "A1", "keeper": "Ida", "goods": "plums"})[0] == 201
    [newest, *_] = stalls.request("/")[1]["stalls"]
    assert newest == {"place": "A1", "keeper": "Ida", "goods": "plums"}

    code_only = release(stalls, "v2.1")
    assert code_only["status"] == "SUCCEEDED", code_only

    failed = release(stalls, "v3")
    assert failed["status"] == "ROLLED_BACK", failed
    assert stalls.request("/")[1]["release"] == "v2.1"
