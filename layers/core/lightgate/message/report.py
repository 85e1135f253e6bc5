"""What is told of an ended release, put together from the state that its execution carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightgate.aftermath import Verified
from lightgate.backup import BackupOrder
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.durations import handed_on, saved
from lightgate.gate_log import NO_EVIDENCE, Evidence
from lightgate.outcome import Conclusion
from lightgate.release import Kind, Release, release_id
from lightgate.restore import restore_from_snapshot, restore_to_moment
from lightgate.reversal import take_back
from lightgate.verdict import Judgement
from lightgate.versions import judgement_of

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The restore point of a release: a snapshot, or a moment of a continuous backup.

    `id` is None for the latter. `status` is that of the last look, with the database service's
    own word in `detail`; it is None if nobody has told of one. `available_at` is None until the
    service has said so. `restore` are the commands that bring that database back, beside the one
    that is there.
    """

    id: str | None
    available_at: str | None
    status: str | None = None
    detail: str = ""
    restores_to: str | None = None
    restore: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known of an ended release.

    `failure` says why it failed, `judgement` what it means for the version before, and `watched`
    what its watch period has shown. `not_applied` was pending and is not known to be applied,
    `take_back` are the executions that take back what is.
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
    saved_seconds: float = 0
    kind: Kind = Kind.IMAGE
    failure: Diagnosis | None = None
    judgement: Judgement | None = None
    watched: str | None = None
    not_applied: Sequence[str] = ()
    take_back: Sequence[str] = ()


def report_of(
    state: Json, conclusion: Conclusion, *, app: str, kind: Kind, now: datetime
) -> Report:
    """`app` and `kind` are what was asked for, should the release never have been admitted."""
    admission, deployment = state.get("admission", {}), state.get("deployment", {})
    release = admission.get("release", {})
    started_at = datetime.fromisoformat(state["startedAt"])
    evidence = Evidence.from_json(deployment["gate"]) if "gate" in deployment else NO_EVIDENCE
    applied = [migration.name for migration in evidence.migrations]
    digest, examined = release.get("digest"), state.get("examination", {})
    failure = examined.get("failure")
    return Report(
        kind=kind,
        app=release.get("app") or app,
        stage=release.get("stage", "unknown"),
        release=release.get("id") or release_id(state["execution"], started_at, None),
        repository=release.get("repository"),
        digest=digest,
        reason=release.get("reason"),
        warnings=[*admission.get("warnings", []), *deployment.get("notes", [])],
        execution=state["execution"],
        started_at=started_at,
        ended_at=now,
        snapshot=_snapshot(state),
        saved_seconds=saved(dict(state), now),
        version=deployment.get("version"),
        previous_version=deployment.get("previousVersion"),
        evidence=evidence,
        conclusion=conclusion,
        failure=Diagnosis.from_json(failure) if failure else None,
        judgement=_judgement(release, deployment),
        watched=_watched(state),
        not_applied=[name for name in examined.get("planned", ()) if name not in applied],
        take_back=take_back(app, digest, applied) if kind is Kind.IMAGE else (),
    )


def _judgement(release: Json, deployment: Json) -> Judgement | None:
    """What the release means for the version before; None if it has deployed nothing."""
    if "version" not in deployment:
        return None
    return judgement_of(Release.from_json(release), deployment)


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
        restore=_restore(order, state, found),
    )


def _order(state: Json) -> BackupOrder | None:
    document = state.get("admission", {}).get("database")
    return BackupOrder.from_json(document) if document else None


def _not_seen(order: BackupOrder, state: Json) -> Snapshot | None:
    """The one that a step may have begun whose answer is lost, as nobody has told of any."""
    is_cut_off = "stopped" in state or "error" in state
    if not is_cut_off or not order.mode.takes_a_snapshot:
        return None
    release = state["admission"]["release"]["id"]
    return Snapshot(
        id=order.snapshot,
        status=None,
        available_at=None,
        restore=restore_from_snapshot(order.kind, order.database, release, order.snapshot),
    )


def _restore(order: BackupOrder, state: Json, found: Json) -> Sequence[str]:
    release = state["admission"]["release"]["id"]
    if found["availableAt"] is None:
        return ()
    if found["id"] is not None:
        return restore_from_snapshot(order.kind, order.database, release, found["id"])
    moment = datetime.fromisoformat(found["restoresTo"])
    return restore_to_moment(order.kind, order.database, release, moment)
