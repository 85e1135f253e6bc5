"""How Compose fills in variables: `${NAME:-default}`, from the `.env` beside the file."""

import re
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<rest>(?:[^{}]|\{[^{}]*\})*))?\})"
)
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*(?:[=:]\s*(.*?))?\s*")


def _filled_in(text: str, known: Mapping[str, str]) -> str:
    """The text with the values that are known, or the defaults. Others stay as they are."""

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        name, operator = found["bare"] or found["name"], found["operator"] or ""
        given = known.get(name)
        if operator.endswith("+"):
            return _filled_in(found["rest"], known) if given else ""
        if given is not None and (given or not operator.startswith(":")):
            return given
        return _filled_in(found["rest"], known) if operator.endswith("-") else f"${{{name}}}"

    return _VARIABLE.sub(value, text)


def everywhere(document: object, known: Mapping[str, str]) -> object:
    """The document with all of its texts filled in, except for keys."""
    if isinstance(document, str):
        return _filled_in(document, known)
    if isinstance(document, list):
        return [everywhere(each, known) for each in document]
    if isinstance(document, dict):
        return {key: everywhere(value, known) for key, value in document.items()}
    return document


def read_env_file(path: Path) -> Mapping[str, str] | None:
    """The variables in a file such as `.env`; None if it cannot be read."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    found = {}
    for line in text.splitlines():
        matched = _LINE.fullmatch(line)
        if matched and matched[2] is not None:
            found[matched[1]] = _unquoted(matched[2])
    return found


def _unquoted(value: str) -> str:
    quoted = re.fullmatch(r"(['\"])(.*)\1(?:\s+#.*)?", value)
    return quoted[2] if quoted else re.sub(r"(?:^|\s+)#.*", "", value)
