"""From the bytes of a file to a document: JSON, JSON with comments, or YAML."""

import codecs
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml  # type: ignore[import-untyped]

from lightgate.errors import SpecError

_LARGEST_BYTES = 1_000_000
# A string, which is kept as it is, or a comment.
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_COMMA = re.compile(r'"(?:\\.|[^"\\\n])*"|,(?=\s*[}\]])')
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig", "begins with a byte order mark (BOM)"),
    (codecs.BOM_UTF16_LE, "utf-16", "is UTF-16, as PowerShell writes it"),
    (codecs.BOM_UTF16_BE, "utf-16", "is UTF-16, as PowerShell writes it"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """The content of the text. `oddities` say how its encoding or form is not that of a spec."""

    value: object
    oddities: tuple[str, ...] = ()


def read_document(data: bytes, name: str) -> Document:
    """The document in the bytes.

    Raises:
        SpecError: it is neither JSON nor YAML.
    """
    if len(data) > _LARGEST_BYTES:
        raise SpecError(f"{name}: has {len(data)} bytes; at most {_LARGEST_BYTES} are read")
    text, oddities = _decoded(data, name)
    try:
        return Document(json.loads(text), oddities)
    except (ValueError, RecursionError):
        pass
    try:
        return Document(json.loads(_plain_json(text)), (*oddities, "has comments"))
    except (ValueError, RecursionError):
        return Document(_yaml(text, name), (*oddities, "is YAML"))


def _decoded(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    try:
        for mark, encoding, oddity in _ENCODINGS:
            if data.startswith(mark):
                return data.decode(encoding), (oddity,)
        if b"\0" in data[:2]:
            encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
            return data.decode(encoding), ("is UTF-16",)
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        raise SpecError(f"{name}: is not text in {error.encoding}; save it as UTF-8") from None


def _plain_json(text: str) -> str:
    """The text without comments and without commas before a closing bracket."""

    def kept_if(first: str) -> Callable[[re.Match[str]], str]:
        return lambda found: found[0] if found[0].startswith(first) else " "

    return _STRING_OR_COMMA.sub(kept_if('"'), _STRING_OR_COMMENT.sub(kept_if('"'), text))


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML 1.2, as Docker Compose reads it: `on` is a text, and `22:22` is no number."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first)
    )


def _yaml(text: str, name: str) -> object:
    try:
        loaded: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        # An alias may stand within its own anchor, and keys may be no texts.
        json.dumps(loaded)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        why = getattr(error, "problem", None) or "it cannot be read"
        raise SpecError(f"{name}: is neither JSON nor YAML: {place}{why}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"{name}: is YAML that cannot be read: {error}") from None
    if not isinstance(loaded, dict | list):
        raise SpecError(f"{name}: is neither JSON nor YAML with keys and values")
    return loaded
