"""`lightgate release`: release an image by hand."""

import click

from lightgate_cli.acting.carry_out import carry_out
from lightgate_cli.acting.start import require_app, start
from lightgate_cli.connection import Connection
from lightgate_cli.options import APP_NAME, StartOptions, starts_a_release


@click.command(
    epilog="""\b
    Examples:
      lightgate release crops-backend --tag v3 --follow
      lightgate release crops-backend --digest sha256:7849e651… --reason "after the fix of the spec"

    \b
    Exit codes:
      0  the release has started; with --follow: it SUCCEEDED
      1  there is no such app; with --follow: the release did not succeed
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.option("--tag", metavar="TAG", help="The tag of the image. [default: that of the spec]")
@click.option("--digest", metavar="DIGEST", help="The digest of the image, in place of a tag.")
@starts_a_release
def release(
    connection: Connection,
    chosen: StartOptions,
    app: str,
    tag: str | None,
    digest: str | None,
) -> None:
    """Release an image of APP, also one that was released before.

    It waits for a release that is in progress. It also runs while the app is paused.
    """
    require_app(app, connection)
    started = start(app, connection, chosen, tag=tag, digest=digest)
    carry_out(started, connection, is_followed=chosen.is_followed, as_json=chosen.as_json)
