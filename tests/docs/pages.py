"""The code of a page: its blocks with their languages, and what stands in backticks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/**/*.md")),
    *sorted(ROOT.glob("local/**/*.md")),
]
_BLOCK = re.compile(r"^ *```(\S*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code, or with the language `words` what stands in backticks."""

    language: str
    text: str
    place: str


def code_of(page: str, name: str) -> Iterator[Code]:
    """The code of the text of a page, in the order of its lines."""
    for block in _BLOCK.finditer(page):
        line = page.count("\n", 0, block.start()) + 1
        yield Code(block[1], dedent(block[2]), f"{name}:{line}")
    # The blocks become empty lines, so that the numbers stay right.
    rest = _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), page)
    for span in re.finditer(r"`([^`\n]+)`", rest):
        yield Code("words", span[1], f"{name}:{rest.count('\n', 0, span.start()) + 1}")


def all_code() -> list[Code]:
    return [
        code
        for page in PAGES
        for code in code_of(page.read_text("utf-8"), str(page.relative_to(ROOT)))
    ]
