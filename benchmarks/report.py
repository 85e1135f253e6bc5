"""Writes what was measured into docs/benchmarks.md, with the machine and the day."""

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of which all columns but the first are numbers."""
    rules = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rules, *rows))


def progress(text: str) -> None:
    """Say what is measured now."""
    print(f"... {text}", file=sys.stderr, flush=True)


def write(section: str, text: str) -> None:
    """Replace the section of the page; its name is in the two comments around it."""
    page = PAGE.read_text()
    parts = re.compile(rf"(<!-- {section} begin -->\n).*?(<!-- {section} end -->)", re.DOTALL)
    if not parts.search(page):
        raise LookupError(f"{PAGE} has no section {section}")
    cores, python = os.cpu_count(), platform.python_version()
    measured = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {platform.system()} on {platform.machine()}, "
        f"{cores} cores, Python {python}."
    )
    body = f"{text}\n\n{measured}\n"
    PAGE.write_text(parts.sub(lambda found: found[1] + body + found[2], page))
