"""How the gate's programs get into the containers, and on which ports they are reached."""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

from lightgate import gate
from lightgate.spec import AppSpec

# On loopback, past the ports that the app listens on, and above Linux's ephemeral ports
# (32768 to 60999), so that no outgoing connection can sit on one first.
FIRST_GATE_PORT = 61100

# Reading a program takes longer than all the rest of compiling, and it never changes.
_supervisor_source = cache(gate.supervisor_source)
_waiter_source = cache(gate.waiter_source)
_carrier_source = cache(gate.carrier_source)
_loader_source = cache(gate.loader_source)


@cache
def _packed() -> str:
    """What the carrier hands out, its own program first."""
    texts = json.dumps([_supervisor_source(), _waiter_source()])
    return base64.b64encode(zlib.compress(texts.encode(), 9)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The arguments behind `python3 -I -S -c`, before a program's own configuration.

    Usually each container brings its program itself, as plain text. Where that would make the
    request too large, one container, the carrier, brings both programs packed and hands them to
    the others over loopback; they accept nothing but the very text whose hash they were given.
    """

    ports: dict[str, int]
    carrier: str | None
    carrier_port: int

    @classmethod
    def in_every_container(cls, spec: AppSpec) -> Self:
        return cls(ports=_gate_ports(spec), carrier=None, carrier_port=0)

    @classmethod
    def carried_by_one(cls, spec: AppSpec) -> Self:
        """The carrier is one that stays alive after its work, where there is such a one."""
        ports = _gate_ports(spec)
        supervised = sorted(ports, key=lambda name: not spec.runs_to_an_end(name))
        return cls(
            ports=ports,
            carrier=supervised[0] if supervised else None,
            carrier_port=_free_port(spec, set(ports.values())),
        )

    def supervisor(self, container: str) -> Sequence[str]:
        if container == self.carrier:
            return [_carrier_source(), str(self.carrier_port), _packed()]
        return self._program(_supervisor_source())

    def waiter(self) -> Sequence[str]:
        return self._program(_waiter_source())

    def _program(self, source: str) -> Sequence[str]:
        if self.carrier is None:
            return [source]
        digest = hashlib.sha256(source.encode()).hexdigest()
        return [_loader_source(), str(self.carrier_port), digest]


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
