"""Makes a program as small as it gets while it still is plain text that Python 3.8 can read."""

import ast
import builtins
import io
import re
import symtable
import tokenize
from collections.abc import Iterator

import python_minifier

_FUTURE = "from __future__ import annotations\n"


def minify(source: str, name: str) -> str:
    """The text without comments, docstrings and annotations, and with short names.

    It refuses what Python 3.8 cannot read, as far as that shows, and names that nothing binds.
    """
    text = python_minifier.minify(
        source,
        remove_annotations=python_minifier.RemoveAnnotationsOptions(
            remove_class_attribute_annotations=True
        ),
        remove_literal_statements=True,
        rename_globals=True,
        # The programs travel compressed, and a text that comes twice costs less than a name for it.
        hoist_literals=False,
    )
    # Without annotations the text does not need the import that keeps them from being evaluated.
    text = text.removeprefix(_FUTURE)
    # In JSON a tab takes two bytes.
    text = re.sub(r"^\t+", lambda tabs: " " * len(tabs[0]), text, flags=re.MULTILINE)
    text = _with_other_quotes_within_quotes(text)
    if places := list(_quotes_within_the_same_quotes(text)):
        place = f"{places[0].string} in {places[0].line.strip()[:100]}"
        raise ValueError(f"{name}: Python before 3.12 cannot read {place}; use a variable")
    ast.parse(text, f"<{name}>", feature_version=(3, 8))
    if unbound := sorted(_unbound(symtable.symtable(text, f"<{name}>", "exec"))):
        raise ValueError(f"{name}: nothing binds {', '.join(unbound)}")
    return text


def _unbound(module: symtable.SymbolTable) -> set[str]:
    """The names that the text uses, and that neither the text nor Python defines."""
    tables, used = [module], set()
    for table in tables:
        tables += table.get_children()
        used |= {one.get_name() for one in table.get_symbols() if one.is_global()}
    bound = {one.get_name() for one in module.get_symbols() if one.is_local()}
    return used - bound - vars(builtins).keys() - {"__name__"}


def _with_other_quotes_within_quotes(text: str) -> str:
    """The text with `{a['b']}` in an f-string that has double quotes, and the other way round."""
    lines = text.splitlines(keepends=True)
    for token in _quotes_within_the_same_quotes(text):
        (row, start), (_, end) = token.start, token.end
        inner = token.string[1:-1]
        if not set(inner) & set("\"'\\"):
            other = "'" if token.string[0] == '"' else '"'
            line = lines[row - 1]
            lines[row - 1] = f"{line[:start]}{other}{inner}{other}{line[end:]}"
    return "".join(lines)


def _quotes_within_the_same_quotes(text: str) -> Iterator[tokenize.TokenInfo]:
    """The strings in f-strings that have the quotes of the f-string around them."""
    around: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.FSTRING_START:
            around.append(token.string[-1])
        elif token.type == tokenize.FSTRING_END:
            around.pop()
        elif token.type == tokenize.STRING and token.string[-1] in around:
            yield token
