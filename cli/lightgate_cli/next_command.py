"""The commands that an output names get the options with which the user has chosen the stack.

Without them, a command that is copied from the output of `lightgate status --profile staging` would
act on the stack of another account. A command of the AWS CLI gets its profile and its region.
"""

import re

import click

# Those that take the options. A test compares them with the commands.
CONNECTED = (
    *("status", "history", "show", "explain", "logs", "report", "doctor", "init"),
    *("release", "rollback", "run", "push", "promote", "pause", "resume", "rehearse"),
)
_COMMAND = re.compile(rf"\blightgate (?:{'|'.join(CONNECTED)})\b")
# `aws configure` and `aws sso` are about this machine, and belong to no region.
_AWS_COMMAND = re.compile(r"\baws(?= (?!configure\b|sso\b)[a-z0-9]+ [a-z])")
_KEY = "lightgate_cli.options"


def remember(options: str, aws_options: str = "") -> None:
    """From now on the options of the command that runs; empty if it was given none."""
    click.get_current_context().meta[_KEY] = (options, aws_options)


def with_options(text: str) -> str:
    """The text, in which each command has the options of the one that runs."""
    context = click.get_current_context(silent=True)
    options, of_aws = context.meta.get(_KEY, ("", "")) if context is not None else ("", "")
    if options:
        text = _COMMAND.sub(lambda found: found[0] + options, text)
    return _AWS_COMMAND.sub(lambda found: found[0] + of_aws, text) if of_aws else text
