"""CloudWatch Logs filter patterns: for unstructured lines here, for JSON in ``json_pattern``.

All words must occur (``ERROR timeout``), quotes make a phrase, ``-word`` must not occur, of
``?word`` at least one must, and ``%expression%`` is a regular expression. Case matters. As there,
an expression has no groups, and a pattern has two of them at most.
"""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from local.lightsail.errors import invalid_input
from local.lightsail.json_pattern import compile_json_pattern

type Pattern = Callable[[str], bool]

_TERM = re.compile(
    r'\s*(?P<sign>[-?]?)(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"]+))'
)
_EXPRESSION = re.compile(r"[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+.]+")
_MAX_PATTERN = 1024
_MAX_EXPRESSIONS = 2


@dataclass(frozen=True, slots=True)
class _Term:
    sign: str
    occurs_in: Callable[[str], bool]
    is_expression: bool


def compile_pattern(text: str) -> Pattern:
    """Return a test for messages, or refuse the pattern."""
    if len(text) > _MAX_PATTERN:
        raise invalid_input(f"The filter pattern is longer than {_MAX_PATTERN} characters.")
    if text.lstrip().startswith("{"):
        return compile_json_pattern(text)
    if text.lstrip().startswith("["):
        raise invalid_input(
            "Invalid filter pattern: patterns of columns, in square brackets, are not supported "
            "by this emulator."
        )
    terms = _terms(text)
    needed = [term for term in terms if term.sign == ""]
    unwanted = [term for term in terms if term.sign == "-"]
    optional = [term for term in terms if term.sign == "?"]

    def matches(message: str) -> bool:
        if any(term.occurs_in(message) for term in unwanted):
            return False
        if needed:  # beside words that must occur, optional ones mean nothing
            return all(term.occurs_in(message) for term in needed)
        return not optional or any(term.occurs_in(message) for term in optional)

    return matches


def _terms(text: str) -> list[_Term]:
    terms = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise invalid_input(f"Invalid filter pattern: {text}")
        is_expression = found["regex"] is not None
        terms.append(_Term(found["sign"], _test(found), is_expression=is_expression))
        position = found.end()
    if sum(term.is_expression for term in terms) > _MAX_EXPRESSIONS:
        raise invalid_input(
            f"Invalid filter pattern: more than {_MAX_EXPRESSIONS} regular expressions"
        )
    return terms


def _test(found: re.Match[str]) -> Callable[[str], bool]:
    if found["regex"] is not None:
        expression = _expression(found["regex"])
        return lambda message: expression.search(message) is not None
    phrase = found["phrase"]
    term = re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else found["word"]
    return lambda message: term in message


def _expression(text: str) -> re.Pattern[str]:
    if _EXPRESSION.fullmatch(text):
        with contextlib.suppress(re.error, OverflowError):
            return re.compile(text)
    raise invalid_input(f"Invalid regular expression: {text}")
