"""Texts as people read them, one file for each in tests/cli/golden.

To write them anew after a change, run the tests with REWRITE_GOLDEN=1, and read each of them.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from rich.text import Text

FOLDER = Path(__file__).parent / "golden"
TERMINAL, PIPE = 80, None


def assert_golden(name: str, lines: Iterable[str | Text]) -> None:
    """The lines are those of the file, and no line has spaces at its end."""
    shown = [line.plain if isinstance(line, Text) else line for line in lines]
    text = "".join(f"{line}\n" for line in shown)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN") == "1":
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
    assert [line for line in shown if line != line.rstrip()] == []


def assert_fits_a_terminal(lines: Iterable[Text], *, but: tuple[str, ...] = ()) -> None:
    """No line is longer than 80 columns, but for those with a word that must not be broken."""
    too_long = [line.plain for line in lines if line.cell_len > TERMINAL]
    assert [line for line in too_long if not any(word in line for word in but)] == []
