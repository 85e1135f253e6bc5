"""Decide whether Lightgate reverses the migrations of a failed release by itself.

It does so only for an app whose owner has opted in, if the migrations succeeded, the new version
never served, and the old version cannot work on the new schema. Every condition in the table has to
hold: at any doubt nothing is reversed, and the release ends as FAILED.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lightgate.deployment.status import Status
from lightgate.gate.gate_report import NO_GATE_REPORT, Phase
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.migrations.plan import Operation, Plan
from lightgate.migrations.reversal import Doubt, Reversal, ReversalBar, reversal_of
from lightgate.names import COMMAND_CONTAINER, rollback_marker
from lightgate.release.release import Release, ReleaseKind
from lightgate.rollback.version_history import applied_judgement
from lightgate.spec.effect import Effect
from lightgate.state import DeploymentProgress

_MOST_DOUBTS = 5
# A reversal of these loses nothing: no code of the new version has written into a new column or
# table, and a renamed one keeps its rows.
_LOSE_NOTHING = frozenset(
    {
        "AddConstraint",
        "AddConstraintNotValid",
        "AddField",
        "AddIndex",
        "AlterIndexTogether",
        "AlterModelManagers",
        "AlterModelOptions",
        "AlterModelTable",
        "AlterModelTableComment",
        "AlterUniqueTogether",
        "CreateModel",
        "RemoveConstraint",
        "RemoveIndex",
        "RenameField",
        "RenameIndex",
        "RenameModel",
        "ValidateConstraint",
    }
)
# Only if it takes every old value as it is: otherwise it may have changed some.
_ALTERS = "AlterField"


def needs_reversal(release: Release, deployment: DeploymentProgress) -> bool:
    """Whether RollBack has to decide about a reversal: the old version fails on the new schema."""
    gate = deployment.gate
    return (
        release.reverse
        and release.kind is ReleaseKind.IMAGE
        and deployment.status is Status.FAILED
        and gate is not None
        and gate.phase is Phase.SUCCEEDED
        and applied_judgement(release, deployment).verdict is Verdict.ONE_WAY
    )


def reversal_release(release: Release) -> Release:
    """The reversal as a command of its own, with the marker of a rollback and one gate."""
    limit = max(release.asking_gates.values(), default=None)
    return replace(
        release,
        id=rollback_marker(release.id),
        gates=(COMMAND_CONTAINER,),
        asking_gates={COMMAND_CONTAINER: limit} if limit is not None else {},
        allow_destructive=True,
        open_variables={},
    )


def doubts_of(plan: Plan) -> Sequence[Doubt]:
    """Why the reversal of a plan must not be automatic."""
    return tuple(_doubts(plan))[:_MOST_DOUBTS]


def _doubts(plan: Plan) -> Iterator[Doubt]:
    if plan.count is None or plan.untold or plan.cut is not None or not plan.is_whole:
        yield Doubt(
            bar=ReversalBar.PLAN_INCOMPLETE,
            reason="The gate did not report all operations of its plan.",
        )
    for each in plan.declared:
        yield Doubt(bar=ReversalBar.DECLARED, reason=each)
    for name in plan.backwards:
        yield Doubt(bar=ReversalBar.LOSES_DATA, reason=f"{name} was reversed by the release.")
    for one in plan.operations:
        if (bar := _bar_of(one)) is not None:
            yield Doubt(bar=bar, reason=f"{_WHY[bar]}: {one.migration}: {one}.")
    # Operations that are compatible are not among those above.
    for kind in plan.kinds:
        if kind not in _LOSE_NOTHING and kind != _ALTERS:
            yield Doubt(
                bar=ReversalBar.LOSES_DATA,
                reason=f"{_WHY[ReversalBar.LOSES_DATA]}: the release has applied {kind}.",
            )


_WHY = {
    ReversalBar.CHANGED_ROWS: "Rows were changed, and no reversal brings them back",
    ReversalBar.UNKNOWN_EFFECT: "The effect of an operation is unknown",
    ReversalBar.LOSES_DATA: "A reversal may not bring back what an operation has removed",
}


def _bar_of(one: Operation) -> ReversalBar | None:
    if one.effect is Effect.DATA or one.kind == "RunPython":
        return ReversalBar.CHANGED_ROWS
    if one.effect is Effect.UNKNOWN:
        return ReversalBar.UNKNOWN_EFFECT
    if one.kind in _LOSE_NOTHING or (one.kind == _ALTERS and one.effect is Effect.RESTRICTED):
        return None
    return ReversalBar.LOSES_DATA


def why_another_plan(plan: Plan, migrations: Sequence[str]) -> str | None:
    """Why the plan does not reverse these migrations and nothing else; None if it does."""
    if plan.count != len(set(migrations)) or set(plan.names) != set(migrations):
        return "The plan of the reversal has other migrations than this release has applied."
    if set(plan.backwards) != set(migrations):
        return "The plan of the reversal applies migrations."
    if plan.untold or plan.cut is not None or not plan.is_whole:
        return "The plan of the reversal was not reported in full."
    other = [kind for kind in plan.kinds if kind not in _LOSE_NOTHING and kind != _ALTERS]
    if other or any(one.effect is not Effect.BREAKING for one in plan.operations):
        return f"The plan of the reversal may change rows: {', '.join(other) or 'unknown'}."
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalInput:
    """All that decides about the reversal of a failed release.

    `deployment` includes what was applied outside the gates. `serves_previous`: the previous
    version is live, and the new one never was. `why_not_again` says why the previous version cannot
    be deployed again beside the reversal. `earlier` is the judgement on what other releases have
    applied since that version. `workers` are containers of the new version that started beside the
    app, and `other_commands` what its gates ran beside `migrate`.
    """

    release: Release
    deployment: DeploymentProgress
    serves_previous: bool
    has_served: bool
    why_not_again: str | None
    earlier: Judgement
    workers: Sequence[str]
    other_commands: Sequence[str]

    @property
    def applied(self) -> Sequence[str]:
        gate = self.deployment.gate or NO_GATE_REPORT
        return [one.name for one in gate.migrations]

    @property
    def reversal(self) -> Reversal:
        return reversal_of(self.deployment.reversals, self.applied)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalDecision:
    """The call that reverses the migrations, None with the doubts that forbid it."""

    call: Sequence[str] | None
    migrations: Sequence[str]
    doubts: Sequence[Doubt]


def decide_reversal(seen: ReversalInput) -> ReversalDecision:
    """Whether to reverse the migrations. The same input gives the same decision."""
    found = [
        Doubt(bar=bar, reason=reason)
        for bar, why in _CONDITIONS.items()
        if (reason := why(seen)) is not None
    ]
    reversal = seen.reversal
    doubts = (*found, *reversal.doubts)
    call = reversal.calls[0] if not doubts else None
    return ReversalDecision(call=call, migrations=reversal.migrations, doubts=doubts)


def _gate_not_open(seen: ReversalInput) -> str | None:
    gate = seen.deployment.gate or NO_GATE_REPORT
    is_open = seen.deployment.status is Status.FAILED and gate.phase is Phase.SUCCEEDED
    return None if is_open else "The migrations are not known to have succeeded."


def _served(seen: ReversalInput) -> str | None:
    return "The new version was live and may have written." if seen.has_served else None


def _previous_not_live(seen: ReversalInput) -> str | None:
    previous = seen.deployment.previous_version
    if previous is None:
        return "No version was live before."
    return None if seen.serves_previous else f"Version {previous} is no longer live."


def _earlier(seen: ReversalInput) -> str | None:
    if seen.earlier.verdict.allows_rollback:
        return None
    why = " ".join(seen.earlier.reasons)
    return f"The previous version may fail on the schema before this release as well. {why}".strip()


def _no_permit(seen: ReversalInput) -> str | None:
    if seen.release.asking_gates and not seen.deployment.unknown:
        return None
    return "The gates of this app need no permit, or a permit could not be read."


def _worker(seen: ReversalInput) -> str | None:
    if not seen.workers:
        return None
    return f"{', '.join(seen.workers)} started with the new version and may have written."


def _other_command(seen: ReversalInput) -> str | None:
    if not seen.other_commands:
        return None
    return f"The gate ran more than migrate: {'; '.join(seen.other_commands)}."


def _outside(seen: ReversalInput) -> str | None:
    outside = seen.deployment.outside
    found = [*outside.applied, *outside.drifted]
    if seen.deployment.gate is not None:
        found += seen.deployment.gate.unplanned
    return f"Migrations were applied outside the gate: {', '.join(found)}." if found else None


def _no_reverse(seen: ReversalInput) -> str | None:
    reversal = seen.reversal
    if reversal.why_not is not None:
        return f"No command reverses just the applied migrations: {reversal.why_not}."
    return None if reversal.calls else "No command reverses the applied migrations."


def _several_calls(seen: ReversalInput) -> str | None:
    if len(seen.reversal.calls) <= 1:
        return None
    return "The reversal needs several commands, one for each app."


def _other_migrations(seen: ReversalInput) -> str | None:
    gate, reversal = seen.deployment.gate or NO_GATE_REPORT, seen.reversal
    if reversal.why_not is None and (
        gate.unlisted or set(seen.applied) != set(reversal.migrations)
    ):
        return "The applied migrations are not those of the plan."
    return None


def _not_atomic(seen: ReversalInput) -> str | None:
    gate = seen.deployment.gate or NO_GATE_REPORT
    return None if gate.atomic else "The database cannot undo a migration that fails halfway."


_CONDITIONS: Mapping[ReversalBar, Callable[[ReversalInput], str | None]] = {
    ReversalBar.GATE_NOT_OPEN: _gate_not_open,
    ReversalBar.SERVED: _served,
    ReversalBar.PREVIOUS_NOT_LIVE: _previous_not_live,
    ReversalBar.PREVIOUS_UNKNOWN: lambda seen: seen.why_not_again,
    ReversalBar.EARLIER_MIGRATIONS: _earlier,
    ReversalBar.NO_PERMIT: _no_permit,
    ReversalBar.WORKER: _worker,
    ReversalBar.OTHER_COMMAND: _other_command,
    ReversalBar.OUTSIDE: _outside,
    ReversalBar.NO_REVERSE: _no_reverse,
    ReversalBar.SEVERAL_CALLS: _several_calls,
    ReversalBar.OTHER_MIGRATIONS: _other_migrations,
    ReversalBar.NOT_ATOMIC: _not_atomic,
}
