"""The deployment of an old version, from its creation to the end of its health checks.

RollBack uses it for a rollback, and for the reversal of migrations, which an old version waits for.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

from lightgate.aws.lightsail import Busy
from lightgate.deployment.pinning import why_other_images, without_command
from lightgate.deployment.status import (
    Deployment,
    FollowedDeployment,
    Service,
    Status,
    judge_deployment,
)
from lightgate.errors import DeniedError, RefusedError
from lightgate.gate.gate_report import GateReport
from lightgate.names import COMMAND_CONTAINER
from lightgate.operations.check_health import old_version, watch_health
from lightgate.outage import LONGEST_OUTAGE
from lightgate.records.version import VersionSource
from lightgate.release.release import Release
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec
from lightgate.state import RollbackProgress, RollbackStatus, State
from lightgate.verification.health import WatchStatus


def as_failed(progress: RollbackProgress, *reasons: str) -> RollbackProgress:
    return replace(progress, status=RollbackStatus.FAILED, reasons=reasons)


def not_deployed(decided: RollbackProgress, error: RefusedError, now: datetime) -> RollbackProgress:
    """Why no deployment could be made. A new IAM permission takes some time to work."""
    if isinstance(error, DeniedError):
        denied_at = decided.denied_at or now
        if now - denied_at < LONGEST_OUTAGE:
            return replace(decided, status=RollbackStatus.BUSY, denied_at=denied_at)
    return as_failed(decided, *decided.reasons, *error.reasons)


def wait_while_busy(
    release: Release, decided: RollbackProgress, busy: Busy, now: datetime
) -> RollbackProgress:
    """Wait while the service is busy, but only within the time limit."""
    limit = release.deployment_timeout + decided.checks.outage
    if now - decided.begun_at < limit:
        return replace(decided, status=RollbackStatus.BUSY)
    return as_failed(decided, f"The container service was busy for too long: {busy.reason}")


def with_deployment(progress: RollbackProgress, ours: Deployment) -> RollbackProgress:
    return replace(
        progress,
        status=RollbackStatus.ACTIVATING,
        version=ours.version,
        created_at=ours.created_at,
    )


def judge_old_version(
    progress: RollbackProgress,
    release: Release,
    service: Service,
    report: GateReport,
    now: datetime,
    *,
    unprotected: bool,
    has_told_all: bool,
) -> tuple[Status, datetime | None]:
    """The status of its deployment, and when that ended: see `judge_deployment`."""
    if progress.version is None:
        raise LookupError("there is no deployment to judge")
    return judge_deployment(
        FollowedDeployment(
            version=progress.version,
            marker=progress.release,
            # The time limit is for the whole rollback, with the wait for a busy service.
            created_at=progress.begun_at,
            time_limit=release.deployment_timeout + progress.checks.outage,
            ended_at=progress.ended_at,
        ),
        service,
        report,
        unprotected=unprotected,
        has_told_all=has_told_all,
        now=now,
    )


def without_details(gate_report: GateReport) -> GateReport:
    """Without lines and names: beside those of the release they could be too much to carry."""
    failure = gate_report.failure
    return replace(
        gate_report,
        migrations=(),
        last_lines=(),
        failure=failure and replace(failure, last_lines=()),
    )


def watch_version(
    state: State,
    answer: RollbackProgress,
    version: int,
    spec: AppSpec,
    service: Service,
    runtime: Runtime,
) -> RollbackProgress:
    source = answer.source or VersionSource()
    subject = old_version(version, spec, service, digest=source.digest if source.spec else None)
    release = state.admitted.release
    read = partial(
        runtime.lightsail.service,
        release.service,
        release.service_since,
        following=answer.release,
    )
    found = watch_health(subject, service, answer.watch, runtime, read)
    if found.status is WatchStatus.GOOD:
        service = runtime.lightsail.service(release.service, release.service_since)
        if (why := _why_other_images(release, answer, service)) is not None:
            return as_failed(answer, why)
    return replace(
        answer,
        status=RollbackStatus(found.status),
        watch=found.watched,
        poll_seconds=found.poll_seconds,
    )


def _why_other_images(release: Release, answer: RollbackProgress, service: Service) -> str | None:
    """Why it may not run the images of the version that was rolled back to.

    A reversal beside it runs the image of the release.
    """
    target = service.version_of(answer.target) if answer.target is not None else None
    shown = service.deployment_of(answer.release)
    if target is None or shown is None:
        return f"Version {answer.target} is no longer listed, so its images are unknown."
    expected = without_command(target)
    if answer.reversal is not None:
        failed_one = service.deployment_of(release.id)
        own = failed_one.images if failed_one is not None else {}
        gate = next(iter(release.asking_gates), "")
        expected[COMMAND_CONTAINER] = own.get(gate, "an unknown image")
    return why_other_images(shown, expected)


def why_not_active(answer: RollbackProgress, status: Status, gate_report: GateReport) -> str:
    failure = gate_report.failure
    why = f" {failure.container}: {failure.error}" if failure is not None else ""
    how = "failed" if status is Status.FAILED else "did not become active in time"
    return (
        f"Version {answer.target} was deployed again as version {answer.version}, and that "
        f"{how}.{why}"
    )
