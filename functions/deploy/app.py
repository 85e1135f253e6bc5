"""Deploy: create the deployment, once.

With RollBack the only step that reads secrets. They go into the request to Lightsail and
nowhere else: not into what the step returns, nor into a log line or an error.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate import permits
from lightgate.app_spec.spec import AppSpec
from lightgate.assembly import assemble, notes_again
from lightgate.aws.lightsail import Busy
from lightgate.deployment import Deployment, Service
from lightgate.errors import RefusalCode, RefusedError, SpecReplacedError, refused
from lightgate.outage import Checks
from lightgate.ownership import refuse_if_foreign
from lightgate.release import Release
from lightgate.runtime import Json, Runtime, run
from lightgate.spec_parser.parser import parse_spec
from lightgate.turn import Holding, begin_creating, end_creating

_AGAIN = "Start the release again; it then uses the spec as it is now."


def handler(event: Json, context: LambdaContext) -> Json:
    return run(deploy, event, context, reads_secrets=True)


def deploy(event: Json, runtime: Runtime) -> Json:
    """CREATED with the version, BUSY while the service takes none, or why there is none.

    Safe to repeat: a deployment that carries this release's marker is ours, whether or
    not the answer to its creation ever arrived. It is looked for before anything else,
    so that nothing that has changed since can disown it. Before anything is touched, the
    release must hold its turn; at the moment of creation, it stops giving way.

    Raises:
        ExecutionEndedError: the execution is recorded as ended, and nothing was created.
    """
    release = Release.from_json(event["release"])
    holding, since = Holding(**event["turn"]), release.service_since
    try:
        service = runtime.lightsail.service(release.service, since)
        if (ours := service.deployment_of(release.id)) is not None:
            notes = notes_again(release, service, runtime)
            return _created(service, ours, event, notes, runtime.now())
        if (ending := runtime.objection(release.app, event["turn"])) is not None:
            return ending
        service.refuse_if_disabled()
        refuse_if_foreign(service, release.app, runtime)
        spec = parse_spec(runtime.apps.read_again(release.app, release.spec).text)
        assembled = assemble(release, service, runtime)
        start = runtime.turns.change(
            release.app,
            lambda turn: begin_creating(turn, holding),
            lambda _: [runtime.records.unless_ended(release.app, holding.execution)],
        )
        if start.objection is not None:
            return start.objection.to_json()
        # Another stack may have found the service free as well, and have been faster.
        service = runtime.lightsail.service(release.service, since)
        refuse_if_foreign(service, release.app, runtime)
        created = runtime.lightsail.create_deployment(assembled.request)
        if not isinstance(created, Busy):
            return _created(service, created, event, assembled.notes, runtime.now())
        # Our own deployment may be what the service is busy with.
        service = runtime.lightsail.service(release.service, since)
        if (ours := service.deployment_of(release.id)) is not None:
            return _created(service, ours, event, assembled.notes, runtime.now())
    except RefusedError as error:
        return error.answer(*([_AGAIN] if isinstance(error, SpecReplacedError) else []))
    # An earlier call whose answer was lost may have created what reads do not show yet.
    if not start.again:
        runtime.turns.change(release.app, lambda turn: (end_creating(turn, holding), None))
    return _busy(created, spec, release.started_at, runtime.now())


def _created(
    service: Service, deployment: Deployment, event: Json, notes: Sequence[str], now: datetime
) -> Json:
    """What CheckDeployment follows; `service` as it was before, or as it is now."""
    previous = service.current
    if previous is not None and previous.version == deployment.version:
        previous = None
    return {
        "status": "CREATED",
        "version": deployment.version,
        "previousVersion": previous.version if previous is not None else None,
        "createdAt": deployment.created_at.isoformat(),
        "endedAt": None,
        "notes": list(notes),
        "told": {},
        "waits": [],
        "pollSeconds": event["pollSeconds"],
        **permits.NOTHING_ASKED,
        **Checks(last_at=now).to_json(),
    }


def _busy(busy: Busy, spec: AppSpec, started_at: datetime, now: datetime) -> Json:
    """Wait for whatever is in the way, but not for ever."""
    snapshot_seconds = spec.database.timeout_seconds if spec.database else 0
    limit = timedelta(seconds=snapshot_seconds + spec.deployment_timeout_seconds)
    if now - started_at < limit:
        return {"status": "BUSY", "reason": busy.reason}
    reason = f"The container service was busy for too long: {busy.reason}"
    return refused(reason, code=RefusalCode.PLATFORM_BUSY)
