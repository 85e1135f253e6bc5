"""What came after a release's deployment had ended, as the state machine carries it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from lightgate.gate_log import Evidence
from lightgate.verification import Watched, summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What VerifyRelease has found out about a version; `reason` says why there is nothing."""

    status: str
    version: int | None
    watch: Watched | None = None
    reason: str | None = None

    def is_good(self, version: int) -> bool:
        return self.status == "GOOD" and self.version == version

    def is_bad(self, version: int) -> bool:
        return self.status == "FAILED" and self.version == version

    @property
    def shown(self) -> str:
        """What the rounds have shown, or why there were none, in whole sentences."""
        return _shown(self.watch, self.reason)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            status=document["status"],
            version=document["version"],
            watch=_watched(document.get("watch")),
            reason=document.get("reason"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WentBack:
    """What RollBack has come to. `version` is the new deployment of the version `target`.

    Only GOOD says that it serves and was verified. `reasons`, `next_steps` and `notes` are those
    that people are told.
    """

    status: str
    target: int | None
    version: int | None
    reasons: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    notes: Sequence[str] = ()
    gate: Evidence | None = None
    watch: Watched | None = None

    @property
    def is_good(self) -> bool:
        return self.status == "GOOD" and self.version is not None

    @property
    def shown(self) -> str:
        return _shown(self.watch, None)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        gate = document.get("gate")
        return cls(
            status=document["status"],
            target=document.get("target"),
            version=document.get("version"),
            reasons=tuple(document.get("reasons", ())),
            next_steps=tuple(document.get("nextSteps", ())),
            notes=tuple(document.get("notes", ())),
            gate=Evidence.from_json(gate) if gate else None,
            watch=_watched(document.get("watch")),
        )


def _watched(document: Mapping[str, Any] | None) -> Watched | None:
    return Watched.from_json(document) if document else None


def _shown(watch: Watched | None, reason: str | None) -> str:
    if watch is not None:
        return summary(watch)
    return reason or "Nobody has asked it."
