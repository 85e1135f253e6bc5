"""Makes a program as small as it gets while it still is plain text that Python 3.8 can read."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import python_minifier

_FUTURE = "from __future__ import annotations\n"


def minify(source: str, name: str) -> str:
    """The text without comments, docstrings and annotations, and with short names."""
    text = python_minifier.minify(
        source,
        remove_annotations=python_minifier.RemoveAnnotationsOptions(
            remove_class_attribute_annotations=True
        ),
        remove_literal_statements=True,
        rename_globals=True,
    )
    # Without annotations the text does not need the import that keeps them from being evaluated.
    text = text.removeprefix(_FUTURE)
    # In JSON a tab takes two bytes.
    text = re.sub(r"^\t+", lambda tabs: " " * len(tabs[0]), text, flags=re.MULTILINE)
    if places := list(_quotes_within_the_same_quotes(text)):
        raise ValueError(f"{name}: Python before 3.12 cannot read {places[0]}; use a variable")
    ast.parse(text, f"<{name}>", feature_version=(3, 8))
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
