"""CloudWatch Logs filter patterns for lines that are JSON: ``{ $.event = "failed" && $.n > 3 }``.

A comparison is ``selector operator value`` with ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, where
text may hold ``*`` for anything, or one of ``IS TRUE``, ``IS FALSE``, ``IS NULL`` and
``NOT EXISTS``. They are joined by ``&&`` and ``||``, of which ``&&`` binds closer, and brackets.
A selector that leads nowhere makes every comparison false, except ``NOT EXISTS``.
"""

import json
import operator
import re
from collections.abc import Callable
from typing import Any

from local.lightsail.errors import invalid_input

type Test = Callable[[Any], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<selector>\$(?:\.[\w-]+|\[\d+\])+)|(?P<text>\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<sign>&&|\|\||!=|<=|>=|[=<>()])|(?P<word>[^\s\"=<>!()&|{}]+))"
)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING = object()
_MAX_DEPTH = 20


def compile_json_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a test for messages, or refuse the pattern. A line that is not JSON never matches."""
    inner = pattern.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise _invalid(pattern)
    test = _Parser(pattern, inner[1:-1]).parse()

    def matches(message: str) -> bool:
        try:
            return test(json.loads(message))
        except (ValueError, RecursionError):
            return False

    return matches


def _invalid(pattern: str) -> Exception:
    return invalid_input(f"Invalid filter pattern: {pattern}")


class _Parser:
    """Reads a pattern by descending through ``||``, ``&&`` and comparisons."""

    def __init__(self, pattern: str, text: str) -> None:
        self._pattern = pattern
        self._tokens: list[tuple[str, str]] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise _invalid(pattern)
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()
        self._depth = 0

    def parse(self) -> Test:
        test = self._any()
        if self._tokens:
            raise _invalid(self._pattern)
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._skip("||"):
            tests.append(self._all())
        return lambda value: any(test(value) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._skip("&&"):
            tests.append(self._one())
        return lambda value: all(test(value) for test in tests)

    def _one(self) -> Test:
        if not self._skip("("):
            return self._comparison()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _invalid(self._pattern)
        test = self._any()
        self._depth -= 1
        if not self._skip(")"):
            raise _invalid(self._pattern)
        return test

    def _comparison(self) -> Test:
        select = _selector(self._next("selector"))
        kind, sign = self._tokens.pop(0) if self._tokens else ("", "")
        if kind == "word":
            return self._special(f"{sign} {self._next('word')}".upper(), select)
        if sign not in _COMPARE or not self._tokens:
            raise _invalid(self._pattern)
        kind, wanted = self._tokens.pop(0)
        if kind not in ("text", "word"):
            raise _invalid(self._pattern)
        number = _number(wanted) if kind == "word" else None
        if number is not None:
            compare = _COMPARE[sign]
            return lambda value: _is_number(found := select(value)) and compare(found, number)
        if sign not in ("=", "!="):
            raise _invalid(self._pattern)
        expression = _wildcards(_unquoted(wanted) if kind == "text" else wanted)
        equal = sign == "="
        return lambda value: (
            isinstance(found := select(value), str)
            and (expression.fullmatch(found) is not None) is equal
        )

    def _special(self, words: str, select: Callable[[Any], Any]) -> Test:
        wanted = {"IS TRUE": True, "IS FALSE": False, "IS NULL": None, "NOT EXISTS": _MISSING}
        if words not in wanted:
            raise _invalid(self._pattern)
        return lambda value: select(value) is wanted[words]

    def _next(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            raise _invalid(self._pattern)
        return self._tokens.pop(0)[1]

    def _skip(self, sign: str) -> bool:
        found = bool(self._tokens) and self._tokens[0] == ("sign", sign)
        if found:
            self._tokens.pop(0)
        return found


def _selector(text: str) -> Callable[[Any], Any]:
    steps = [(name, int(index or 0)) for name, index in _STEP.findall(text)]

    def select(value: Any) -> Any:  # noqa: ANN401 - any JSON value
        for name, index in steps:
            if name:
                value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
            else:
                inside = isinstance(value, list) and index < len(value)
                value = value[index] if inside else _MISSING
        return value

    return select


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _wildcards(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
