"""Admit: check the release, acquire the deployment lock, and fix the image to deploy."""

from dataclasses import fields, replace
from datetime import datetime, timedelta

from lightgate.aws.dynamodb_releases import ReleaseRecord
from lightgate.backup.backup import BackupOrder
from lightgate.backup.restore_commands import RestoreInput, secrets_of
from lightgate.deployment.status import Service
from lightgate.errors import NoImageError, RefusedError
from lightgate.names import execution_name, rollback_marker, snapshot_id
from lightgate.notifications.start_notice import start_notice
from lightgate.operations.answer_gates import backs_up_first
from lightgate.operations.app_stage import stage_of
from lightgate.operations.prepare_release import PreparedRelease, prepare_release
from lightgate.operations.queue_rehearsal import needs_rehearsal
from lightgate.operations.recover_abandoned import ended_holder, try_to_recover
from lightgate.operations.service_sharing import Tenancy, tenancy
from lightgate.records.recorded_outcome import EndStatus, RecordedOutcome
from lightgate.release.lock import LONGEST_STEP, HeldLock, Lock, LockAnswer, LockHolder, LockRequest
from lightgate.release.lock_rules import acquire_lock, whole_seconds
from lightgate.release.poll_interval import wait_seconds
from lightgate.release.release import Release, ReleaseKind
from lightgate.release.request import ReleaseRequest, parse_request
from lightgate.release.unchecked_request import requested_app
from lightgate.rollback.version_history import listed_records
from lightgate.runtime import Runtime
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_app_name
from lightgate.state import Admission, Admitted, State, Stop, StopStatus

# The time between two checks of the deployment of an abandoned release.
_PAUSE = timedelta(seconds=30)


def admit(state: State, runtime: Runtime) -> Admission | Stop:
    """PROCEED with the release, or why it does not start, or that it has to wait.

    REFUSED has every reason known by then. QUEUED, DUPLICATE and SUPERSEDED come from the
    deployment lock. TAKEN_OVER: an abandoned release may still act, so wait. RECORDED: the outcome
    of this execution is on record already. Idempotent: a release that has the lock keeps it and its
    id, and a recorded outcome is repeated. Every answer names the app and its stage, as far as they
    could be read.

    Raises:
        ExecutionEndedError: the execution is recorded as ended, and its outcome is not yet.
    """
    execution = state.execution
    try:
        request = parse_request(state.request)
        app = parse_app_name(request.app)
        known = runtime.releases.of_execution(app, execution)
        if known is not None and known.outcome:
            return _recorded_stop(known.outcome)
        request = request if known is None else _with_recorded_image(request, known)
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


def _with_recorded_image(request: ReleaseRequest, known: ReleaseRecord) -> ReleaseRequest:
    """The request with the image on record: its tag may have moved since."""
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
    order = _backup_order(spec, release, skip=request.skip_snapshot)
    poll = timedelta(seconds=spec.poll_seconds)
    history = runtime.timings.read(release.app)
    admitted = Admitted(
        app=release.app,
        stage=release.stage,
        release=release,
        database=order,
        restore_input=_restore_input(prepared, runtime) if order else None,
        take_snapshot=order is not None and backs_up_first(order, release, history, poll),
        history=history,
        poll_seconds=wait_seconds(poll),
        warnings=tuple(prepared.warnings),
    )
    lock_request = _lock_request(request, prepared, state.execution, runtime)
    answer = _acquire_lock(lock_request, admitted, service, runtime)
    if answer.holder is None:
        runtime.logger.info("the release does not begin", status=answer.status, why=answer.reason)
        return Stop.of(answer)
    wait = _wait(answer.holder, release, service, runtime.now(), waited=state.waited)
    reason = prepared.no_rollback_reason
    # Subscribers get a message at the start only if automatic rollback is not available.
    start = None
    if reason and wait is None:
        start = start_notice(release, state.execution, reason, runtime.settings.console)
    return Admission(
        **{each.name: getattr(admitted, each.name) for each in fields(admitted)},
        status="PROCEED" if wait is None else "TAKEN_OVER",
        lock=HeldLock(execution=state.execution, fence=answer.holder.fence),
        # The time limit of the restore point starts now: waiting for the lock does not count.
        admitted_at=runtime.now(),
        wait_seconds=wait_seconds(wait or timedelta()),
        start=start,
    )


def _backup_order(spec: AppSpec, release: Release, *, skip: bool) -> BackupOrder | None:
    """The restore point that this release needs; None without a database."""
    database = spec.database
    if database is None:
        return None
    mode = BackupMode.NONE if skip else database.backup
    # Without a plan, pending migrations are unknown. A person's release starts it first.
    is_first = not release.asking_gates or release.kind is not ReleaseKind.IMAGE
    if mode.goes_by_the_plan and is_first:
        mode = BackupMode.ALWAYS
    return BackupOrder(
        kind=database.kind,
        database=database.name,
        mode=mode,
        snapshot=snapshot_id(release.app, release.id),
        time_limit=timedelta(seconds=database.timeout_seconds),
    )


def _restore_input(prepared: PreparedRelease, runtime: Runtime) -> RestoreInput:
    """The facts for the restore commands, noted while the database and the spec still exist."""
    spec, service = prepared.spec, prepared.service
    past = listed_records(runtime.releases.versions(prepared.release.app), service)
    known = past.get(service.current.version) if service.current is not None else None
    return RestoreInput(
        original=prepared.database.original if prepared.database is not None else None,
        parameter=f"{runtime.settings.apps_path}/{prepared.release.app}",
        secrets=secrets_of(spec),
        digest=known.digest if known is not None else None,
    )


_STOPPED_BY_THE_LOCK = {
    EndStatus.QUEUED: StopStatus.QUEUED,
    EndStatus.DUPLICATE: StopStatus.DUPLICATE,
    EndStatus.SUPERSEDED: StopStatus.SUPERSEDED,
    EndStatus.LOST: StopStatus.LOST,
}


def _recorded_stop(outcome: RecordedOutcome) -> Stop:
    """The answer to an execution whose outcome is on record."""
    status = _STOPPED_BY_THE_LOCK.get(outcome.status, StopStatus.RECORDED)
    return Stop(status=status, reasons=(outcome.cause,))


def _lock_request(
    request: ReleaseRequest, prepared: PreparedRelease, execution: str, runtime: Runtime
) -> LockRequest:
    release = prepared.release
    asked_at = min(request.requested_at or release.started_at, release.started_at)
    at = whole_seconds(asked_at)
    tag_moved_to, live_fingerprint = None, None
    # A command brings the app no image.
    digest = release.digest if release.kind is not ReleaseKind.COMMAND else None
    pushed = release.pushed_digest or digest
    if request.pushed_tag is not None:
        points_to = runtime.registry.digest_of_tag(release.repository, request.pushed_tag)
        tag_moved_to = points_to if points_to != release.digest else None
        live_fingerprint = _live_fingerprint(release.app, prepared.service, runtime)
    return LockRequest(
        execution=execution,
        next_name=execution_name(release.app, digest or "", release.id),
        release=release.id,
        digest=digest,
        pushed_digest=pushed if digest else None,
        fingerprint=prepared.fingerprint,
        at=at,
        request=request.again(pushed or "", at),
        can_be_superseded=release.kind is ReleaseKind.IMAGE,
        pushed=request.pushed_tag is not None,
        tag_moved_to=tag_moved_to,
        live_fingerprint=live_fingerprint,
        needs_rehearsal=needs_rehearsal(request, release, prepared.spec, runtime),
    )


def _live_fingerprint(app: str, service: Service, runtime: Runtime) -> str | None:
    """The fingerprint of the live release, if it SUCCEEDED."""
    if service.current is None or service.current.release is None:
        return None
    record = runtime.releases.find(app, service.current.release)
    if record is None or record.status is not EndStatus.SUCCEEDED:
        return None
    return record.fingerprint


def _acquire_lock(
    lock_request: LockRequest, admitted: Admitted, service: Service, runtime: Runtime
) -> LockAnswer:
    """Request the lock. The same transaction writes the records that follow from the answer.

    With the lock the app also becomes the owner of the container service.

    Raises:
        RefusedError: the service belongs to another app.
    """
    app = admitted.app
    _clean_up_after_holder(app, lock_request.execution, runtime)

    def rule(lock: Lock) -> tuple[Lock, tuple[LockAnswer, Tenancy]]:
        sharing = tenancy(service, app, runtime)
        changed, answer = acquire_lock(lock, replace(lock_request, after=sharing.after))
        return changed, (answer, sharing)

    answer, _ = runtime.locks.change(
        app,
        rule,
        lambda asked: runtime.releases.following(app, lock_request, asked[0], admitted),
        lambda asked: asked[1].conditions if asked[0].holder is not None else (),
    )
    return answer


def _clean_up_after_holder(app: str, execution: str, runtime: Runtime) -> None:
    """Free the lock if the execution of its holder has ended without releasing it."""
    ended = ended_holder(app, runtime)
    # Its own execution cannot have ended: it was redriven a moment ago.
    if ended is not None and ended.arn != execution:
        try_to_recover(app, ended, runtime)


def _wait(
    holder: LockHolder, release: Release, service: Service, now: datetime, *, waited: bool
) -> timedelta | None:
    """How long to wait until the abandoned previous release cannot act any more; None if it cannot.

    First for its functions, which outlive their execution; then for its deployment, which may be
    migrating. The deployment ends by itself, and the time limit bounds the wait for it.
    """
    if holder.after is None or holder.creating:
        return None
    if not waited:
        return LONGEST_STEP
    # It may have been rolling back when its execution ended.
    own = [service.deployment_of(m) for m in (holder.after, rollback_marker(holder.after))]
    is_over = all(before is None or before.state != "ACTIVATING" for before in own)
    if is_over or now - release.started_at >= release.deployment_timeout:
        return None
    return _PAUSE
