"""The stages of an ended release, with the moments that its steps have seen."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.deployment.status import Status
from lightgate.gate.gate_report import Phase
from lightgate.records.release_record import ReleaseStage, StageName
from lightgate.state import Admission, DeploymentProgress, Facts


def stages_of(facts: Facts, now: datetime) -> Sequence[ReleaseStage]:
    """The stages that have begun, by their beginning.

    The moments are those at which Lightgate saw what had happened, so a stage may have ended some
    seconds before. Those of the migration are the gate's own.
    """
    found = [*_admission(facts, now), *_snapshot(facts)]
    deployment = facts.deployment
    if deployment is not None:
        found += [*_node(deployment), *_permit(deployment), *_migration(deployment)]
        found += _activation(deployment)
    found += [*_health(facts), *_rollback(facts, now)]
    return tuple(sorted(found, key=lambda stage: stage.started_at))


def _admission(facts: Facts, now: datetime) -> Iterator[ReleaseStage]:
    state, answer = facts.state, facts.state.admission
    stop = state.stop
    ended = answer.admitted_at if isinstance(answer, Admission) else None
    reason = stop.reasons[0] if stop is not None and stop.reasons and ended is None else None
    yield ReleaseStage(
        name=StageName.ADMISSION,
        started_at=state.started_at,
        ended_at=ended or (now if stop is not None else None),
        reason=reason,
    )


def _snapshot(facts: Facts) -> Iterator[ReleaseStage]:
    seen = facts.restore_point
    if seen is None or seen.id is None:
        return
    told = "available" if seen.status is SnapshotStatus.AVAILABLE else seen.detail
    yield ReleaseStage(
        name=StageName.SNAPSHOT,
        started_at=seen.begun_at,
        ended_at=seen.available_at,
        reason=f"failed: {seen.detail}" if seen.status is SnapshotStatus.FAILED else told,
    )


def _node(deployment: DeploymentProgress) -> Iterator[ReleaseStage]:
    """From the creation of the deployment to the first report of a gate."""
    yield ReleaseStage(
        name=StageName.NODE,
        started_at=deployment.created_at,
        ended_at=deployment.ready_at or deployment.ended_at,
        reason=f"version {deployment.version} created",
    )


def _permit(deployment: DeploymentProgress) -> Iterator[ReleaseStage]:
    if deployment.ready_at is None or not (deployment.permitted or deployment.refusal):
        return
    yield ReleaseStage(
        name=StageName.PERMIT,
        started_at=deployment.ready_at,
        ended_at=deployment.permitted_at or deployment.ended_at,
        reason=deployment.refusal or "granted",
    )


def _migration(deployment: DeploymentProgress) -> Iterator[ReleaseStage]:
    report = deployment.gate
    if report is None or report.began_at is None:
        return
    failure = report.failure
    count = len(report.migrations) + report.unlisted
    applied = f"{count} migration{'' if count == 1 else 's'} applied"
    ended = deployment.opened_at if report.phase is Phase.SUCCEEDED else deployment.ended_at
    yield ReleaseStage(
        name=StageName.MIGRATION,
        started_at=datetime.fromisoformat(report.began_at),
        ended_at=ended,
        reason=f"{applied}, then: {failure.error}" if failure is not None else applied,
    )


_ENDS = {Status.ACTIVE: "active", Status.FAILED: "failed", Status.OVERDUE: "not ended in time"}


def _activation(deployment: DeploymentProgress) -> Iterator[ReleaseStage]:
    """From the open gates, or else the creation, to the end of the deployment."""
    if deployment.opened_at is None and deployment.ended_at is None:
        return
    end = _ENDS.get(deployment.status)
    yield ReleaseStage(
        name=StageName.ACTIVATION,
        started_at=deployment.opened_at or deployment.ready_at or deployment.created_at,
        ended_at=deployment.ended_at,
        reason=f"version {deployment.version} {end}" if end else None,
    )


def _health(facts: Facts) -> Iterator[ReleaseStage]:
    verified = facts.state.verification
    if verified is None or verified.watch is None:
        return
    yield ReleaseStage(
        name=StageName.HEALTH,
        started_at=verified.watch.began_at,
        ended_at=verified.watch.checks.last_at,
        reason=verified.shown,
    )


def _rollback(facts: Facts, now: datetime) -> Iterator[ReleaseStage]:
    back = facts.state.rollback
    if back is None:
        return
    to = "" if back.target is None else f" to version {back.target}"
    yield ReleaseStage(
        name=StageName.ROLLBACK,
        started_at=back.begun_at,
        ended_at=now,
        reason=f"rollback{to}: {back.status or 'not decided'}",
    )
