"""The commands that an output names get the options with which the user has chosen the stack.

Without them, a command that is copied from the output of `lightgate status --profile staging` would
act on the stack of another account.
"""

import re

import click

# Those that take the options. A test compares them with the commands.
CONNECTED = (
    *("status", "history", "show", "explain", "logs", "report", "doctor", "init"),
    *("release", "rollback", "run", "push", "promote", "pause", "resume", "rehearse"),
)
_COMMAND = re.compile(rf"\blightgate (?:{'|'.join(CONNECTED)})\b")
_KEY = "lightgate_cli.options"


def remember(options: str) -> None:
    """From now on the options of the command that runs; empty if it was given none."""
    click.get_current_context().meta[_KEY] = options


def with_options(text: str) -> str:
    """The text, in which each command of `lightgate` has the options of the one that runs."""
    context = click.get_current_context(silent=True)
    options = context.meta.get(_KEY, "") if context is not None else ""
    return _COMMAND.sub(lambda found: found[0] + options, text) if options else text
