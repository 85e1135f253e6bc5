"""RunRehearsal: run the pending migrations on the copy, through the same gate as a release.

It reads the secrets of the rehearsal's own list. They go into the request to Lightsail and nowhere
else.
"""

from dataclasses import replace
from datetime import timedelta

from lightgate.aws.lightsail import Busy
from lightgate.backup.timings import Timings
from lightgate.deployment.compiler import ImageSource
from lightgate.deployment.status import (
    Deployment,
    FollowedDeployment,
    Service,
    Status,
    confirmed_status,
    judge_deployment,
)
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.packaging import REHEARSAL
from lightgate.gate.report_reader import later, read_gate_report
from lightgate.migrations.measured import read_measured
from lightgate.names import pin_tag
from lightgate.operations.answer_gates import GateCheckInput, answer_gates
from lightgate.operations.gate_channel import open_gate_channels
from lightgate.operations.payload_limit import shortened
from lightgate.operations.read_gates import has_told_all, read_gates
from lightgate.rehearsal.gate import compile_rehearsal, rehearsal_spec
from lightgate.rehearsal.rehearsal_state import Refusal, RehearsalRun, RehearsalState
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_spec
from lightgate.state import DeploymentProgress

_LONGEST_BUSY = timedelta(minutes=30)
_MOST_NOTES = 20


def run_rehearsal(state: RehearsalState, runtime: Runtime) -> RehearsalRun | Refusal:
    """The deployment of the rehearsal as it is now. Its gate gets its permit here.

    Idempotent: the deployment has the marker of the rehearsal, and is looked for before one is
    created.
    """
    release, before = state.plan.release, state.run
    service = runtime.lightsail.service(release.service, following=release.id)
    ours = service.deployment_of(release.id)
    known = before.deployment if isinstance(before, RehearsalRun) else None
    try:
        if ours is None and known is None:
            return _start(state, runtime)
    except RefusedError as error:
        return Refusal.of(error)
    if known is None and ours is not None:
        return _running(_begun(ours, state))
    return _follow(state, known or _begun(ours, state), ours, service, runtime)


def _start(state: RehearsalState, runtime: Runtime) -> RehearsalRun | Refusal:
    plan, place, release = state.plan, state.ready, state.plan.release
    if place.copy is None:
        raise LookupError("the copy has no address")
    begun = state.run.begun_at if isinstance(state.run, RehearsalRun) else runtime.now()
    if runtime.now() - begun > _LONGEST_BUSY:
        raise RefusedError(
            "the temporary service was busy for too long", code=RefusalCode.SERVICE_BUSY
        )
    spec = parse_spec(runtime.apps.read_again(release.app, release.spec).text)
    rehearsed = rehearsal_spec(spec, plan.name)
    secrets = runtime.secrets.resolve(rehearsed.containers[plan.gate].secrets.values())
    mailboxes = open_gate_channels(release, runtime, program=REHEARSAL)
    request = compile_rehearsal(
        rehearsed,
        _source(spec, release.digest or "", runtime),
        release.id,
        secrets,
        stack=runtime.settings.stack,
        mailbox=mailboxes[plan.gate],
        original=plan.original,
        copy=place.copy,
    )
    made = runtime.lightsail.create_deployment(request)
    if isinstance(made, Busy):
        return RehearsalRun(status="RUNNING", begun_at=begun)
    return _running(_begun(made, state))


def _source(spec: AppSpec, digest: str, runtime: Runtime) -> ImageSource:
    """The image under the tag that its release will use."""
    registry = runtime.registry
    manifest = registry.manifest(spec.repository, {"imageDigest": digest})
    reference = registry.pin(spec.repository, manifest, pin_tag(digest))
    return ImageSource(reference=reference, config=registry.config(spec.repository, manifest))


def _running(deployment: DeploymentProgress) -> RehearsalRun:
    return RehearsalRun(status="RUNNING", begun_at=deployment.created_at, deployment=deployment)


def _begun(made: Deployment | None, state: RehearsalState) -> DeploymentProgress:
    """The deployment, whose gate has told nothing yet."""
    if made is None:
        raise LookupError("there is no deployment to follow")
    return DeploymentProgress(
        status=Status.CREATED,
        version=made.version,
        previous_version=None,
        created_at=made.created_at,
        poll_seconds=state.plan.poll_seconds,
        pending=False,
        permitted=False,
        unknown=(),
    )


def _follow(
    state: RehearsalState,
    before: DeploymentProgress,
    ours: Deployment | None,
    service: Service,
    runtime: Runtime,
) -> RehearsalRun:
    plan, release, began = state.plan, state.plan.release, runtime.now()
    # Before the reports, so that none comes between the two.
    told_all = has_told_all(service, ours, release.gates, runtime, may_have_begun=before.permitted)
    gate_lines = read_gates(release, before.created_at, service, runtime)
    pause = timedelta(seconds=before.poll_seconds)
    is_read = not gate_lines.unread
    checks = before.checks.resumed(began, pause=pause) if is_read else before.checks.missed(began)
    lines = gate_lines.lines
    report = read_gate_report(release.id, lines)
    if before.gate is not None:
        report = later(report, before.gate)
    status, ended_at = judge_deployment(
        FollowedDeployment(
            version=before.version,
            marker=release.id,
            created_at=before.created_at,
            time_limit=release.deployment_timeout + checks.outage,
            ended_at=before.ended_at,
        ),
        service,
        report,
        unprotected=True,
        has_told_all=told_all,
        now=runtime.now(),
    )
    answered, _ = answer_gates(
        GateCheckInput(
            release=release,
            created_at=before.created_at,
            status=status,
            lines=lines,
            order=None,
            history=_NO_HISTORY,
            poll=timedelta(seconds=before.poll_seconds),
            objection=None,
            not_yet=None,
            outage=checks.outage,
            delay=timedelta(),
        ),
        None,
        before,
        runtime,
    )
    measured = read_measured(release.id, plan.gate, lines[plan.gate])
    found = replace(
        answered,
        status=confirmed_status(
            status,
            ended_at,
            report,
            unread=gate_lines.unread,
            unknown=answered.unknown,
            now=runtime.now(),
        ),
        ended_at=ended_at,
        gate=report,
        checks=checks.ended(runtime.now()),
        notes=tuple(dict.fromkeys([*before.notes, *gate_lines.unread]))[:_MOST_NOTES],
    )
    known = state.run.measured if isinstance(state.run, RehearsalRun) else None
    is_over = found.status not in (Status.CREATED, Status.ACTIVATING)
    return RehearsalRun(
        status="ENDED" if is_over else "RUNNING",
        begun_at=before.created_at,
        deployment=shortened(found),
        measured=measured or known,
    )


_NO_HISTORY = Timings()
