"""All facts for the message of an ended release, from the state of its execution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from lightgate.backup.backup import BackupOrder
from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.restore_commands import (
    point_the_app,
    restore_from_snapshot,
    restore_to_moment,
)
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.gate_report import NO_GATE_REPORT, GateReport, Phase
from lightgate.migrations.compatibility import Judgement
from lightgate.migrations.reversal import reversal_of
from lightgate.names import release_id
from lightgate.outcome.durations import time_saved_by
from lightgate.outcome.outcome import Conclusion, Outcome
from lightgate.records.console_links import NOT_TAKEN, Console, ConsoleLinks, console_links
from lightgate.records.prediction import Prediction
from lightgate.records.recorded_outcome import Cost
from lightgate.release.lock import Lock
from lightgate.release.release import Release, ReleaseKind
from lightgate.release.start_command import start_command
from lightgate.release.unchecked_request import requested_version
from lightgate.rollback.version_history import (
    applied_nothing,
    may_have_changed,
    planned_judgement,
)
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.state import DeploymentProgress, Facts

_BY_RISK = 'database.backup is "by-risk", and every pending migration is compatible'
# A release whose digest is not known yet names this one.
_NO_DIGEST = f"sha256:{'0' * 64}"
_SHOWN_OF_DIGEST = slice(7, 19)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The restore point of a release: a snapshot, or a moment of a continuous backup.

    `id` is None for a continuous backup. `status` is that of the last check, with the database
    service's own word in `detail`; it is None if the status is unknown. `available_at` is None
    until the service has reported the snapshot as available. `restores_to` is the time as of which
    it has the database, and `age` how old that was when the first migration could start. `restore`
    are the commands that restore the database to a new instance, and `point_the_app` those that
    let the app use it then.
    """

    id: str | None
    available_at: datetime | None
    status: SnapshotStatus | None = None
    detail: str = ""
    restores_to: datetime | None = None
    age: timedelta | None = None
    restore: Sequence[str] = ()
    point_the_app: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveVersion:
    """The version that is live when a release has ended, with its image as far as it is known."""

    version: int
    tag: str | None = None
    digest: str | None = None

    @property
    def short(self) -> str:
        return self.tag or f"version {self.version}"

    @property
    def full(self) -> str:
        return f"{self.tag} (version {self.version})" if self.tag else f"version {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedPushes:
    """Who has paused the app, why and when. `waiting` is the push that waits, if there is one."""

    by: str
    reason: str
    at: datetime
    waiting: str | None = None

    @classmethod
    def of(cls, lock: Lock) -> Self | None:
        """None unless the app is paused."""
        pause, waiting = lock.paused, lock.waiting
        if pause is None:
            return None
        name = None
        if waiting is not None and waiting.pushed:
            name = _name(str(waiting.request["pushedTag"]), waiting.digest, waiting.release)
        return cls(by=pause.by, reason=pause.reason, at=pause.at, waiting=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known of an ended release.

    `tag` and `requested_digest` are those of the image, also if the release was not admitted.
    `live` is the version that is live now, None if there is none or if it is unknown; with
    `is_down` it is known that there is none. `failure` is why the release failed. `judgement` says
    what its migrations mean for the previous version, even if `applied_nothing` is true and no
    migration was applied. `watched` is the result of its health checks. `no_restore_point` is why
    the release had none, if that was requested. `not_applied` are the pending migrations that are
    not known to be applied, `unlisted` how many more there are whose names no report had room for.
    `take_back` are the executions that reverse the applied ones, and `why_not_back` why there are
    none; neither where nothing is known to be applied. `reversed` are those that Lightgate has
    reversed by itself. `paused` is None unless the app is paused. `prediction` is what the newest
    rehearsal of the image has measured. `links` lead to the AWS console.
    """

    app: str
    stage: str
    release: str
    repository: str | None
    digest: str | None
    reason: str | None
    warnings: Sequence[str]
    execution: str
    started_at: datetime
    ended_at: datetime
    snapshot: Snapshot | None
    version: int | None
    previous_version: int | None
    evidence: GateReport
    conclusion: Conclusion
    no_restore_point: str | None = None
    saved: timedelta = timedelta()
    pushed_digest: str | None = None
    kind: ReleaseKind = ReleaseKind.IMAGE
    failure: Diagnosis | None = None
    judgement: Judgement | None = None
    applied_nothing: bool = False
    watched: str | None = None
    not_applied: Sequence[str] = ()
    unlisted: int = 0
    take_back: Sequence[Mapping[str, object]] = ()
    why_not_back: str | None = None
    tag: str | None = None
    requested_digest: str | None = None
    command: Sequence[str] | None = None
    rollback_to: int | None = None
    live: LiveVersion | None = None
    is_down: bool = False
    cost: Cost | None = None
    paused: PausedPushes | None = None
    reversed: Sequence[str] = ()
    prediction: Prediction | None = None
    links: ConsoleLinks = field(default_factory=ConsoleLinks)

    @property
    def lacks_its_snapshot(self) -> bool:
        """Whether the release succeeded although its snapshot failed: nothing was pending."""
        return (
            self.conclusion.outcome is Outcome.SUCCEEDED
            and self.snapshot is not None
            and self.snapshot.status is SnapshotStatus.FAILED
        )

    @property
    def name(self) -> str:
        """What people call the release: its tag, else the first digits of its digest."""
        return _name(self.tag, self.digest or self.requested_digest, self.release)


def name_of(release: Release) -> str:
    """What people call a release: its tag, else the first digits of its digest."""
    return _name(release.tag, release.digest, release.id)


def _name(tag: str | None, digest: str | None, release: str) -> str:
    if tag is not None:
        return tag
    is_known = digest is not None and digest != _NO_DIGEST
    return digest[_SHOWN_OF_DIGEST] if digest is not None and is_known else release


def report_of(
    facts: Facts,
    conclusion: Conclusion,
    *,
    app: str,
    stage: str,
    kind: ReleaseKind,
    tag: str | None,
    digest: str | None,
    live: LiveVersion | None,
    is_down: bool,
    cost: Cost | None,
    console: Console,
    now: datetime,
) -> Report:
    """`app`, `kind`, `tag` and `digest` are the requested ones, for a release not admitted."""
    state, admitted, deployment = facts.state, facts.admitted, facts.deployment
    release, rollback = facts.release, state.rollback
    evidence = (deployment.gate if deployment is not None else None) or NO_GATE_REPORT
    applied = [migration.name for migration in evidence.migrations]
    reversal = reversal_of(deployment.reversals if deployment is not None else {}, applied)
    is_reversed = rollback is not None and rollback.has_reversed
    has_applied = (
        kind is ReleaseKind.IMAGE
        and bool(applied or _all_is_applied(deployment, evidence))
        and not is_reversed
    )
    not_applied = [name for name in facts.planned if name not in (*applied, *evidence.faked)]
    name = facts.unreadable or release_id(state.execution, state.started_at, None)
    if release is not None:
        name = release.id
    snapshot = _snapshot(facts)
    return Report(
        kind=kind,
        app=release.app if release is not None else app,
        stage=stage,
        release=name,
        repository=release.repository if release is not None else None,
        digest=release.digest if release is not None else None,
        pushed_digest=release.pushed_digest if release is not None else None,
        reason=release.reason if release is not None else None,
        warnings=[
            *(admitted.warnings if admitted is not None else ()),
            *(deployment.notes if deployment is not None else ()),
            *(rollback.warnings if rollback is not None else ()),
            *_warnings_of_the_snapshot(facts, conclusion),
        ],
        execution=state.execution,
        started_at=state.started_at,
        ended_at=now,
        snapshot=snapshot,
        no_restore_point=_no_restore_point(facts),
        saved=time_saved_by(facts, now),
        version=deployment.version if deployment is not None else None,
        previous_version=deployment.previous_version if deployment is not None else None,
        evidence=evidence,
        conclusion=conclusion,
        failure=facts.diagnosis,
        judgement=planned_judgement(release, deployment)
        if release is not None and deployment is not None
        else None,
        applied_nothing=release is not None and _applied_nothing(release, deployment),
        watched=_watched(facts),
        not_applied=not_applied,
        unlisted=max(0, facts.planned_count - len(not_applied) - _applied_count(evidence))
        if not_applied
        else 0,
        take_back=reversal.executions(app, release.digest, release.policy)
        if has_applied and release is not None
        else (),
        why_not_back=reversal.why_not if has_applied else None,
        tag=release.tag if release is not None else tag,
        requested_digest=digest,
        command=release.command if release is not None else None,
        rollback_to=(
            release.rollback_to if release is not None else requested_version(state.request)
        ),
        live=live,
        is_down=is_down,
        cost=cost,
        reversed=applied if is_reversed else (),
        links=console_links(
            console,
            execution=state.execution,
            release=name,
            begin=state.started_at,
            end=now,
            snapshot=_taken(snapshot, facts),
        ),
    )


def _taken(snapshot: Snapshot | None, facts: Facts) -> tuple[str, DatabaseKind] | None:
    """The snapshot, if there is one to see; None for a continuous backup."""
    order = _order(facts)
    if order is None or snapshot is None or snapshot.id is None or snapshot.status in NOT_TAKEN:
        return None
    return snapshot.id, order.kind


def _applied_count(evidence: GateReport) -> int:
    return len(evidence.migrations) + len(evidence.faked) + evidence.unlisted


def _applied_nothing(release: Release, deployment: DeploymentProgress | None) -> bool:
    """Whether the release has certainly applied nothing.

    Only CheckDeployment grants permits. So before its first answer no gate that needs one has
    begun, even if a deployment was created whose number is lost.
    """
    if deployment is None:
        return bool(release.gates) and release.asking_gates.keys() >= set(release.gates)
    return applied_nothing(release, deployment) or not may_have_changed(release, deployment)


def _all_is_applied(deployment: DeploymentProgress | None, evidence: GateReport) -> bool:
    """Whether all pending migrations are applied, also if the command does not print them."""
    is_told = deployment is not None and bool(deployment.reversals)
    return evidence.phase is Phase.SUCCEEDED and is_told


def _watched(facts: Facts) -> str | None:
    """The result of the health checks of the release's own version, if it is healthy."""
    verified, deployment = facts.state.verification, facts.deployment
    if verified is None or deployment is None:
        return None
    return verified.shown if verified.is_good(deployment.version) else None


def _snapshot(facts: Facts) -> Snapshot | None:
    """The restore point as it was last seen; None if none was begun."""
    order, found = _order(facts), facts.restore_point
    if order is None:
        return None
    if found is None:
        return _not_seen(order, facts)
    is_there = found.available_at is not None
    return Snapshot(
        id=found.id,
        status=found.status,
        detail=found.detail,
        available_at=found.available_at,
        restores_to=found.restores_to,
        age=_age(facts, found.restores_to),
        restore=_restore(order, facts, found) if is_there else (),
        point_the_app=_point_the_app(order, facts) if is_there else (),
    )


def _warnings_of_the_snapshot(facts: Facts, conclusion: Conclusion) -> Sequence[str]:
    found = facts.restore_point
    if conclusion.outcome is not Outcome.SUCCEEDED or found is None:
        return ()
    if found.status is not SnapshotStatus.FAILED:
        return ()
    return [
        f"The snapshot of this release failed: {found.detail.rstrip('.')}. No migration was "
        "pending, so the new version stays live. Check the database before the next release."
    ]


def _age(facts: Facts, restores_to: datetime | None) -> timedelta | None:
    """How old the restore point was when something may first have been applied."""
    deployment, release = facts.deployment, facts.release
    if deployment is None or release is None or restores_to is None:
        return None
    # Without a gate that needs a permit, migrations can start with the deployment.
    began_at = deployment.permitted_at if release.asking_gates else deployment.created_at
    return None if began_at is None else began_at - restores_to


def _no_restore_point(facts: Facts) -> str | None:
    order, deployment = _order(facts), facts.deployment
    if order is None:
        return None
    if order.mode is BackupMode.BY_RISK:
        is_without = facts.restore_point is None and deployment is not None and deployment.permitted
        return _BY_RISK if is_without else None
    if order.mode is not BackupMode.NONE:
        return None
    request = facts.state.request
    skipped = isinstance(request, Mapping) and request.get("skipSnapshot")
    return '"skipSnapshot" was asked for' if skipped else 'database.backup is "none"'


def _order(facts: Facts) -> BackupOrder | None:
    return facts.admitted.database if facts.admitted is not None else None


def _not_seen(order: BackupOrder, facts: Facts) -> Snapshot | None:
    """The one that a step may have started whose answer is lost."""
    is_cut_off = facts.stopped is not None or facts.state.error is not None
    if not is_cut_off or not order.mode.takes_a_snapshot:
        return None
    return Snapshot(
        id=order.snapshot,
        status=None,
        available_at=None,
        restore=_restore(order, facts, None),
        point_the_app=_point_the_app(order, facts),
    )


def _restore(order: BackupOrder, facts: Facts, found: SnapshotProgress | None) -> Sequence[str]:
    """The commands that restore it. Without `found` it is the snapshot that was asked for."""
    if facts.admitted is None:
        return ()
    release, restore_input = facts.admitted.release.id, facts.admitted.restore_input
    name, original = order.database, restore_input.original if restore_input else None
    snapshot = order.snapshot if found is None else found.id
    if snapshot is not None:
        return restore_from_snapshot(order.kind, name, release, snapshot, original)
    if found is None or found.restores_to is None:
        return ()
    return restore_to_moment(order.kind, name, release, found.restores_to, original)


def _point_the_app(order: BackupOrder, facts: Facts) -> Sequence[str]:
    admitted = facts.admitted
    if admitted is None or admitted.restore_input is None:
        return ()
    release, digest = admitted.release.id, admitted.restore_input.digest
    request = {"app": admitted.release.app, "digest": digest}
    start = None if digest is None else start_command(facts.state.execution, request)
    return point_the_app(order.kind, order.database, release, admitted.restore_input, start)
