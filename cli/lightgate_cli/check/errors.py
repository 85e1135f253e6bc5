"""Why the migrations cannot be judged."""

from typing import IO, Any

import click

from lightgate_cli import terminal


class CannotCheckError(click.ClickException):
    """The call is wrong, or the project cannot be loaded: one line, after what it has printed."""

    exit_code = 2

    def __init__(self, message: str, printed: str = "") -> None:
        super().__init__(message)
        self.printed = printed

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - always standard error
        if self.printed:
            click.echo(self.printed.rstrip(), err=True)
        terminal.error(self.message)
