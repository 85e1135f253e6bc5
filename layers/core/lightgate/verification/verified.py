"""The result of VerifyRelease: whether a version is healthy, and whether to roll back."""

from dataclasses import dataclass

from lightgate.verification.health import WatchProgress, WatchStatus, summary

NO_CHECK = "It was not checked."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The health of a version; `reason` says why it was not checked.

    `needs_rollback`: the version is live and unhealthy, or the migrations of one that never served
    may have to be reversed, so RollBack decides about it next. While
    the status is WATCHING, the next check is due after `poll_seconds`.
    """

    status: WatchStatus
    version: int | None
    watch: WatchProgress | None = None
    reason: str | None = None
    needs_rollback: bool = False
    poll_seconds: int | None = None

    def is_good(self, version: int) -> bool:
        return self.status is WatchStatus.GOOD and self.version == version

    def is_bad(self, version: int) -> bool:
        return self.status is WatchStatus.FAILED and self.version == version

    @property
    def shown(self) -> str:
        """The result of the health checks, or why there were none, in whole sentences."""
        if self.watch is not None:
            return summary(self.watch)
        return self.reason or NO_CHECK
