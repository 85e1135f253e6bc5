"""`lightgate logs`: what the containers of a release have written."""

from dataclasses import replace

import click

from lightgate_cli import terminal
from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.json_output import print_json
from lightgate_cli.options import app_option, connected, json_option
from lightgate_cli.reading.release_facts import ReleaseLogs, read_logs


@click.command(
    epilog="""\b
    Examples:
      lightgate logs v3
      lightgate logs 20261129t091001z --container migrate
      lightgate logs v3 --json | jq -r '.containers.web[]'

    \b
    Exit codes:
      0  the logs are on standard output
      1  there is no such release or container, or it has no logs
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("release")
@click.option("--container", metavar="NAME", help="Only this container. [default: all of them]")
@app_option
@json_option
@connected
def logs(
    connection: Connection, release: str, container: str | None, app: str | None, as_json: bool
) -> None:
    """Print the end of the log of each container of RELEASE, without secrets.

    RELEASE is as for show. The logs of an ended release are those that Lightgate has kept; of a
    running one they come from Lightsail, which is minutes behind. All values of secret variables
    are replaced by ***.
    """
    found = read_logs(release, app, connection)
    if container is not None:
        found = _only(container, found)
    if as_json:
        print_json(found)
        return
    for line in lines(found):
        click.echo(printable(line))
    for sentence in found.unread:
        terminal.tell(sentence)


def lines(found: ReleaseLogs) -> list[str]:
    """The lines of one container as they are; of several, each with the name of its container."""
    if len(found.containers) == 1:
        [only] = found.containers.values()
        return list(only)
    longest = max(map(len, found.containers), default=0)
    return [
        f"{name:<{longest}} | {line}"
        for name, listed in found.containers.items()
        for line in listed
    ]


def printable(line: str) -> str:
    """The line without colors and other sequences that a terminal obeys. Its tabs stay."""
    return "\t".join(map(terminal.harmless, click.unstyle(line).split("\t")))


def _only(container: str, found: ReleaseLogs) -> ReleaseLogs:
    if container not in found.containers:
        known = ", ".join(found.containers) or "none"
        raise CommandError(
            Problem.NOT_FOUND,
            f"Release {found.release} has no log of a container {container}.",
            hint=f"Its containers are: {known}.",
        )
    return replace(found, containers={container: found.containers[container]})
