"""What travels of the gate's programs: ``python -m local.gate_texts``.

A deployment request has little room, so each program is minified: no comments, docstrings and
annotations, and short names. The programs themselves are the files to read and to change. With
``--check`` nothing is written, and the exit code is 1 if a text is old.
"""

import argparse
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

import python_minifier

from lightgate.gate import PROGRAMS

_ROOT = Path(__file__).resolve().parent.parent
_GATE = _ROOT / "layers" / "core" / "lightgate" / "gate"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.gate_texts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether a text is old")
    only_check = parser.parse_args(arguments).check
    old = [name for name in PROGRAMS if not _is_written(name)]
    for name in old:
        if only_check:
            print(f"{path(name).relative_to(_ROOT)} is old: run make gate", file=sys.stderr)
        else:
            path(name).write_text(minified(name), "ascii")
    return 1 if old and only_check else 0


def path(name: str) -> Path:
    return _GATE / "travelling" / f"{name}.txt"


def minified(name: str) -> str:
    """The program as small as it gets while it still is plain text of Python 3.8."""
    text = python_minifier.minify(
        (_GATE / f"{name}.py").read_text("ascii"),
        remove_literal_statements=True,
        rename_globals=True,
    )
    # In JSON a tab takes two bytes.
    text = re.sub(r"^\t+", lambda tabs: " " * len(tabs[0]), text, flags=re.MULTILINE)
    if places := list(_quotes_within_the_same_quotes(text)):
        raise ValueError(f"{name}: Python before 3.12 cannot read {places[0]}; use a variable")
    return text


def _quotes_within_the_same_quotes(text: str) -> Iterator[str]:
    """The strings in f-strings that have the quotes of the f-string around them."""
    around: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.FSTRING_START:
            around.append(token.string[-1])
        elif token.type == tokenize.FSTRING_END:
            around.pop()
        elif token.type == tokenize.STRING and token.string[-1] in around:
            yield f"{token.string} in {token.line.strip()[:100]}"


def _is_written(name: str) -> bool:
    return path(name).exists() and path(name).read_text("ascii") == minified(name)


if __name__ == "__main__":
    sys.exit(main())
