"""Rollback safety: whether the previous version works with the schema of this release.

Judged from the plans of the gates before the app starts. The verdict of a release only gets worse:
after a plan is applied the next node reports an empty one, which does not make rollback safe.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightgate.gate.effect import Effect
from lightgate.gate.log_lines import plain_text
from lightgate.migrations.plan import Operation, Plan

_MOST_REASONS = 20
_LONGEST_REASON = 600


class Verdict(enum.StrEnum):
    """Whether it is safe to roll back to the previous version.

    NONE: no migration is pending. SAFE: the previous version can read and write with the new
    schema. ONE_WAY: it may not be able to. UNKNOWN: this could not be determined, and counts as
    ONE_WAY.
    """

    NONE = "NONE"
    SAFE = "SAFE"
    ONE_WAY = "ONE_WAY"
    UNKNOWN = "UNKNOWN"

    @property
    def allows_rollback(self) -> bool:
        return self in (Verdict.NONE, Verdict.SAFE)


# A known problem says more than an unknown effect.
_FROM_BAD_TO_GOOD = (Verdict.ONE_WAY, Verdict.UNKNOWN, Verdict.SAFE, Verdict.NONE)

_REMOVED = "the previous version still uses it, and its queries fail without it"
_RENAMED = "the previous version still uses the old name, and its queries fail"
_CONSTRAINED = "the previous version may write rows that it forbids, and these writes fail"
_WHY = {
    "AddField": (
        "the previous version leaves this column out when it inserts a row. A default in the "
        "model is not one in the database: without db_default or null=True such an INSERT fails "
        "with NotNullViolation, and in a unique column the same value comes twice"
    ),
    "RemoveField": _REMOVED,
    "DeleteModel": _REMOVED,
    "RenameField": _RENAMED,
    "RenameModel": _RENAMED,
    "AlterModelTable": _RENAMED,
    "AlterField": "the column may reject values that the previous version writes",
    "AddConstraint": _CONSTRAINED,
    "AddConstraintNotValid": _CONSTRAINED,
    "AlterUniqueTogether": _CONSTRAINED,
    "RemoveConstraint": (
        "new rows may violate what the previous version relies on, and its own writes may rely on "
        "the constraint"
    ),
    "RemoveIndex": "queries of the previous version may be too slow without it",
    "RemoveIndexConcurrently": "queries of the previous version may be too slow without it",
    "RemoveCollation": _REMOVED,
    "AlterIndexTogether": "the previous version may need an index that it removes",
    "AlterOrderWithRespectTo": (
        "it adds or removes a column that the previous version does not know, or still uses"
    ),
}
# The problematic part of an operation, if the gate names it: `AddIndex(expression)`.
_WHY_THAT = {
    "ForeignKey": (
        "once a new row refers to a row of an older table, the previous version cannot delete that "
        "row any more, because it does not know the new table"
    ),
    "GeneratedField": (
        "the database computes the column for every row that the previous version writes, and if "
        "the expression fails, the write fails"
    ),
    "expression": (
        "the database computes the index for every row that the previous version writes, and if "
        "an expression fails, the write fails"
    ),
    "unbounded": (
        "the previous version may write a value that is too long for the index, which holds 2,700 "
        "to 8,100 bytes in PostgreSQL, and such a write fails"
    ),
    "NULL": (
        "new rows may leave the column empty, and the previous version then reads None where it "
        "expects a value"
    ),
    "db_default": (
        "the database puts this default into each row that the previous version inserts, and "
        "Lightgate cannot tell that the column takes it, so the insert may fail"
    ),
    "on_delete": (
        "the handling of rows that refer to a deleted row moves between Django and the database, "
        "and the previous version relies on the old handling"
    ),
}
# For a reversed migration: it drops what the operation made, or restores what it removed.
_WHY_REVERSED = {
    "CreateModel": "the table is removed, and the live version may still use it",
    "AddField": "the column is removed, and the live version may still use it",
    "RemoveField": "the column comes back, and the live version may not fill it",
    "DeleteModel": "the table comes back empty",
}
_REVERSED = "it is reversed, and the live version may rely on it"
_WHY_UNKNOWN = {
    "RunSQL": "it is SQL, which Lightgate does not read",
    "RunPython": "it runs code of the app, which may do anything to rows and schema",
    "Migration.apply": "the migration replaces a method of Django's, and may do anything",
}
_CONTRACT = "the previous version may not be able to read or write after it"
_ODD = "it is not one of Django's own operations, and may do anything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and, if rollback is not safe, the reason for each migration and operation."""

    verdict: Verdict
    reasons: Sequence[str] = ()


def judge_gates(
    gates: Iterable[str], told: Mapping[str, Judgement], *, has_database: bool
) -> Judgement:
    """The verdict on a release, from the judgements on the plans of its gates.

    UNKNOWN if a gate has reported no plan, or if there is no gate but a database: Lightgate does
    not see the migrations that an app applies by itself.
    """
    gates = tuple(gates)
    if not gates and has_database:
        return _unknown(
            "No gate applies the migrations of this app, so Lightgate does not know them."
        )
    silent = [gate for gate in gates if gate not in told]
    unknown = [
        _unknown(f"The gate of {gate} has not reported the pending migrations.") for gate in silent
    ]
    return together([*unknown, *told.values()])


def judge_plan(plan: Plan) -> Judgement:
    """The verdict on one plan.

    An operation that changes rows makes it UNKNOWN. It is the app's own code: it may delete rows
    that the previous version needs, write rows that it cannot read, or change the schema, even if
    it is reversible. With a wrong SAFE, Lightgate would roll back automatically to code that
    cannot work with the rows.
    """
    reasons = [_reason(one) for one in plan.operations if one.effect is not Effect.ADDITIVE]
    if plan.untold and reasons:
        reasons.append(
            f"{plan.untold} more operations are not safe, and the gate did not list them."
        )
    effects = plan.effects
    if Effect.CONTRACT in effects:
        return _judgement(Verdict.ONE_WAY, reasons or [_not_told(plan)])
    if effects != {Effect.ADDITIVE} or plan.count is None:
        return _judgement(Verdict.UNKNOWN, reasons or [_not_told(plan)])
    return Judgement(verdict=Verdict.NONE if plan.is_empty else Verdict.SAFE)


def judge_applied(
    planned: Judgement, effect: Effect | None, migrations: Iterable[str]
) -> Judgement:
    """The verdict on the applied part of a plan that failed.

    `effect` is the worst of that part, None if it is unknown: then the whole plan counts.
    """
    match effect:
        case Effect.ADDITIVE:
            return Judgement(verdict=Verdict.SAFE)
        case Effect.DATA:
            names = ", ".join(migrations)
            return _unknown(
                f"This release has changed rows, with {names or 'migrations that are unknown'}."
            )
        case Effect.CONTRACT | Effect.UNKNOWN if planned.verdict.allows_rollback:
            return _unknown("The gate reports that more was applied than its plan had.")
        case _:
            return planned


def together(judgements: Iterable[Judgement]) -> Judgement:
    """The worst of them, with all reasons against a rollback; NONE if there are none.

    The order does not matter, and adding one again changes nothing.
    """
    found = list(judgements)
    reasons = dict.fromkeys(reason for one in found for reason in one.reasons)
    for verdict in _FROM_BAD_TO_GOOD:
        if any(one.verdict is verdict for one in found):
            return _judgement(verdict, list(reasons))
    return Judgement(verdict=Verdict.NONE)


def _reason(operation: Operation) -> str:
    return f"{operation.migration}: {operation}: {_why(operation)}."


def _why(operation: Operation) -> str:
    if operation.problem is not None:
        return f"Lightgate could not judge it: {operation.problem}"
    if operation.is_reversed:
        return _WHY_REVERSED.get(operation.kind, _REVERSED)
    if operation.effect is Effect.CONTRACT:
        why = _WHY_THAT.get(operation.detail or "")
        return why or _WHY.get(operation.kind, _CONTRACT)
    return _WHY_UNKNOWN.get(operation.kind, _ODD)


def _not_told(plan: Plan) -> str:
    if plan.count is None:
        return "The gate could not determine the pending migrations."
    return (
        f"The plan has the class {plan.effect.value}, and the gate did not report all operations."
    )


def _unknown(reason: str) -> Judgement:
    return Judgement(verdict=Verdict.UNKNOWN, reasons=(reason,))


def _judgement(verdict: Verdict, reasons: Sequence[str]) -> Judgement:
    shown = [plain_text(reason, _LONGEST_REASON) or "" for reason in reasons]
    if more := len(shown) - _MOST_REASONS:
        shown = shown[:_MOST_REASONS] + ([f"There are {more} more reasons."] if more > 0 else [])
    return Judgement(verdict=verdict, reasons=tuple(shown))
