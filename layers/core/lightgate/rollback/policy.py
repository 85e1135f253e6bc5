"""What to do when a version that became active does not do well: go back, or keep it and ask.

Going back is a new deployment of an old version's containers. It takes back no migration. So it
is done unasked only where the old code can work on the schema as it is now, by the verdicts of all
that came since it was released, and where its image is still the one that it was. That it has
answered well, deployed once more beside a command or by a person's override, shows nothing of that.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from lightgate.deployment.pinning import why_not_pinned
from lightgate.deployment.status import Deployment
from lightgate.migrations.compatibility import Judgement, Verdict, together
from lightgate.records.version import VersionRecord
from lightgate.release.release import Kind


class RollbackAction(enum.StrEnum):
    """REDEPLOY a version; KEEP what serves and let people choose; IMPOSSIBLE to go back at all."""

    REDEPLOY = "REDEPLOY"
    KEEP = "KEEP"
    IMPOSSIBLE = "IMPOSSIBLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionHistory:
    """The versions that the service lists, and those of them that are on record, by number."""

    shown: Sequence[Deployment]
    past: Mapping[int, VersionRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """An app whose version `failed` serves and does not do well. The history has it as well.

    `previous` is the version that served before it; None if none did. `take_back` are the
    executions that take back what `failed` has applied; where there are none, `why_not` says why.
    `gone` has the versions that cannot be deployed again, each with its images that are gone.
    """

    app: str
    failed: int
    previous: int | None
    take_back: Sequence[str]
    why_not: str | None
    history: VersionHistory
    gone: Mapping[int, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do, why, and what is left to people. `version` is the one to go back to, if any.

    `notes` go with a version that is deployed again.
    """

    action: RollbackAction
    version: int | None
    reasons: Sequence[str]
    next_steps: Sequence[str]
    notes: Sequence[str] = ()


def remedy(seen: Situation) -> Remedy:
    """What to do about a version that failed its watch period.

    Deciding again on the same situation decides the same. Whoever acts looks first whether the
    failed version is still the one that serves.
    """
    target = last_good(seen.history, seen.previous, seen.gone)
    passed_over = [
        f"Version {version} cannot be deployed again: {'; '.join(images)}."
        for version, images in sorted(seen.gone.items(), reverse=True)
    ]
    if target is None:
        is_listed = seen.previous is None or any(
            one.version == seen.previous for one in seen.history.shown
        )
        has_all = " and that still has its images" if seen.gone else ""
        return Remedy(
            action=RollbackAction.IMPOSSIBLE,
            version=None,
            reasons=[
                f"There is no earlier version that is known to be good{has_all}.",
                *([] if is_listed else [_FORGOTTEN.format(seen.previous)]),
                *passed_over,
            ],
            next_steps=[_mend(seen.failed, is_only_choice=True)],
        )
    if (why := why_not_pinned(target)) is not None:
        return Remedy(
            action=RollbackAction.IMPOSSIBLE,
            version=target.version,
            reasons=[
                f"Version {target.version} cannot be deployed again automatically: {why}.",
                *passed_over,
            ],
            next_steps=[_mend(seen.failed), _go_back(seen, target, overrides=True)],
        )
    judgement = against(target.version, seen.history)
    if judgement.verdict.lets_go_back:
        return Remedy(
            action=RollbackAction.REDEPLOY,
            version=target.version,
            reasons=[f"Version {target.version} works with the current database."],
            next_steps=[],
            notes=passed_over,
        )
    may = "may fail" if judgement.verdict is Verdict.ONE_WAY else "may not work correctly"
    return Remedy(
        action=RollbackAction.KEEP,
        version=target.version,
        reasons=[
            f"Version {target.version} {may} with the current database, so Lightgate kept version "
            f"{seen.failed}.",
            *judgement.reasons,
            *passed_over,
        ],
        next_steps=[_mend(seen.failed), _take_back(seen, target)],
    )


_FORGOTTEN = (
    "Version {} was live before, but the service no longer lists it: it lists the last 50 versions."
)


def last_good(
    seen: VersionHistory, previous: int | None, gone: Collection[int] = ()
) -> Deployment | None:
    """The newest version, from `previous` on backwards, that has served and is not known as bad.

    The versions in `gone` are passed over: they cannot be deployed again. A version that was
    deployed without Lightgate counts only as the one that served last: of others nobody knows
    whether they did well.
    """
    if previous is None:
        return None
    candidates = [
        one
        for one in seen.shown
        if one.version <= previous
        and one.version not in gone
        and one.has_served
        and (
            seen.past[one.version].is_good if one.version in seen.past else one.version == previous
        )
    ]
    return max(candidates, key=lambda one: one.version, default=None)


def against(target: int, seen: VersionHistory) -> Judgement:
    """What stands against the code of a version on the schema as it is now.

    It counts from the version as of which that code is known to fit, which may be older than the
    one that deployed it once more.
    """
    fits = _fits(target, seen)
    if fits is None:
        return _unknown(f"The release that the code of version {target} is from is unknown.")
    if fits + 1 < min((one.version for one in seen.shown), default=0):
        return _unknown(
            f"The code of version {target} is that of version {fits}, and the service no longer "
            "lists the versions that came after it."
        )
    return since(fits, seen)


def _fits(target: int, seen: VersionHistory) -> int | None:
    """A version that is not on record was deployed without Lightgate, and its code is its own."""
    return seen.past[target].fits if target in seen.past else target


def since(version: int, seen: VersionHistory) -> Judgement:
    """What all versions after that one have done to the schema, up to now.

    A failed one counts as well, for it may have migrated. One that is not on record was deployed
    without Lightgate, and nobody knows what it did.
    """
    return together(
        seen.past[one.version].judgement
        if one.version in seen.past
        else _unknown(f"Version {one.version} was deployed without Lightgate.")
        for one in seen.shown
        if one.version > version
    )


def _unknown(reason: str) -> Judgement:
    return Judgement(verdict=Verdict.UNKNOWN, reasons=(reason,))


def refusal_of(
    target: int, serving: int, seen: VersionHistory, *, overridden: bool, gates_look: bool
) -> Sequence[str]:
    """Why a person's wish to go back to a version is refused; nothing if it is not.

    `serving` is the version that serves; a newer one may have failed. What the verdicts say a
    person may have overridden; what is not there, or has never served, nobody can deploy. Whether
    the target did well is for that person to judge. `gates_look` says whether the gates of the
    target look at the schema themselves.
    """
    found = next((one for one in seen.shown if one.version == target), None)
    if found is None:
        return [
            f"rollbackTo: the service does not list version {target}; it lists the last 50 versions"
        ]
    if not found.has_served:
        return [f"rollbackTo: version {target} is {found.state}, and was never live"]
    if target == serving:
        return [f"rollbackTo: version {target} is live already"]
    command = left_to_the_gates(target, seen) if gates_look else None
    judgement = against(target, seen) if command is None else since(command, seen)
    if overridden or judgement.verdict.lets_go_back:
        return []
    newest = _newest_that_can_run(serving, seen)
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


def left_to_the_gates(target: int, seen: VersionHistory) -> int | None:
    """The version beside which a person's command may have taken migrations back.

    What the verdicts before it say of the schema may not hold any more, and only the database
    knows. None if there was no such command since the target's code, or nobody knows how old that
    is, for then its gates do not know either.
    """
    fits = _fits(target, seen)
    commands = [
        one.version
        for one in seen.shown
        # A command is permitted only once the app beside it is active.
        if fits is not None
        and one.version > fits
        and one.has_served
        and one.version in seen.past
        and seen.past[one.version].kind is Kind.COMMAND
        and not seen.past[one.version].judgement.verdict.lets_go_back
    ]
    return max(commands, default=None)


def _newest_that_can_run(serving: int, seen: VersionHistory) -> int | None:
    able = [
        one.version
        for one in seen.shown
        if one.version < serving
        and one.has_served
        and one.version in seen.past
        and seen.past[one.version].is_good
        and against(one.version, seen).verdict.lets_go_back
    ]
    return max(able, default=None)


def notice(serving: Deployment | None, gone: Sequence[str] = ()) -> str | None:
    """What people are told at the start, if going back will not be possible unasked.

    `gone` names the images of that version that are gone.
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


def _mend(failed: int, *, is_only_choice: bool = False) -> str:
    if is_only_choice:
        return f"Correct the cause and push again. Version {failed} stays live until then."
    return f"To keep version {failed}: correct the cause and push again."


def without_its_spec(app: str, failed: int, target: int, digest: str | None) -> list[str]:
    """The next steps if the spec of the version to go back to is gone."""
    if digest is None:
        return [_mend(failed, is_only_choice=True)]
    again = f'{{"app": "{app}", "digest": "{digest}"}}'
    image = f"To release the image of version {target} with the current spec: start an execution "
    return [_mend(failed), f"{image}with {again}."]


def _go_back(seen: Situation, target: Deployment, *, overrides: bool) -> str:
    execution = _rollback_to(seen, target, overrides=overrides)
    return f"To roll back: start an execution with {execution}."


def _rollback_to(seen: Situation, target: Deployment, *, overrides: bool = False) -> str:
    override = ', "allowDestructive": true' if overrides else ""
    return f'{{"app": "{seen.app}", "rollbackTo": {target.version}{override}}}'


def _take_back(seen: Situation, target: Deployment) -> str:
    if not seen.take_back:
        why = f": {seen.why_not}" if seen.why_not else ""
        return (
            f"{_go_back(seen, target, overrides=True)} The migrations stay applied, because no "
            f"command reverses just these{why}. Only a snapshot or backup has the earlier data."
        )
    return (
        "To roll back: first reverse the migrations with an execution with "
        f"{' and then '.join(seen.take_back)}. Then start an execution with "
        f"{_rollback_to(seen, target)}."
    )
