"""The way back to an old version, from one call of RollBack to the next.

What is known of it travels as the answer of the step: `target` is the version to go back to,
`version` the deployment that brings it back, `release` the marker of that.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lightgate.app_spec.spec import AppSpec
from lightgate.assembly import assemble_rollback, rollback_notes_again
from lightgate.aws.lightsail import Busy
from lightgate.deployment import Deployment, Service, Status, Watch, judge, reports_since
from lightgate.errors import DeniedError, NotShownError, RefusedError, SpecReplacedError
from lightgate.gate_log import Evidence, Phase, read_evidence
from lightgate.kept_images import KeptImages, app_images
from lightgate.outage import LONGEST_OUTAGE, Checks
from lightgate.ownership import refuse_if_foreign
from lightgate.past import Past
from lightgate.pinning import why_other_images, without_command
from lightgate.release import CHECKED, Release, UsedSpec, rollback_marker
from lightgate.reversal import reversal_of
from lightgate.rollback import (
    Action,
    History,
    Situation,
    last_good,
    remedy,
    without_its_spec,
)
from lightgate.runtime import Json, Runtime
from lightgate.spec_parser.parser import parse_spec
from lightgate.verification import WatchStatus
from lightgate.versions import made_by, on_record, source_of
from lightgate.watching import look, returned


def not_begun(release: Release, admission: Mapping[str, Any], now: datetime) -> Json:
    return {
        "status": None,
        "begunAt": now.isoformat(),
        "pollSeconds": admission["pollSeconds"],
        "release": rollback_marker(release.id),
        "target": None,
        "version": None,
        "targetRelease": None,
        "createdAt": None,
        "endedAt": None,
        "gate": None,
        "watch": None,
        "reasons": [],
        "nextSteps": [],
        "notes": [],
        "warnings": [],
    }


def begin(release: Release, state: Mapping[str, Any], before: Json, runtime: Runtime) -> Json:
    """Decide whether to go back, and create the deployment that does."""
    admission, failed = state["admission"], state["deployment"]["version"]
    if (objection := runtime.objection(release.app, admission["turn"])) is not None:
        return {**before, "status": "LOST", "reasons": objection["reasons"]}
    service = runtime.lightsail.service(release.service, release.service_since)
    if not service.serves_own(failed, release.id):
        return {
            **before,
            "status": "REPLACED",
            "reasons": [f"Version {failed} does not serve any more."],
        }
    past = on_record(runtime.records.versions(release.app), service)
    kept = KeptImages(past, runtime)
    action, decided = _decide(release, state, before, service, past, lambda one: kept.of(one).gone)
    match action:
        case Action.KEEP:
            return {**decided, "status": "KEPT"}
        case Action.IMPOSSIBLE:
            return {**decided, "status": "IMPOSSIBLE"}
        case Action.REDEPLOY:
            [target] = [one for one in service.deployments if one.version == decided["target"]]
            unknown = list(kept.of(target).notes)
            return _redeploy(release, failed, {**decided, "warnings": unknown}, runtime)


def _decide(
    release: Release,
    state: Mapping[str, Any],
    before: Json,
    service: Service,
    past: Mapping[int, Past],
    lacks: Callable[[Deployment], Sequence[str]],
) -> tuple[Action, Json]:
    """What to do. It is the same once the deployment that goes back is there.

    `lacks` names the images of a version that are gone.
    """
    seen = _situation(release, state, before["release"], service, past)
    gone: dict[int, Sequence[str]] = {}
    while (target := last_good(seen.history, seen.previous, gone)) and (images := lacks(target)):
        gone[target.version] = images
    found = remedy(replace(seen, gone=gone))
    known = None if found.version is None else past.get(found.version)
    return found.action, {
        **before,
        "target": found.version,
        "targetRelease": source_of(known) or None,
        "reasons": list(found.reasons),
        "nextSteps": list(found.next_steps),
        "notes": list(found.notes),
    }


def _situation(
    release: Release,
    state: Mapping[str, Any],
    marker: str,
    service: Service,
    past: Mapping[int, Past],
) -> Situation:
    deployment = state["deployment"]
    failed, evidence = deployment["version"], Evidence.from_json(deployment["gate"])
    reversal = reversal_of(deployment, [one.name for one in evidence.migrations])
    # It goes on record when the release is settled, and counts now.
    [own] = made_by(release, state, own=failed, back=None, succeeded=False, past={})
    return Situation(
        app=release.app,
        failed=failed,
        previous=deployment["previousVersion"],
        take_back=reversal.executions(release.app, release.digest, release.policy),
        why_not=reversal.why_not,
        history=History(
            # The deployment that goes back is no reason for or against itself.
            shown=[one for one in service.deployments if one.release != marker],
            past={**past, failed: own},
        ),
    )


def _redeploy(release: Release, failed: int, decided: Json, runtime: Runtime) -> Json:
    target, known = decided["target"], _known(decided)
    try:
        assembled = assemble_rollback(
            release, target, _used(decided), decided["release"], CHECKED, runtime
        )
        service = runtime.lightsail.service(release.service, release.service_since)
        refuse_if_foreign(service, release.app, runtime)
        created = runtime.lightsail.create_deployment(assembled.request)
    except SpecReplacedError as error:
        return {
            **decided,
            "status": "IMPOSSIBLE",
            "reasons": [
                f"Version {target} cannot be deployed again automatically, because its secrets are "
                "named in a spec that is gone.",
                *error.reasons,
            ],
            "nextSteps": without_its_spec(release.app, failed, target, known.get("digest")),
        }
    except DeniedError as error:
        # A right that was granted a moment ago takes some time to hold.
        now = runtime.now()
        denied_at = decided.get("deniedAt") or now.isoformat()
        if now - datetime.fromisoformat(denied_at) < LONGEST_OUTAGE:
            return {**decided, "status": "BUSY", "deniedAt": denied_at}
        return {**decided, "status": "FAILED", "reasons": [*decided["reasons"], *error.reasons]}
    except RefusedError as error:
        return {**decided, "status": "FAILED", "reasons": [*decided["reasons"], *error.reasons]}
    decided = {**decided, "notes": [*decided["notes"], *assembled.notes]}
    if isinstance(created, Busy):
        return _busy(release, decided, created, runtime.now())
    return _created(decided, created)


def _known(before: Json) -> Mapping[str, Any]:
    """What is on record of the version to go back to."""
    return before["targetRelease"] or {}


def _used(before: Json) -> UsedSpec | None:
    """The spec of the version to go back to, if it is known."""
    known = _known(before)
    return UsedSpec.of(known.get("specVersion"), known.get("specDigest"))


def _busy(release: Release, decided: Json, busy: Busy, now: datetime) -> Json:
    """Wait for whatever is in the way, but not for ever."""
    limit = release.deployment_timeout + Checks.from_json(decided).outage
    if now - datetime.fromisoformat(decided["begunAt"]) < limit:
        return {**decided, "status": "BUSY"}
    reason = f"The container service was busy for too long: {busy.reason}"
    return {**decided, "status": "FAILED", "reasons": [reason]}


def _created(before: Json, ours: Deployment) -> Json:
    return {
        **before,
        "status": "ACTIVATING",
        "version": ours.version,
        "createdAt": ours.created_at.isoformat(),
    }


def follow(
    release: Release,
    state: Mapping[str, Any],
    before: Json,
    ours: Deployment | None,
    runtime: Runtime,
) -> Json:
    """How the deployment stands that brings the old version back, and then that version itself.

    `ours` is that deployment as the service shows it, None while reads lag.
    """
    service = runtime.lightsail.service(release.service, release.service_since)
    if before["version"] is None and ours is not None:
        passed_over: Sequence[str] = ()
        if before["target"] is None:
            # The answer with what was decided is lost.
            past = on_record(runtime.records.versions(release.app), service)
            _, before = _decide(release, state, before, service, past, _unlike(ours))
            passed_over, before = before["notes"], {**before, "notes": []}
        before = _created(_with_notes(release, before, runtime), ours)
        before = {**before, "notes": [*passed_over, *before["notes"]]}
    try:
        spec = _spec(release, before, runtime)
    except RefusedError as error:
        reason = (
            f"Version {before['target']} was deployed again as version {before['version']}, which "
            "could not be verified, because its spec cannot be read."
        )
        return {**before, "status": "FAILED", "reasons": [reason, *error.reasons]}
    created_at = datetime.fromisoformat(before["createdAt"])
    evidence = _evidence(release, before, spec, created_at, runtime)
    ended_at = before["endedAt"]
    status, ended = judge(
        Watch(
            version=before["version"],
            marker=before["release"],
            # The time limit is for the whole way back, with the wait for a busy service.
            created_at=datetime.fromisoformat(before["begunAt"]),
            time_limit=release.deployment_timeout + Checks.from_json(before).outage,
            ended_at=datetime.fromisoformat(ended_at) if ended_at else None,
        ),
        service,
        evidence,
        unprotected=spec.unprotected and evidence.phase is not Phase.UNGATED,
        now=runtime.now(),
    )
    answer = {
        **before,
        "gate": _short(evidence).to_json(),
        "endedAt": ended.isoformat() if ended else None,
    }
    match status:
        case Status.ACTIVATING:
            return answer
        case Status.ACTIVE:
            return _watch(answer, spec, service, runtime)
        case _:
            return {**answer, "status": "FAILED", "reasons": _why_not(answer, status, evidence)}


def _unlike(ours: Deployment) -> Callable[[Deployment], Sequence[str]]:
    """What a version lacks that was passed over, by the deployment that goes back.

    Images may have been deleted since, or may not have been looked up then.
    """
    images = app_images(ours)
    return lambda one: () if app_images(one) == images else ("an image of it was gone",)


def _with_notes(release: Release, before: Json, runtime: Runtime) -> Json:
    """What was told when the deployment was created, whose answer is lost."""
    if before["notes"] or before["target"] is None:
        return before
    again = rollback_notes_again(release, before["target"], _used(before), runtime)
    return {**before, "notes": list(again)}


def _spec(release: Release, before: Json, runtime: Runtime) -> AppSpec:
    used = _used(before) or release.spec
    return parse_spec(runtime.apps.read_again(release.app, used).text)


def _evidence(
    release: Release, before: Json, spec: AppSpec, created_at: datetime, runtime: Runtime
) -> Evidence:
    """The reports of the gates; none while the service does not show the deployment.

    The deployment shows which values are secrets.
    """
    lightsail, marker, since = runtime.lightsail, before["release"], reports_since(created_at)
    lines: dict[str, list[str]] = {gate: [] for gate in spec.gates()}
    # Without the target's own spec on record, nobody knows which of its variables are secrets.
    is_open = spec.open_variables() if _used(before) else {}
    with contextlib.suppress(NotShownError):
        mask = lightsail.mask(release.service, marker, is_open)
        for gate in lines:
            lines[gate] = lightsail.gate_lines(release.service, gate, since, mask)
    return read_evidence(marker, lines)


def _short(evidence: Evidence) -> Evidence:
    """Without lines and names: beside those of the release they could be too much to carry."""
    failure = evidence.failure
    return replace(
        evidence,
        migrations=(),
        last_lines=(),
        failure=failure and replace(failure, last_lines=()),
    )


def _watch(answer: Json, spec: AppSpec, service: Service, runtime: Runtime) -> Json:
    digest = _known(answer).get("digest") if _used(answer) else None
    subject = returned(answer["version"], spec, service, digest=digest)
    found = look(subject, service, answer["watch"], runtime)
    if found.status is WatchStatus.GOOD and (why := _why_other_images(answer, service)):
        return {**answer, "status": "FAILED", "reasons": [why]}
    return {**answer, **found.to_json()}


def _why_other_images(answer: Json, service: Service) -> str | None:
    """Why it may not run the images of the version that was rolled back to."""
    target = service.version_of(answer["target"])
    shown = service.deployment_of(answer["release"])
    if target is None or shown is None:
        return f"Version {answer['target']} is not listed any more, so what runs is unknown."
    return why_other_images(shown, without_command(target))


def _why_not(answer: Json, status: Status, evidence: Evidence) -> list[str]:
    failure = evidence.failure
    why = f" {failure.container}: {failure.error}" if failure is not None else ""
    how = "has failed" if status is Status.FAILED else "has not become active in time"
    return [
        f"Version {answer['target']} was deployed again as version {answer['version']}, and that "
        f"{how}.{why}"
    ]
