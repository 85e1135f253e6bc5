"""Deploy: create the deployment, once.

With RollBack the only step that reads secrets. They go into the request to Lightsail and
nowhere else: not into what the step returns, nor into a log line or an error.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lightgate.aws.lightsail import Busy
from lightgate.deployment.status import Deployment, Service, Status
from lightgate.errors import RefusalCode, RefusedError, SpecReplacedError
from lightgate.operations.build_deployment import build_deployment, notes_again
from lightgate.operations.create_deployment import create_deployment
from lightgate.operations.next_check import next_check
from lightgate.operations.service_ownership import refuse_if_foreign
from lightgate.outage import Checks
from lightgate.release.lock_rules import begin_creating, end_creating
from lightgate.release.poll_interval import wait_seconds
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_spec
from lightgate.state import Admission, DeploymentProgress, ServiceBusy, State, Stop

_AGAIN = "Start the release again; it then uses the spec as it is now."


def deploy(state: State, runtime: Runtime) -> DeploymentProgress | ServiceBusy | Stop:
    """CREATED with the version, BUSY while the service takes no deployment, or why there is none.

    Idempotent: the deployment with this release's marker is looked for first, so a lost answer
    leads to no second deployment. The release must have the lock. From the create call on, a newer
    push does not supersede it.

    Raises:
        ExecutionEndedError: the execution is recorded as ended, and nothing was created.
    """
    admitted = state.admitted
    release, held = admitted.release, admitted.lock
    since = release.service_since
    try:
        service = runtime.lightsail.service(release.service, since)
        if (ours := service.deployment_of(release.id)) is not None:
            notes = notes_again(release, service, runtime)
            return _created(admitted, service, ours, notes, runtime.now())
        if (objection := runtime.objection(release.app, held)) is not None:
            return objection
        service.refuse_if_disabled()
        refuse_if_foreign(service, release.app, runtime)
        spec = parse_spec(runtime.apps.read_again(release.app, release.spec).text)
        assembled = build_deployment(release, service, runtime)
        start = runtime.locks.change(
            release.app,
            lambda lock: begin_creating(lock, held),
            lambda _: [runtime.releases.unless_ended(release.app, held.execution)],
        )
        if start.objection is not None:
            return Stop.of(start.objection)
        # Checks the owner again: another stack may have taken the service meanwhile.
        service, created = create_deployment(release, assembled.request, runtime)
        if not isinstance(created, Busy):
            return _created(admitted, service, created, assembled.notes, runtime.now())
        # The service may be busy with our own deployment.
        service = runtime.lightsail.service(release.service, since)
        if (ours := service.deployment_of(release.id)) is not None:
            return _created(admitted, service, ours, assembled.notes, runtime.now())
    except RefusedError as error:
        return Stop.refused(error, *([_AGAIN] if isinstance(error, SpecReplacedError) else []))
    # After a lost answer the service may not show the created deployment yet.
    if not start.again:
        runtime.locks.change(release.app, lambda lock: (end_creating(lock, held), None))
    return _busy(created, spec, release.started_at, runtime.now())


def _created(
    admitted: Admission,
    service: Service,
    deployment: Deployment,
    notes: Sequence[str],
    now: datetime,
) -> DeploymentProgress:
    """The new deployment, for CheckDeployment. `service` may show it already or not yet."""
    previous = service.current
    if previous is not None and previous.version == deployment.version:
        previous = None
    progress = DeploymentProgress(
        status=Status.CREATED,
        version=deployment.version,
        previous_version=previous.version if previous is not None else None,
        created_at=deployment.created_at,
        poll_seconds=admitted.poll_seconds,
        pending=False,
        permitted=False,
        unknown=(),
        notes=tuple(notes),
        checks=Checks(last_at=now),
    )
    usual = timedelta(seconds=admitted.poll_seconds)
    pause = next_check(admitted.release, progress, admitted.history, usual, now)
    return replace(progress, poll_seconds=wait_seconds(pause))


def _busy(busy: Busy, spec: AppSpec, started_at: datetime, now: datetime) -> ServiceBusy | Stop:
    """Wait while the service is busy, but only within the time limit."""
    snapshot_seconds = spec.database.timeout_seconds if spec.database else 0
    limit = timedelta(seconds=snapshot_seconds + spec.deployment_timeout_seconds)
    if now - started_at < limit:
        return ServiceBusy(status="BUSY", reason=busy.reason)
    reason = f"The container service was busy for too long: {busy.reason}"
    return Stop.refused(RefusedError(reason, code=RefusalCode.SERVICE_BUSY))
