"""Settling a release: one final outcome, on record once, and put into words.

Settle does it at the end of an execution, and the cleaning step for an execution that has
ended without. Both know the release by the state that its execution carries.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lightgate.aftermath import Verified, WentBack
from lightgate.aws.clients import reaching
from lightgate.aws.mailbox import Address
from lightgate.aws.records import Record
from lightgate.deployment import Deployment, Service, Status
from lightgate.ending import Ending, concluded
from lightgate.errors import (
    NotYetError,
    RefusedError,
    SpecError,
    UnreachableError,
    readable,
)
from lightgate.gate_log import Evidence
from lightgate.message.forms import sns_message, subject
from lightgate.message.report import report_of
from lightgate.outcome import (
    Conclusion,
    Outcome,
    broken,
    gone,
    refused,
    stopped,
    superseded,
    unverified,
)
from lightgate.permit import Permit, PermitState, VoidCause
from lightgate.permits import end_of_permits, void
from lightgate.release import Kind, Release, is_digest, rollback_marker
from lightgate.rollback import History, against
from lightgate.runtime import Json, Runtime
from lightgate.spec_parser.broken import remains_of
from lightgate.spec_parser.parser import parse_app_name
from lightgate.subscribers import check_subscribers
from lightgate.verdict import Judgement, Verdict
from lightgate.versions import (
    judgement_of,
    made_by,
    may_have_begun,
    on_record,
    planned_judgement,
)

UNKNOWN = "unknown"
_STEPS = ("admission", "snapshot", "deployment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The outcome on record. `fence` is that of the release's lock, 0 if it never had it.

    `owes_message` says whether the message still has to be sent.
    """

    outcome: Json
    fence: int
    owes_message: bool


def settle_release(state: Json, runtime: Runtime) -> Settlement:
    """Record that the execution is over, and then the outcome of its release; the first one stands.

    In this order a function of the execution that still runs either shows its record here, or
    gets none any more: an execution has one record.

    Raises:
        MissingError: the record of the release, which must exist, could not be read.
        NotYetError: a permit could not be voided, and a gate may still act on it.
    """
    record = _record(state, runtime)
    if record is not None and record.outcome is not None:
        owes_message = runtime.records.owes_message(requested_app(state["request"]), record.release)
    else:
        owes_message = True
        no_permit = None
        if record is not None and record.admission is not None:
            release = Release.from_json(record.admission["release"])
            no_permit = why_not_permitted(release, runtime)
            state = {**state, "admission": {**record.admission, **state.get("admission", {})}}
            _withdraw(release, state, runtime)
        record = _settle(state, no_permit, runtime)
    return Settlement(
        outcome=record.outcome or {},
        fence=record.fence,
        owes_message=owes_message and _is_published(record.status),
    )


def _withdraw(release: Release, state: Json, runtime: Runtime) -> None:
    """Void its permits. Where that cannot be done, they end by themselves.

    What a gate may begin by, it goes by the mailbox's own clock. Without a deployment nobody was
    let begin anything: only who follows one grants a permit.
    """
    try:
        void(release, runtime)
    except UnreachableError as error:
        runtime.logger.warning("a permit could not be voided", why=str(error))
        service, _ = _service(state, runtime)
        made = _deployment(state, service)
        told = state.get("deployment", {}).get("createdAt")
        created_at = made.created_at if made else told and datetime.fromisoformat(told)
        left = end_of_permits(release, created_at) - runtime.now() if created_at else timedelta()
        if left > timedelta():
            raise NotYetError(left) from error


def why_not_permitted(release: Release, runtime: Runtime) -> Permit | None:
    """The permit of a gate that was withdrawn before the gate or the deployment had ended.

    None also where that cannot be read.
    """
    for gate in release.asking_gates:
        address = Address(app=release.app, release=release.id, container=gate)
        try:
            permit = runtime.mailboxes.permit(address)
        except UnreachableError:
            continue
        if permit.state is PermitState.VOID and permit.cause is not VoidCause.ENDED:
            return permit
    return None


def _record(state: Json, runtime: Runtime) -> Record | None:
    """What is on record of the release; also if the answer of Admit that tells of it is lost."""
    app = requested_app(state["request"])
    known = runtime.records.end(app, state["execution"], runtime.now())
    release = _release(state).get("id") or known
    return None if release is None else runtime.records.get(app, release)


def _settle(state: Json, no_permit: Permit | None, runtime: Runtime) -> Record:
    service, why_gone = _service(state, runtime)
    conclusion = _conclude(state, service, why_gone or "", no_permit, runtime)
    app = requested_app(state["request"])
    report = report_of(
        state,
        conclusion,
        app=app,
        stage=state.get("admission", {}).get("stage") or stage_of(app, runtime),
        kind=kind_of(state),
        now=runtime.now(),
    )
    if not conclusion.outcome.is_quiet:
        # First, as a message that is too long loses the last ones.
        report = replace(report, warnings=[*check_subscribers(runtime), *report.warnings])
    outcome = {
        "app": report.app,
        "stage": report.stage,
        "release": report.release,
        "status": conclusion.outcome.value,
        "cause": " ".join(conclusion.reasons) or "no reason",
        "subject": subject(report),
        "message": sns_message(report),
        "warnings": list(report.warnings),
        "failure": report.failure.to_json() if report.failure else None,
        "judgement": report.judgement.to_json() if report.judgement else None,
        "versions": _versions(state, service, conclusion.outcome, runtime),
        "savedSeconds": report.saved_seconds,
    }
    # A command brings the app no image, so its image is not what serves after it.
    is_command = report.kind is Kind.COMMAND
    return runtime.records.settle(
        report.app,
        report.release,
        outcome,
        execution=report.execution,
        digest=None if is_command else report.digest or _requested_digest(state["request"]),
        owes_message=not conclusion.outcome.is_quiet,
    )


def _is_published(status: str) -> bool:
    return status in Outcome and not Outcome(status).is_quiet


def _service(state: Json, runtime: Runtime) -> tuple[Service | None, str | None]:
    """The service as it is now; without it, why the release has none any more, if it had one."""
    found = _release(state)
    if not found:
        return None, None
    release = Release.from_json(found)
    try:
        return runtime.lightsail.service(release.service, release.service_since), None
    except RefusedError as error:
        return None, " ".join(error.reasons)


def _conclude(
    state: Json, service: Service | None, why_gone: str, no_permit: Permit | None, runtime: Runtime
) -> Conclusion:
    kind = kind_of(state)
    for step in _STEPS:
        match state.get(step, {}).get("status"):
            case "REFUSED":
                return refused(state[step]["reasons"], kind)
            case "SUPERSEDED":
                return superseded(state[step]["reasons"])
            case "LOST":
                # Whoever takes a lock away has recorded the outcome before. Nobody has.
                return _broken(" ".join(state[step]["reasons"]), state, service, None)
    deployment = state.get("deployment", {})
    went_back = WentBack.from_json(state["rollback"]) if "rollback" in state else None
    is_gone = service is None and "version" in deployment
    if "error" in state and not is_gone:
        return _broken(words_of(state["error"]), state, service, went_back)
    if "stopped" in state and not is_gone:
        return stopped(
            state["stopped"],
            admitted=bool(_release(state)),
            deployment=_deployment(state, service),
            back=_deployment_back(state, service),
        )
    if service is None:
        return gone(why_gone, deployment["version"], kind)
    release = Release.from_json(_release(state))
    return concluded(
        Ending(
            release=release.id,
            kind=kind,
            status=Status(deployment["status"]),
            version=deployment["version"],
            previous_version=deployment["previousVersion"],
            service=service,
            evidence=Evidence.from_json(deployment["gate"]),
            rollback_to=_release(state).get("rollbackTo"),
            refusal=deployment["refusal"],
            no_permit=no_permit,
            may_have_begun=may_have_begun(release, deployment),
            judgement=planned_judgement(release, deployment),
            earlier=_earlier(state, service, runtime),
            verified=Verified.from_json(state["verification"]) if "verification" in state else None,
            went_back=went_back,
        )
    )


def _broken(error: str, state: Json, service: Service | None, back: WentBack | None) -> Conclusion:
    deployment, version = state.get("deployment", {}), _own_version(state, service)
    is_back = back is not None and back.version is not None
    is_active = deployment.get("status") == Status.ACTIVE
    if service is None or version is None or is_back or not is_active:
        return broken(error, version, back)
    release = Release.from_json(_release(state))
    if not service.serves_own(version, release.id):
        return broken(error, version, back)
    seen = Verified.from_json(state["verification"]) if "verification" in state else None
    return unverified(
        error,
        app=release.app,
        version=version,
        previous=deployment["previousVersion"],
        wrong=seen.shown if seen is not None and seen.is_bad(version) else None,
        is_open=judgement_of(release, deployment).verdict.lets_go_back,
    )


def _earlier(state: Json, service: Service, runtime: Runtime) -> Judgement:
    """What the releases between this one and the version before it mean for that version."""
    deployment = state["deployment"]
    if (previous := deployment["previousVersion"]) is None:
        return Judgement(verdict=Verdict.NONE)
    shown = [one for one in service.deployments if one.version < deployment["version"]]
    past = on_record(runtime.records.versions(_release(state)["app"]), service)
    return against(previous, History(shown=shown, past=past))


def _versions(
    state: Json, service: Service | None, outcome: Outcome, runtime: Runtime
) -> list[Json]:
    if not _release(state) or outcome.is_quiet:
        return []
    release = Release.from_json(_release(state))
    own, back = _own_version(state, service), _version_back(state, service)
    # Only what is deployed again has its image and its spec from there.
    is_again = own is not None and release.kind is not Kind.IMAGE
    made = made_by(
        release,
        state,
        own=own,
        back=back,
        succeeded=outcome is Outcome.SUCCEEDED,
        past=on_record(runtime.records.versions(release.app), service)
        if is_again and service is not None
        else {},
    )
    return [one.to_json() for one in made]


def _release(state: Json) -> Mapping[str, Any]:
    found: Mapping[str, Any] = state.get("admission", {}).get("release", {})
    return found


def kind_of(state: Json) -> Kind:
    """What the release is about; of one that was not admitted by what was asked for."""
    asked = {**_request(state["request"]), **_release(state)}
    if asked.get("rollbackTo") is not None:
        return Kind.ROLLBACK
    return Kind.IMAGE if asked.get("command") is None else Kind.COMMAND


def _own_version(state: Json, service: Service | None) -> int | None:
    """The deployment of the release, also if the answer to its creation was lost."""
    known: int | None = state.get("deployment", {}).get("version")
    found = _deployment(state, service)
    return known if known is not None or found is None else found.version


def _version_back(state: Json, service: Service | None) -> int | None:
    known: int | None = state.get("rollback", {}).get("version")
    found = _deployment_back(state, service)
    return known if known is not None or found is None else found.version


def _deployment(state: Json, service: Service | None) -> Deployment | None:
    release = _release(state)
    return service.deployment_of(release["id"]) if service is not None and release else None


def _deployment_back(state: Json, service: Service | None) -> Deployment | None:
    """What the release has deployed to go back, wherever that has come to."""
    release = _release(state)
    if service is None or not release:
        return None
    return service.deployment_of(rollback_marker(release["id"]))


def words_of(error: Json) -> str:
    """The error that Step Functions caught, without the traceback that it carries."""
    try:
        text = json.loads(error["Cause"])["errorMessage"]
    except (ValueError, KeyError, TypeError):
        text = error.get("Cause") or ""
    return readable(f"{error.get('Error')}: {str(text)[:500]}")


def _request(request: object) -> Mapping[str, Any]:
    return request if isinstance(request, dict) else {}


def requested_app(request: object) -> str:
    """What a person asked for, if it could be an app: SNS takes no line break in a subject."""
    name = _request(request).get("app")
    try:
        return parse_app_name(name) if isinstance(name, str) else UNKNOWN
    except SpecError:
        return UNKNOWN


def stage_of(app: str, runtime: Runtime) -> str:
    """The stage in the app's spec as it stands, else that of its last release, else "unknown".

    Subscribers filter by it. So a refusal has it too, even if the rest of the spec is wrong.
    """
    with contextlib.suppress(RefusedError, UnreachableError), reaching("SSM"):
        if stage := remains_of(runtime.apps.read(app).text).stage:
            return stage.value
    with contextlib.suppress(UnreachableError), reaching("DynamoDB"):
        if (last := runtime.records.last_known(app)) and last.stage:
            return last.stage
    return UNKNOWN


def _requested_digest(request: object) -> str | None:
    """The image that a refused release was about, so that nobody takes it for a new one."""
    digest = _request(request).get("digest")
    return digest if isinstance(digest, str) and is_digest(digest) else None
