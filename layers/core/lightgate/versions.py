"""The versions of the service that a release has made, as they go on record.

What is good here is what later releases may go back to, and a judgement says what stands between
them. So a version is good only if it was verified, what its migrations mean is not known unless
its gates have told, and code that is deployed again is as old as it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lightgate.aftermath import Verified, WentBack
from lightgate.deployment import Service
from lightgate.past import Past
from lightgate.release import Kind, Release, rollback_marker
from lightgate.verdict import Judgement, Verdict

type Json = Mapping[str, Any]

_APPLIES_NOTHING = Judgement(verdict=Verdict.NONE)
_NEVER_TOLD = Judgement(
    verdict=Verdict.UNKNOWN,
    reasons=("Nobody has seen what this version was about to apply.",),
)


def on_record(past: Mapping[int, Past], service: Service) -> Mapping[int, Past]:
    """What is on record of the versions that the service lists.

    A service that was made anew counts from 1 again: only the marker tells whose version it is.
    """
    markers = {shown.version: shown.release for shown in service.deployments}
    return {number: one for number, one in past.items() if markers.get(number) == one.release}


def judgement_of(release: Release, deployment: Json) -> Judgement:
    """What the migrations of the release's deployment mean for the version before."""
    if release.kind is Kind.ROLLBACK:
        return _APPLIES_NOTHING
    if _was_refused(release, deployment) or _left_nothing(deployment):
        return _APPLIES_NOTHING
    told = deployment.get("judgement")
    return Judgement.from_json(told) if told else _NEVER_TOLD


def _was_refused(release: Release, deployment: Json) -> bool:
    """Whether no permit was ever given, so that nothing can have been applied."""
    gate = deployment.get("gate", {})
    has_begun = gate.get("beganAt") is not None or bool(gate.get("migrations"))
    had_a_permit = not release.asking_gates or deployment.get("permitted") is not False
    return bool(deployment.get("refusal")) and not had_a_permit and not has_begun


def _left_nothing(deployment: Json) -> bool:
    """Whether the migration failed as a whole, and the gate has found the database as it was.

    What a gate says is not trusted where anything else is at odds with it: another gate that has
    changed something, a migration that was seen as applied, or an app that has started. A gate
    that only waited for another node cannot know what that one did: it must have run the command
    itself, or must not have been allowed to.
    """
    gate = deployment.get("gate", {})
    failure = gate.get("failure") or {}
    return (
        deployment.get("status") == "FAILED"
        and gate.get("changed") is False
        and gate["atomic"]
        and not gate["migrations"]
        and failure.get("database") == "unchanged"
        and (failure["migration"] is not None or failure["cause"] == "refused")
    )


def made_by(
    release: Release,
    state: Json,
    *,
    own: int | None,
    back: int | None,
    succeeded: bool,
    past: Mapping[int, Past],
) -> Sequence[Past]:
    """The versions that the release has made: its own one, and the one of going back.

    `own` and `back` are their numbers, None where there are none. `past` has the versions on
    record before, which say what was deployed again.
    """
    deployment, found = state.get("deployment", {}), []
    if own is not None:
        verified = Verified.from_json(state["verification"]) if "verification" in state else None
        is_good = succeeded or (
            deployment.get("status") == "ACTIVE" and verified is not None and verified.is_good(own)
        )
        found.append(
            _past(
                own,
                release.id,
                release.kind,
                _source(release, deployment, past, own),
                is_good=is_good,
                judgement=judgement_of(release, deployment),
            )
        )
    if back is not None:
        rollback = state.get("rollback", {})
        found.append(
            _past(
                back,
                rollback.get("release") or rollback_marker(release.id),
                Kind.ROLLBACK,
                rollback.get("targetRelease") or {},
                is_good=bool(rollback) and WentBack.from_json(rollback).is_good,
                judgement=_APPLIES_NOTHING,
            )
        )
    return found


def source_of(known: Past | None) -> dict[str, Any]:
    """What a version that is deployed once more has from the one that it is."""
    if known is None:
        return {}
    return {
        "digest": known.digest,
        "specVersion": known.spec_version,
        "code": known.code,
        "fits": known.fits,
    }


def _past(
    version: int,
    release: str,
    kind: Kind,
    source: Json,
    *,
    is_good: bool,
    judgement: Judgement,
) -> Past:
    return Past(
        version=version,
        release=release,
        kind=kind,
        digest=source.get("digest"),
        spec_version=source.get("specVersion"),
        code=source.get("code"),
        fits=source.get("fits"),
        is_good=is_good,
        judgement=judgement,
    )


def _source(release: Release, deployment: Json, past: Mapping[int, Past], own: int) -> Json:
    """What the app in the release's deployment is.

    A command runs beside what served before, and a rollback is what it brings back.
    """
    match release.kind:
        case Kind.IMAGE:
            image = {"digest": release.digest, "specVersion": release.spec_version}
            return {**image, "code": release.id, "fits": own}
        case Kind.ROLLBACK:
            before = release.rollback_to
        case Kind.COMMAND:
            before = deployment.get("previousVersion")
    source = source_of(past.get(before)) if before is not None else {}
    looked = source.get("code") is not None and _has_looked(release, deployment)
    return {**source, "fits": own} if looked else source


def _has_looked(release: Release, deployment: Json) -> bool:
    """Whether every gate of an old version has read the database and found that its code fits.

    That nothing is pending the gates have said themselves; that none has stayed shut is known by
    the deployment.
    """
    told = deployment.get("told", {})
    return (
        release.kind is Kind.ROLLBACK
        and not release.allow_destructive
        and deployment.get("status") == "ACTIVE"
        and bool(release.gates)
        and all(told.get(gate, {}).get("verdict") == Verdict.NONE for gate in release.gates)
    )
