"""`lightgate promote`: release the image that is live in one app to another app."""

from dataclasses import replace

import click

from lightgate.records.wording import called
from lightgate_cli import output, terminal
from lightgate_cli.acting.carry_out import carry_out
from lightgate_cli.acting.docker import login_of
from lightgate_cli.acting.live import require_live, require_status
from lightgate_cli.acting.promoting import CopyFirst, copy_commands
from lightgate_cli.acting.start import require_spec, start
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import APP_NAME, StartOptions, starts_a_release

_NOT_RELEASED = 1


@click.command(
    epilog="""\b
    Examples:
      lightgate promote crops-staging crops-backend --follow

    \b
    Exit codes:
      0  the release has started; with --follow: it SUCCEEDED
      1  nothing is live in FROM, or the image has to be copied first; with --follow: it failed
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("source", type=APP_NAME, metavar="FROM")
@click.argument("target", type=APP_NAME, metavar="TO")
@starts_a_release
def promote(
    connection: Connection,
    chosen: StartOptions,
    source: str,
    target: str,
) -> None:
    """Release the image that is live in FROM, such as staging, to TO, such as production.

    Both apps have to use one repository. For two repositories the commands that copy the image are
    printed.
    """
    if source == target:
        raise click.UsageError("FROM and TO are the same app.")
    spec = require_spec(target, connection)
    _, status = require_status(source, connection)
    live = require_live(status)
    digest, repository = str(live.digest), str(status.repository)
    if repository != spec.repository:
        host = login_of(connection).host
        commands = copy_commands(
            host, connection.region, repository, digest, live.tag, target, spec
        )
        terminal.error(
            f"{source} uses the repository {repository}, and {target} uses {spec.repository}. "
            "Nothing was released. Copy the image first:"
        )
        if chosen.as_json:
            print_json(CopyFirst(app=target, digest=digest, commands=commands))
        else:
            output.print_lines(commands)
        click.get_current_context().exit(_NOT_RELEASED)
    reason = chosen.reason or f"promotion of {called(live.tag, digest)} from {source}"
    told = replace(chosen, reason=reason)
    started = start(target, connection, told, digest=digest, imageTag=live.tag)
    carry_out(started, connection, is_followed=chosen.is_followed, as_json=chosen.as_json)
