"""The entry point, and what all commands do about an error."""

import os
import sys

import click

from lightgate.errors import RefusedError
from lightgate_cli import terminal
from lightgate_cli.check.command import check
from lightgate_cli.check.errors import CannotCheckError
from lightgate_cli.plan import plan
from lightgate_cli.validate import validate

_REFUSED = 1
_UNREADABLE = 2


class _Commands(click.Group):
    def invoke(self, context: click.Context) -> object:
        """Run the command. A mistake of the user ends in messages, and never in a traceback."""
        try:
            return super().invoke(context)
        except RefusedError as error:
            terminal.problems(error.reasons)
            context.exit(_REFUSED)
        except CannotCheckError as error:
            if error.printed:
                click.echo(error.printed, err=True)
            terminal.error(str(error))
            context.exit(_UNREADABLE)
        except BrokenPipeError:
            # The reader, such as head, has closed the pipe. Python would fail once more when it
            # flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            terminal.error(f"{error.filename or 'standard input'}: {error.strerror}")
            context.exit(_UNREADABLE)
        return None


@click.group(
    cls=_Commands,
    commands=[validate, plan, check],
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
    Examples:
      lightgate validate containers-with-migrations.json
      lightgate plan containers-with-migrations.json | jq .containers.web
      lightgate check manage.py --since origin/main

    \b
    Exit codes:
      0  the spec is valid, or the migrations are allowed
      1  the spec, the image or a migration is refused
      2  the call is wrong, or a file or a project cannot be read
    """,
)
@click.pass_context
def main(context: click.Context) -> None:
    """Check the spec of an app, and its migrations, before you release it.

    No command talks to AWS. Results go to standard output, and messages to standard error.
    """
    # https://no-color.org: in color on a terminal only, and never where the user wants none.
    context.color = False if os.environ.get("NO_COLOR") else None
