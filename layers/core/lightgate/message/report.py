"""What is told of an ended release, put together from the state that its execution carries."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightgate.aftermath import Verified
from lightgate.backup import BackupMode, BackupOrder
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.durations import handed_on, saved
from lightgate.gate_log import NO_EVIDENCE, Evidence, Phase
from lightgate.outcome import Conclusion
from lightgate.release import Kind, Release, release_id
from lightgate.restore import Restoring, point_the_app, restore_from_snapshot, restore_to_moment
from lightgate.reversal import reversal_of
from lightgate.verdict import Judgement
from lightgate.versions import applied_nothing, planned_judgement

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The restore point of a release: a snapshot, or a moment of a continuous backup.

    `id` is None for the latter. `status` is that of the last look, with the database service's
    own word in `detail`; it is None if nobody has told of one. `available_at` is None until the
    service has said so. `restores_to` is the moment as of which it has the database, and `age` how
    old that was when something may first have been applied. `restore` are the commands that bring
    that database back, beside the one that is there, and `point_the_app` those that let the app
    use it then.
    """

    id: str | None
    available_at: str | None
    status: str | None = None
    detail: str = ""
    restores_to: str | None = None
    age: timedelta | None = None
    restore: Sequence[str] = ()
    point_the_app: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known of an ended release.

    `failure` says why it failed, `judgement` what its migrations mean for the version before, also
    if `applied_nothing` says that none of them is applied, and `watched` what its watch period has
    shown. `no_restore_point` says why the release had none, if that was
    wanted so. `not_applied` was pending and is not known to be applied,
    `take_back` are the executions that take back what is, and `why_not_back` says why there are
    none; neither where nothing is known to be applied.
    """

    app: str
    stage: str
    release: str
    repository: str | None
    digest: str | None
    reason: str | None
    warnings: Sequence[str]
    execution: str
    started_at: datetime
    ended_at: datetime
    snapshot: Snapshot | None
    version: int | None
    previous_version: int | None
    evidence: Evidence
    conclusion: Conclusion
    no_restore_point: str | None = None
    saved_seconds: float = 0
    pushed_digest: str | None = None
    kind: Kind = Kind.IMAGE
    failure: Diagnosis | None = None
    judgement: Judgement | None = None
    applied_nothing: bool = False
    watched: str | None = None
    not_applied: Sequence[str] = ()
    take_back: Sequence[str] = ()
    why_not_back: str | None = None


def report_of(
    state: Json, conclusion: Conclusion, *, app: str, stage: str, kind: Kind, now: datetime
) -> Report:
    """`app` and `kind` are what was asked for, should the release never have been admitted."""
    admission, deployment = state.get("admission", {}), state.get("deployment", {})
    release = admission.get("release", {})
    started_at = datetime.fromisoformat(state["startedAt"])
    evidence = Evidence.from_json(deployment["gate"]) if "gate" in deployment else NO_EVIDENCE
    applied = [migration.name for migration in evidence.migrations]
    digest, examined = release.get("digest"), state.get("examination", {})
    reversal = reversal_of(deployment, applied)
    has_applied = kind is Kind.IMAGE and bool(applied or _all_is_applied(deployment, evidence))
    failure = examined.get("failure")
    return Report(
        kind=kind,
        app=release.get("app") or app,
        stage=stage,
        release=release.get("id") or release_id(state["execution"], started_at, None),
        repository=release.get("repository"),
        digest=digest,
        pushed_digest=release.get("pushedDigest"),
        reason=release.get("reason"),
        warnings=[
            *admission.get("warnings", []),
            *deployment.get("notes", []),
            *state.get("rollback", {}).get("warnings", []),
        ],
        execution=state["execution"],
        started_at=started_at,
        ended_at=now,
        snapshot=_snapshot(state),
        no_restore_point=_no_restore_point(state),
        saved_seconds=saved(dict(state), now),
        version=deployment.get("version"),
        previous_version=deployment.get("previousVersion"),
        evidence=evidence,
        conclusion=conclusion,
        failure=Diagnosis.from_json(failure) if failure else None,
        judgement=_judgement(release, deployment),
        applied_nothing=_applied_nothing(release, deployment),
        watched=_watched(state),
        not_applied=[name for name in examined.get("planned", ()) if name not in applied],
        take_back=reversal.executions(app, digest, release.get("policy")) if has_applied else (),
        why_not_back=reversal.why_not if has_applied else None,
    )


def _all_is_applied(deployment: Json, evidence: Evidence) -> bool:
    """Whether what was told to be pending is applied, also if the command does not print it."""
    return evidence.phase is Phase.SUCCEEDED and bool(deployment.get("takeBack"))


def _judgement(release: Json, deployment: Json) -> Judgement | None:
    """What the release means for the version before; None if it has deployed nothing."""
    if "version" not in deployment:
        return None
    return planned_judgement(Release.from_json(release), deployment)


def _applied_nothing(release: Json, deployment: Json) -> bool:
    return "version" in deployment and applied_nothing(Release.from_json(release), deployment)


def _watched(state: Json) -> str | None:
    """What the watch period of the release's own version has shown, if it went well."""
    if "verification" not in state or "version" not in state.get("deployment", {}):
        return None
    verified = Verified.from_json(state["verification"])
    return verified.shown if verified.is_good(state["deployment"]["version"]) else None


def _snapshot(state: Json) -> Snapshot | None:
    """The restore point as it was last seen; None if none was begun."""
    order = _order(state)
    if order is None:
        return None
    found = handed_on(dict(state))
    if found is None:
        return _not_seen(order, state)
    return Snapshot(
        id=found["id"],
        status=found["status"],
        detail=found["detail"],
        available_at=found["availableAt"],
        restores_to=found["restoresTo"],
        age=_age(state, found["restoresTo"]),
        restore=_restore(order, state, found),
        point_the_app=_point_the_app(order, state) if found["availableAt"] is not None else (),
    )


def _age(state: Json, restores_to: str | None) -> timedelta | None:
    """How old the restore point was when something may first have been applied."""
    deployment = state.get("deployment", {})
    asks = bool(state["admission"]["release"].get("askingGates"))
    # Where no gate asks, nothing can have begun before the deployment was there.
    began_at = deployment.get("permittedAt" if asks else "createdAt")
    if began_at is None or restores_to is None:
        return None
    return datetime.fromisoformat(began_at) - datetime.fromisoformat(restores_to)


def _no_restore_point(state: Json) -> str | None:
    order = _order(state)
    if order is None or order.mode is not BackupMode.NONE:
        return None
    request = state.get("request")
    skipped = isinstance(request, Mapping) and request.get("skipSnapshot")
    return '"skipSnapshot" was asked for' if skipped else 'database.backup is "none"'


def _order(state: Json) -> BackupOrder | None:
    document = state.get("admission", {}).get("database")
    return BackupOrder.from_json(document) if document else None


def _not_seen(order: BackupOrder, state: Json) -> Snapshot | None:
    """The one that a step may have begun whose answer is lost, as nobody has told of any."""
    is_cut_off = "stopped" in state or "error" in state
    if not is_cut_off or not order.mode.takes_a_snapshot:
        return None
    found = {"availableAt": "", "id": order.snapshot}
    return Snapshot(
        id=order.snapshot,
        status=None,
        available_at=None,
        restore=_restore(order, state, found),
        point_the_app=_point_the_app(order, state),
    )


def _restore(order: BackupOrder, state: Json, found: Json) -> Sequence[str]:
    if found["availableAt"] is None:
        return ()
    release, restoring = state["admission"]["release"]["id"], _restoring(state)
    name, original = order.database, restoring.original if restoring else None
    if found["id"] is not None:
        return restore_from_snapshot(order.kind, name, release, found["id"], original)
    moment = datetime.fromisoformat(found["restoresTo"])
    return restore_to_moment(order.kind, name, release, moment, original)


def _point_the_app(order: BackupOrder, state: Json) -> Sequence[str]:
    restoring, release = _restoring(state), state["admission"]["release"]
    if restoring is None:
        return ()
    machine = state["execution"].replace(":execution:", ":stateMachine:").rpartition(":")[0]
    request = json.dumps(
        {"app": release["app"], "digest": restoring.digest or "sha256:…"}, ensure_ascii=False
    )
    start = (
        f"aws stepfunctions start-execution --state-machine-arn {machine}"
        f" --input {shlex.quote(request)}"
    )
    return point_the_app(order.kind, order.database, release["id"], restoring, start)


def _restoring(state: Json) -> Restoring | None:
    """What was noted when the release was admitted."""
    document = state["admission"].get("restoring")
    return Restoring.from_json(document) if document else None
