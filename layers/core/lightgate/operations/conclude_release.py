"""Conclude a release: determine its outcome, record it once, and write its message.

RecordOutcome does it at the end of an execution. CleanUp and Reconcile do it for an execution that
was stopped. Both know the release by the state of its execution.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from lightgate.aws.clients import reaching
from lightgate.aws.dynamodb_releases import ReleaseRecord
from lightgate.aws.s3_gate_channel import GateAddress
from lightgate.deployment.status import Service, Status
from lightgate.errors import (
    MissingError,
    NotYetError,
    RefusedError,
    UnreachableError,
    joined,
)
from lightgate.gate.gate_report import NO_GATE_REPORT
from lightgate.migrations.permit import Permit, PermitState, VoidCause
from lightgate.notifications.formats import sns_message, subject
from lightgate.notifications.report import LiveVersion, PausedPushes, report_of
from lightgate.operations.app_stage import stage_of
from lightgate.operations.caught_error import words_of
from lightgate.operations.check_subscribers import check_subscribers
from lightgate.operations.collect_evidence import Collected
from lightgate.operations.gate_channel import end_of_permits, void_permits
from lightgate.operations.quote_rehearsal import quote_rehearsal
from lightgate.operations.release_versions import (
    deployment_back,
    deployment_of,
    judgement_before,
    own_version,
    version_back,
)
from lightgate.operations.write_record import write_record
from lightgate.outcome.conclude import conclude
from lightgate.outcome.cost import cost_of
from lightgate.outcome.deployment_end import DeploymentEnd
from lightgate.outcome.outcome import (
    Conclusion,
    Outcome,
    WayToStart,
    broken,
    gone,
    refused,
    stopped,
    superseded,
    unreadable,
    unverified,
)
from lightgate.records.recorded_outcome import EndStatus, RecordedOutcome
from lightgate.records.release_record import ReadableRecord
from lightgate.records.version import VersionRecord
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import Release, ReleaseKind
from lightgate.release.unchecked_request import (
    UNKNOWN,
    members_of,
    requested_app,
    requested_digest,
    requested_kind,
    requested_tag,
)
from lightgate.rollback.version_history import (
    applied_judgement,
    judgement_beside_the_plan,
    listed_records,
    may_have_begun,
    planned_judgement,
    records_of_release,
)
from lightgate.runtime import Runtime
from lightgate.state import Facts, RollbackProgress, StopStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """The outcome on record. `fence` is that of the release's lock, 0 if it never had it.

    `owes_message` says whether the message still has to be sent.
    """

    outcome: RecordedOutcome
    record: ReadableRecord | None
    fence: int
    owes_message: bool


def conclude_release(
    facts: Facts, runtime: Runtime, collected: Collected | None = None
) -> Concluded:
    """Record the end of the execution, and then the outcome of its release. Idempotent.

    `collected` is what its gates and containers have written, as far as that was read.

    The first outcome stands. The end is recorded first, so that a function of the execution that
    still runs cannot write a new record afterwards.

    Raises:
        MissingError: the record of the release, which must exist, could not be read.
        NotYetError: a permit could not be voided, and a gate may still act on it.
    """
    record = _record(facts, runtime)
    if record is not None and record.outcome is not None:
        app = requested_app(facts.state.request)
        owes_message = runtime.releases.owes_message(app, record.release)
        return _concluded(record, record.outcome, owes_message=owes_message)
    no_permit = None
    if record is not None:
        facts = replace(facts, recorded=record.admission)
        # The admission is recorded together with the fence.
        if record.fence > 0 and facts.release is None:
            facts = replace(facts, unreadable=record.release)
    if record is not None and facts.release is not None:
        no_permit = why_not_permitted(facts.release, runtime)
        _void_permits(facts.release, facts, runtime)
    record = _record_outcome(facts, no_permit, collected, runtime)
    if record.outcome is None:
        raise MissingError(f"the outcome of release {record.release} could not be read back")
    return _concluded(record, record.outcome, owes_message=True)


def _concluded(record: ReleaseRecord, outcome: RecordedOutcome, *, owes_message: bool) -> Concluded:
    status = record.status
    is_published = status is not None and status in Outcome and not Outcome(status).is_quiet
    return Concluded(
        outcome=outcome,
        record=record.readable,
        fence=record.fence,
        owes_message=owes_message and is_published,
    )


def _void_permits(release: Release, facts: Facts, runtime: Runtime) -> None:
    """Void the permits of the release.

    If S3 cannot be reached, wait until they have expired. Without a deployment there is no granted
    permit, because only CheckDeployment grants one.

    Raises:
        NotYetError: a permit may still stand, with the time until it expires.
    """
    try:
        void_permits(release, runtime)
    except UnreachableError as error:
        runtime.logger.warning("a permit could not be voided", why=str(error))
        service, _ = _service(facts, runtime)
        # The permit of a reversal is the last one to expire.
        made = deployment_back(facts, service) if release.reverse else None
        made = made or deployment_of(facts, service)
        told = facts.deployment.created_at if facts.deployment is not None else None
        created_at = made.created_at if made else told
        left = end_of_permits(release, created_at) - runtime.now() if created_at else timedelta()
        if left > timedelta():
            raise NotYetError(left) from error


def why_not_permitted(release: Release, runtime: Runtime) -> Permit | None:
    """The permit of a gate that was withdrawn before the gate or the deployment had ended.

    None also where that cannot be read.
    """
    for gate in release.asking_gates:
        address = GateAddress(app=release.app, release=release.id, container=gate)
        try:
            permit = runtime.gate_channels.permit(address)
        except UnreachableError:
            continue
        if permit.state is PermitState.VOID and permit.cause is not VoidCause.ENDED:
            return permit
    return None


def _record(facts: Facts, runtime: Runtime) -> ReleaseRecord | None:
    """The record of the release, found also if the answer of Admit is lost."""
    app = requested_app(facts.state.request)
    known = runtime.releases.end(app, facts.state.execution, runtime.now())
    release = facts.release.id if facts.release is not None else known
    return None if release is None else runtime.releases.get(app, release)


def _record_outcome(
    facts: Facts, no_permit: Permit | None, collected: Collected | None, runtime: Runtime
) -> ReleaseRecord:
    service, why_gone = _service(facts, runtime)
    conclusion = _conclude(facts, service, why_gone or "", no_permit, runtime)
    app = requested_app(facts.state.request)
    cost = cost_of(facts, conclusion.outcome, runtime.now())
    versions = _versions(facts, service, conclusion.outcome, runtime)
    shown = service if facts.release is not None else _service_of(app, conclusion.outcome, runtime)
    report = report_of(
        facts,
        conclusion,
        app=app,
        stage=_known_stage(facts) or stage_of(app, runtime),
        kind=_kind_of(facts),
        tag=requested_tag(facts.state.request),
        digest=requested_digest(facts.state.request),
        live=_live(shown, versions, app, runtime),
        is_down=shown is not None and shown.current is None,
        cost=cost,
        console=runtime.settings.console,
        now=runtime.now(),
    )
    if not conclusion.outcome.is_quiet:
        prediction = quote_rehearsal(facts.release, report.evidence, runtime)
        report = replace(report, paused=_paused(app, runtime), prediction=prediction)
        # First, because a message that is too long loses the last warnings.
        report = replace(report, warnings=[*check_subscribers(runtime), *report.warnings])
    outcome = RecordedOutcome(
        app=report.app,
        stage=report.stage,
        release=report.release,
        status=EndStatus(conclusion.outcome),
        cause=joined(conclusion.reasons) or "no reason",
        subject=subject(report),
        message=sns_message(report),
        warnings=report.warnings,
        failure=report.failure,
        code=conclusion.code,
        judgement=report.judgement,
        versions=versions,
        saved=report.saved,
        cost=cost,
        snapshot=report.snapshot.status if report.snapshot is not None else None,
    )
    return write_record(outcome, report, facts, collected, runtime)


def _paused(app: str, runtime: Runtime) -> PausedPushes | None:
    """Whether the app is paused; None also if that cannot be read."""
    with contextlib.suppress(UnreachableError), reaching("DynamoDB"):
        return PausedPushes.of(runtime.locks.read(app))
    return None


def _service_of(app: str, outcome: Outcome, runtime: Runtime) -> Service | None:
    """The service of the app's last admitted release, to tell what is live beside a refusal.

    None if there was no such release, or if it cannot be read.
    """
    if outcome.is_quiet:
        return None
    with contextlib.suppress(RefusedError, UnreachableError):
        with reaching("DynamoDB"):
            last = runtime.releases.last_known(app)
        if last is not None:
            with reaching("Lightsail"):
                return runtime.lightsail.service(last.service, last.service_since)
    return None


def _live(
    service: Service | None, made: Sequence[VersionRecord], app: str, runtime: Runtime
) -> LiveVersion | None:
    """The version that is live now. Without its record it has no tag."""
    current = service.current if service is not None else None
    if service is None or current is None or not service.serves(current.version):
        return None
    records = listed_records({one.version: one for one in made}, service)
    if current.version not in records:
        with contextlib.suppress(UnreachableError), reaching("DynamoDB"):
            records = listed_records(runtime.releases.versions(app), service)
    known = records.get(current.version)
    if known is None:
        return LiveVersion(version=current.version)
    return LiveVersion(version=current.version, tag=known.tag, digest=known.digest)


def _known_stage(facts: Facts) -> str | None:
    """The stage as Admit has read it."""
    if facts.admitted is not None:
        return facts.admitted.stage
    stop = facts.state.stop
    return stop.stage if stop is not None else None


def _service(facts: Facts, runtime: Runtime) -> tuple[Service | None, str | None]:
    """The service as it is now; without it, why the release has none any more, if it had one."""
    release = facts.release
    if release is None:
        return None, None
    try:
        return runtime.lightsail.service(release.service, release.service_since), None
    except RefusedError as error:
        return None, joined(error.reasons)


def _conclude(
    facts: Facts, service: Service | None, why_gone: str, no_permit: Permit | None, runtime: Runtime
) -> Conclusion:
    state, deployment, kind = facts.state, facts.deployment, _kind_of(facts)
    if facts.unreadable is not None:
        return unreadable()
    way = _way_to_start(facts, runtime)
    if (stop := state.stop) is not None:
        match stop.status:
            case StopStatus.REFUSED:
                return refused(stop.reasons, kind, code=stop.code, way=way)
            case StopStatus.SUPERSEDED:
                return superseded(stop.reasons)
            case StopStatus.LOST:
                # Another release gets the lock only after the outcome. Here it is missing.
                return _broken(joined(stop.reasons), facts, service, None, way)
    rollback_result = state.rollback
    is_gone = service is None and deployment is not None
    if state.error is not None and not is_gone:
        return _broken(words_of(state.error), facts, service, rollback_result, way)
    if facts.stopped is not None and not is_gone:
        return stopped(
            facts.stopped,
            admitted=facts.release is not None,
            deployment=deployment_of(facts, service),
            back=deployment_back(facts, service),
            is_service_known=service is not None,
            way=way,
        )
    release = facts.release
    if deployment is None or release is None:
        raise LookupError("the execution carries no end of a deployment")
    if service is None:
        return gone(why_gone, deployment.version, kind)
    return conclude(
        DeploymentEnd(
            app=release.app,
            execution=state.execution,
            release=release.id,
            kind=kind,
            status=deployment.status,
            version=deployment.version,
            previous_version=deployment.previous_version,
            service=service,
            evidence=deployment.gate or NO_GATE_REPORT,
            rollback_to=release.rollback_to,
            automatic_rollback=release.automatic_rollback,
            refusal=deployment.refusal,
            no_permit=no_permit,
            may_have_begun=may_have_begun(release, deployment),
            judgement=planned_judgement(release, deployment),
            earlier=judgement_before(release, deployment, service, runtime),
            beside=judgement_beside_the_plan(deployment),
            verified=state.verification,
            rollback_result=rollback_result,
        )
    )


# These belong to the push, to the person, or to the place of the request among others.
_OF_A_PUSH = ("pushedTag", "requestedAt", "reason", "startedBy", "foundByReconcile", "rehearsal")


def _way_to_start(facts: Facts, runtime: Runtime) -> WayToStart | None:
    """How to start the release again; None if the request names no app."""
    app = requested_app(facts.state.request)
    if app == UNKNOWN:
        return None
    asked = members_of(facts.state.request)
    request = {name: value for name, value in asked.items() if name not in _OF_A_PUSH}
    return WayToStart(
        parameter=f"{runtime.settings.apps_path}/{app}",
        command=how_to_start(facts.state.execution, request),
    )


def _broken(
    error: str,
    facts: Facts,
    service: Service | None,
    back: RollbackProgress | None,
    way: WayToStart | None,
) -> Conclusion:
    deployment, release = facts.deployment, facts.release
    version = own_version(facts, service)
    is_back = back is not None and back.version is not None
    if (
        service is None
        or version is None
        or release is None
        or deployment is None
        or is_back
        or deployment.status is not Status.ACTIVE
        or not service.serves_own(version, release.id)
    ):
        is_known = service is not None or release is None
        return broken(error, version, back, is_service_known=is_known, way=way)
    seen = facts.state.verification
    return unverified(
        error,
        app=release.app,
        execution=facts.state.execution,
        version=version,
        previous=deployment.previous_version,
        wrong=seen.shown if seen is not None and seen.is_bad(version) else None,
        is_open=applied_judgement(release, deployment).verdict.allows_rollback,
    )


def _versions(
    facts: Facts, service: Service | None, outcome: Outcome, runtime: Runtime
) -> Sequence[VersionRecord]:
    release = facts.release
    if release is None or outcome.is_quiet:
        return ()
    own, back = own_version(facts, service), version_back(facts, service)
    # Only a version that was deployed again copies its image and spec from a record.
    is_again = own is not None and release.kind is not ReleaseKind.IMAGE
    return records_of_release(
        release,
        facts.deployment,
        own=own,
        back=back,
        succeeded=outcome is Outcome.SUCCEEDED,
        past=listed_records(runtime.releases.versions(release.app), service)
        if is_again and service is not None
        else {},
        verified=facts.state.verification,
        rollback=facts.state.rollback,
    )


def _kind_of(facts: Facts) -> ReleaseKind:
    """The kind of the release; by its request if it was not admitted."""
    release = facts.release
    return release.kind if release is not None else requested_kind(facts.state.request)
