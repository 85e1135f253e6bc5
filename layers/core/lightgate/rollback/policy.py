"""Decide what to do about an unhealthy version: roll back, or keep it and let people choose.

A rollback is a new deployment of an old version's containers. It reverses no migration. So it is
automatic only if the old code works with the current schema, by the verdicts of all versions since,
and if its images are unchanged. That an old version was healthy when it was deployed again beside a
command, or by a person's override, proves nothing about the schema.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from lightgate.deployment.pinning import why_not_pinned
from lightgate.deployment.status import Deployment
from lightgate.migrations.compatibility import Judgement, Verdict, together
from lightgate.records.version import VersionRecord
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind


class RollbackAction(enum.StrEnum):
    """REDEPLOY a version; KEEP the live one and let people choose; IMPOSSIBLE to roll back."""

    REDEPLOY = "REDEPLOY"
    KEEP = "KEEP"
    IMPOSSIBLE = "IMPOSSIBLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionHistory:
    """The versions that the service lists, and those of them that are on record, by number."""

    listed: Sequence[Deployment]
    records: Mapping[int, VersionRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackInput:
    """An app whose version `failed` is live and unhealthy. The history includes it.

    `previous` is the version that was live before it, None for the first one. `reversal` are the
    executions that reverse the migrations of `failed`; if there are none, `why_not` gives the
    reason. `gone` has the versions that cannot be deployed again, each with its deleted images.
    """

    app: str
    execution: str
    failed: int
    previous: int | None
    reversal: Sequence[Mapping[str, object]]
    why_not: str | None
    history: VersionHistory
    gone: Mapping[int, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackDecision:
    """The action, its reasons, and the next steps for people. `version` is the target, if any.

    `notes` belong in the message if the version is deployed again.
    """

    action: RollbackAction
    version: int | None
    reasons: Sequence[str]
    next_steps: Sequence[str]
    notes: Sequence[str] = ()


def decide_rollback(seen: RollbackInput) -> RollbackDecision:
    """Decide about a version that failed its watch period.

    The same input gives the same decision. The caller checks first that the failed version is still
    live.
    """
    target = last_good(seen.history, seen.previous, seen.gone)
    skipped = [
        f"Version {version} cannot be deployed again: {'; '.join(images)}."
        for version, images in sorted(seen.gone.items(), reverse=True)
    ]
    if target is None:
        is_listed = seen.previous is None or any(
            one.version == seen.previous for one in seen.history.listed
        )
        has_all = " and that still has its images" if seen.gone else ""
        return RollbackDecision(
            action=RollbackAction.IMPOSSIBLE,
            version=None,
            reasons=[
                f"There is no earlier version that is known to be good{has_all}.",
                *([] if is_listed else [_FORGOTTEN.format(seen.previous)]),
                *skipped,
            ],
            next_steps=[_push_a_fix(seen.failed, is_only_choice=True)],
        )
    if (why := why_not_pinned(target)) is not None:
        return RollbackDecision(
            action=RollbackAction.IMPOSSIBLE,
            version=target.version,
            reasons=[
                f"Version {target.version} cannot be deployed again automatically: {why}.",
                *skipped,
            ],
            next_steps=[_push_a_fix(seen.failed), _roll_back_by_hand(seen, target, overrides=True)],
        )
    judgement = judgement_against(target.version, seen.history)
    if judgement.verdict.allows_rollback:
        return RollbackDecision(
            action=RollbackAction.REDEPLOY,
            version=target.version,
            reasons=[f"Version {target.version} works with the current database."],
            next_steps=[],
            notes=skipped,
        )
    may = "may fail" if judgement.verdict is Verdict.ONE_WAY else "may not work correctly"
    return RollbackDecision(
        action=RollbackAction.KEEP,
        version=target.version,
        reasons=[
            f"Version {target.version} {may} with the current database, so Lightgate kept version "
            f"{seen.failed}.",
            *judgement.reasons,
            *skipped,
        ],
        next_steps=[_push_a_fix(seen.failed), *_reverse_and_roll_back(seen, target)],
    )


_FORGOTTEN = (
    "Version {} was live before, but the service no longer lists it: it lists the last 50 versions."
)


def last_good(
    seen: VersionHistory, previous: int | None, gone: Collection[int] = ()
) -> Deployment | None:
    """The newest version, from `previous` on backwards, that has served and is not known as bad.

    The versions in `gone` are skipped: they cannot be deployed again. So is one whose app waits
    for a reversal: it repeats an older one. A version that was deployed
    without Lightgate counts only if it was live last: the health of others is unknown.
    """
    if previous is None:
        return None
    candidates = [
        one
        for one in seen.listed
        if one.version <= previous
        and one.version not in gone
        and one.has_served
        and not one.reverses
        and (
            seen.records[one.version].is_good
            if one.version in seen.records
            else one.version == previous
        )
    ]
    return max(candidates, key=lambda one: one.version, default=None)


def judgement_against(target: int, seen: VersionHistory) -> Judgement:
    """Whether the code of a version works with the current schema.

    It counts the migrations since the version at which that code was known to fit, which may be
    older than the version that deployed it again.
    """
    fits = _fits(target, seen)
    if fits is None:
        return _unknown(f"The release that the code of version {target} is from is unknown.")
    if fits + 1 < min((one.version for one in seen.listed), default=0):
        return _unknown(
            f"The code of version {target} is that of version {fits}, and the service no longer "
            "lists the versions that came after it."
        )
    return _judgement_since(fits, seen)


def _fits(target: int, seen: VersionHistory) -> int | None:
    """A version that is not on record was deployed without Lightgate, and its code is its own."""
    return seen.records[target].fits if target in seen.records else target


def _judgement_since(version: int, seen: VersionHistory) -> Judgement:
    """The judgement on the migrations of all versions after that one.

    A failed version counts too, because it may have migrated. One that is not on record was
    deployed without Lightgate, and makes the judgement UNKNOWN.
    """
    return together(
        seen.records[one.version].judgement
        if one.version in seen.records
        else _unknown(f"Version {one.version} was deployed without Lightgate.")
        for one in seen.listed
        if one.version > version
    )


def _unknown(reason: str) -> Judgement:
    return Judgement(verdict=Verdict.UNKNOWN, reasons=(reason,))


def why_refused(
    target: int, serving: int, seen: VersionHistory, *, overridden: bool, gates_check: bool
) -> Sequence[str]:
    """Why a rollback that a person has requested is refused; empty if it is not.

    `serving` is the live version; a newer one may have failed. `overridden`: the person accepts an
    unsafe rollback, but a version that is not listed or was never live stays refused. The person
    judges whether the target was healthy. `gates_check`: the gates of the target check the schema.
    """
    found = next((one for one in seen.listed if one.version == target), None)
    if found is None:
        return [
            f"rollbackTo: the service does not list version {target}; it lists the last 50 versions"
        ]
    if not found.has_served:
        return [f"rollbackTo: version {target} is {found.state}, and was never live"]
    if target == serving:
        return [f"rollbackTo: version {target} is live already"]
    if found.reverses:
        return [
            f"rollbackTo: version {target} repeats an older version after a reversal; name that one"
        ]
    command = last_reversing_command(target, seen) if gates_check else None
    judgement = (
        judgement_against(target, seen) if command is None else _judgement_since(command, seen)
    )
    if overridden or judgement.verdict.allows_rollback:
        return []
    newest = _newest_safe_version(serving, seen)
    other = (
        f"the newest version that works with it is version {newest}"
        if newest is not None
        else "no version before the live one is known to work with it"
    )
    return [
        f"rollbackTo: version {target} may not work with the current database; {other}. To roll "
        'back anyway, add "allowDestructive": true',
        *judgement.reasons,
    ]


def last_reversing_command(target: int, seen: VersionHistory) -> int | None:
    """The last version with a person's command that may have reversed migrations.

    The verdicts before it may be wrong by now, so the gates of the target must check the database.
    None if there was no such command since the target's code. Also None if the age of that code is
    unknown, because then its gates cannot check it either.
    """
    fits = _fits(target, seen)
    commands = [
        one.version
        for one in seen.listed
        # A command is permitted only once the app beside it is active.
        if fits is not None
        and one.version > fits
        and one.has_served
        and one.version in seen.records
        and seen.records[one.version].kind is ReleaseKind.COMMAND
        and not seen.records[one.version].judgement.verdict.allows_rollback
    ]
    return max(commands, default=None)


def _newest_safe_version(serving: int, seen: VersionHistory) -> int | None:
    able = [
        one.version
        for one in seen.listed
        if one.version < serving
        and one.has_served
        and one.version in seen.records
        and seen.records[one.version].is_good
        and judgement_against(one.version, seen).verdict.allows_rollback
    ]
    return max(able, default=None)


def no_rollback_notice(serving: Deployment | None, gone: Sequence[str] = ()) -> str | None:
    """The note at the start of a release if automatic rollback will not be possible.

    `gone` names the deleted images of that version.
    """
    if serving is None:
        return "No version is live yet, so there is no version to roll back to."
    if (why := why_not_pinned(serving)) is not None:
        return f"Automatic rollback to version {serving.version} is not available: {why}."
    if gone:
        return (
            f"Automatic rollback to version {serving.version} is not available: {'; '.join(gone)}. "
            "Lightgate takes an older good version that still has its images, if there is one."
        )
    return None


def _push_a_fix(failed: int, *, is_only_choice: bool = False) -> str:
    if is_only_choice:
        return f"Correct the cause and push again. Version {failed} stays live until then."
    return f"To keep version {failed}: correct the cause and push again."


def without_its_spec(
    app: str, execution: str, failed: int, target: int, digest: str | None
) -> list[str]:
    """The next steps if the spec of the target version is deleted."""
    if digest is None:
        return [_push_a_fix(failed, is_only_choice=True)]
    start = how_to_start(execution, {"app": app, "digest": digest})
    return [
        _push_a_fix(failed),
        f"To release the image of version {target} with the current spec: {start}",
    ]


def _roll_back_by_hand(seen: RollbackInput, target: Deployment, *, overrides: bool) -> str:
    overridden = {"allowDestructive": True} if overrides else {}
    request = {"app": seen.app, "rollbackTo": target.version, **overridden}
    return f"To roll back to version {target.version}: {how_to_start(seen.execution, request)}"


def _reverse_and_roll_back(seen: RollbackInput, target: Deployment) -> list[str]:
    if not seen.reversal:
        why = f": {seen.why_not}" if seen.why_not else ""
        return [
            _roll_back_by_hand(seen, target, overrides=True),
            f"A rollback does not reverse the migrations, because no command reverses just "
            f"these{why}. Only a snapshot or backup has the earlier data.",
        ]
    reversing = [how_to_start(seen.execution, one) for one in seen.reversal]
    return [
        "Before a rollback, reverse the migrations, one command after the other: "
        f"{' and then '.join(reversing)}",
        _roll_back_by_hand(seen, target, overrides=False),
    ]
