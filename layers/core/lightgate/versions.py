"""The versions of the service that a release has made, as they go on record.

What is good here is what later releases may go back to, and a judgement says what stands between
them. So a version is good only if it was verified, and what its migrations mean is not known
unless its gates have told.
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
    if _was_refused(release, deployment):
        return _APPLIES_NOTHING
    told = deployment.get("judgement")
    return Judgement.from_json(told) if told else _NEVER_TOLD


def _was_refused(release: Release, deployment: Json) -> bool:
    """Whether no permit was ever given, so that nothing can have been applied."""
    gate = deployment.get("gate", {})
    has_begun = gate.get("beganAt") is not None or bool(gate.get("migrations"))
    had_a_permit = not release.asking_gates or deployment.get("permitted") is not False
    return bool(deployment.get("refusal")) and not had_a_permit and not has_begun


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
        digest, spec_version = _source(release, deployment, past)
        found.append(
            Past(
                version=own,
                release=release.id,
                kind=release.kind,
                digest=digest,
                spec_version=spec_version,
                is_good=is_good,
                judgement=judgement_of(release, deployment),
            )
        )
    if back is not None:
        rollback = state.get("rollback", {})
        target = rollback.get("targetRelease") or {}
        found.append(
            Past(
                version=back,
                release=rollback.get("release") or rollback_marker(release.id),
                kind=Kind.ROLLBACK,
                digest=target.get("digest"),
                spec_version=target.get("specVersion"),
                is_good=bool(rollback) and WentBack.from_json(rollback).is_good,
                judgement=_APPLIES_NOTHING,
            )
        )
    return found


def _source(
    release: Release, deployment: Json, past: Mapping[int, Past]
) -> tuple[str | None, int | None]:
    """The image of the app in the release's deployment, and its spec.

    A command runs beside what served before, and a rollback is what it brings back.
    """
    match release.kind:
        case Kind.IMAGE:
            return release.digest, release.spec_version
        case Kind.ROLLBACK:
            before = release.rollback_to
        case Kind.COMMAND:
            before = deployment.get("previousVersion")
    known = past.get(before) if before is not None else None
    return (known.digest, known.spec_version) if known is not None else (None, None)
