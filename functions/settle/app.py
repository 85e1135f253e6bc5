"""Settle: one final outcome for the release, recorded, and put into words."""

import json
from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.deployment import Status
from lightgate.errors import RefusedError, SpecError
from lightgate.gate_log import NO_EVIDENCE, Evidence
from lightgate.messages import Report, Snapshot, sns_message, subject
from lightgate.outcome import Conclusion, broken, concluded, refused
from lightgate.release import release_id
from lightgate.runtime import Json, Runtime, run
from lightgate.spec_parser import parse_app_name


def handler(event: Json, context: LambdaContext) -> Json:
    return run(settle, event, context)


def settle(event: Json, runtime: Runtime) -> Json:
    """What the state machine publishes. The first outcome on record stands."""
    event = event["state"]
    report = _report(event, _conclude(event, runtime), runtime.now())
    settlement = runtime.records.settle(
        report.app,
        report.release,
        {
            "app": report.app,
            "stage": report.stage,
            "status": report.conclusion.outcome.value,
            "cause": " ".join(report.conclusion.reasons) or "no reason",
            "subject": subject(report),
            "message": sns_message(report),
        },
    )
    runtime.logger.info("the release is settled", outcome=report.conclusion.outcome.value)
    _measure(report, runtime)
    return settlement


def _conclude(event: Json, runtime: Runtime) -> Conclusion:
    for step in ("admission", "snapshot", "deployment"):
        if event.get(step, {}).get("status") == "REFUSED":
            return refused(event[step]["reasons"])
    deployment = event.get("deployment", {})
    if "error" in event:
        return broken(_words(event["error"]), _version(event, runtime))
    try:
        service = runtime.lightsail.service(event["admission"]["release"]["service"])
    except RefusedError as error:
        # Somebody has deleted the service meanwhile.
        return broken(str(error), deployment["version"])
    return concluded(
        status=Status(deployment["status"]),
        version=deployment["version"],
        previous_version=deployment["previousVersion"],
        service=service,
        evidence=Evidence.from_json(deployment["gate"]),
    )


def _version(event: Json, runtime: Runtime) -> int | None:
    """The deployment of a broken release, also if the answer to its creation was lost."""
    release = event.get("admission", {}).get("release")
    if release is None:
        return None
    known: int | None = event.get("deployment", {}).get("version")
    if known is not None:
        return known
    try:
        found = runtime.lightsail.service(release["service"]).deployment_of(release["id"])
    except RefusedError:
        return None
    return found.version if found is not None else None


def _words(error: Json) -> str:
    """The error that Step Functions caught, without the traceback that it carries."""
    try:
        text = json.loads(error["Cause"])["errorMessage"]
    except (ValueError, KeyError, TypeError):
        text = error.get("Cause") or ""
    return f"{error.get('Error')}: {str(text)[:500]}"


def _report(event: Json, conclusion: Conclusion, now: datetime) -> Report:
    admission, deployment = event.get("admission", {}), event.get("deployment", {})
    snapshot = event.get("snapshot", {})
    release = admission.get("release", {})
    request = event["request"] if isinstance(event["request"], dict) else {}
    started_at = datetime.fromisoformat(event["startedAt"])
    return Report(
        app=release.get("app") or _requested_app(request.get("app")),
        stage=release.get("stage", "unknown"),
        release=release.get("id") or release_id(event["execution"], started_at, None),
        repository=release.get("repository"),
        digest=release.get("digest"),
        reason=release.get("reason"),
        warnings=admission.get("warnings", []),
        execution=event["execution"],
        started_at=started_at,
        ended_at=now,
        snapshot=Snapshot(id=snapshot["id"], available_at=snapshot.get("availableAt"))
        if "id" in snapshot
        else None,
        version=deployment.get("version"),
        previous_version=deployment.get("previousVersion"),
        evidence=Evidence.from_json(deployment["gate"]) if "gate" in deployment else NO_EVIDENCE,
        conclusion=conclusion,
    )


def _requested_app(name: object) -> str:
    """What a person asked for, if it could be an app: SNS takes no line break in a subject."""
    try:
        return parse_app_name(name) if isinstance(name, str) else "unknown"
    except SpecError:
        return "unknown"


def _measure(report: Report, runtime: Runtime) -> None:
    runtime.metrics.add_dimension("app", report.app)
    runtime.metrics.add_dimension("status", report.conclusion.outcome.value)
    runtime.metrics.add_metric("lightgateReleasesEnded", MetricUnit.Count, 1)
    seconds = (report.ended_at - report.started_at).total_seconds()
    runtime.metrics.add_metric("lightgateReleaseSeconds", MetricUnit.Seconds, seconds)
