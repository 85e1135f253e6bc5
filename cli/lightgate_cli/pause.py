"""`lightgate pause`: let pushes wait."""

import click

from lightgate.records.wording import moment
from lightgate_cli import output
from lightgate_cli.acting import pausing
from lightgate_cli.acting.start import require_app
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import APP_NAME, connected, json_option

_LONGEST_REASON = 500


@click.command(
    epilog="""\b
    Examples:
      lightgate pause crops-backend --reason "import of the harvests until noon"
      lightgate resume crops-backend

    \b
    Exit codes:
      0  the app is paused
      1  there is no such app
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.option("--reason", metavar="TEXT", required=True, help="Why: status and messages show it.")
@json_option
@connected
def pause(connection: Connection, app: str, reason: str, as_json: bool) -> None:
    """Let the pushes of APP wait, until somebody runs lightgate resume.

    Of several pushes the newest one waits. A release in progress goes on, and releases, rollbacks
    and commands by hand still run. If the app is paused already, that pause stays.
    """
    words = reason.strip()
    if not words or len(words) > _LONGEST_REASON or not words.isprintable():
        raise click.BadParameter(
            f"it must have 1 to {_LONGEST_REASON} characters, on one line", param_hint="--reason"
        )
    require_app(app, connection)
    found = pausing.pause(app, words, connection)
    if as_json:
        print_json(found)
        return
    counts = found.pause
    already = "" if found.is_new else "already "
    output.print_lines(
        [
            f"{app} is {already}paused since {moment(counts.at)} by {counts.by}: {counts.reason}",
            f"To resume: lightgate resume {app}",
        ]
    )
