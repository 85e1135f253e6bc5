"""The table of wrong specs: the text of each, and the problems that are reported for it."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lightgate.json_reader import one_of
from lightgate.spec import keys
from lightgate.spec.key_reader import is_required, keys_of

_TABLE = Path(__file__).with_suffix(".yaml")
_ABSENT = object()
_KEYS = re.compile("<keys of ([A-Za-z]+)>")


@dataclass(frozen=True, slots=True)
class WrongSpec:
    name: str
    text: bytes
    problems: Sequence[str]


class _Loader(yaml.CSafeLoader):
    """YAML with the two tags of the table."""


def _repeated(loader: _Loader, node: yaml.SequenceNode) -> str:
    text, times = loader.construct_sequence(node)
    return str(text) * int(times)


_Loader.add_constructor("!absent", lambda *_: _ABSENT)
_Loader.add_constructor("!repeat", _repeated)


def _table() -> Iterator[WrongSpec]:
    source = _TABLE.read_text("utf-8")
    names = re.findall(r"^(\S+):", source, re.MULTILINE)
    # YAML itself takes a name that stands twice, and forgets its first case.
    assert len(names) == len(set(names))
    cases = yaml.load(source, _Loader)  # noqa: S506 - it is a safe loader
    base = cases.pop("base")
    del cases["absent"]
    for name, case in cases.items():
        problems = case.pop("problems")
        every = [problems] if isinstance(problems, str) else problems
        yield WrongSpec(name, _text(base, **case), [_KEYS.sub(_names, each) for each in every])


def _names(found: re.Match[str]) -> str:
    """The keys of a class as a message lists them: first those that are required."""
    listed = sorted(keys_of(getattr(keys, found[1])), key=lambda each: not is_required(each[1]))
    return one_of(key.name for key, _ in listed)


def _text(
    base: Any,
    *,
    change: Any = None,
    document: Any = None,
    replace: tuple[str, Sequence[str]] = ("", ""),
    text: Sequence[str] | None = None,
    encoding: str = "utf-8",
) -> bytes:
    if text is None:
        whole = document if change is None else _changed(base, change)
        text = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
        old, new = replace
        text = text.replace(old, "".join(new)) if old else text
    return "".join(text).encode(encoding)


def _changed(base: Any, change: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    members = base | {key: _changed(base.get(key), value) for key, value in change.items()}
    return {key: value for key, value in members.items() if value is not _ABSENT}


WRONG_SPECS = tuple(_table())
