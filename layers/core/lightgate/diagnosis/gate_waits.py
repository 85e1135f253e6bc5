"""What a gate was waiting for when it was last heard of, and who stood in its way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lightgate.gate.gate_report import DatabaseSession
from lightgate.gate.log_lines import events, plain_text
from lightgate.gate.report_reader import holders_of


class Awaited(StrEnum):
    LOCK = "lock"
    DATABASE_LOCK = "database lock"
    DATABASE = "database"
    PERMIT = "permit"


# What each event shows to be over.
_ENDS = {
    "locked": {Awaited.LOCK, Awaited.DATABASE},
    "permitted": {Awaited.PERMIT, Awaited.DATABASE},
    "applying": {Awaited.LOCK, Awaited.DATABASE, Awaited.PERMIT},
    "applied": {Awaited.DATABASE_LOCK},
    "succeeded": {Awaited.LOCK, Awaited.DATABASE, Awaited.PERMIT, Awaited.DATABASE_LOCK},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """`why` is the gate's own word."""

    container: str
    what: Awaited
    why: str | None
    holders: Sequence[DatabaseSession] = ()


def read_wait(release: str, container: str, lines: Iterable[str]) -> Wait | None:
    """What the gate waits for, by its last reports; None if it is not known to wait."""
    wait: Wait | None = None
    for event in events(release, container, lines):
        kind = event["event"]
        if kind == "waiting":
            wait = _wait(container, event) or wait
        elif kind == "database":
            is_down = event.get("state") == "down"
            why = plain_text(event.get("error"))
            wait = Wait(container=container, what=Awaited.DATABASE, why=why) if is_down else None
        elif wait is not None and wait.what in _ENDS.get(kind, ()):
            wait = None
    return wait


def _wait(container: str, event: Mapping[str, Any]) -> Wait | None:
    awaited = event.get("for")
    if not isinstance(awaited, list) or not awaited:
        return None
    if awaited[0] not in (Awaited.LOCK, Awaited.DATABASE_LOCK, Awaited.PERMIT):
        return None  # other containers, which report for themselves
    return Wait(
        container=container,
        what=Awaited(awaited[0]),
        why=plain_text(event.get("why")),
        holders=holders_of(event),
    )
