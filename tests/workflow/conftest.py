from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.cloud import running_cloud
from tests.workflow.world import World

_RAN: set[tuple[Path, str]] = set()


@pytest.fixture(autouse=True)
def ran(request: pytest.FixtureRequest) -> set[tuple[Path, str]]:
    """The tests of this folder that have begun in this process."""
    _RAN.add((request.path, request.function.__name__))
    return _RAN


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with running_cloud(monkeypatch) as cloud:
        yield World(cloud, monkeypatch)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the look back at all visited states come after the tests that visit them."""
    items.sort(key=lambda item: item.path.name == "test_every_state.py")
