"""What is told of an ended release, put together from the state that its execution carries."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.backup import BackupOrder
from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.restore_commands import (
    point_the_app,
    restore_from_snapshot,
    restore_to_moment,
)
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.report import NO_GATE_REPORT, GateReport, Phase
from lightgate.migrations.compatibility import Judgement
from lightgate.migrations.reversal import reversal_of
from lightgate.names import release_id
from lightgate.outcome.durations import time_saved_by
from lightgate.outcome.outcome import Conclusion
from lightgate.release.release import Kind
from lightgate.rollback.version_history import applied_nothing, planned_judgement
from lightgate.spec.database_kinds import BackupMode
from lightgate.state import DeploymentProgress, Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The restore point of a release: a snapshot, or a moment of a continuous backup.

    `id` is None for the latter. `status` is that of the last look, with the database service's
    own word in `detail`; it is None if nobody has told of one. `available_at` is None until the
    service has said so. `restores_to` is the moment as of which it has the database, and `age` how
    old that was when something may first have been applied. `restore` are the commands that bring
    that database back, beside the one that is there, and `point_the_app` those that let the app
    use it then.
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
class Report:
    """Everything that is known of an ended release.

    `failure` says why it failed, `judgement` what its migrations mean for the version before, also
    if `applied_nothing` says that none of them is applied, and `watched` what its watch period has
    shown. `no_restore_point` says why the release had none, if that was
    wanted so. `not_applied` was pending and is not known to be applied,
    `take_back` are the executions that take back what is, and `why_not_back` says why there are
    none; neither where nothing is known to be applied.
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
    kind: Kind = Kind.IMAGE
    failure: Diagnosis | None = None
    judgement: Judgement | None = None
    applied_nothing: bool = False
    watched: str | None = None
    not_applied: Sequence[str] = ()
    take_back: Sequence[str] = ()
    why_not_back: str | None = None


def report_of(
    facts: Facts, conclusion: Conclusion, *, app: str, stage: str, kind: Kind, now: datetime
) -> Report:
    """`app` and `kind` are what was asked for, should the release never have been admitted."""
    state, admitted, deployment = facts.state, facts.admitted, facts.deployment
    release, rollback = facts.release, state.rollback
    evidence = (deployment.gate if deployment is not None else None) or NO_GATE_REPORT
    applied = [migration.name for migration in evidence.migrations]
    reversal = reversal_of(deployment.reversals if deployment is not None else {}, applied)
    has_applied = kind is Kind.IMAGE and bool(applied or _all_is_applied(deployment, evidence))
    return Report(
        kind=kind,
        app=release.app if release is not None else app,
        stage=stage,
        release=release.id
        if release is not None
        else release_id(state.execution, state.started_at, None),
        repository=release.repository if release is not None else None,
        digest=release.digest if release is not None else None,
        pushed_digest=release.pushed_digest if release is not None else None,
        reason=release.reason if release is not None else None,
        warnings=[
            *(admitted.warnings if admitted is not None else ()),
            *(deployment.notes if deployment is not None else ()),
            *(rollback.warnings if rollback is not None else ()),
        ],
        execution=state.execution,
        started_at=state.started_at,
        ended_at=now,
        snapshot=_snapshot(facts),
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
        applied_nothing=release is not None
        and deployment is not None
        and applied_nothing(release, deployment),
        watched=_watched(facts),
        not_applied=[name for name in facts.planned if name not in applied],
        take_back=reversal.executions(app, release.digest, release.policy)
        if has_applied and release is not None
        else (),
        why_not_back=reversal.why_not if has_applied else None,
    )


def _all_is_applied(deployment: DeploymentProgress | None, evidence: GateReport) -> bool:
    """Whether what was told to be pending is applied, also if the command does not print it."""
    is_told = deployment is not None and bool(deployment.reversals)
    return evidence.phase is Phase.SUCCEEDED and is_told


def _watched(facts: Facts) -> str | None:
    """What the watch period of the release's own version has shown, if it went well."""
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


def _age(facts: Facts, restores_to: datetime | None) -> timedelta | None:
    """How old the restore point was when something may first have been applied."""
    deployment, release = facts.deployment, facts.release
    if deployment is None or release is None or restores_to is None:
        return None
    # Where no gate asks, nothing can have begun before the deployment was there.
    began_at = deployment.permitted_at if release.asking_gates else deployment.created_at
    return None if began_at is None else began_at - restores_to


def _no_restore_point(facts: Facts) -> str | None:
    order = _order(facts)
    if order is None or order.mode is not BackupMode.NONE:
        return None
    request = facts.state.request
    skipped = isinstance(request, Mapping) and request.get("skipSnapshot")
    return '"skipSnapshot" was asked for' if skipped else 'database.backup is "none"'


def _order(facts: Facts) -> BackupOrder | None:
    return facts.admitted.database if facts.admitted is not None else None


def _not_seen(order: BackupOrder, facts: Facts) -> Snapshot | None:
    """The one that a step may have begun whose answer is lost, as nobody has told of any."""
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
    release, restoring = facts.admitted.release.id, facts.admitted.restoring
    name, original = order.database, restoring.original if restoring else None
    snapshot = order.snapshot if found is None else found.id
    if snapshot is not None:
        return restore_from_snapshot(order.kind, name, release, snapshot, original)
    if found is None or found.restores_to is None:
        return ()
    return restore_to_moment(order.kind, name, release, found.restores_to, original)


def _point_the_app(order: BackupOrder, facts: Facts) -> Sequence[str]:
    admitted = facts.admitted
    if admitted is None or admitted.restoring is None:
        return ()
    execution = facts.state.execution
    machine = execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    digest = admitted.restoring.digest or "sha256:…"
    request = json.dumps({"app": admitted.release.app, "digest": digest}, ensure_ascii=False)
    start = (
        f"aws stepfunctions start-execution --state-machine-arn {machine}"
        f" --input {shlex.quote(request)}"
    )
    release = admitted.release.id
    return point_the_app(order.kind, order.database, release, admitted.restoring, start)
