"""Command, environment and directory of a container, from its image and its deployment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from local.lightsail.model import Container
from local.lightsail.node.images import Image
from local.lightsail.node.node import Launch

_STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUNNABLE_ARCHITECTURE = "amd64"


def launch_of(
    container: Container,
    image: Image,
    root: Path,
    *,
    base_paths: Sequence[Path],
    command_mode: Literal["cmd", "entrypoint"],
    credentials: Mapping[str, str],
) -> Launch:
    """How a container starts in its own copy (`root`) of the image's files.

    PATH starts with the directories that replace the image's base layers. HOME is inside the
    container, because programs create their sockets there.
    """
    command = container.command or image.command
    if not container.command or command_mode == "cmd":
        command = (*image.entrypoint, *command)
    environment = {"HOME": home_in(root), **image.environment, **credentials}
    environment |= container.environment
    path = environment.get("PATH", _STANDARD_PATH)
    environment["PATH"] = ":".join((*map(str, base_paths), path))
    return Launch(
        argv=command or ("",),  # the error for an empty name is that of a missing command
        environment=environment,
        directory=str(root) + "/" + image.working_directory.strip("/"),
        root=str(root),
    )


def home_in(root: Path) -> str:
    return str(root / "root")
