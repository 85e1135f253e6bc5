"""RollBack: the new version is unhealthy; deploy the last good one again, or say why not.

If the new version never served and its migrations broke the old one, it reverses them first, for
an app whose owner has opted in.

With Deploy the only step that reads secrets. They go into the request to Lightsail and
nowhere else: not into what the step returns, nor into a log line or an error.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lightgate.aws.lightsail import Busy
from lightgate.deployment.status import (
    Deployment,
    Service,
    Status,
    reports_since,
)
from lightgate.errors import NotShownError, RefusedError, SpecReplacedError
from lightgate.gate.gate_report import GateReport, Phase
from lightgate.gate.report_reader import read_gate_report
from lightgate.migrations.reversal import reversal_of
from lightgate.names import CHECKED, rollback_marker
from lightgate.operations.build_deployment import build_rollback, rollback_notes_again
from lightgate.operations.changes_outside import with_changes_outside
from lightgate.operations.create_deployment import create_deployment
from lightgate.operations.kept_images import KeptImages, app_images
from lightgate.operations.read_gates import has_told_all
from lightgate.operations.reverse_migrations import reverse_migrations
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
from lightgate.records.version import VersionRecord, VersionSource
from lightgate.release.release import Release
from lightgate.rollback.policy import (
    RollbackAction,
    RollbackInput,
    VersionHistory,
    decide_rollback,
    last_good,
    without_its_spec,
)
from lightgate.rollback.reversal_policy import needs_reversal
from lightgate.rollback.version_history import listed_records, records_of_release
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_spec
from lightgate.state import RollbackProgress, RollbackStatus, State


def roll_back(state: State, runtime: Runtime) -> RollbackProgress:
    """The state of the rollback; see `RollbackStatus`.

    Idempotent: the deployment of the rollback has its own marker, and is looked for before another
    one is created.
    """
    release = state.admitted.release
    progress = state.rollback or _not_begun(release, state.admitted.poll_seconds, runtime.now())
    pause = timedelta(seconds=progress.poll_seconds)
    progress = replace(progress, checks=progress.checks.resumed(runtime.now(), pause=pause))
    if needs_reversal(release, state.created):
        answer = reverse_migrations(state, progress, runtime)
    else:
        answer = _roll_back(state, progress, runtime)
    runtime.logger.info("the rollback", status=answer.status, reasons=answer.reasons)
    return replace(answer, checks=progress.checks.ended(runtime.now()))


def _roll_back(state: State, progress: RollbackProgress, runtime: Runtime) -> RollbackProgress:
    release = state.admitted.release
    service = runtime.lightsail.service(
        release.service, release.service_since, following=progress.release
    )
    ours = service.deployment_of(progress.release)
    if ours is None and progress.version is None:
        found = with_changes_outside(release, state.created, runtime)
        return _start(replace(state, deployment=found), progress, runtime)
    return _follow(state, progress, ours, service, runtime)


def _not_begun(release: Release, poll_seconds: int, now: datetime) -> RollbackProgress:
    return RollbackProgress(
        status=None,
        begun_at=now,
        poll_seconds=poll_seconds,
        release=rollback_marker(release.id),
    )


def _start(state: State, progress: RollbackProgress, runtime: Runtime) -> RollbackProgress:
    """Decide whether to roll back, and create the deployment that does it."""
    release, failed = state.admitted.release, state.created.version
    if (objection := runtime.objection(release.app, state.admitted.lock)) is not None:
        return replace(progress, status=RollbackStatus.LOST, reasons=objection.reasons)
    service = runtime.lightsail.service(release.service, release.service_since)
    if not service.serves_own(failed, release.id):
        reason = f"Version {failed} is no longer live."
        return replace(progress, status=RollbackStatus.REPLACED, reasons=[reason])
    past = listed_records(runtime.releases.versions(release.app), service)
    kept = KeptImages(past, runtime)
    action, decided = _decide(state, progress, service, past, lambda one: kept.of(one).gone)
    match action:
        case RollbackAction.KEEP:
            return replace(decided, status=RollbackStatus.KEPT)
        case RollbackAction.IMPOSSIBLE:
            return replace(decided, status=RollbackStatus.IMPOSSIBLE)
        case RollbackAction.REDEPLOY:
            [target] = [one for one in service.deployments if one.version == decided.target]
            decided = replace(decided, warnings=list(kept.of(target).notes))
            return _redeploy(state, target.version, decided, runtime)


def _decide(
    state: State,
    progress: RollbackProgress,
    service: Service,
    past: Mapping[int, VersionRecord],
    lacks: Callable[[Deployment], Sequence[str]],
) -> tuple[RollbackAction, RollbackProgress]:
    """The decision. It stays the same after the rollback's deployment was created.

    `lacks` names the images of a version that are gone.
    """
    seen = _rollback_input(state, progress.release, service, past)
    gone: dict[int, Sequence[str]] = {}
    while (target := last_good(seen.history, seen.previous, gone)) and (images := lacks(target)):
        gone[target.version] = images
    found = decide_rollback(replace(seen, gone=gone))
    known = None if found.version is None else past.get(found.version)
    decided = replace(
        progress,
        target=found.version,
        source=known.source if known is not None else None,
        reasons=found.reasons,
        next_steps=found.next_steps,
        notes=found.notes,
    )
    return found.action, decided


def _rollback_input(
    state: State, marker: str, service: Service, past: Mapping[int, VersionRecord]
) -> RollbackInput:
    release, deployment = state.admitted.release, state.created
    failed = deployment.version
    applied = [one.name for one in deployment.gate.migrations] if deployment.gate else []
    reversal = reversal_of(deployment.reversals, applied)
    # Its record is written with the outcome, but its migrations count now.
    [own] = records_of_release(
        release,
        deployment,
        own=failed,
        back=None,
        succeeded=False,
        past={},
        verified=state.verification,
    )
    return RollbackInput(
        app=release.app,
        execution=state.execution,
        failed=failed,
        previous=deployment.previous_version,
        reversal=reversal.executions(release.app, release.digest, release.policy),
        why_not=reversal.why_not,
        history=VersionHistory(
            # The rollback's own deployment does not count.
            listed=[one for one in service.deployments if one.release != marker],
            records={**past, failed: own},
        ),
    )


def _redeploy(
    state: State, target: int, decided: RollbackProgress, runtime: Runtime
) -> RollbackProgress:
    release, failed = state.admitted.release, state.created.version
    source = decided.source or VersionSource()
    try:
        assembled = build_rollback(release, target, source.spec, decided.release, CHECKED, runtime)
        _, created = create_deployment(release, assembled.request, runtime)
    except SpecReplacedError as error:
        return replace(
            decided,
            status=RollbackStatus.IMPOSSIBLE,
            reasons=[
                f"Version {target} cannot be deployed again automatically, because its secrets are "
                "named in a spec that no longer exists.",
                *error.reasons,
            ],
            next_steps=without_its_spec(
                release.app, state.execution, failed, target, source.digest
            ),
        )
    except RefusedError as error:
        return not_deployed(decided, error, runtime.now())
    decided = replace(decided, notes=[*decided.notes, *assembled.notes])
    if isinstance(created, Busy):
        return wait_while_busy(release, decided, created, runtime.now())
    return with_deployment(decided, created)


def _follow(
    state: State,
    progress: RollbackProgress,
    ours: Deployment | None,
    service: Service,
    runtime: Runtime,
) -> RollbackProgress:
    """The state of the rollback's deployment, and then the health of the old version.

    `ours` is that deployment as the service shows it, None while its answers lag.
    """
    release = state.admitted.release
    if progress.version is None and ours is not None:
        skipped: Sequence[str] = ()
        if progress.target is None:
            # The answer with the decision is lost.
            service = runtime.lightsail.service(release.service, release.service_since)
            past = listed_records(runtime.releases.versions(release.app), service)
            _, progress = _decide(state, progress, service, past, _unlike(ours))
            skipped, progress = progress.notes, replace(progress, notes=())
        progress = with_deployment(_with_notes(release, progress, runtime), ours)
        progress = replace(progress, notes=[*skipped, *progress.notes])
    version, created_at = progress.version, progress.created_at
    if version is None or created_at is None:
        raise LookupError("there is no deployment to follow")
    try:
        spec = _spec(release, progress, runtime)
    except RefusedError as error:
        reason = (
            f"Version {progress.target} was deployed again as version {version}, which "
            "could not be checked, because its spec cannot be read."
        )
        return as_failed(progress, reason, *error.reasons)
    told_all = has_told_all(service, ours, spec.gates(), runtime, may_have_begun=False)
    gate_report = _gate_report(release, progress, spec, created_at, service, runtime)
    status, ended_at = judge_old_version(
        progress,
        release,
        service,
        gate_report,
        runtime.now(),
        unprotected=spec.unprotected and gate_report.phase is not Phase.UNGATED,
        has_told_all=told_all,
    )
    answer = replace(progress, gate=without_details(gate_report), ended_at=ended_at)
    match status:
        case Status.ACTIVATING:
            return answer
        case Status.ACTIVE:
            return watch_version(state, answer, version, spec, service, runtime)
        case _:
            return as_failed(answer, why_not_active(answer, status, gate_report))


def _unlike(ours: Deployment) -> Callable[[Deployment], Sequence[str]]:
    """Recognise the skipped versions by the images of the rollback's deployment.

    The registry may show other images now than at the time of the decision.
    """
    images = app_images(ours)
    return lambda one: () if app_images(one) == images else ("one of its images no longer exists",)


def _with_notes(release: Release, progress: RollbackProgress, runtime: Runtime) -> RollbackProgress:
    """With the notes of the created deployment, if the answer with them is lost."""
    if progress.notes or progress.target is None:
        return progress
    used = progress.source.spec if progress.source is not None else None
    return replace(progress, notes=rollback_notes_again(release, progress.target, used, runtime))


def _spec(release: Release, progress: RollbackProgress, runtime: Runtime) -> AppSpec:
    used = (progress.source.spec if progress.source is not None else None) or release.spec
    return parse_spec(runtime.apps.read_again(release.app, used).text)


def _gate_report(
    release: Release,
    progress: RollbackProgress,
    spec: AppSpec,
    created_at: datetime,
    service: Service,
    runtime: Runtime,
) -> GateReport:
    """The reports of the gates; none while the service does not show the deployment.

    The deployment shows which values are secrets.
    """
    lightsail, marker, since = runtime.lightsail, progress.release, reports_since(created_at)
    lines: dict[str, list[str]] = {gate: [] for gate in spec.gates()}
    # Without the target's own spec, every variable may be a secret.
    is_known = progress.source is not None and progress.source.spec is not None
    is_open = spec.open_variables() if is_known else {}
    with contextlib.suppress(NotShownError):
        mask = lightsail.mask(release.service, marker, is_open, seen=service)
        for gate in lines:
            lines[gate] = lightsail.gate_lines(release.service, gate, since, mask)
    return read_gate_report(marker, lines)
