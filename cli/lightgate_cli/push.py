"""`lightgate push`: build an image, push it, and follow the release that the push starts."""

from pathlib import Path

import click

from lightgate.records.wording import moment
from lightgate_cli import terminal
from lightgate_cli.acting.carry_out import follow_to_the_end
from lightgate_cli.acting.docker import Docker
from lightgate_cli.acting.pushing import Target, push_image, release_of_push, target_of_push
from lightgate_cli.connection import Connection
from lightgate_cli.errors import InterruptedFollowing
from lightgate_cli.options import APP_NAME, connected, json_option


@click.command(
    epilog="""\b
    Examples:
      lightgate push crops-backend
      lightgate push crops-backend ./backend --tag v3
      lightgate push crops-backend --image crops:ci-4711 --tag v3

    \b
    Exit codes:
      0  the release SUCCEEDED
      1  the release did not succeed, or the push starts none
      2  the call is wrong, docker failed, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.argument(
    "folder",
    metavar="[PATH]",
    default=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--tag", metavar="TAG", help="The tag to push. [default: the first one of the spec]")
@click.option("--image", metavar="IMAGE", help="An image that docker has: nothing is built.")
@json_option
@connected
def push(
    connection: Connection,
    app: str,
    folder: Path,
    tag: str | None,
    image: str | None,
    as_json: bool,
) -> None:
    """Build the image in PATH with docker, push it for APP, and follow its release.

    Whether the push would start a release is checked before anything is built.
    """
    target = target_of_push(app, tag, connection)
    docker = Docker()
    _tell(target)
    try:
        digest = push_image(target, folder, image, docker, connection)
        terminal.tell(f"Pushed {target.repository}:{target.tag}: {digest}")
        followed = release_of_push(target, digest, connection)
    except KeyboardInterrupt:
        raise InterruptedFollowing(
            "If the image is in ECR, its release starts without this command. To see it:",
            f"lightgate explain {app} {target.tag}",
        ) from None
    follow_to_the_end(followed, connection, as_json=as_json)


def _tell(target: Target) -> None:
    pause = target.paused
    if pause is not None:
        told = f"by {pause.by} since {moment(pause.at)}: {pause.reason}"
        terminal.tell(f"{target.app} is paused {told}")
        resume = f"lightgate resume {target.app}"
        terminal.tell(f"The push waits until: {resume}")
