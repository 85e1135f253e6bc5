"""The evidence of a release: what its steps have seen, for as long as its record is kept.

Lightsail forgets logs within days, and Step Functions its executions within 90 days. The evidence
holds no secret: all of it is masked when it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightgate.verification.health import HealthSample

_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDecision:
    """A decision of Lightgate's, and the reason for it. `at` is None if no step noted the time."""

    what: str
    reason: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`gates` has the events of each gate, `logs` the end of what each container wrote.

    `unread` says what could not be read: it is unknown, and not silent.
    """

    app: str
    release: str
    status: str
    schema_version: int = _SCHEMA_VERSION
    gates: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    health: Sequence[HealthSample] = ()
    rollback_health: Sequence[HealthSample] = ()
    decisions: Sequence[RecordedDecision] = ()
    unread: Sequence[str] = ()


def evidence_key(app: str, release: str) -> str:
    """The name of the evidence file in its bucket."""
    return f"{app}/{release}.json"
