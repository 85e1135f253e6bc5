"""Settling a release: one final outcome, on record once, and put into words.

Settle does it at the end of an execution, and the cleaning step for an execution that has
ended without. Both know the release by the state that its execution carries.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lightgate.aws.records import Record
from lightgate.backup import BackupOrder
from lightgate.deployment import Deployment, Status
from lightgate.durations import handed_on, saved
from lightgate.errors import RefusedError, SpecError
from lightgate.gate_log import NO_EVIDENCE, Evidence
from lightgate.messages import Report, Snapshot, sns_message, subject
from lightgate.outcome import (
    Conclusion,
    Outcome,
    broken,
    concluded,
    refused,
    stopped,
    superseded,
)
from lightgate.permits import void
from lightgate.release import Release, is_digest, release_id
from lightgate.restore import restore_from_snapshot, restore_to_moment
from lightgate.runtime import Json, Runtime
from lightgate.spec_parser import parse_app_name

_STEPS = ("admission", "snapshot", "deployment")


def settle_release(state: Json, runtime: Runtime) -> Json:
    """The settlement on record; the first one stands.

    `publish` in it says whether the message is still to go out.
    """
    record = _record(state, runtime)
    if record is None or record.outcome is None:
        if record is not None and record.admission is not None:
            void(Release.from_json(record.admission["release"]), "the release has ended", runtime)
        record = _settle(state, record, runtime)
    publish = not record.published and _is_published(record.status)
    return {**(record.outcome or {}), "publish": publish}


def _record(state: Json, runtime: Runtime) -> Record | None:
    """What is on record of the release; also if the answer of Admit that tells of it is lost."""
    app, started_at = requested_app(state["request"]), datetime.fromisoformat(state["startedAt"])
    if release := _release(state):
        return runtime.records.find(app, release["id"])
    return runtime.records.of_execution(app, state["execution"], started_at)


def _settle(state: Json, record: Record | None, runtime: Runtime) -> Record:
    if record is not None and record.admission is not None:
        state = {**state, "admission": {**record.admission, **state.get("admission", {})}}
    report = _report(state, _conclude(state, runtime), runtime.now())
    outcome = {
        "app": report.app,
        "stage": report.stage,
        "release": report.release,
        "status": report.conclusion.outcome.value,
        "cause": " ".join(report.conclusion.reasons) or "no reason",
        "subject": subject(report),
        "message": sns_message(report),
    }
    return runtime.records.settle(
        report.app,
        report.release,
        outcome,
        execution=report.execution,
        digest=report.digest or _requested_digest(state["request"]),
    )


def _is_published(status: str) -> bool:
    return status in Outcome and not Outcome(status).is_quiet


def _conclude(state: Json, runtime: Runtime) -> Conclusion:
    for step in _STEPS:
        match state.get(step, {}).get("status"):
            case "REFUSED":
                return refused(state[step]["reasons"])
            case "SUPERSEDED" | "LOST":
                return superseded(state[step]["reasons"])
    deployment = state.get("deployment", {})
    if "error" in state:
        return broken(_words(state["error"]), _version(state, runtime))
    if "stopped" in state:
        return stopped(
            state["stopped"], admitted=bool(_release(state)), deployment=_deployment(state, runtime)
        )
    try:
        service = runtime.lightsail.service(_release(state)["service"])
    except RefusedError as error:
        # Somebody has deleted the service meanwhile.
        return broken(str(error), deployment["version"])
    return concluded(
        status=Status(deployment["status"]),
        version=deployment["version"],
        previous_version=deployment["previousVersion"],
        service=service,
        evidence=Evidence.from_json(deployment["gate"]),
        refusal=deployment["refusal"],
    )


def _release(state: Json) -> Mapping[str, Any]:
    found: Mapping[str, Any] = state.get("admission", {}).get("release", {})
    return found


def _version(state: Json, runtime: Runtime) -> int | None:
    """The deployment of a broken release, also if the answer to its creation was lost."""
    known: int | None = state.get("deployment", {}).get("version")
    if known is not None:
        return known
    found = _deployment(state, runtime)
    return found.version if found is not None else None


def _deployment(state: Json, runtime: Runtime) -> Deployment | None:
    release = _release(state)
    if not release:
        return None
    try:
        return runtime.lightsail.service(release["service"]).deployment_of(release["id"])
    except RefusedError:
        return None


def _words(error: Json) -> str:
    """The error that Step Functions caught, without the traceback that it carries."""
    try:
        text = json.loads(error["Cause"])["errorMessage"]
    except (ValueError, KeyError, TypeError):
        text = error.get("Cause") or ""
    return f"{error.get('Error')}: {str(text)[:500]}"


def _report(state: Json, conclusion: Conclusion, now: datetime) -> Report:
    admission, deployment = state.get("admission", {}), state.get("deployment", {})
    release = _release(state)
    started_at = datetime.fromisoformat(state["startedAt"])
    return Report(
        app=release.get("app") or requested_app(state["request"]),
        stage=release.get("stage", "unknown"),
        release=release.get("id") or release_id(state["execution"], started_at, None),
        repository=release.get("repository"),
        digest=release.get("digest"),
        reason=release.get("reason"),
        warnings=admission.get("warnings", []),
        execution=state["execution"],
        started_at=started_at,
        ended_at=now,
        snapshot=_snapshot(state),
        saved_seconds=saved(state, now),
        version=deployment.get("version"),
        previous_version=deployment.get("previousVersion"),
        evidence=Evidence.from_json(deployment["gate"]) if "gate" in deployment else NO_EVIDENCE,
        conclusion=conclusion,
    )


def _snapshot(state: Json) -> Snapshot | None:
    found = handed_on(state)
    if found is None:
        return None
    return Snapshot(
        id=found["id"],
        available_at=found["availableAt"],
        restores_to=found["restoresTo"],
        restore=_restore(state, found),
    )


def _restore(state: Json, found: Json) -> Sequence[str]:
    order, release = BackupOrder.from_json(state["admission"]["database"]), _release(state)["id"]
    if found["availableAt"] is None:
        return ()
    if found["id"] is not None:
        return restore_from_snapshot(order.kind, order.database, release, found["id"])
    moment = datetime.fromisoformat(found["restoresTo"])
    return restore_to_moment(order.kind, order.database, release, moment)


def requested_app(request: object) -> str:
    """What a person asked for, if it could be an app: SNS takes no line break in a subject."""
    name = request.get("app") if isinstance(request, dict) else None
    try:
        return parse_app_name(name) if isinstance(name, str) else "unknown"
    except SpecError:
        return "unknown"


def _requested_digest(request: object) -> str | None:
    """The image that a refused release was about, so that nobody takes it for a new one."""
    digest = request.get("digest") if isinstance(request, dict) else None
    return digest if isinstance(digest, str) and is_digest(digest) else None
