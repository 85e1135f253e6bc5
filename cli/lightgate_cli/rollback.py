"""`lightgate rollback`: deploy an earlier version again."""

import click

from lightgate_cli.acting.carry_out import carry_out
from lightgate_cli.acting.live import require_status
from lightgate_cli.acting.rollback_target import target_of
from lightgate_cli.acting.start import start
from lightgate_cli.connection import Connection
from lightgate_cli.options import APP_NAME, StartOptions, starts_a_release


@click.command(
    epilog="""\b
    Examples:
      lightgate rollback crops-backend --follow
      lightgate rollback crops-backend --to v2 --reason "orders are lost"
      lightgate rollback crops-backend --to 41

    \b
    Exit codes:
      0  the rollback has started; with --follow: it SUCCEEDED
      1  there is no such app or version, or the rollback is not safe; with --follow: it failed
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.option(
    "--to", metavar="TAG|VERSION", help="Where to. [default: the last good version before]"
)
@starts_a_release
def rollback(
    connection: Connection,
    chosen: StartOptions,
    app: str,
    to: str | None,
) -> None:
    """Deploy an earlier version of APP again: its image, and its spec of that time.

    The migrations of later versions stay applied. So the rollback is refused if the earlier version
    may fail with the current database, unless you give --allow-destructive.
    """
    facts, status = require_status(app, connection)
    version = target_of(to, facts, status, is_forced=chosen.allow_destructive)
    started = start(app, connection, chosen, rollbackTo=version)
    carry_out(started, connection, is_followed=chosen.is_followed, as_json=chosen.as_json)
