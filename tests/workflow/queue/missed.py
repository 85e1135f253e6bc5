"""Pushes of which no event comes."""

from datetime import timedelta
from typing import Any

from tests.component import images
from tests.workflow.world import APP, World

LONG_AGO = timedelta(minutes=6)


def look(world: World) -> dict[str, Any]:
    answer: dict[str, Any] = world.functions.call("reconcile", {})
    return answer


def push_later(
    world: World, tag: str, *, name: str | None = None, architecture: str = "amd64"
) -> str:
    """Push another image, of which no event comes, and let time go by."""
    digest = images.push(world.cloud, APP, tag, name=name or tag, architecture=architecture)
    world.pushed_at(digest, world.clock.now())
    wait(world)
    return digest


def wait(world: World) -> None:
    world.clock.sleep(LONG_AGO.total_seconds())


def put_tag(world: World, tag: str, name: str = "v1") -> str:
    """Put a tag on an image that was pushed before, of which no event comes."""
    wait(world)
    digest = images.push(world.cloud, APP, tag, name=name)
    wait(world)
    return digest


def first_sight(world: World) -> None:
    """Let Reconcile see what is there."""
    assert look(world)["started"] == []
    world.clock.sleep(1)
