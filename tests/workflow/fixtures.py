"""A release's world, for the folders whose tests walk the state machine."""

from collections.abc import Iterator

import pytest

from tests.component.running import running_cloud
from tests.workflow.look_back import note
from tests.workflow.world import World


@pytest.fixture(autouse=True)
def noted(request: pytest.FixtureRequest) -> None:
    note(request)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with running_cloud(monkeypatch) as cloud:
        yield World(cloud, monkeypatch)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the test of all visited states after the tests that visit them."""
    items.sort(key=lambda item: item.path.name == "test_every_state.py")
