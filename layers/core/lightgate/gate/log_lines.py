"""The lines that a gate writes into its log: which are its own, and what in them may be shown."""

import contextlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from lightgate.gate.masking import Mask

_LONGEST_LINE = 500


# How each line of a gate begins. A supervisor lets no line of its command begin so.
_BEGINNING = '{"lightgate": 1, '


def reports(lines: Iterable[str], mask: Mask) -> list[str]:
    """The lines that a gate may have written, without secrets. All other lines are left out.

    An app can imitate such a line and put a secret into it. So every line of a log or
    a gate channel passes through here before any other code reads it.
    """
    masked = []
    for line in lines:
        event = _read(line)
        if event is None:
            continue
        with contextlib.suppress(RecursionError):
            shown = {k: v if k in _NEVER_SHOWN else mask.json(v) for k, v in event.items()}
            masked.append(json.dumps(shown))
    return masked


# Lightgate only compares these with known values, or reads them as a moment.
_NEVER_SHOWN = ("lightgate", "release", "container", "event", "at")


def events(release: str, container: str, lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """The events of one gate, from its log or its channel. All other lines are left out."""
    for line in lines:
        event = _read(line)
        if (
            event is not None
            and event.get("release") == release
            and event.get("container") == container
            and isinstance(event.get("event"), str)
        ):
            yield event


def _read(line: str) -> dict[str, Any] | None:
    if not line.startswith(_BEGINNING):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and event.get("lightgate") == 1 else None


def plain_text(value: object, longest: int = _LONGEST_LINE) -> str | None:
    """A line of text without control characters, which a terminal would obey."""
    if not isinstance(value, str) or not value:
        return None
    return "".join(c if c.isprintable() else " " for c in value[:longest])


def moment_of(value: object) -> str | None:
    """A moment in UTC. A time without its offset is none, and cannot be compared with any."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC).isoformat() if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
