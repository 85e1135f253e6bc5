"""The readable record of a rehearsal, while it runs and after its end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lightgate.deployment.status import Status
from lightgate.errors import sentence
from lightgate.migrations.measured import Measured
from lightgate.names import release_id
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.rehearsal_words import expected_lock, lock_of, seconds_of
from lightgate.records.rehearsed import Rehearsed
from lightgate.records.release_record import (
    RELEASING,
    MigrationStatus,
    ReadableRecord,
    RecordedMigration,
    RecordKind,
)
from lightgate.records.wording import called
from lightgate.rehearsal.rehearsal_state import Place, RehearsalPlan, RehearsalRun, RehearsalState
from lightgate.release.unchecked_request import (
    UNKNOWN,
    requested_app,
    requested_digest,
    requested_starter,
    requested_tag,
)
from lightgate.state import DeploymentProgress

_FAILED_MIGRATION = "rehearsed-migration"
_LONG_LOCK = "rehearsed-lock"
_NOT_ENDED = "rehearsal-not-ended"
_UNTOUCHED = "The app's own database was not touched."
_MOST_MIGRATIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    status: EndStatus
    summary: str
    code: str | None = None
    reasons: Sequence[str] = ()


def begun_record(plan: RehearsalPlan, state: RehearsalState) -> ReadableRecord:
    """The record of a rehearsal that has begun."""
    release = plan.release
    return ReadableRecord(
        app=release.app,
        release=release.id,
        kind=RecordKind.REHEARSAL,
        status=RELEASING,
        started_at=state.started_at,
        stage=release.stage,
        tag=release.tag,
        digest=release.digest,
        repository=release.repository,
        who=release.started_by,
        reason=release.reason,
        execution=state.execution,
        warnings=plan.warnings,
        spec_version=release.spec_version,
        rehearsal=Rehearsed(
            name=plan.name, snapshot=plan.snapshot, max_lock_seconds=plan.max_lock_seconds
        ),
    )


def ended_record(state: RehearsalState, now: datetime) -> ReadableRecord:
    """The same after its end. A refused request may name no app: then `app` is empty."""
    verdict = _judge(state)
    plan = state.admission if isinstance(state.admission, RehearsalPlan) else None
    if plan is None:
        app = requested_app(state.request)
        begun = ReadableRecord(
            app=app if app != UNKNOWN else "",
            release=release_id(state.execution, state.started_at, None),
            kind=RecordKind.REHEARSAL,
            status=RELEASING,
            started_at=state.started_at,
            stage=state.refusal.stage if state.refusal is not None else None,
            tag=requested_tag(state.request),
            digest=requested_digest(state.request),
            who=requested_starter(state.request),
            execution=state.execution,
        )
    else:
        begun = begun_record(plan, state)
    run = state.run if isinstance(state.run, RehearsalRun) else None
    deployment = run.deployment if run is not None else None
    place = state.place if isinstance(state.place, Place) else None
    rehearsed = begun.rehearsal and replace(
        begun.rehearsal,
        snapshot_at=place.snapshot_at if place is not None else None,
        measured=run.measured if run is not None else None,
        is_removed=state.removal is not None and state.removal.status == "REMOVED",
    )
    return replace(
        begun,
        status=verdict.status.value,
        ended_at=now,
        failure_code=verdict.code,
        summary=verdict.summary,
        reasons=tuple(verdict.reasons),
        migrations=tuple(_migrations(deployment))[:_MOST_MIGRATIONS],
        warnings=(*begun.warnings, *(deployment.notes if deployment is not None else ())),
        rehearsal=rehearsed,
    )


def stopped_record(begun: ReadableRecord, status: str, now: datetime) -> ReadableRecord:
    """The record of a rehearsal whose execution has ended without recording it."""
    return replace(
        begun,
        status=EndStatus.FAILED.value,
        ended_at=now,
        failure_code=_NOT_ENDED,
        summary=f"The execution of the rehearsal ended as {status}. {_UNTOUCHED}",
    )


def _judge(state: RehearsalState) -> _Verdict:
    refusal = state.refusal
    if refusal is not None:
        return _Verdict(
            status=EndStatus.REFUSED,
            summary=f"The rehearsal was refused. {_UNTOUCHED}",
            code=refusal.code.value,
            reasons=refusal.reasons,
        )
    run = state.run if isinstance(state.run, RehearsalRun) else None
    deployment = run.deployment if run is not None else None
    if run is None or deployment is None or run.status != "ENDED":
        error = state.error if isinstance(state.error, dict) else {}
        named = str(error.get("Error", "an unknown error"))
        return _Verdict(
            status=EndStatus.FAILED,
            summary=f"The rehearsal could not be carried out: {named}. {_UNTOUCHED}",
            code=_NOT_ENDED,
        )
    if deployment.status is not Status.ACTIVE:
        return _failed(state.plan, deployment)
    return _succeeded(state.plan, deployment, run.measured)


def _failed(plan: RehearsalPlan, deployment: DeploymentProgress) -> _Verdict:
    failure = deployment.gate.failure if deployment.gate is not None else None
    image = called(plan.release.tag, plan.release.digest)
    if failure is None:
        what = f"The gate of {image} did not end within its time limit on the copy"
        return _Verdict(
            status=EndStatus.FAILED, summary=f"{what}. {_UNTOUCHED}", code=_FAILED_MIGRATION
        )
    migration = f"Migration {failure.migration}" if failure.migration else "The command"
    return _Verdict(
        status=EndStatus.FAILED,
        summary=f"{migration} of {image} failed on the copy. {_UNTOUCHED}",
        code=_FAILED_MIGRATION,
        reasons=tuple(filter(None, (sentence(failure.error), *failure.last_lines[-1:]))),
    )


def _succeeded(
    plan: RehearsalPlan, deployment: DeploymentProgress, measured: Measured | None
) -> _Verdict:
    image = called(plan.release.tag, plan.release.digest)
    gate = deployment.gate
    count = len(gate.migrations) + gate.unlisted if gate is not None else 0
    if not deployment.pending:
        text = f"{image} has no pending migrations for the database of the snapshot"
        return _Verdict(status=EndStatus.SUCCEEDED, summary=f"{text}. {_UNTOUCHED}")
    took = sum(one.seconds or 0 for one in measured.migrations) if measured is not None else None
    in_all = "" if took is None else f" in {seconds_of(took)}"
    applied = f"{count} {'migration' if count == 1 else 'migrations'} of {image} succeeded{in_all}"
    expected = expected_lock(measured) if measured is not None else "The locks were not measured."
    limit, longest = plan.max_lock_seconds, measured.longest_lock if measured is not None else None
    if limit is not None and longest is not None and longest.seconds > limit:
        return _Verdict(
            status=EndStatus.FAILED,
            summary=f"{applied} on the copy, and a lock was held for too long. {_UNTOUCHED}",
            code=_LONG_LOCK,
            reasons=(f"{lock_of(longest)}; rehearsal.maxLockSeconds is {limit}.",),
        )
    if limit is not None and (measured is None or measured.locks is None):
        return _Verdict(
            status=EndStatus.FAILED,
            summary=f"{applied} on the copy, and the locks were not measured. {_UNTOUCHED}",
            code=_LONG_LOCK,
            reasons=(f"Whether a lock was held for more than {limit} s is unknown.",),
        )
    return _Verdict(
        status=EndStatus.SUCCEEDED, summary=f"{applied} on the copy. {expected} {_UNTOUCHED}"
    )


def _migrations(deployment: DeploymentProgress | None) -> Sequence[RecordedMigration]:
    gate = deployment.gate if deployment is not None else None
    if gate is None:
        return ()
    done = [
        RecordedMigration(name=one.name, status=MigrationStatus.APPLIED, seconds=one.seconds)
        for one in gate.migrations
    ]
    failed = gate.failure.migration if gate.failure is not None else None
    if failed is None:
        return done
    return [*done, RecordedMigration(name=failed, status=MigrationStatus.FAILED)]
