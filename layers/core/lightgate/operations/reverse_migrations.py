"""Reverse the migrations of a failed release, and deploy the old version on the old schema.

One deployment does both: the containers of the old version wait for a command of the new image,
which reverses the migrations once it has its permit. Lightsail keeps the live deployment until the
new one is healthy. So the old version stays live if the reversal fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from lightgate.aws.lightsail import Busy
from lightgate.deployment.pinning import why_not_pinned
from lightgate.deployment.status import Deployment, Service, Status
from lightgate.errors import RefusedError, joined
from lightgate.gate.gate_report import Phase
from lightgate.gate.report_reader import later, read_gate_report
from lightgate.migrations.outside import read_recorded
from lightgate.names import COMMAND_CONTAINER
from lightgate.operations.answer_gates import GateCheckInput, answer_gates
from lightgate.operations.build_deployment import build_reversal
from lightgate.operations.changes_outside import with_changes_outside
from lightgate.operations.create_deployment import create_deployment
from lightgate.operations.kept_images import KeptImages
from lightgate.operations.read_gates import gates_of, has_told_all, read_gates
from lightgate.operations.release_versions import judgement_before
from lightgate.operations.rollback_progress import (
    as_failed,
    judge_old_version,
    not_deployed,
    wait_while_busy,
    watch_version,
    why_not_active,
    with_deployment,
    without_details,
)
from lightgate.records.version import VersionRecord
from lightgate.release.release import Release
from lightgate.rollback.reversal_policy import (
    ReversalDecision,
    ReversalInput,
    decide_reversal,
    reversal_release,
)
from lightgate.rollback.version_history import listed_records
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_spec
from lightgate.spec.reversible import other_commands, workers
from lightgate.state import (
    DeploymentProgress,
    ReversalProgress,
    RollbackProgress,
    RollbackStatus,
    State,
)

# A gate waits for its permit, so it is not kept waiting longer than this.
_LONGEST_PAUSE = 30


def reverse_migrations(
    state: State, progress: RollbackProgress, runtime: Runtime
) -> RollbackProgress:
    """The state of the reversal; see `RollbackStatus`.

    Idempotent: its deployment has the marker of a rollback, and is looked for before another one is
    created. The gate of its command runs it once, also if its node starts again.
    """
    release = state.admitted.release
    pause = min(state.admitted.poll_seconds, _LONGEST_PAUSE)
    progress = replace(
        progress, poll_seconds=pause, reversal=progress.reversal or ReversalProgress()
    )
    service = runtime.lightsail.service(
        release.service, release.service_since, following=progress.release
    )
    ours = service.deployment_of(progress.release)
    if ours is None and progress.version is None:
        return _start(state, progress, runtime)
    if progress.version is None and ours is not None:
        progress = _found_again(state, progress, ours, runtime)
    return _follow(state, progress, ours, service, runtime)


def _start(state: State, progress: RollbackProgress, runtime: Runtime) -> RollbackProgress:
    release, deployment = state.admitted.release, state.created
    if (objection := runtime.objection(release.app, state.admitted.lock)) is not None:
        return replace(progress, status=RollbackStatus.LOST, reasons=objection.reasons)
    service = runtime.lightsail.service(release.service, release.service_since)
    past = listed_records(runtime.releases.versions(release.app), service)
    target, why_not_again = _target(deployment, service, past, runtime)
    decision = _decide(release, deployment, service, why_not_again, runtime)
    if decision.call is None or target is None:
        reasons = [doubt.reason for doubt in decision.doubts]
        return replace(
            progress,
            status=RollbackStatus.NOT_REVERSED,
            reversal=ReversalProgress(doubts=decision.doubts),
            reasons=["Lightgate did not reverse the migrations automatically:", *reasons],
        )
    decided = _decided(progress, target, decision)
    try:
        assembled = build_reversal(release, decision.call, target, runtime)
        _, made = create_deployment(release, assembled.request, runtime)
    except RefusedError as error:
        return not_deployed(decided, error, runtime.now())
    if isinstance(made, Busy):
        return wait_while_busy(release, decided, made, runtime.now())
    return _with_gate(with_deployment(decided, made), made)


def _target(
    deployment: DeploymentProgress,
    service: Service,
    past: Mapping[int, VersionRecord],
    runtime: Runtime,
) -> tuple[VersionRecord | None, str | None]:
    """The record of the previous version, or why it cannot be deployed again."""
    previous = deployment.previous_version
    shown = None if previous is None else service.version_of(previous)
    target = None if previous is None else past.get(previous)
    if shown is None or target is None or not target.spec or not target.digest or not target.code:
        return None, f"The image, spec or code of version {previous} is not on record."
    if (why := why_not_pinned(shown)) is not None:
        return None, f"Version {previous} cannot be deployed again: {why}."
    if gone := KeptImages(past, runtime).of(shown).gone:
        return None, f"Version {previous} cannot be deployed again: {'; '.join(gone)}."
    return target, None


def _decide(
    release: Release,
    deployment: DeploymentProgress,
    service: Service,
    why_not_again: str | None,
    runtime: Runtime,
) -> ReversalDecision:
    own, previous = service.version_of(deployment.version), deployment.previous_version
    spec = _spec_of(release, runtime)
    return decide_reversal(
        ReversalInput(
            release=release,
            deployment=with_changes_outside(release, deployment, runtime),
            serves_previous=previous is not None and service.serves(previous),
            has_served=own is None or own.release != release.id or own.has_served,
            why_not_again=why_not_again,
            earlier=judgement_before(release, deployment, service, runtime),
            workers=workers(spec),
            other_commands=other_commands(spec),
        )
    )


def _spec_of(release: Release, runtime: Runtime) -> AppSpec:
    return parse_spec(runtime.apps.read_again(release.app, release.spec).text)


def _decided(
    progress: RollbackProgress, target: VersionRecord, decision: ReversalDecision
) -> RollbackProgress:
    return replace(
        progress,
        target=target.version,
        source=target.source,
        reversal=ReversalProgress(migrations=decision.migrations, call=decision.call or ()),
    )


def _with_gate(progress: RollbackProgress, made: Deployment) -> RollbackProgress:
    """With its deployment, whose gate has reported nothing yet."""
    begun = DeploymentProgress(
        status=Status.CREATED,
        version=made.version,
        previous_version=progress.target,
        created_at=made.created_at,
        poll_seconds=progress.poll_seconds,
        pending=False,
        permitted=False,
        unknown=(),
    )
    reversal = progress.reversal or ReversalProgress()
    return replace(progress, reversal=replace(reversal, deployment=begun))


def _found_again(
    state: State, progress: RollbackProgress, ours: Deployment, runtime: Runtime
) -> RollbackProgress:
    """With the decision and the deployment, if the answer with them is lost.

    The deployment exists, so the conditions held. The plan of its gate is checked in any case.
    """
    release, deployment = state.admitted.release, state.created
    if progress.target is None:
        service = runtime.lightsail.service(release.service, release.service_since)
        past = listed_records(runtime.releases.versions(release.app), service)
        target = past.get(deployment.previous_version or 0)
        if target is None:
            raise LookupError("the previous version is not on record any more")
        found = next(iter(deployment.reversals.values()))
        decision = ReversalDecision(call=found.calls[0], migrations=found.migrations, doubts=())
        progress = _decided(progress, target, decision)
    return _with_gate(with_deployment(progress, ours), ours)


def _follow(
    state: State,
    progress: RollbackProgress,
    ours: Deployment | None,
    service: Service,
    runtime: Runtime,
) -> RollbackProgress:
    """The state of the deployment, with the permit of its command, and then the health."""
    reversal, source = progress.reversal, progress.source
    before = reversal.deployment if reversal is not None else None
    if reversal is None or before is None or source is None or progress.version is None:
        raise LookupError("there is no reversal to follow")
    release = state.admitted.release
    old = parse_spec(runtime.apps.read_again(release.app, source.spec).text)
    own = _as_release(release, old)
    gate_lines = read_gates(own, before.created_at, service, runtime)
    lines = gate_lines.lines
    report = read_gate_report(own.id, lines)
    if before.gate is not None:
        report = later(report, before.gate)
    told_all = has_told_all(service, ours, gates_of(own), runtime, may_have_begun=before.permitted)
    status, ended_at = judge_old_version(
        progress,
        release,
        service,
        report,
        runtime.now(),
        unprotected=False,
        has_told_all=told_all,
    )
    found = _answered(state, progress, own, before, status, lines, runtime)
    gate = COMMAND_CONTAINER
    recorded = read_recorded(own.id, gate, lines[gate])
    known = before.recorded.get(gate)
    recorded = known.later(recorded) if known is not None else recorded
    found = replace(
        found,
        status=status,
        ended_at=ended_at,
        gate=without_details(report),
        recorded={gate: recorded},
    )
    is_done = report.phase is Phase.SUCCEEDED and _is_as_before(state.created, recorded.left)
    reversal = replace(reversal, deployment=found, is_done=reversal.is_done or is_done)
    answer = replace(
        progress,
        status=RollbackStatus.ACTIVATING,
        reversal=reversal,
        gate=found.gate,
        ended_at=ended_at,
    )
    match status:
        case Status.ACTIVE if reversal.is_done:
            return watch_version(state, answer, progress.version, old, service, runtime)
        case Status.ACTIVE:
            return as_failed(answer, _NOT_KNOWN.format(progress.target, progress.version))
        case Status.ACTIVATING:
            return answer
        case _:
            why = found.refusal or why_not_active(answer, status, report)
            return as_failed(answer, why)


_NOT_KNOWN = (
    "Version {} was deployed again as version {}, but its gate did not report that the schema is "
    "as it was before the release."
)


def _is_as_before(failed_one: DeploymentProgress, left: Mapping[str, str]) -> bool:
    """Whether the recorded migrations are those that the gate of the release found.

    The gate itself has compared the schema.
    """
    recorded = failed_one.recorded
    found = [recorded[gate].found for gate in failed_one.reversals if gate in recorded]
    return found == [left]


def _as_release(release: Release, old: AppSpec) -> Release:
    """The reversal as a release, with all gates of its deployment and what is no secret in them."""
    own = reversal_release(release)
    gate = next(iter(release.asking_gates), "")
    return replace(
        own,
        gates=(*own.gates, *old.gates()),
        open_variables={
            **old.open_variables(),
            COMMAND_CONTAINER: release.open_variables.get(gate, ()),
        },
    )


def _answered(
    state: State,
    progress: RollbackProgress,
    own: Release,
    before: DeploymentProgress,
    status: Status,
    lines: Mapping[str, Sequence[str]],
    runtime: Runtime,
) -> DeploymentProgress:
    """The deployment after the permit of its command was granted, if its plan is the reversal."""
    release, reversal = state.admitted.release, progress.reversal
    objection = runtime.objection(release.app, state.admitted.lock)
    found, _ = answer_gates(
        GateCheckInput(
            release=own,
            created_at=before.created_at,
            status=status,
            lines=lines,
            order=None,
            history=state.admitted.history,
            poll=timedelta(seconds=progress.poll_seconds),
            objection=joined(objection.reasons) if objection else None,
            not_yet=None,
            outage=progress.checks.outage,
            delay=timedelta(),
            reverses=reversal.migrations if reversal is not None else (),
        ),
        None,
        before,
        runtime,
    )
    return found
