"""The state of an execution: its input and the answers of its steps.

Each step reads a `State` and answers with one of these values. A step that ends the release answers
with a `Stop`.
"""

import contextlib
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, Self

from lightgate.backup.backup import BackupOrder
from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.restore_commands import RestoreInput
from lightgate.backup.timings import Timings
from lightgate.codec import DecodeError, decode
from lightgate.deployment.status import Status
from lightgate.diagnosis.gate_waits import Wait
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.gate_report import GateReport
from lightgate.migrations.compatibility import Judgement
from lightgate.migrations.outside import Outside, RecordedMigrations
from lightgate.migrations.permit import VoidCause
from lightgate.migrations.reversal import Doubt, Reversal
from lightgate.outage import Checks
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.version import VersionSource
from lightgate.release.lock import HeldLock, LockAnswer
from lightgate.release.poll_interval import Observed
from lightgate.release.release import Release
from lightgate.verification.health import WatchProgress, summary
from lightgate.verification.verified import Verified


class StopStatus(enum.StrEnum):
    """Why a release does not go on after a step.

    RECORDED: its outcome is on record already. LOST: another release has its lock.
    """

    REFUSED = "REFUSED"
    QUEUED = "QUEUED"
    DUPLICATE = "DUPLICATE"
    SUPERSEDED = "SUPERSEDED"
    LOST = "LOST"
    RECORDED = "RECORDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The answer of a step with which the release does not go on.

    `code` is that of a refusal. Admit adds the app and its stage as far as it could read them.
    """

    status: StopStatus
    reasons: tuple[str, ...]
    code: RefusalCode | None = None
    app: str | None = None
    stage: str | None = None

    @classmethod
    def of(cls, answer: LockAnswer) -> Self:
        """Why the deployment lock does not let the release go on."""
        return cls(status=StopStatus(answer.status), reasons=(answer.reason,))

    @classmethod
    def refused(
        cls, error: RefusedError, *advice: str, app: str | None = None, stage: str | None = None
    ) -> Self:
        """`advice` stands after the reasons."""
        return cls(
            status=StopStatus.REFUSED,
            reasons=(*error.reasons, *advice),
            code=error.code,
            app=app,
            stage=stage,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to publish while the release goes on."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The decisions of Admit. They are recorded, and stay fixed for the whole release.

    `database` is the restore point to take, None without a database. `restore_input` has the
    facts for the restore commands. `take_snapshot`: it is taken before the deployment is created.
    """

    app: str
    stage: str
    release: Release
    database: BackupOrder | None
    restore_input: RestoreInput | None
    take_snapshot: bool
    history: Timings
    poll_seconds: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission(Admitted):
    """The answer of Admit to a release that has the lock.

    TAKEN_OVER: an abandoned release may still act, so wait for `wait_seconds`.
    """

    status: Literal["PROCEED", "TAKEN_OVER"]
    lock: HeldLock
    admitted_at: datetime
    wait_seconds: int
    start: Notice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceBusy:
    """The answer of Deploy while the container service takes no deployment."""

    status: Literal["BUSY"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentProgress:
    """The deployment of a release, and what its gates have reported so far.

    `created_at` is Lightsail's time, `ended_at` the time of the check that first showed the end,
    `ready_at` of the one that first showed a plan, `opened_at` of the one that first showed that
    the gates have opened. `node_start` is the time from the creation to the plan, `end` the time
    from the open gates to the end. `permitted_at` is when the first gate got its permit.
    `judgements` and `reversals` have one entry for each gate that has reported a plan.
    `pending`: a gate has, or had, migrations to apply. `permitted`: a gate may have begun.
    `unknown` names the permits that could not be read or written at the last check. `refusal` is
    why the release must end as refused, `refusal_cause` its code. `snapshot` is the restore point,
    once a gate has asked for a permit. `recorded` is what each gate has reported of the record of
    its database, `outside` what was applied past the gates. `notice` says that the migrations have
    failed, until that was published.
    """

    status: Status
    version: int
    previous_version: int | None
    created_at: datetime
    poll_seconds: int
    pending: bool
    permitted: bool
    unknown: tuple[str, ...]
    ended_at: datetime | None = None
    ready_at: datetime | None = None
    node_start: Observed | None = None
    opened_at: datetime | None = None
    end: Observed | None = None
    permitted_at: datetime | None = None
    checks: Checks = field(default_factory=Checks)
    notes: tuple[str, ...] = ()
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    reversals: Mapping[str, Reversal] = field(default_factory=dict)
    waits: tuple[Wait, ...] = ()
    refusal: str | None = None
    refusal_cause: VoidCause | None = None
    judgement: Judgement | None = None
    gate: GateReport | None = None
    snapshot: SnapshotProgress | None = None
    recorded: Mapping[str, RecordedMigrations] = field(default_factory=dict)
    outside: Outside = field(default_factory=Outside)
    notice: Notice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How often the steps with one answer were called, and how long they ran in all."""

    calls: int = 0
    milliseconds: int = 0

    def more(self, milliseconds: int) -> "Usage":
        """The same after one more call."""
        return Usage(calls=self.calls + 1, milliseconds=self.milliseconds + milliseconds)


class RollbackStatus(enum.StrEnum):
    """The state of a rollback. The first three are checked again.

    GOOD: the old version was deployed again and is healthy. FAILED: it could not be deployed, or is
    unhealthy too. KEPT and IMPOSSIBLE: the new version stays live, and people choose. NOT_REVERSED:
    the new version never served, and its migrations stay, because a condition of an automatic
    reversal does not hold. REPLACED and LOST: another deployment or release has taken over.
    """

    BUSY = "BUSY"
    ACTIVATING = "ACTIVATING"
    WATCHING = "WATCHING"
    GOOD = "GOOD"
    FAILED = "FAILED"
    KEPT = "KEPT"
    IMPOSSIBLE = "IMPOSSIBLE"
    NOT_REVERSED = "NOT_REVERSED"
    REPLACED = "REPLACED"
    LOST = "LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalProgress:
    """The reversal of the release's migrations, which a deployment of the old version waits for.

    `doubts` are why there is none. `call` is the command that reverses `migrations`, `deployment`
    its permit and its reports so far. `is_done`: the schema and the recorded migrations are as they
    were before the release.
    """

    doubts: Sequence[Doubt] = ()
    migrations: Sequence[str] = ()
    call: Sequence[str] = ()
    deployment: DeploymentProgress | None = None
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """The result of RollBack. `version` is the new deployment of the version `target`.

    Only with GOOD it is live and verified. `reasons`, `next_steps` and `notes` are sentences for
    the message. `status` is None before the first decision.
    """

    status: RollbackStatus | None
    target: int | None = None
    version: int | None = None
    reasons: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    notes: Sequence[str] = ()
    gate: GateReport | None = None
    watch: WatchProgress | None = None
    reversal: ReversalProgress | None = None

    @property
    def is_good(self) -> bool:
        return self.status is RollbackStatus.GOOD and self.version is not None

    @property
    def has_reversed(self) -> bool:
        """Whether the migrations of the release are reversed, and the old version is healthy."""
        return self.is_good and self.reversal is not None and self.reversal.is_done

    @property
    def shown(self) -> str:
        return summary(self.watch) if self.watch is not None else "No health check was made."


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackProgress(RollbackResult):
    """The same from one call of RollBack to the next.

    `release` is the marker of the rollback's deployment, `source` comes from the record of the old
    version. `denied_at` is when access to its secrets was first denied.
    """

    begun_at: datetime
    poll_seconds: int
    release: str
    source: VersionSource | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    denied_at: datetime | None = None
    warnings: Sequence[str] = ()
    checks: Checks = field(default_factory=Checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeWait:
    """The answer of RecordOutcome while a gate may still act on a permit that cannot be voided."""

    status: Literal["NOT_YET"]
    wait_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalOutcome:
    """The outcome on record, and whether its message still has to be sent.

    `fence` is that of the release's lock, 0 if it never had it. `snapshot` is the restore point
    when the release ended.
    """

    app: str
    stage: str
    release: str
    status: EndStatus
    cause: str
    subject: str
    message: str
    publish: bool
    fence: int
    snapshot: SnapshotProgress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the execution ends, and why."""

    status: EndStatus
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Which snapshots were deleted, which could not be, and why none were searched."""

    deleted: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of an execution. `request` is its input, which may be anything.

    `waited`: the wait for an abandoned release is over. `started` and `failed_migration` are the
    answers of SNS to PublishStart and PublishFailedMigration, `error` the error that Step Functions
    caught. The state machine writes the last three if no outcome could be recorded; no step reads
    them.
    """

    request: Any
    execution: str
    started_at: datetime
    waited: bool = False
    admission: Admission | Stop | None = None
    started: Any = None
    snapshot: SnapshotProgress | Stop | None = None
    deployment: DeploymentProgress | ServiceBusy | Stop | None = None
    failed_migration: Any = None
    verification: Verified | None = None
    rollback: RollbackProgress | None = None
    outcome: FinalOutcome | OutcomeWait | None = None
    end: End | None = None
    pruned: Pruned | None = None
    error: Any = None
    named: Any = None
    undetermined: Any = None
    forms: Any = None
    usage: Mapping[str, Usage] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Raises DecodeError with the path for a state that this version cannot read.

        Each answer of a step has its `usage` beside it.
        """
        usage, answers = {}, dict(document)
        for key in STEPS_BY_ANSWER:
            answer = answers.get(key)
            if isinstance(answer, dict) and "usage" in answer:
                usage[key] = answer["usage"]
                answers[key] = {k: v for k, v in answer.items() if k != "usage"}
        return decode(cls, {**answers, "usage": usage} if usage else answers)

    @classmethod
    def read_at_the_end(cls, document: Mapping[str, Any]) -> Self:
        """The same for the steps that end a release: they must work with any state.

        Answers that another version of Lightgate has written and this one cannot read are left
        out, and become an error of the release.
        """
        try:
            return cls.read(document)
        except DecodeError as error:
            unreadable = {"Error": "DecodeError", "Cause": str(error)}
        known = {key: document[key] for key in ("request", "execution", "startedAt")}
        known["error"] = document.get("error", unreadable)
        for key, answer in document.items():
            with contextlib.suppress(DecodeError):
                cls.read({**known, key: answer})
                known[key] = answer
        return cls.read(known)

    @property
    def stop(self) -> Stop | None:
        """The first answer with which the release did not go on; None if there is none."""
        answers = (getattr(self, field.name) for field in fields(self))
        return next((one for one in answers if isinstance(one, Stop)), None)

    @property
    def admitted(self) -> Admission:
        """The answer of Admit; only for the steps after it."""
        if isinstance(self.admission, Admission):
            return self.admission
        raise LookupError("the release was not admitted")

    @property
    def created(self) -> DeploymentProgress:
        """The deployment; only for steps that come after it was created."""
        if isinstance(self.deployment, DeploymentProgress):
            return self.deployment
        raise LookupError("no deployment was created")


# The steps, by the field in which the state machine puts their answers.
STEPS_BY_ANSWER: Mapping[str, Sequence[str]] = {
    "admission": ("admit",),
    "snapshot": ("take_snapshot", "check_snapshot"),
    "deployment": ("deploy", "check_deployment"),
    "verification": ("verify_release",),
    "rollback": ("roll_back",),
    "outcome": ("record_outcome",),
    "end": ("start_next",),
    "pruned": ("prune_snapshots",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of an ended execution, for its outcome and its message.

    `recorded` is the admission on record, also if the answer of Admit is lost. `unreadable` is
    the release on record if this version of Lightgate cannot read its admission. `stopped` is the
    status with which Step Functions ended it before it could end its release. `diagnosis` says why
    the release failed, `planned` which migrations were pending, `planned_count` how many.
    `began_at` is when RecordOutcome began; None if the execution has ended without it.
    """

    state: State
    recorded: Admitted | None = None
    unreadable: str | None = None
    stopped: str | None = None
    diagnosis: Diagnosis | None = None
    planned: Sequence[str] = ()
    planned_count: int = 0
    began_at: datetime | None = None

    @property
    def admitted(self) -> Admitted | None:
        """The admission of the release; None if it was not admitted."""
        answer = self.state.admission
        return answer if isinstance(answer, Admitted) else self.recorded

    @property
    def release(self) -> Release | None:
        return self.admitted.release if self.admitted is not None else None

    @property
    def deployment(self) -> DeploymentProgress | None:
        """The deployment, if the execution knows of it."""
        found = self.state.deployment
        return found if isinstance(found, DeploymentProgress) else None

    @property
    def restore_point(self) -> SnapshotProgress | None:
        """The restore point as it was last seen; None if none was begun."""
        first, end = self.state.snapshot, self.state.outcome
        last = end.snapshot if isinstance(end, FinalOutcome) else None
        later = self.deployment.snapshot if self.deployment is not None else None
        return last or later or (first if isinstance(first, SnapshotProgress) else None)
