"""Texts without secrets.

The supervisor's `secret_parts` decides what counts as a secret, in the gate and here. A text of
another program may show a secret in another form: escaped as JSON or Python write it,
percent-encoded, as an HTML entity, with colours, or several of these at once. `Mask` compares
text and secret without these forms, and without quotes, which shells, SQL and YAML double.
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lightgate.gate.programs.supervisor.masking import CONTROLS, SHORTEST, mask_line, secret_parts
from lightgate.gate.programs.supervisor.masking import mask as mask_parts
from lightgate.patterns import pattern

_MASKED = "***"
# Lightgate shows no text that is longer, and patterns take time.
_LONGEST_TEXT = 20_000
# A text may be cut within a secret. A shorter beginning or end of one is part of usual words.
_SHORTEST_PIECE = 12
# Control characters, and those of a terminal or of a text that have no width.
_INVISIBLE = r"\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2060\ufeff"
# With which each form begins: most characters of a text begin none.
_BEGINS = rf"[\\%&\s+'\"{_INVISIBLE}]"
_BEGIN = pattern(_BEGINS)
_FORMS = pattern(
    rf"(?={_BEGINS})(?:"
    rf"(?P<terminal>\\+(?:x1b|u001[bB]|033|e)\[[0-?]*[ -/]*[@-~]|{CONTROLS.pattern})"
    r"|(?:%(?:25)*|\\+x)(?P<byte>[0-9a-fA-F]{2})"
    r"|\\+(?P<octal>[0-3][0-7]{2})"
    r"|\\+u(?P<short>[0-9a-fA-F]{4})"
    r"|\\+U(?P<long>00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})"
    r"|(?P<entity>&(?:amp|quot|apos|lt|gt|#\d{1,7}|#x[0-9a-fA-F]{1,6});)"
    rf"|(?P<dropped>\\+[nrtfv]?|[\s+'\"{_INVISIBLE}]+))"
)
_LEFT_OUT = pattern(rf"[\s\\+'\"{_INVISIBLE}]+")
# A presigned URL, or a header or parameter that carries what signs one.
_WORD = pattern(r"[^\s\"'<>]+")
_SIGNS = pattern(r"(?i)x-amz-(?:signature|security-token|credential)")
_SIGNATURE = pattern(
    r"(?i)(x-amz-(?:signature|security-token|credential)\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\s\"'<>,;\\]+"
)

# Where a text has a part, as positions of its beginning and its end.
type _Search = Callable[[str, str], Iterator[tuple[int, int]]]


class Mask:
    """Takes values out of texts, and also what looks like a password or signs a URL."""

    def __init__(self, values: Iterable[str]) -> None:
        self._parts = secret_parts(list(values))
        forms = {form for part in self._parts for form in (part, _bytes_of(part))}
        usable = {part for part in map(_plain, forms) if len(part) >= SHORTEST}
        self._plain = sorted(usable, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without the values, in any of their forms, and without a piece at either end.

        A log may break a line within a value. A very long text is cut.
        """
        return mask_line(self._masked(text, [_whole, _pieces]), self._parts)

    def json(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """The value without them in any of its strings. A number that shows one becomes None."""
        match value:
            case str():
                return self._masked(value, [_whole])
            case dict():
                return {name: self.json(each) for name, each in value.items()}
            case list():
                return [self.json(each) for each in value]
            case bool() | None:
                return value
            case _:
                return value if self.json(str(value)) == str(value) else None

    def _masked(self, text: str, where: Iterable[_Search]) -> str:
        text = text[:_LONGEST_TEXT]
        plain = _plain(text)
        found = [place for search in where for part in self._plain for place in search(plain, part)]
        places = _read(text)[1] if found else []
        shown, at = "", 0
        for begin, end in sorted((places[a][0], places[b - 1][1]) for a, b in found):
            if end > at:
                shown += text[at:begin] + _MASKED if begin >= at else ""
                at = end
        return _without_signatures(mask_parts(shown + text[at:], self._parts))


def _whole(plain: str, part: str) -> Iterator[tuple[int, int]]:
    at = plain.find(part)
    while at >= 0:
        yield at, at + len(part)
        at = plain.find(part, at + len(part))


def _pieces(plain: str, part: str) -> Iterator[tuple[int, int]]:
    if len(plain) >= _SHORTEST_PIECE and plain in part:
        yield 0, len(plain)
        return
    begin = plain.find(part[:_SHORTEST_PIECE], max(0, len(plain) - len(part) + 1))
    while begin >= 0 and len(plain) - begin >= _SHORTEST_PIECE:
        if part.startswith(plain[begin:]):
            yield begin, len(plain)
        begin = plain.find(part[:_SHORTEST_PIECE], begin + 1)
    begin = plain.find(part[-_SHORTEST_PIECE:], 0, len(part) - 1)
    while begin >= 0:
        end = begin + _SHORTEST_PIECE
        if part.endswith(plain[:end]):
            yield 0, end
        begin = plain.find(part[-_SHORTEST_PIECE:], begin + 1, len(part) - 1)


def _bytes_of(text: str) -> str:
    """A character for each byte: a form may write any of them by itself."""
    return text.encode("utf-8", "replace").decode("latin-1")


def _plain(text: str) -> str:
    """The characters of `_read`, without their places, which takes longer."""
    has_forms = _BEGIN.search(text)
    characters = _LEFT_OUT.sub("", _FORMS.sub(_decoded, text)) if has_forms else text
    is_short = characters.isascii() or max(characters) <= "\uffff"
    return characters if is_short else "".join(map(_units, characters))


def _read(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text's characters behind all forms, and for each one the place where it stands.

    White space, backslashes, quotes and plus signs are left out: forms differ in them.
    """
    plain: list[str] = []
    places: list[tuple[int, int]] = []

    def take(characters: str, begin: int, end: int | None) -> None:
        for index, character in enumerate(characters):
            if _LEFT_OUT.match(character):
                continue
            place = (begin, end) if end is not None else (begin + index, begin + index + 1)
            for unit in _units(character):
                plain.append(unit)
                places.append(place)

    at = 0
    for form in _FORMS.finditer(text):
        take(text[at : form.start()], at, None)
        take(_decoded(form), form.start(), form.end())
        at = form.end()
    take(text[at:], at, None)
    return "".join(plain), places


def _decoded(form: re.Match[str]) -> str:
    match form.lastgroup:
        case "byte" | "short" | "long" as group:
            return chr(int(form[group], 16))
        case "octal":
            return chr(int(form["octal"], 8))
        case "entity":
            return html.unescape(form[0])
        case _:
            return ""


def _units(character: str) -> str:
    """The character in units of 16 bits, as JSON escapes it."""
    code = ord(character) - 0x10000
    return character if code < 0 else chr(0xD800 + (code >> 10)) + chr(0xDC00 + (code & 0x3FF))


def _without_signatures(text: str) -> str:
    if not _SIGNS.search(text):
        return text
    text = _WORD.sub(lambda word: _MASKED if _is_presigned(word[0]) else word[0], text)
    return _SIGNATURE.sub(rf"\1{_MASKED}", text)


def _is_presigned(word: str) -> bool:
    return bool(_SIGNS.search(word)) and ("://" in word or "%3A%2F%2F" in word.upper())
