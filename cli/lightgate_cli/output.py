"""Results on standard output: for people on a terminal or in a pipe, or as JSON."""

import json
import os
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

# The width where there is no terminal: a table in a pipe is not cut.
_PIPE_WIDTH = 10_000
_GAP = "  "


def print_json(document: object) -> None:
    """Bytes: JSON is UTF-8, whatever the encoding of the terminal is."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False).encode())


def console(*, error: bool = False) -> Console:
    """For colors and progress. In a pipe it has neither; NO_COLOR leaves the colors out."""
    stream = sys.stderr if error else sys.stdout
    is_terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=is_terminal,
        width=None if is_terminal else _PIPE_WIDTH,
        no_color=True if os.environ.get("NO_COLOR") else None,
        highlight=False,
        soft_wrap=True,
        markup=False,
        emoji=False,
    )


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    width: int | None,
    shrink: int = -1,
) -> list[Text]:
    """Lines of columns of the same width, without an end that is only spaces.

    With a `width` the column `shrink` is cut so that each line fits, and ends in an ellipsis.
    """
    cells = [[_text(cell) for cell in row] for row in [head, *rows]]
    widths = [max(row[column].cell_len for row in cells) for column in range(len(head))]
    if width is not None:
        excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        if excess > 0:
            least = max(len(head[shrink]), 8)
            widths[shrink] = max(widths[shrink] - excess, least)
    return [_line(row, widths) for row in cells]


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
