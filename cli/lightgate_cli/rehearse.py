"""`lightgate rehearse`: run the pending migrations on a temporary copy of the database."""

import click

from lightgate_cli import terminal
from lightgate_cli.acting.carry_out import carry_out
from lightgate_cli.acting.rehearsing import cost_and_duration, follow_rehearsal, start_rehearsal
from lightgate_cli.acting.start import require_spec
from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.options import APP_NAME, connected, follow_option, json_option


@click.command(
    epilog="""\b
    Examples:
      lightgate rehearse crops-backend --tag v3 --follow
      lightgate rehearse crops-backend --digest sha256:7849e651… --yes --json

    \b
    Exit codes:
      0  the rehearsal has started; with --follow: it SUCCEEDED
      1  there is no such app, or you said no; with --follow: the rehearsal did not succeed
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.option("--tag", metavar="TAG", help="The tag of the image. [default: that of the spec]")
@click.option("--digest", metavar="DIGEST", help="The digest of the image, in place of a tag.")
@click.option(
    "--new-snapshot", is_flag=True, help="Take a snapshot first. [default: the newest one]"
)
@click.option("--yes", is_flag=True, help="Do not ask before anything is created.")
@click.option("--reason", metavar="TEXT", help="Why: it is on record.")
@follow_option
@json_option
@connected
def rehearse(
    connection: Connection,
    app: str,
    tag: str | None,
    digest: str | None,
    new_snapshot: bool,
    yes: bool,
    reason: str | None,
    is_followed: bool,
    as_json: bool,
) -> None:
    """Run the pending migrations of an image of APP on a copy of its database, and measure them.

    A snapshot is restored into a temporary private instance. The gate runs beside it on a temporary
    service. Both are removed at the end. The app and its database are not touched.
    """
    spec = require_spec(app, connection)
    for line in cost_and_duration(spec, connection, takes_snapshot=new_snapshot):
        terminal.tell(line)
    if not (yes or click.confirm("Create them and rehearse?", err=True)):
        raise CommandError(Problem.NOT_STARTED, "Nothing was created.")
    started = start_rehearsal(
        app, connection, tag=tag, digest=digest, takeSnapshot=new_snapshot, reason=reason
    )
    carry_out(
        started, connection, is_followed=is_followed, as_json=as_json, follow_it=follow_rehearsal
    )
