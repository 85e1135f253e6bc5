"""Messages on standard error. On a terminal, their kind has a color.

They may quote what others have written: a name, an error of AWS, a record.
"""

from collections.abc import Sequence

import click

from lightgate_cli.next_command import with_options


def error(text: str) -> None:
    _line("error", "red", text)


def warning(text: str) -> None:
    _line("warning", "yellow", text)


def note(text: str) -> None:
    _line("note", "cyan", text)


def ok(text: str) -> None:
    _line("ok", "green", text)


def problems(reasons: Sequence[str]) -> None:
    """Every problem, and what to do about them."""
    for reason in reasons:
        error(reason)
    them = "this problem" if len(reasons) == 1 else f"these {len(reasons)} problems"
    tell(f"Correct {them} and run the command again.")


def tell(text: str) -> None:
    """One line without a kind, such as what to do next."""
    click.echo(_told(text), err=True)


def after_interrupt(text: str, command: str) -> None:
    """What goes on, and how to follow it: behind the ^C that the terminal has written."""
    click.echo(err=True)
    tell(text)
    tell(f"  {command}")


def harmless(text: str) -> str:
    """The text on one line, of which a terminal obeys nothing."""
    return "".join(each if each.isprintable() else " " for each in text)


def _line(kind: str, color: str, text: str) -> None:
    click.echo(f"{click.style(kind, fg=color, bold=True)}: {_told(text)}", err=True)


def _told(text: str) -> str:
    """As it is shown. A message may have several lines."""
    return "\n".join(map(harmless, with_options(text).split("\n")))
