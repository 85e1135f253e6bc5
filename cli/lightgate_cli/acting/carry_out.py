"""What a command that has started a release prints, and how it ends."""

from collections.abc import Callable, Sequence

import click
from rich.text import Text

from lightgate_cli import output
from lightgate_cli.acting.following import Followed, Verdict, follow, interruptible
from lightgate_cli.acting.start import Started
from lightgate_cli.acting.view import opened
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json

_NOT_SUCCEEDED = 1


def follow_to_the_end(followed: Followed, connection: Connection, *, as_json: bool) -> None:
    """Show the progress, then the verdict. The exit code is 0 only if the release SUCCEEDED."""
    with interruptible(followed), opened(connection, is_quiet=as_json) as view:
        verdict = follow(followed, connection, view)
    if as_json:
        print_json(verdict)
    else:
        output.print_lines(lines(verdict, width=output.width()))
    if not verdict.is_good:
        click.get_current_context().exit(_NOT_SUCCEEDED)


def carry_out(
    started: Started,
    connection: Connection,
    *,
    is_followed: bool,
    as_json: bool,
    follow_it: Callable[..., None] = follow_to_the_end,
) -> None:
    """Follow the execution to its end by `follow_it`, or say how to follow it."""
    if is_followed:
        followed = Followed(app=started.app, execution=started.execution)
        follow_it(followed, connection, as_json=as_json)
    elif as_json:
        print_json(started)
    else:
        output.print_lines(
            [
                f"Started: {started.execution}",
                f"To follow it: lightgate show {started.execution} --follow",
            ]
        )


def lines(verdict: Verdict, *, width: int | None) -> Sequence[Text]:
    """The verdict first, then why, then what to do, then what a command has printed."""
    first = output.word(verdict.status).append(f": {verdict.text}")
    shown = output.labelled("", first, width=width, column=0)
    for index, reason in enumerate(verdict.reasons):
        shown += output.labelled("" if index else "Reason", reason, width=width)
    for index, step in enumerate(verdict.next_steps):
        shown += output.labelled("" if index else "Next", step, width=width)
    shown += [Text(f"  {line}") for line in verdict.printed]
    if verdict.release is not None:
        show = f"lightgate show {verdict.release}"
        shown += output.labelled("Details", show, width=width)
    return shown
