"""Admit: may this release begin, and with which image?"""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate import permits
from lightgate.advice import warnings
from lightgate.aws.ecr import Registry
from lightgate.backup import BackupMode, BackupOrder
from lightgate.cleaning import clean_up
from lightgate.compiler import Source, compile_deployment
from lightgate.deployment import Service
from lightgate.errors import RefusedError
from lightgate.image import ImageConfig, Manifest
from lightgate.release import Release, execution_name, pin_tag, release_id, snapshot_id
from lightgate.requests import ReleaseRequest, parse_request
from lightgate.runtime import Json, Runtime, run
from lightgate.spec import AppSpec
from lightgate.spec_parser import parse_app_name, parse_spec
from lightgate.turn import (
    LONGEST_STEP,
    Answer,
    Claim,
    Holder,
    Holding,
    TurnStatus,
    take,
    whole_seconds,
)

# How long to wait before the deployment of an abandoned release is looked at again.
PAUSE = timedelta(seconds=30)


def handler(event: Json, context: LambdaContext) -> Json:
    return run(admit, event, context)


def admit(event: Json, runtime: Runtime) -> Json:
    """PROCEED with the release as it will be, or why not, or not yet.

    REFUSED with every reason known by then; QUEUED, DUPLICATE and SUPERSEDED as the turn of
    the app has it; TAKEN_OVER while something of an earlier release may still act; SETTLED
    if the release of this execution is over. Safe to repeat: whoever has its turn gets it
    again, and what is on record is said again.
    """
    execution, started_at = event["execution"], datetime.fromisoformat(event["startedAt"])
    try:
        request = parse_request(event["request"])
        app = parse_app_name(request.app)
        if (known := runtime.records.of_execution(app, execution, started_at)) and known.outcome:
            return _as_before(known.outcome)
        text = runtime.apps.read(app)
        spec = parse_spec(text.text)
        manifest = _manifest(request, spec, runtime.registry)
        config = _config_of_what_can_run(spec, manifest, runtime.registry)
        service = runtime.lightsail.service(spec.service)
        service.refuse_if_disabled()
    except RefusedError as error:
        runtime.logger.warning("the release is refused", reasons=error.reasons)
        return {"status": "REFUSED", "reasons": list(error.reasons)}
    release = Release(
        id=release_id(execution, started_at, manifest.digest),
        app=app,
        stage=spec.stage.value,
        service=spec.service,
        repository=spec.repository,
        digest=manifest.digest,
        spec_version=text.version,
        reason=request.reason,
        started_at=started_at,
        gates=spec.gates(),
        unprotected=spec.unprotected,
        allow_destructive=request.allow_destructive,
        asking_gates=permits.asking_gates(spec),
        policy=spec.migrations.policy,
        platform_patience=timedelta(seconds=spec.platform_patience_seconds),
        deployment_timeout=timedelta(seconds=spec.deployment_timeout_seconds),
    )
    order = _backup(spec, release, skip=request.skip_snapshot)
    history = runtime.histories.read(app)
    admission = {
        "release": release.to_json(),
        "database": order.to_json() if order else None,
        "takeSnapshot": order is not None and permits.backs_up_first(order, release, history),
        "history": history.to_json(),
        "pollSeconds": spec.poll_seconds,
        "warnings": warnings(spec, config),
    }
    answer = _take_turn(_claim(request, release, execution, service, runtime), admission, runtime)
    if answer.holder is None:
        runtime.logger.info("the release does not begin", status=answer.status, why=answer.reason)
        return {"status": answer.status.value, "reasons": [answer.reason]}
    holding = Holding(execution=execution, fence=answer.holder.fence)
    wait = _wait(answer.holder, release, service, runtime.now(), waited=event["waited"])
    return {
        **admission,
        "turn": holding.to_json(),
        "status": "PROCEED" if wait is None else "TAKEN_OVER",
        "waitSeconds": wait or 0,
    }


def _backup(spec: AppSpec, release: Release, *, skip: bool) -> BackupOrder | None:
    """The restore point that this release takes. Without a plan nobody knows what is pending."""
    database = spec.database
    if database is None:
        return None
    mode = BackupMode.NONE if skip else database.backup
    if mode is BackupMode.WHEN_PENDING and not release.asking_gates:
        mode = BackupMode.ALWAYS
    return BackupOrder(
        kind=database.kind,
        database=database.name,
        mode=mode,
        snapshot=snapshot_id(release.app, release.id),
        time_limit=timedelta(seconds=database.timeout_seconds),
    )


def _as_before(outcome: Json) -> Json:
    """The answer to an execution whose release has ended: this one or another one's repeat."""
    if outcome["status"] in TurnStatus:
        return {"status": outcome["status"], "reasons": [outcome["cause"]]}
    return {"status": "SETTLED", "reasons": [outcome["cause"]]}


def _claim(
    request: ReleaseRequest, release: Release, execution: str, service: Service, runtime: Runtime
) -> Claim:
    asked_at = min(request.requested_at or release.started_at, release.started_at)
    at = whole_seconds(asked_at)
    moved_to, serving = None, None
    if request.pushed_tag is not None:
        points_to = runtime.registry.digest_of_tag(release.repository, request.pushed_tag)
        moved_to = points_to if points_to != release.digest else None
        serving = _served_well(release.app, service, runtime)
    return Claim(
        execution=execution,
        next_name=execution_name(release.app, release.digest, release.id),
        release=release.id,
        digest=release.digest,
        at=at,
        request=request.again(release.digest, at),
        pushed=request.pushed_tag is not None,
        moved_to=moved_to,
        serving=serving,
    )


def _served_well(app: str, service: Service, runtime: Runtime) -> str | None:
    """The image of the release that serves, if that ended as a success."""
    if service.current is None or service.current.release is None:
        return None
    record = runtime.records.find(app, service.current.release)
    return record.digest if record is not None and record.status == "SUCCEEDED" else None


def _take_turn(claim: Claim, admission: Json, runtime: Runtime) -> Answer:
    """Ask for the turn; what follows from the answer is on record with it."""
    app = admission["release"]["app"]
    _clean_up_after_holder(app, claim.execution, runtime)
    return runtime.turns.change(
        app,
        lambda turn: take(turn, claim),
        lambda answer: runtime.records.following(app, claim, answer, admission),
    )


def _clean_up_after_holder(app: str, execution: str, runtime: Runtime) -> None:
    """Free a turn whose holder has ended without anybody noticing. Nothing else frees it."""
    holder = runtime.turns.read(app).holder
    if holder is None or holder.execution == execution:
        return
    if (ended := runtime.executions.ended(holder.execution)) is not None:
        clean_up(app, ended, runtime)


def _wait(
    holder: Holder, release: Release, service: Service, now: datetime, *, waited: bool
) -> float | None:
    """How many seconds to wait until nothing of the abandoned release before can act.

    First for its functions, which outlive their execution; then for its deployment, which
    may be migrating. The latter ends by itself, and is not waited for beyond the time limit.
    """
    if holder.after is None or holder.creating:
        return None
    if not waited:
        return LONGEST_STEP.total_seconds()
    before = service.deployment_of(holder.after)
    is_over = before is None or before.state != "ACTIVATING"
    if is_over or now - release.started_at >= release.deployment_timeout:
        return None
    return PAUSE.total_seconds()


def _manifest(request: ReleaseRequest, spec: AppSpec, registry: Registry) -> Manifest:
    if request.digest is not None:
        return registry.manifest(spec.repository, {"imageDigest": request.digest})
    tag = request.tag or spec.default_tag()
    if tag is None:
        raise RefusedError(
            "tag: is missing, and the app watches only patterns, so there is no usual tag; "
            "give a tag or a digest"
        )
    return registry.manifest(spec.repository, {"imageTag": tag})


def _config_of_what_can_run(spec: AppSpec, manifest: Manifest, registry: Registry) -> ImageConfig:
    """Find out now, and not after the snapshot, that the deployment cannot be compiled."""
    config = registry.config(spec.repository, registry.runnable(spec.repository, manifest))
    references = [r for c in spec.containers.values() for r in c.secrets.values()]
    compile_deployment(
        spec,
        Source(reference=f"{spec.repository}:{pin_tag(manifest.digest)}", config=config),
        "0" * 30,
        {reference: str(reference) for reference in references},
        mailboxes=dict.fromkeys(spec.asking_gates(), "x" * permits.LONGEST_MAILBOX),
    )
    return config
