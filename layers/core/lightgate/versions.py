"""The versions of the service that a release has made, as they go on record.

What is good here is what later releases may go back to, and a judgement says what stands between
them. So a version is good only if it was verified, what its migrations mean is not known unless
its gates have told, and code that is deployed again is as old as it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lightgate.aftermath import Verified, WentBack
from lightgate.deployment import Service, Status
from lightgate.gate_log import CUT_OFF, Phase
from lightgate.past import Past
from lightgate.release import Kind, Release, rollback_marker
from lightgate.verdict import Judgement, Verdict, of_what_is_applied, together

type Json = Mapping[str, Any]

_APPLIES_NOTHING = Judgement(verdict=Verdict.NONE)
_NEVER_TOLD = Judgement(
    verdict=Verdict.UNKNOWN,
    reasons=("Nobody has seen what this version was about to apply.",),
)
_NOT_TOLD = Judgement(
    verdict=Verdict.UNKNOWN,
    reasons=("The gate began something that is in no plan that it reported.",),
)
_STOPPED = Judgement(
    verdict=Verdict.UNKNOWN,
    reasons=("The command was stopped before it had come to its end.",),
)


def on_record(past: Mapping[int, Past], service: Service) -> Mapping[int, Past]:
    """What is on record of the versions that the service lists.

    A service that was made anew counts from 1 again: only the marker tells whose version it is.
    """
    markers = {shown.version: shown.release for shown in service.deployments}
    return {number: one for number, one in past.items() if markers.get(number) == one.release}


def planned_judgement(release: Release, deployment: Json) -> Judgement:
    """What the release's migrations mean for the version before, whether they are applied or not.

    Something that was pending is never NONE. A command that was stopped before its own end makes
    it at least UNKNOWN. A rollback is to apply nothing, whatever is pending for its code.
    """
    if release.kind is Kind.ROLLBACK:
        return _APPLIES_NOTHING
    told = deployment.get("judgement")
    found = Judgement.from_json(told) if told else _NEVER_TOLD
    if found.verdict is Verdict.NONE and _was_pending(deployment):
        found = together([found, _NOT_TOLD])
    return together([found, _STOPPED]) if _was_stopped(deployment) else found


def judgement_of(release: Release, deployment: Json) -> Judgement:
    """What stands against the version before once the release has ended.

    Only what is applied, or may be, stands against it.
    """
    if applied_nothing(release, deployment):
        return _APPLIES_NOTHING
    gate = deployment.get("gate", {})
    names = [one["name"] for one in gate.get("migrations", ())]
    return of_what_is_applied(planned_judgement(release, deployment), gate.get("effect"), names)


def applied_nothing(release: Release, deployment: Json) -> bool:
    """Whether it is known that the release has applied nothing."""
    return (
        release.kind is Kind.ROLLBACK
        or _never_permitted(release, deployment)
        or _left_nothing(deployment)
    )


def may_have_begun(release: Release, deployment: Json) -> bool:
    """Whether a gate may have begun to apply something, also if none has reported it.

    Where gates ask, none begins without a permit. One that could not be read may have been
    granted by a run whose answer is lost.
    """
    let_begin = deployment.get("permitted", True) or bool(deployment.get("unknown"))
    return release.kind is not Kind.ROLLBACK and (not release.asking_gates or let_begin)


def may_have_changed(release: Release, deployment: Json) -> bool:
    """Whether a gate has changed a database, or may have, for all that is known."""
    changed = deployment.get("gate", {}).get("changed")
    return may_have_begun(release, deployment) if changed is None else bool(changed)


def _was_pending(deployment: Json) -> bool:
    return bool(deployment.get("pending")) or _has_begun(deployment)


def _has_begun(deployment: Json) -> bool:
    """Whether a gate has reported that it began something."""
    gate = deployment.get("gate", {})
    return gate.get("beganAt") is not None or bool(gate.get("migrations"))


def _was_stopped(deployment: Json) -> bool:
    """Whether a command was begun and did not come to an end of its own."""
    gate = deployment.get("gate", {})
    cause = (gate.get("failure") or {}).get("cause")
    was_cut_off = cause in CUT_OFF and _has_begun(deployment)
    has_ended = deployment.get("status") in (Status.FAILED, Status.OVERDUE)
    return has_ended and (was_cut_off or gate.get("phase") == Phase.APPLYING)


def _never_permitted(release: Release, deployment: Json) -> bool:
    """Whether its gates needed a permit, and the release has ended without one.

    A permit that could not be read does not count if each gate has said that it applied nothing.
    """
    changed = deployment.get("gate", {}).get("changed")
    is_known = changed is False or not deployment.get("unknown")
    asked_in_vain = bool(release.asking_gates) and deployment.get("permitted") is False
    has_ended = bool(deployment.get("refusal")) or deployment.get("status") == Status.FAILED
    return asked_in_vain and is_known and has_ended and not (_has_begun(deployment) or changed)


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
        # Beside a command that has failed the app serves all the same.
        may_serve = deployment.get("status") == "ACTIVE" or release.kind is Kind.COMMAND
        is_good = succeeded or (may_serve and verified is not None and verified.is_good(own))
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
        "specDigest": known.spec_digest,
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
        spec_digest=source.get("specDigest"),
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
            return {
                "digest": release.digest,
                "specVersion": release.spec_version,
                "specDigest": release.spec_digest,
                "code": release.id,
                "fits": own,
            }
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
