"""Admit: may this release begin, and with which image?"""

from dataclasses import fields, replace
from datetime import datetime, timedelta

from lightgate.aws.dynamodb_releases import ReleaseRecord
from lightgate.backup.backup import BackupOrder
from lightgate.backup.restore_commands import Restoring, secrets_of
from lightgate.deployment.status import Service
from lightgate.errors import NoImageError, RefusedError
from lightgate.names import execution_name, rollback_marker, snapshot_id
from lightgate.notifications.start_notice import start_notice
from lightgate.operations.answer_gates import backs_up_first
from lightgate.operations.conclude_release import requested_app, stage_of
from lightgate.operations.prepare_release import PreparedRelease, prepare_release
from lightgate.operations.recover_abandoned import ended_holder, try_to_recover
from lightgate.operations.service_sharing import Tenancy, tenancy
from lightgate.records.outcome import RecordedOutcome
from lightgate.release.lock import (
    LONGEST_STEP,
    Claim,
    ClaimAnswer,
    ClaimStatus,
    HeldLock,
    Lock,
    LockHolder,
    claim_lock,
    whole_seconds,
)
from lightgate.release.poll_interval import wait_seconds
from lightgate.release.release import Kind, Release
from lightgate.release.request import ReleaseRequest, parse_request
from lightgate.rollback.version_history import on_record
from lightgate.runtime import Runtime
from lightgate.spec.app_spec import AppSpec
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.parser import parse_app_name
from lightgate.state import Admission, Admitted, State, Stop, StopStatus

# How long to wait before the deployment of an abandoned release is looked at again.
PAUSE = timedelta(seconds=30)


def admit(state: State, runtime: Runtime) -> Admission | Stop:
    """PROCEED with the release as it will be, or why not, or not yet.

    REFUSED with every reason known by then; QUEUED, DUPLICATE and SUPERSEDED as the turn of
    the app has it; TAKEN_OVER while something of an earlier release may still act; SETTLED
    if the release of this execution is over. Safe to repeat: whoever has its turn gets it
    again under its first id, and what is on record is said again. Every answer names the app and
    its stage, as far as they could be read.

    Raises:
        ExecutionEndedError: the execution is recorded as ended, and its outcome is not yet.
    """
    execution = state.execution
    try:
        request = parse_request(state.request)
        app = parse_app_name(request.app)
        known = runtime.releases.of_execution(app, execution)
        if known is not None and known.outcome:
            return _as_before(known.outcome)
        request = request if known is None else _same_image(request, known)
        prepared = prepare_release(request, execution, state.started_at, runtime)
        if known is not None:
            prepared = replace(prepared, release=_as_known(prepared.release, known))
        return _begin(request, prepared, state, runtime)
    except RefusedError as error:
        if isinstance(error, NoImageError) and request.pushed_tag is not None:
            runtime.logger.info("the push is an artifact and not an image", why=error.reasons)
            return Stop(status=StopStatus.DUPLICATE, reasons=tuple(error.reasons))
        runtime.logger.warning("the release is refused", reasons=error.reasons)
        asked = requested_app(state.request)
        return Stop.refused(error, app=asked, stage=stage_of(asked, runtime))


def _same_image(request: ReleaseRequest, known: ReleaseRecord) -> ReleaseRequest:
    """The request of a release on record: its tag may have moved since that was written."""
    if request.rollback_to is not None or known.admission is None:
        return request
    release = known.admission.release
    return replace(request, tag=None, digest=release.pushed_digest or release.digest)


def _as_known(release: Release, known: ReleaseRecord) -> Release:
    """The same release as the one on record, also if its tag is not in the request any more."""
    tag = known.admission.release.tag if known.admission is not None else release.tag
    return replace(release, id=known.release, tag=tag)


def _begin(
    request: ReleaseRequest, prepared: PreparedRelease, state: State, runtime: Runtime
) -> Admission | Stop:
    release, spec, service = prepared.release, prepared.spec, prepared.service
    order = _backup(spec, release, skip=request.skip_snapshot)
    poll = timedelta(seconds=spec.poll_seconds)
    history = runtime.timings.read(release.app)
    admitted = Admitted(
        app=release.app,
        stage=release.stage,
        release=release,
        database=order,
        restoring=_restoring(prepared, runtime) if order else None,
        take_snapshot=order is not None and backs_up_first(order, release, history, poll),
        history=history,
        poll_seconds=wait_seconds(poll),
        warnings=tuple(prepared.warnings),
    )
    claim = _claim(request, prepared, state.execution, runtime)
    answer = _claim_lock(claim, admitted, service, runtime)
    if answer.holder is None:
        runtime.logger.info("the release does not begin", status=answer.status, why=answer.reason)
        return Stop.of(answer)
    wait = _wait(answer.holder, release, service, runtime.now(), waited=state.waited)
    told = prepared.no_way_back
    # Only where there is something to tell at the start.
    start = start_notice(release, state.execution, told) if told and wait is None else None
    return Admission(
        **{each.name: getattr(admitted, each.name) for each in fields(admitted)},
        status="PROCEED" if wait is None else "TAKEN_OVER",
        lock=HeldLock(execution=state.execution, fence=answer.holder.fence),
        # From here on the restore point has its time: what the turn was waited for is none of it.
        admitted_at=runtime.now(),
        wait_seconds=wait_seconds(wait or timedelta()),
        start=start,
    )


def _backup(spec: AppSpec, release: Release, *, skip: bool) -> BackupOrder | None:
    """The restore point that this release takes. Without a plan nobody knows what is pending."""
    database = spec.database
    if database is None:
        return None
    mode = BackupMode.NONE if skip else database.backup
    # By hand it is asked for before anything else happens.
    is_first = not release.asking_gates or release.kind is not Kind.IMAGE
    if mode is BackupMode.WHEN_PENDING and is_first:
        mode = BackupMode.ALWAYS
    return BackupOrder(
        kind=database.kind,
        database=database.name,
        mode=mode,
        snapshot=snapshot_id(release.app, release.id),
        time_limit=timedelta(seconds=database.timeout_seconds),
    )


def _restoring(prepared: PreparedRelease, runtime: Runtime) -> Restoring:
    """What the commands that bring the database back say: noted while everything is still there."""
    spec, service = prepared.spec, prepared.service
    past = on_record(runtime.releases.versions(prepared.release.app), service)
    known = past.get(service.current.version) if service.current is not None else None
    return Restoring(
        original=prepared.database.original if prepared.database is not None else None,
        parameter=f"{runtime.settings.apps_path}/{prepared.release.app}",
        secrets=secrets_of(spec),
        digest=known.digest if known is not None else None,
    )


def _as_before(outcome: RecordedOutcome) -> Stop:
    """The answer to an execution whose release has ended: this one or another one's repeat."""
    is_of_the_lock = outcome.status in ClaimStatus
    status = StopStatus(outcome.status) if is_of_the_lock else StopStatus.SETTLED
    return Stop(status=status, reasons=(outcome.cause,))


def _claim(
    request: ReleaseRequest, prepared: PreparedRelease, execution: str, runtime: Runtime
) -> Claim:
    release = prepared.release
    asked_at = min(request.requested_at or release.started_at, release.started_at)
    at = whole_seconds(asked_at)
    moved_to, serving = None, None
    # A command brings the app no image.
    digest = release.digest if release.kind is not Kind.COMMAND else None
    pushed = release.pushed_digest or digest
    if request.pushed_tag is not None:
        points_to = runtime.registry.digest_of_tag(release.repository, request.pushed_tag)
        moved_to = points_to if points_to != release.digest else None
        serving = _served_well(release.app, prepared.service, runtime)
    return Claim(
        execution=execution,
        next_name=execution_name(release.app, digest or "", release.id),
        release=release.id,
        digest=digest,
        pushed_digest=pushed if digest else None,
        fingerprint=prepared.fingerprint,
        at=at,
        request=request.again(pushed or "", at),
        gives_way=release.kind is Kind.IMAGE,
        pushed=request.pushed_tag is not None,
        moved_to=moved_to,
        serving=serving,
    )


def _served_well(app: str, service: Service, runtime: Runtime) -> str | None:
    """The fingerprint of the release that serves, if that ended as a success."""
    if service.current is None or service.current.release is None:
        return None
    record = runtime.releases.find(app, service.current.release)
    return record.fingerprint if record is not None and record.status == "SUCCEEDED" else None


def _claim_lock(
    claim: Claim, admitted: Admitted, service: Service, runtime: Runtime
) -> ClaimAnswer:
    """Ask for the turn; what follows from the answer is on record with it.

    With the turn the service becomes the app's own.

    Raises:
        RefusedError: the service belongs to another app.
    """
    app = admitted.app
    _clean_up_after_holder(app, claim.execution, runtime)

    def rule(lock: Lock) -> tuple[Lock, tuple[ClaimAnswer, Tenancy]]:
        lets = tenancy(service, app, runtime)
        changed, answer = claim_lock(lock, replace(claim, after=lets.after))
        return changed, (answer, lets)

    answer, _ = runtime.locks.change(
        app,
        rule,
        lambda asked: runtime.releases.following(app, claim, asked[0], admitted),
        lambda asked: asked[1].conditions if asked[0].holder is not None else (),
    )
    return answer


def _clean_up_after_holder(app: str, execution: str, runtime: Runtime) -> None:
    """Free a turn whose holder has ended without anybody noticing. Nothing else frees it."""
    ended = ended_holder(app, runtime)
    # Its own execution can only seem to be over: it was redriven a moment ago.
    if ended is not None and ended.arn != execution:
        try_to_recover(app, ended, runtime)


def _wait(
    holder: LockHolder, release: Release, service: Service, now: datetime, *, waited: bool
) -> timedelta | None:
    """How long to wait until nothing of the abandoned release before can act.

    First for its functions, which outlive their execution; then for its deployment, which
    may be migrating. The latter ends by itself, and is not waited for beyond the time limit.
    """
    if holder.after is None or holder.creating:
        return None
    if not waited:
        return LONGEST_STEP
    # It may have been on its way back when it was abandoned.
    own = [service.deployment_of(m) for m in (holder.after, rollback_marker(holder.after))]
    is_over = all(before is None or before.state != "ACTIVATING" for before in own)
    if is_over or now - release.started_at >= release.deployment_timeout:
        return None
    return PAUSE
