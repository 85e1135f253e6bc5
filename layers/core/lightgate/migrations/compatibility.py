"""What a failure will mean: whether the release before can run on the schema of this one.

Decided from what the gates say that they would apply, before the app starts, and carried with
the release from then on. It only ever gets worse: once a plan is applied the next node's gate
tells an empty one, and that takes nothing back.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightgate.gate.log_lines import plain_text
from lightgate.migrations.plan import Effect, Operation, Plan

_MOST_REASONS = 20
_LONGEST_REASON = 600


class Verdict(enum.StrEnum):
    """Whether one can go back to the release before.

    NONE: nothing is pending, so nothing changes. SAFE: the release before can read and write
    on the new schema. ONE_WAY: it may not. UNKNOWN: nobody can tell, and it is treated as
    ONE_WAY.
    """

    NONE = "NONE"
    SAFE = "SAFE"
    ONE_WAY = "ONE_WAY"
    UNKNOWN = "UNKNOWN"

    @property
    def lets_go_back(self) -> bool:
        return self in (Verdict.NONE, Verdict.SAFE)


# What is known to break things says more than what is not known at all.
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
# What of an operation is the trouble, where its gate says so behind it: `AddIndex(expression)`.
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
        "the previous version may write a text that is too long for the index, which holds about "
        "2,700 bytes in PostgreSQL, and such a write fails"
    ),
    "on_delete": (
        "the handling of rows that refer to a deleted row moves between Django and the database, "
        "and the previous version relies on the old handling"
    ),
}
# Of a migration that is reversed. What the operation made is gone then, or what it removed is back.
_UNDONE = "undo "
_WHY_UNDONE = {
    "CreateModel": "the table is removed, and the live version may still use it",
    "AddField": "the column is removed, and the live version may still use it",
    "RemoveField": "the column comes back, and the live version may not fill it",
    "DeleteModel": "the table comes back empty",
}
_WHY_UNKNOWN = {
    "RunSQL": "it is SQL, which Lightgate does not read",
    "RunPython": "it runs code of the app, which may do anything to rows and schema",
    "Migration.apply": "the migration replaces a method of Django's, and may do anything",
}
_CONTRACT = "the previous version may not be able to read or write after it"
_ODD = "it is not one of Django's own operations, and may do anything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and, unless one can go back, each migration and operation with why not."""

    verdict: Verdict
    reasons: Sequence[str] = ()


def judge_gates(
    gates: Iterable[str], told: Mapping[str, Judgement], *, has_database: bool
) -> Judgement:
    """The verdict on a release, from that on the plans of each of its gates.

    A gate that has told none leaves it unknown. So does a release without any gate, unless
    its spec has no database: what an app does to its database by itself is not seen.
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

    An operation that changes rows makes it UNKNOWN. It is the app's own code, which may
    delete what the release before needs, write what it cannot read, or change the schema,
    and being reversible says nothing of that. Whether old code can work with new rows only
    people can know: taking it for safe would put the old code to work on them unasked.
    """
    reasons = [_reason(one) for one in plan.operations if one.effect is not Effect.ADDITIVE]
    effects = {plan.effect, *(one.effect for one in plan.operations)}
    if Effect.CONTRACT in effects:
        return _judgement(Verdict.ONE_WAY, reasons or [_not_told(plan)])
    if effects != {Effect.ADDITIVE} or plan.count is None:
        return _judgement(Verdict.UNKNOWN, reasons or [_not_told(plan)])
    return Judgement(verdict=Verdict.NONE if plan.is_empty else Verdict.SAFE)


def of_what_is_applied(
    planned: Judgement, effect: str | None, migrations: Iterable[str]
) -> Judgement:
    """The verdict on the part of a plan that its gate has found applied after it failed.

    `effect` is the worst of that part, None if the gate could not tell: then the whole plan counts.
    """
    match effect:
        case Effect.ADDITIVE:
            return Judgement(verdict=Verdict.SAFE)
        case Effect.DATA:
            names = ", ".join(migrations)
            return _unknown(
                f"This release has changed rows, with {names or 'migrations that are unknown'}."
            )
        case _:
            return planned


def together(judgements: Iterable[Judgement]) -> Judgement:
    """The worst of them, with all reasons that stand against going back; NONE if there are none.

    The order does not matter, and adding one again changes nothing.
    """
    found = list(judgements)
    reasons = dict.fromkeys(reason for one in found for reason in one.reasons)
    for verdict in _FROM_BAD_TO_GOOD:
        if any(one.verdict is verdict for one in found):
            return _judgement(verdict, list(reasons))
    return Judgement(verdict=Verdict.NONE)


def _reason(operation: Operation) -> str:
    kind, _, that = operation.what.removeprefix(_UNDONE).split(" ", 1)[0].partition("(")
    if operation.what.startswith(_UNDONE):
        why = _WHY_UNDONE.get(kind, "it is reversed, and the live version may rely on it")
    elif operation.effect is Effect.CONTRACT:
        why = _WHY_THAT.get(that.removesuffix(")")) or _WHY.get(kind, _CONTRACT)
    else:
        why = _WHY_UNKNOWN.get(kind, _ODD)
    return f"{operation.migration}: {operation.what}: {why}."


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
