"""How the gate's programs get into the containers, and on which ports they are reached."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from lightgate import gate
from lightgate.app_spec.spec import AppSpec

# On loopback, past the ports that the app listens on, and above Linux's ephemeral ports
# (32768 to 60999), so that no outgoing connection can sit on one first.
FIRST_GATE_PORT = 61100

# Reading a program takes longer than all the rest of compiling, and it never changes.
_supervisor_source = cache(gate.supervisor_source)
_waiter_source = cache(gate.waiter_source)
_django_helper_source = cache(gate.django_helper_source)
_courier_source = cache(gate.courier_source)
_carrier_source = cache(gate.carrier_source)
_loader_source = cache(gate.loader_source)


# What a supervisor whose configuration has this key is given with it, in this order.
_HELPERS = {"django": _django_helper_source, "mailbox": _courier_source}


@cache
def _packed() -> str:
    """What the carrier hands out, its own program first."""
    helpers = (read() for read in _HELPERS.values())
    texts = "\0".join([_supervisor_source(), _waiter_source(), *helpers])
    return base64.b85encode(zlib.compress(texts.encode(), 9)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The arguments behind `python3 -I -S -c` that come before a container's own command.

    Each container brings its programs itself, as plain text, if there is room. Otherwise, as for
    every app whose plan is read, one container, the carrier, brings them all packed and hands them
    to the others over loopback; they accept only the very texts whose hashes they were given.
    """

    ports: dict[str, int]
    carrier: str | None
    carrier_port: int

    @classmethod
    def in_every_container(cls, spec: AppSpec) -> Self:
        return cls(ports=_gate_ports(spec), carrier=None, carrier_port=0)

    @classmethod
    def carried_by_one(cls, spec: AppSpec, *, guests: Sequence[str] = ()) -> Self:
        """The carrier is one that stays alive after its work, where there is such a one.

        `guests` are supervised containers of the same deployment that the spec does not have.
        """
        ports = _gate_ports(spec)
        supervised = sorted(ports, key=lambda name: not spec.runs_to_an_end(name))
        for guest in guests:
            ports[guest] = _free_port(spec, set(ports.values()))
        return cls(
            ports=ports,
            carrier=supervised[0] if supervised else None,
            carrier_port=_free_port(spec, set(ports.values())),
        )

    def supervisor(self, container: str, config: Mapping[str, Any]) -> Sequence[str]:
        if container == self.carrier:
            return [_carrier_source(), str(self.carrier_port), _packed(), _line(config)]
        helpers = [read() for key, read in _HELPERS.items() if key in config]
        return self._programs(_supervisor_source(), config, helpers)

    def waiter(self, config: Mapping[str, Any]) -> Sequence[str]:
        return self._programs(_waiter_source(), config, [])

    def _programs(
        self, source: str, config: Mapping[str, Any], helpers: Sequence[str]
    ) -> Sequence[str]:
        if self.carrier is None:
            return [source, _line(config), *helpers]
        hashes = (hashlib.sha256(text.encode()).hexdigest()[:32] for text in (source, *helpers))
        return [_loader_source(), str(self.carrier_port), ",".join(hashes), _line(config)]


def _line(config: Mapping[str, Any]) -> str:
    return json.dumps(config, separators=(",", ":"))


def _gate_ports(spec: AppSpec) -> dict[str, int]:
    """A port for each container that others wait for, none of them one of the app's."""
    ports: dict[str, int] = {}
    for name in spec.containers:
        if spec.conditions_on(name):
            ports[name] = _free_port(spec, set(ports.values()))
    return ports


def _free_port(spec: AppSpec, taken: set[int]) -> int:
    used = taken | {port for name in spec.containers for port in spec.open_ports(name)}
    return next(port for port in range(FIRST_GATE_PORT, 65536) if port not in used)
