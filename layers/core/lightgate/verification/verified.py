"""What came after a release's deployment had ended: whether it works, and the rollback."""

from dataclasses import dataclass

from lightgate.verification.health import Watched, WatchStatus, summary

NO_CHECK = "It was not checked."


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
        """The result of the health checks, or why there were none, in whole sentences."""
        if self.watch is not None:
            return summary(self.watch)
        return self.reason or NO_CHECK
