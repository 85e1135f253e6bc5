"""What `init` knows of an app before it writes the spec, whatever it was read from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """What is not in the spec as it was in the source, why, and what to do about it.

    It never has the value of a variable.
    """

    place: str
    reason: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}; {self.advice}"


def merged(notes: Iterable[Note]) -> list[Note]:
    """The notes, of which those that say the same in several places become one."""
    places: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        found = places.setdefault((note.reason, note.advice), [])
        if note.place not in found:
            found.append(note.place)
    return [Note(", ".join(found), *said) for said, found in places.items()]


@dataclass(frozen=True, slots=True)
class Wait:
    """`condition` is one of the spec."""

    container: str
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContainer:
    """`same_image` is the same text in all containers that run one image.

    `image` is None if the source builds it. `more` are keys that stand in a spec as they are.
    """

    name: str
    same_image: str
    image: str | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str]
    ports: Mapping[int, str]
    waits: tuple[Wait, ...] = ()
    health_check: Json | None = None
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEndpoint:
    """`port` is None if the source does not name it."""

    container: str
    port: int | None = None
    health_check: Mapping[str, Any]

    def with_path(self, path: str | None) -> "SourceEndpoint":
        return replace(self, health_check={**self.health_check, "path": path}) if path else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`more` are keys that stand at the top of a spec as they are.

    `has_open_ports`: the ports of the containers are those that Lightsail opens, and not hints.
    """

    service: str | None = None
    containers: tuple[SourceContainer, ...]
    endpoint: SourceEndpoint | None = None
    more: Mapping[str, Any]
    notes: tuple[Note, ...] = ()
    has_open_ports: bool = True
