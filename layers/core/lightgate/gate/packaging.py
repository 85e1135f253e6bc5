"""How the gate programs get into the containers, and on which ports they listen."""

from __future__ import annotations

import bz2
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from lightgate.spec.keys import AppSpec

# On loopback, above Linux's ephemeral ports (32768 to 60999), so that no outgoing connection can
# occupy it.
FIRST_GATE_PORT = 61100

# The program that judges a plan. A gate with a channel in S3 gets it there.
CLASSIFIER = "django_classifier"
# The programs that a supervisor gets if its configuration has the key, in this order.
HELPERS = {"django": "django_helper", "mailbox": "s3_client", "classifier": CLASSIFIER}
# The loader knows the programs by their numbers in this list.
_DISTRIBUTED = ["supervisor", "waiter", *HELPERS.values()]


@cache
def program_text(name: str) -> str:
    """The text of a gate program. The layer has the texts; in a checkout they are built here."""
    folder: Traversable = files(__package__).joinpath("texts")
    if not folder.is_dir():
        from build_gate.texts import cached_texts

        folder = cached_texts()
    return folder.joinpath(f"{name}.txt").read_text(encoding="ascii")


@cache
def program_hash(name: str) -> str:
    return hashlib.sha256(program_text(name).encode()).hexdigest()[:32]


@cache
def _distributed(has_classifier: bool, has_channel: bool) -> bytes:
    """What the distributor hands out, with the program that it becomes first.

    The text of a program that no container needs is empty, so that the others keep their numbers.
    """
    left_out = {CLASSIFIER: not has_classifier, HELPERS["mailbox"]: not has_channel}
    texts = ("" if left_out.get(name) else program_text(name) for name in _DISTRIBUTED)
    return "\0".join(texts).encode()


def pack(texts: bytes) -> str:
    """The texts in printable characters that JSON does not escape, 27 for 22 bytes: base 92."""
    packed, characters = bz2.compress(texts, 9), []
    for start in range(0, len(packed), 22):
        rest = int.from_bytes(packed[start : start + 22].ljust(22, b"\0"))
        part = ""
        for _ in range(27):
            rest, digit = divmod(rest, 92)
            part = chr(35 + digit) + part
        characters.append(part)
    return "".join(characters).replace("\\", "!")


@cache
def _packed(has_classifier: bool, has_channel: bool) -> str:
    return pack(_distributed(has_classifier, has_channel))


@cache
def _hash(has_classifier: bool, has_channel: bool) -> str:
    return hashlib.sha256(_distributed(has_classifier, has_channel)).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The arguments after `python3 -ISc` that come before a container's own command.

    Each container has its programs in its arguments, as plain text, if there is room. Otherwise, as
    for every app whose plan is read, one container, the distributor, has them all, packed. The
    others get theirs from it over loopback, and accept only texts with the hash that they have.
    """

    ports: dict[str, int]
    distributor: str | None
    distributor_port: int
    has_classifier: bool = False
    has_channel: bool = True

    @classmethod
    def in_every_container(cls, spec: AppSpec) -> Self:
        return cls(ports=_gate_ports(spec), distributor=None, distributor_port=0)

    @classmethod
    def from_one_container(
        cls,
        spec: AppSpec,
        *,
        guests: Sequence[str] = (),
        has_classifier: bool = False,
        has_channel: bool = True,
    ) -> Self:
        """The distributor is a container that does not end, if there is one.

        `guests` are supervised containers of the same deployment that the spec does not have.
        `has_classifier`: a gate of it judges a plan and has no channel. `has_channel`: a gate of
        it has one.
        """
        ports = _gate_ports(spec)
        supervised = sorted(ports, key=lambda name: not spec.runs_to_an_end(name))
        for guest in guests:
            ports[guest] = _free_port(spec, set(ports.values()))
        return cls(
            ports=ports,
            distributor=supervised[0] if supervised else None,
            distributor_port=_free_port(spec, set(ports.values())),
            has_classifier=has_classifier,
            has_channel=has_channel,
        )

    def supervisor(self, container: str, config: Mapping[str, Any]) -> Sequence[str]:
        if container == self.distributor:
            return [
                program_text("distributor"),
                str(self.distributor_port),
                _packed(self.has_classifier, self.has_channel),
                config_text(config),
            ]
        helpers = [name for key, name in HELPERS.items() if key in config]
        return self._programs(["supervisor", *helpers], config)

    def waiter(self, config: Mapping[str, Any]) -> Sequence[str]:
        return self._programs(["waiter"], config)

    def _programs(self, names: Sequence[str], config: Mapping[str, Any]) -> Sequence[str]:
        if self.distributor is None:
            program, *helpers = map(program_text, names)
            return [program, config_text(config), *helpers]
        numbers = "".join(str(_DISTRIBUTED.index(name)) for name in names)
        port = str(self.distributor_port)
        wanted = _hash(self.has_classifier, self.has_channel)
        return [program_text("loader"), config_text(config), port, wanted, numbers]


# A double quote is escaped in the request. Who reads a configuration exchanges the quotes again.
_QUOTES = str.maketrans("'\"", "\"'")


def config_text(config: Mapping[str, Any]) -> str:
    """The configuration of a gate: JSON with single quotes in place of double ones."""
    return json.dumps(config, separators=(",", ":")).translate(_QUOTES)


def _gate_ports(spec: AppSpec) -> dict[str, int]:
    """A port for each container that others wait for, beside the ports of the app."""
    ports: dict[str, int] = {}
    for name in spec.containers:
        if spec.conditions_on(name):
            ports[name] = _free_port(spec, set(ports.values()))
    return ports


def _free_port(spec: AppSpec, taken: set[int]) -> int:
    used = taken | {port for name in spec.containers for port in spec.open_ports(name)}
    return next(port for port in range(FIRST_GATE_PORT, 65536) if port not in used)
