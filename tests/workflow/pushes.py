"""The inputs of executions that pushes start."""

from datetime import UTC, datetime, timedelta

from tests.component import images
from tests.workflow.world import APP, World

PUSHED = datetime(2026, 11, 16, 1, 54, 34, tzinfo=UTC)


def request(
    digest: str, tag: str, *, after: float, app: str = APP, since: datetime = PUSHED
) -> dict[str, str]:
    """The input for a push under this tag, so many seconds after the first one."""
    return {
        "app": app,
        "digest": digest,
        "pushedTag": tag,
        "requestedAt": (since + timedelta(seconds=after)).isoformat(),
        "reason": f"push of {APP}:{tag}",
    }


def push(world: World, tag: str, *, after: float, name: str | None = None) -> dict[str, str]:
    """The input for a push of the image `name`, which is the tag's own unless it is given."""
    digest = images.push(world.cloud, APP, tag, name=name or tag)
    return request(digest, tag, after=after)
