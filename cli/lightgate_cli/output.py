"""Results on standard output, for people on a terminal or in a pipe."""

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

import click
from rich.console import Console
from rich.text import Text

from lightgate_cli.next_command import with_options
from lightgate_cli.terminal import harmless

_GAP = "  "
_LEAST = 8
_LABEL = 13
# They are never wrapped, so that they can be copied.
COMMANDS = ("lightgate ", "aws ", "docker ", "read -rs ")
# Never color alone: the word says the same.
_STYLES = {
    "SUCCEEDED": "green",
    "ROLLED_BACK": "yellow",
    "FAILED": "red",
    "ABANDONED": "red",
    "REFUSED": "bright_black",
    "SUPERSEDED": "bright_black",
    "DUPLICATE": "bright_black",
    "QUEUED": "blue",
    "RELEASING": "blue",
    "healthy": "green",
    "unhealthy": "red",
    "disabled": "red",
}


def console(stream: TextIO) -> Console:
    """For colors and progress. A pipe gets neither, and NO_COLOR leaves the colors out."""
    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        soft_wrap=True,
        markup=False,
        emoji=False,
    )


def width() -> int | None:
    """The columns of the terminal; None in a pipe, where no line is wrapped or cut."""
    return console(sys.stdout).width if sys.stdout.isatty() else None


def print_lines(lines: Iterable[str | Text]) -> None:
    """Bytes: UTF-8, whatever the encoding of the terminal is.

    A pipe that its reader has closed is the group's matter.
    """
    out = console(sys.stdout)
    for each in lines:
        line = Text(with_options(each)) if isinstance(each, str) else each.copy()
        line.plain = harmless(line.plain)
        with out.capture() as captured:
            out.print(line, soft_wrap=True)
        click.echo(captured.get().encode(), nl=False)


def word(text: str) -> Text:
    """A status, in its color."""
    return Text(text, style=_STYLES.get(text, ""))


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    width: int | None,
    shrink: Sequence[int] = (),
) -> list[Text]:
    """Lines of columns of the same width, without spaces at their ends.

    With a `width` the columns `shrink` are cut, one after the other, until each line fits.
    """
    cells = [[_text(cell) for cell in row] for row in [head, *rows]]
    widths = [max(row[column].cell_len for row in cells) for column in range(len(head))]
    for column in shrink if width is not None else ():
        excess = sum(widths) + len(_GAP) * (len(widths) - 1) - (width or 0)
        if excess > 0:
            least = min(widths[column], max(len(head[column]), _LEAST))
            widths[column] = max(widths[column] - excess, least)
    return [_line(row, widths) for row in cells]


def labelled(
    label: str, text: str | Text, *, width: int | None, column: int = _LABEL
) -> list[Text]:
    """The text behind its label. With a `width` it is wrapped below itself.

    A command is not wrapped, so that it can be copied.
    """
    begin = f"{label:<{column}}"
    if isinstance(text, Text) and (width is None or column + text.cell_len <= width):
        return [Text(begin).append_text(text)]
    plain = text.plain if isinstance(text, Text) else with_options(text)
    if not plain:
        return [Text(label)]
    if width is None or plain.startswith(COMMANDS):
        return [Text(begin + plain)]
    wrapped = textwrap.wrap(
        plain, max(width - column, 20), break_long_words=False, break_on_hyphens=False
    )
    style = text.style if isinstance(text, Text) else ""
    first = Text(begin).append(wrapped[0], style)
    return [first, *(Text(" " * column).append(line, style) for line in wrapped[1:])]


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _line(row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text(no_wrap=True)
    for cell, width in zip(row, widths, strict=True):
        padded = cell.copy()
        padded.truncate(width, overflow="ellipsis", pad=True)
        line.append_text(padded).append(_GAP)
    line.rstrip()
    return line
