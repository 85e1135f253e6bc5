"""`lightgate explain`: why a push is not live."""

import click
from rich.text import Text

from lightgate.names import is_digest
from lightgate.release.request import is_tag
from lightgate_cli import output
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import APP_NAME, connected, json_option
from lightgate_cli.reading.explaining import Explanation, explain_push
from lightgate_cli.reading.push_facts import read_push

_NOT_FOUND = 1


@click.command(
    epilog="""\b
    Examples:
      lightgate explain crops-backend v3
      lightgate explain crops-backend sha256:7849e651f691…
      lightgate explain crops-backend v3 --json | jq -r .answer

    \b
    Exit codes:
      0  the answer is known, whatever it is
      1  Lightgate has never seen such a push, or there is no such app or image
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.argument("pushed", metavar="TAG|DIGEST")
@json_option
@connected
def explain(connection: Connection, app: str, pushed: str, as_json: bool) -> None:
    """Say why the push of TAG or DIGEST is not live, or since when it is.

    From recorded facts only: the records of the releases, the deployment lock, the spec and the
    repository.
    """
    if not (is_tag(pushed) or is_digest(pushed)):
        raise click.BadParameter("it is neither a tag nor a digest", param_hint="TAG|DIGEST")
    found = explain_push(read_push(app, pushed, connection))
    if as_json:
        print_json(found)
    else:
        output.print_lines(lines(found, width=output.width()))
    if not found.answer.is_found:
        click.get_current_context().exit(_NOT_FOUND)


def lines(found: Explanation, *, width: int | None) -> list[Text]:
    shown = output.labelled("", found.text, width=width, column=0)
    for index, reason in enumerate(found.reasons):
        shown += output.labelled("" if index else "Reason", reason, width=width)
    for index, step in enumerate(found.next_steps):
        shown += output.labelled("" if index else "Next", step, width=width)
    if found.release is not None:
        shown += output.labelled("Release", found.release, width=width)
    return shown
