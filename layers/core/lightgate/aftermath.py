"""What came after a release's deployment had ended: whether it works, and the rollback."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lightgate.gate_log import Evidence
from lightgate.outage import Checks
from lightgate.past import Source
from lightgate.verification import Watched, WatchStatus, summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What VerifyRelease has found out about a version; `reason` says why there is nothing.

    `go_back` says that the version serves and must not go on doing so by itself. While the status
    is WATCHING, it is looked at again after `poll_seconds`.
    """

    status: WatchStatus
    version: int | None
    watch: Watched | None = None
    reason: str | None = None
    go_back: bool = False
    poll_seconds: int | None = None

    def is_good(self, version: int) -> bool:
        return self.status is WatchStatus.GOOD and self.version == version

    def is_bad(self, version: int) -> bool:
        return self.status is WatchStatus.FAILED and self.version == version

    @property
    def shown(self) -> str:
        """What the rounds have shown, or why there were none, in whole sentences."""
        return _shown(self.watch, self.reason)


class RollbackStatus(enum.StrEnum):
    """How a rollback stands. The first three are checked again.

    GOOD: the old version was deployed again and verified. FAILED: it was not, or does not do its
    work either. KEPT and IMPOSSIBLE leave the new version where it is, and the choice to people.
    REPLACED and LOST: this is not the release's to decide any more.
    """

    BUSY = "BUSY"
    ACTIVATING = "ACTIVATING"
    WATCHING = "WATCHING"
    GOOD = "GOOD"
    FAILED = "FAILED"
    KEPT = "KEPT"
    IMPOSSIBLE = "IMPOSSIBLE"
    REPLACED = "REPLACED"
    LOST = "LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class WentBack:
    """What RollBack has come to. `version` is the new deployment of the version `target`.

    Only GOOD says that it serves and was verified. `reasons`, `next_steps` and `notes` are those
    that people are told. `status` is None before the first decision.
    """

    status: RollbackStatus | None
    target: int | None = None
    version: int | None = None
    reasons: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    notes: Sequence[str] = ()
    gate: Evidence | None = None
    watch: Watched | None = None

    @property
    def is_good(self) -> bool:
        return self.status is RollbackStatus.GOOD and self.version is not None

    @property
    def shown(self) -> str:
        return _shown(self.watch, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackProgress(WentBack):
    """The same from one call of RollBack to the next.

    `release` is the marker of the deployment that brings the old version back, `source` what is on
    record of that version. `denied_at` is when its secrets were first denied.
    """

    begun_at: datetime
    poll_seconds: int
    release: str
    source: Source | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    denied_at: datetime | None = None
    warnings: Sequence[str] = ()
    checks: Checks = field(default_factory=Checks)


def _shown(watch: Watched | None, reason: str | None) -> str:
    if watch is not None:
        return summary(watch)
    return reason or "Nobody has asked it."
