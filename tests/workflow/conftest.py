"""A release's world, and the executions and releases that many tests begin with."""

import json
from collections.abc import Iterator

import pytest

from tests.component.leaks import DATABASE, KEY
from tests.component.running import running_cloud
from tests.workflow.look_back import note
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.stepper import Stepper
from tests.workflow.world import World


@pytest.fixture(autouse=True)
def noted(request: pytest.FixtureRequest) -> None:
    note(request)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with running_cloud(monkeypatch) as cloud:
        found = World(cloud, monkeypatch)
        yield found
        assert found.rights.problems == []


@pytest.fixture
def stepper(world: World, monkeypatch: pytest.MonkeyPatch) -> Stepper:
    """From now on executions go on only when the test lets them."""
    return Stepper(world, monkeypatch)


@pytest.fixture
def good(world: World) -> World:
    """The world with a first release, version 2, that was verified."""
    assert world.release(course=released()).status == "SUCCEEDED"
    world.messages()
    return world


@pytest.fixture
def two(good: World) -> World:
    """The world with two good releases, versions 2 and 3; the second has added a column."""
    assert good.release(course=released(told_plan("crops.0002_size"))).status == "SUCCEEDED"
    good.messages()
    return good


@pytest.fixture
def canaries(world: World) -> World:
    """The world whose secrets are canaries."""
    world.cloud.client("secretsmanager").put_secret_value(
        SecretId="crops/db", SecretString=json.dumps({"url": DATABASE})
    )
    world.put_key(KEY)
    return world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the test of all visited states after the tests that visit them."""
    items.sort(key=lambda item: item.path.name == "test_every_state.py")
