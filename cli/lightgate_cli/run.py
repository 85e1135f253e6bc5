"""`lightgate run`: run one command with an image of the app."""

from collections.abc import Sequence

import click

from lightgate.names import is_digest
from lightgate_cli.acting.carry_out import carry_out
from lightgate_cli.acting.live import live_digest
from lightgate_cli.acting.start import require_app, start
from lightgate_cli.connection import Connection
from lightgate_cli.options import APP_NAME, StartOptions, starts_a_release


@click.command(
    epilog="""\b
    Examples:
      lightgate run crops-backend --follow -- python manage.py showmigrations --plan
      lightgate run crops-backend --image v3 -- python manage.py migrate harvests 0004_fill_season

    \b
    Exit codes:
      0  the command has started; with --follow: it ended with 0
      1  there is no such app, or nothing is live; with --follow: the command failed
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.argument("command", nargs=-1, required=True)
@click.option(
    "--image", metavar="TAG|DIGEST", help="The image to run it with. [default: the live one]"
)
@starts_a_release
def run(
    connection: Connection,
    chosen: StartOptions,
    app: str,
    command: Sequence[str],
    image: str | None,
) -> None:
    """Run COMMAND once in a container beside APP, with its variables and its database.

    Write -- before the command. The live version stays live, and a snapshot is taken first. With
    --follow the last lines of its output are printed.
    """
    require_app(app, connection)
    named = image if image is not None else live_digest(app, connection)
    started = start(
        app,
        connection,
        chosen,
        **{"digest" if is_digest(named) else "tag": named},
        command=list(command),
    )
    carry_out(started, connection, is_followed=chosen.is_followed, as_json=chosen.as_json)
