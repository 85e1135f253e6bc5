"""The commands that copy an image to the repository of another app."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from lightgate.names import pin_tag
from lightgate.spec.keys import AppSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFirst:
    """The image that is live elsewhere, and the commands that copy and release it."""

    app: str
    digest: str
    commands: Sequence[str]


def copy_commands(
    host: str,
    region: str,
    repository: str,
    digest: str,
    tag: str | None,
    app: str,
    spec: AppSpec,
) -> Sequence[str]:
    """Copy the image to the repository of `spec`, and release it there unless the push does."""
    # The pin tag is Lightgate's own.
    named = tag or pin_tag(digest).replace("lightgate-", "copy-")
    image, copy = f"{host}/{repository}@{digest}", f"{host}/{spec.repository}:{named}"
    starts = spec.watches(spec.repository, named)
    release = ["lightgate", "release", app, "--tag", named, "--follow"]
    follow = ["lightgate", "explain", app, named]
    return [
        f"aws ecr get-login-password --region {region}"
        f" | docker login --username AWS --password-stdin {host}",
        shlex.join(["docker", "pull", image]),
        shlex.join(["docker", "tag", image, copy]),
        shlex.join(["docker", "push", copy]),
        shlex.join(follow if starts else release),
    ]
