"""Lenient reading of a broken spec, so that a push to its repository gets an answer.

It only decides which pushes report that the spec is broken. No deployment is made from it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lightgate.image.addresses import REPOSITORY, RegistryAddress, repository_in
from lightgate.json_reader import closest
from lightgate.patterns import pattern
from lightgate.spec.key_types import TAG_PATTERN
from lightgate.spec.keys import Stage, matches

# As JSON, or as what people take for it: other quotes or none, `=`, YAML.
_QUOTE = "[\"'`\u2018-\u201f]?"
_VALUE = rf"{_QUOTE}\s*[:=]\s*{_QUOTE}([^\s\"'`\u2018-\u201f,\]}}]+)"
_KEYS = {
    "repository": r"(?:ecr|image)?[_-]?repo(?:sitory)?(?:[_-]?name)?",
    "serviceName": r"service[_-]?name",
    "stage": "stage",
}
_TAGS = pattern(rf"\btags{_QUOTE}\s*[:=]\s*\[([^\]]*)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """`addresses` of repositories are as they are written; there may be none.

    The others are None if nothing like them can be read.
    """

    addresses: tuple[str, ...]
    tags: tuple[str, ...] | None
    service: str | None
    stage: Stage | None

    @property
    def repositories(self) -> frozenset[str]:
        """The addresses, and the bare names that they most likely mean."""
        names = (name for text in self.addresses for name in (text, repository_in(text)))
        return frozenset(name for name in names if name)

    def can_be_pushed_to(self, home: RegistryAddress | None) -> bool:
        """Whether a push to one of the repositories would be heard in this registry."""
        return any(
            re.fullmatch(REPOSITORY, text) and RegistryAddress.of_address(text) in (None, home)
            for text in self.addresses
        )

    def may_watch(self, tag: str) -> bool:
        """Whether the app may watch the tag; also if nobody can tell."""
        return self.tags is None or any(matches(tag, pattern) for pattern in self.tags)


def remains_of(text: str) -> Remains:
    members = _members(text)

    def found(key: str) -> list[str]:
        return _of(members, key) if members else list(_written(text, key))

    # The default is production. A text that is no JSON may be cut off before its stage.
    stages = found("stage") or ([Stage.PRODUCTION.value] if members else [])
    return Remains(
        addresses=tuple(found("repository")),
        tags=_tags(members, text),
        service=next(iter(found("serviceName")), None),
        stage=next((Stage(stage) for stage in stages if stage in tuple(Stage)), None),
    )


def _members(text: str) -> list[tuple[str, Any]]:
    """The members of the outermost object, repeated ones too; none if the text is no object."""
    pairs: list[tuple[str, Any]] = []

    def keep(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found
        return dict(found)

    try:
        document = json.loads(text, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return []
    return pairs if isinstance(document, dict) else []


def _of(members: list[tuple[str, Any]], key: str) -> list[str]:
    """The texts behind the key, or behind one that is spelt like it."""
    return [
        text
        for name, value in members
        if _is_spelt_like(name, key) or re.fullmatch(_KEYS[key], name, re.IGNORECASE)
        for text in _texts(value)
    ]


def _is_spelt_like(name: str, key: str) -> bool:
    """Whether the name is most likely the key. `tags` is spelt like `stage`, and is not it."""
    return closest(name, [key]) == closest(name, [*_KEYS, "tags"]) == key


def _texts(value: object) -> list[str]:
    """The text, or the texts one level below it."""
    match value:
        case dict():
            found = list(value.values())
        case list():
            found = value
        case _:
            found = [value]
    return [text for text in found if isinstance(text, str)]


def _written(text: str, key: str) -> Iterator[str]:
    """Each value behind the key, in a text that is no JSON."""
    # UTF-16 that was read as something else has a NUL beside each character.
    plain = text.replace("\0", "").replace('\\"', '"').replace("\\/", "/")
    for found in re.finditer(rf"(?<![\w-]){_KEYS[key]}{_VALUE}", plain, re.IGNORECASE):
        yield found[1]


def _tags(members: list[tuple[str, Any]], text: str) -> tuple[str, ...] | None:
    """The patterns of the tags; None if they are not what the spec would have to say."""
    given = [value for name, value in members if name == "tags"]
    if members:
        tags = given[-1] if given else ["latest"]
    else:
        written = _TAGS.search(text.replace("\0", "").replace('\\"', '"'))
        tags = re.findall("[^\\s,\"'`\u2018-\u201f]+", written[1]) if written else None
    if not isinstance(tags, list) or not tags:
        return None
    if not all(isinstance(tag, str) and re.fullmatch(TAG_PATTERN, tag) for tag in tags):
        return None
    return tuple(tags)
