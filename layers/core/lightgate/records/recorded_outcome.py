"""What goes on record of the end of a release."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import RefusalCode
from lightgate.migrations.compatibility import Judgement
from lightgate.records.version import VersionRecord


class EndStatus(enum.StrEnum):
    """How an execution has ended: with an outcome, or without a release of its own.

    LOST: another release has its lock. RECORDED: its outcome was on record before.
    """

    SUCCEEDED = "SUCCEEDED"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"
    QUEUED = "QUEUED"
    DUPLICATE = "DUPLICATE"
    LOST = "LOST"
    RECORDED = "RECORDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A message for the topic. `message` has one text for each protocol, as JSON."""

    app: str
    stage: str
    status: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a release has cost. `priced` says where and when the prices were valid."""

    dollars: float
    transitions: int
    calls: int
    milliseconds: int
    priced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOutcome:
    """How a release ended, and the message that tells of it.

    One that ended without the lock, as QUEUED for one, has no message: all but the first four are
    missing then. `code` is that of a refusal. `versions` are those that it has made. `saved` is by
    how much it was shorter than one that waits for its snapshot first. `snapshot` is the status of
    its restore point when it ended. `cost` is missing if the execution was ended by others.
    """

    app: str
    release: str
    status: EndStatus
    cause: str
    stage: str | None = None
    subject: str | None = None
    message: str | None = None
    warnings: Sequence[str] = ()
    failure: Diagnosis | None = None
    code: RefusalCode | None = None
    judgement: Judgement | None = None
    versions: Sequence[VersionRecord] = ()
    saved: timedelta | None = None
    snapshot: SnapshotStatus | None = None
    cost: Cost | None = None

    @property
    def publication(self) -> Publication | None:
        """The message; None if it has none."""
        if self.subject is None or self.message is None:
            return None
        return Publication(
            app=self.app,
            stage=self.stage or "unknown",
            status=self.status,
            subject=self.subject,
            message=self.message,
        )
