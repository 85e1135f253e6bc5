"""The readable record of an ended release, from the same facts as its message."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.gate_report import GateReport
from lightgate.migrations.plan import FROM_GOOD_TO_BAD, Plan
from lightgate.names import rollback_marker
from lightgate.notifications.email import cause, headline, next_steps, opening
from lightgate.notifications.report import LiveVersion, Report, Snapshot
from lightgate.outcome.outcome import Outcome
from lightgate.outcome.reversal_end import how_the_reversal_ended
from lightgate.outcome.stages import stages_of
from lightgate.records.release_record import (
    MigrationStatus,
    ReadableRecord,
    RecordedHealth,
    RecordedLive,
    RecordedMigration,
    RecordedSnapshot,
    RecordKind,
    StageName,
    StartedBy,
)
from lightgate.records.starter import starter_of
from lightgate.release.unchecked_request import requested_starter
from lightgate.spec.effect import Effect
from lightgate.state import Facts, RollbackProgress
from lightgate.verification.health import WatchProgress

# An item of DynamoDB has 400 KB, and the message needs a part of it. The evidence has all of them.
_MOST_MIGRATIONS = 300


def ended_record(
    report: Report,
    facts: Facts,
    *,
    plans: Sequence[Plan],
    evidence: str | None,
    now: datetime,
) -> ReadableRecord:
    """`plans` are those of the gates, `evidence` the key of the evidence file."""
    release, migrations = facts.release, _migrations(report, plans)
    failure = report.failure
    code = report.conclusion.code
    told = dict(cause(report))
    return ReadableRecord(
        app=report.app,
        release=report.release,
        kind=RecordKind(report.kind),
        status=report.conclusion.outcome.value,
        started_at=report.started_at,
        stage=report.stage,
        tag=report.tag,
        digest=report.digest or report.requested_digest,
        pushed_digest=report.pushed_digest,
        repository=report.repository,
        started_by=starter_of(facts.state.request),
        who=requested_starter(facts.state.request),
        reason=report.reason,
        command=report.command,
        rollback_to=report.rollback_to,
        ended_at=report.ended_at,
        execution=report.execution,
        failure_code=_failure_code(failure) or (code.value if code is not None else None),
        summary=headline(report),
        reasons=tuple(opening(report)),
        cause=told.get("Cause"),
        evidence_line=told.get("Evidence"),
        next_steps=tuple(next_steps(report)),
        warnings=tuple(report.warnings),
        stages=stages_of(facts, now),
        migrations=migrations[:_MOST_MIGRATIONS],
        unlisted=max(report.unlisted, report.evidence.unlisted)
        + max(0, len(migrations) - _MOST_MIGRATIONS),
        snapshot=_snapshot(report.snapshot),
        no_snapshot=report.no_restore_point,
        rollback=report.judgement,
        version=report.version,
        previous_version=report.previous_version,
        live=_live(report.live),
        is_down=report.is_down,
        health=_health(facts),
        saved=report.saved,
        cost=report.cost,
        evidence=evidence,
        take_back=tuple(report.take_back),
        spec_version=release.spec_version if release is not None else None,
        prediction=report.prediction,
    )


def rollback_record(record: ReadableRecord, facts: Facts) -> ReadableRecord | None:
    """The record of the rollback that the release made; None if it deployed none.

    Its id is the marker of the rollback's deployment.
    """
    back = facts.state.rollback
    if back is None or back.version is None:
        return None
    stages = [one for one in record.stages if one.name is StageName.ROLLBACK]
    return ReadableRecord(
        app=record.app,
        release=rollback_marker(record.release),
        kind=RecordKind.ROLLBACK,
        status=(Outcome.SUCCEEDED if back.is_good else Outcome.FAILED).value,
        started_at=back.begun_at,
        stage=record.stage,
        tag=back.source.tag if back.source is not None else None,
        digest=back.source.digest if back.source is not None else None,
        repository=record.repository,
        started_by=StartedBy.RELEASE,
        reason=record.summary,
        rollback_to=back.target,
        caused_by=record.release,
        ended_at=record.ended_at,
        execution=record.execution,
        summary=_summary_of(back),
        reasons=tuple(back.reasons or how_the_reversal_ended(back)),
        next_steps=tuple(back.next_steps),
        warnings=tuple(back.warnings),
        stages=stages,
        version=back.version,
        previous_version=record.version,
        live=record.live,
        is_down=record.is_down,
        health=_watched(back.version, back.status.value if back.status else "", back.watch),
        evidence=record.evidence,
    )


def _summary_of(back: RollbackProgress) -> str:
    to = f"version {back.target}"
    if back.is_good:
        return f"{to.capitalize()} is live again as version {back.version}."
    return f"The rollback to {to} with version {back.version} failed."


def _failure_code(failure: Diagnosis | None) -> str | None:
    return failure.kind.value if failure is not None else None


def _snapshot(found: Snapshot | None) -> RecordedSnapshot | None:
    if found is None:
        return None
    return RecordedSnapshot(
        id=found.id,
        status=found.status.value if found.status is not None else None,
        detail=found.detail or None,
        available_at=found.available_at,
        restores_to=found.restores_to,
    )


def _health(facts: Facts) -> RecordedHealth | None:
    verified = facts.state.verification
    if verified is None:
        return None
    return _watched(verified.version, verified.status.value, verified.watch)


def _watched(version: int | None, status: str, seen: WatchProgress | None) -> RecordedHealth:
    if seen is None:
        return RecordedHealth(version=version, status=status)
    return RecordedHealth(
        version=version,
        status=status,
        checks=seen.total,
        failed=seen.bad,
        slowest=seen.slowest,
        problem=seen.problem,
    )


def _live(found: LiveVersion | None) -> RecordedLive | None:
    if found is None:
        return None
    return RecordedLive(version=found.version, tag=found.tag, digest=found.digest)


def _migrations(report: Report, plans: Sequence[Plan]) -> Sequence[RecordedMigration]:
    """Those that were applied, the one that failed, and the rest of the plan, in this order."""
    gate = report.evidence
    effects = _effects_of(plans)
    operations = _operations(plans)
    failed = gate.failure.migration if gate.failure is not None else None
    seconds = {one.name: one.seconds for one in gate.migrations}
    names = [*seconds, *([failed] if failed else []), *gate.faked, *effects, *report.not_applied]
    return tuple(
        RecordedMigration(
            name=name,
            status=_status(name, failed, seconds, report, gate),
            effect=effects.get(name),
            operations=operations.get(name, ()),
            seconds=seconds.get(name),
        )
        for name in dict.fromkeys(names)
    )


def _status(
    name: str,
    failed: str | None,
    applied: Mapping[str, float | None],
    report: Report,
    gate: GateReport,
) -> MigrationStatus:
    if name in report.reversed:
        return MigrationStatus.REVERSED
    if name in applied:
        return MigrationStatus.APPLIED
    if name == failed:
        return MigrationStatus.FAILED
    if name in gate.faked:
        return MigrationStatus.RECORDED
    if report.applied_nothing or gate.has_undone_the_rest:
        return MigrationStatus.NOT_APPLIED
    return MigrationStatus.UNKNOWN


def _effects_of(plans: Iterable[Plan]) -> dict[str, Effect | None]:
    """The worst effect of each planned migration; None where the report had no room for it."""
    effects: dict[str, Effect | None] = {}
    for plan in plans:
        rest = None if plan.untold else Effect.COMPATIBLE
        for name in plan.names:
            effects.setdefault(name, rest)
        for one in plan.operations:
            known = effects.get(one.migration) or Effect.COMPATIBLE
            effects[one.migration] = max(known, one.effect, key=FROM_GOOD_TO_BAD.index)
    return effects


def _operations(plans: Iterable[Plan]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for plan in plans:
        for one in plan.operations:
            told = found.setdefault(one.migration, [])
            if str(one) not in told:
                told.append(str(one))
    return found
