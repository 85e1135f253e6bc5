"""`lightgate resume`: start the push that waits."""

import click

from lightgate.records.wording import moment
from lightgate_cli import output
from lightgate_cli.acting import pausing
from lightgate_cli.acting.carry_out import carry_out
from lightgate_cli.acting.start import Started, require_app
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import APP_NAME, connected, follow_option, json_option


@click.command(
    epilog="""\b
    Examples:
      lightgate resume crops-backend
      lightgate resume crops-backend --follow

    \b
    Exit codes:
      0  the app is not paused; with --follow: the release that waited SUCCEEDED
      1  there is no such app; with --follow: that release did not succeed
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@follow_option
@json_option
@connected
def resume(connection: Connection, app: str, is_followed: bool, as_json: bool) -> None:
    """End the pause of APP, and start the push that waits.

    If a release is in progress, the push starts after it.
    """
    require_app(app, connection)
    found = pausing.resume(app, connection)
    if is_followed and found.execution is not None:
        started = Started(app=app, execution=found.execution, request={})
        carry_out(started, connection, is_followed=True, as_json=as_json)
    elif as_json:
        print_json(found)
    else:
        output.print_lines(_lines(found))


def _lines(found: pausing.ResumedApp) -> list[str]:
    pause = found.pause
    was = (
        f"It was paused since {moment(pause.at)} by {pause.by}." if pause else "It was not paused."
    )
    if found.behind is not None:
        after = f"The push that waits starts after the release {found.behind}."
        return [f"{found.app} releases pushes. {was}", after]
    if found.is_rehearsed:
        rehearsed = "The push that waits is rehearsed first: Reconcile starts it within 15 minutes."
        return [f"{found.app} releases pushes. {was}", rehearsed]
    if found.release is None:
        return [f"{found.app} releases pushes. {was}", "No push waits."]
    return [
        f"{found.app} releases pushes. {was}",
        f"The push that waited starts: {found.execution}",
        f"To follow it: lightgate show {found.execution} --follow",
    ]
