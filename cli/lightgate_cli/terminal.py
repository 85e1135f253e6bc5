"""Messages on standard error, one line each. On a terminal, their kind has a color."""

from collections.abc import Sequence

import click


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
    click.echo(f"Correct {them} and run the command again.", err=True)


def _line(kind: str, color: str, text: str) -> None:
    click.echo(f"{click.style(kind, fg=color, bold=True)}: {text}", err=True)
