"""Each form of a message links to what there is to see of its release in the AWS console."""

import json
from typing import Any

import pytest

from tests.workflow.world import World, spec, succeeded

LOGS, DASHBOARD = "lightgate-FunctionLogs-1", "lightgate-releases"


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AWS_LAMBDA_LOG_GROUP_NAME", LOGS)
    monkeypatch.setenv("LIGHTGATE_DASHBOARD", DASHBOARD)
    return world


def links(world: World) -> dict[str, Any]:
    """Those of the only final message, which are the same in all forms."""
    found: dict[str, Any] = world.message().content["links"]
    forms = json.loads(world.record()["message"])
    chat = json.loads(forms["https"])["content"]["description"]
    for name, address in found.items():
        label = name.capitalize()
        assert (f"\n{label:<11}https://" in forms["email"].partition("\nDuration")[2]) == bool(
            address
        )
        assert (f"*{label}*: {address}" in chat) == bool(address)
    return found


def test_a_release_links_to_dashboard_execution_log_and_snapshot(world: World) -> None:
    ended = world.release(course=succeeded("crops.0002"))

    found = links(world)
    release = world.record()["release"]
    assert found["page"].endswith(f"#dashboards/dashboard/{DASHBOARD}")
    assert found["execution"].endswith(f"/details/{ended.arn}")
    assert f"/{LOGS}/log-events" in found["log"]
    assert release in found["log"]
    assert found["snapshot"].endswith(f"#db-snapshot:id=lightgate-crops-backend-{release}")


def test_a_refused_release_links_to_no_snapshot(world: World) -> None:
    world.put_spec(spec(tags=7))

    world.release()

    assert links(world)["snapshot"] is None


def test_a_stack_without_a_dashboard_links_to_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIGHTGATE_DASHBOARD")
    world.put_spec(spec(database=None))

    world.release(course=succeeded())

    found = links(world)
    assert (found["page"], found["snapshot"]) == (None, None)
    assert found["execution"]
