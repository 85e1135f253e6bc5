"""The entry point, and what all commands do about an error."""

import errno
import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from lightgate import VERSION
from lightgate.errors import LightgateError, RefusedError
from lightgate_cli import json_output, terminal
from lightgate_cli.check.errors import CannotCheckError
from lightgate_cli.errors import CommandError, InterruptedFollowing, Problem
from lightgate_cli.json_output import print_failure

# In the order of the help. A command is imported when it is called: most need botocore, which takes
# longer to import than `validate` takes as a whole.
_COMMANDS: Mapping[str, Mapping[str, str]] = {
    "What is live, and what happened": {
        "status": "lightgate_cli.status:status",
        "history": "lightgate_cli.history:history",
        "show": "lightgate_cli.show:show",
        "explain": "lightgate_cli.explain:explain",
        "logs": "lightgate_cli.logs:logs",
        "report": "lightgate_cli.report:report",
    },
    "Release, and roll back": {
        "release": "lightgate_cli.release:release",
        "rollback": "lightgate_cli.rollback:rollback",
        "run": "lightgate_cli.run:run",
        "push": "lightgate_cli.push:push",
        "promote": "lightgate_cli.promote:promote",
        "pause": "lightgate_cli.pause:pause",
        "resume": "lightgate_cli.resume:resume",
    },
    "Before a release": {
        "init": "lightgate_cli.init:init",
        "validate": "lightgate_cli.validate:validate",
        "plan": "lightgate_cli.plan:plan",
        "rehearse": "lightgate_cli.rehearse:rehearse",
        "check": "lightgate_cli.check.command:check",
        "doctor": "lightgate_cli.doctor:doctor",
    },
}


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002
        return [name for section in _COMMANDS.values() for name in section]

    def get_command(
        self,
        context: click.Context,  # noqa: ARG002
        name: str,
    ) -> click.Command | None:
        places = {name: place for section in _COMMANDS.values() for name, place in section.items()}
        if name not in places:
            return None
        module, _, attribute = places[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = formatter.width - 6 - max(map(len, self.list_commands(context)))
        for title, section in _COMMANDS.items():
            commands = {name: self.get_command(context, name) for name in section}
            rows = [
                (name, command.get_short_help_str(width))
                for name, command in commands.items()
                if command is not None
            ]
            with formatter.section(title):
                formatter.write_dl(rows)

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        json_output.remember(args)
        try:
            return super().parse_args(context, args)
        except click.ClickException as error:
            _print_wrong_call(error)
            raise

    def invoke(self, context: click.Context) -> object:
        """Run the command. A mistake of the user ends in messages, and never in a traceback."""
        try:
            return super().invoke(context)
        except click.ClickException as error:
            _print_wrong_call(error)
            raise
        except RefusedError as error:
            terminal.problems(error.reasons)
            print_failure(Problem.REFUSED, *error.reasons, refusal=error.code)
            context.exit(Problem.REFUSED.exit_code)
        except CommandError as error:
            terminal.error(str(error))
            if error.hint:
                terminal.tell(error.hint)
            print_failure(error.problem, str(error), hint=error.hint)
            context.exit(error.problem.exit_code)
        except CannotCheckError as error:
            if error.printed:
                click.echo(error.printed, err=True)
            _fail(Problem.CANNOT_CHECK, str(error))
        except LightgateError as error:
            # Such as an answer of AWS that is missing, or that this version cannot read.
            _fail(Problem.UNREADABLE, str(error))
        except BrokenPipeError:
            # The reader, such as head, has closed the pipe. Python would fail once more when it
            # flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            # No other error of a write has this code.
            stream = "output" if error.errno == errno.ENOSPC else "input"
            _fail(Problem.FILE, f"{error.filename or f'standard {stream}'}: {error.strerror}")
        except click.Abort:
            # The end of standard input where a question was asked.
            print_failure(Problem.INTERRUPTED, "The question was not answered.")
            terminal.error("The question was not answered.")
            context.exit(Problem.INTERRUPTED.exit_code)
        except InterruptedFollowing as error:
            terminal.after_interrupt(error.text, error.command)
            print_failure(Problem.INTERRUPTED, error.text, hint=error.command)
            context.exit(Problem.INTERRUPTED.exit_code)
        except KeyboardInterrupt:
            print_failure(Problem.INTERRUPTED, "The command was interrupted.")
            context.exit(Problem.INTERRUPTED.exit_code)
        return None


def _fail(problem: Problem, text: str) -> NoReturn:
    terminal.error(text)
    print_failure(problem, text)
    click.get_current_context().exit(problem.exit_code)


def _print_wrong_call(error: click.ClickException) -> None:
    """Only as JSON: click itself writes the message."""
    print_failure(Problem.USAGE, error.format_message())


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
    Examples:
      lightgate status
      lightgate show v3
      lightgate explain crops-backend v3
      lightgate push crops-backend --tag v4
      lightgate rollback crops-backend --follow
      lightgate check manage.py --since origin/main

    \b
    Exit codes:
      0  the answer is good: the spec is valid, the migrations are allowed
      1  the answer is bad: a refusal, a failure, or there is no such thing
      2  the call is wrong, a file cannot be read, or AWS cannot be reached
    """,
)
@click.version_option(VERSION, message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Release Django apps on AWS Lightsail, and see what is live.

    Results go to standard output, and messages to standard error.
    """
    if sys.stdout is None:
        # The shell has closed it. The command does its work without output.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    # https://no-color.org: in color on a terminal only, and never where the user wants none.
    context.color = False if os.environ.get("NO_COLOR") else None
