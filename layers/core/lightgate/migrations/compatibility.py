"""Rollback safety: whether the previous version works with the schema of this release.

Judged from the plans of the gates before the app starts. The verdict of a release only gets worse:
after a plan is applied the next node reports an empty one, which does not make rollback safe.
"""

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightgate.gate.log_lines import plain_text
from lightgate.migrations.plan import Operation, Plan
from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect, allows

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
    "RemoveCollation": _REMOVED,
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
    "declared": "the team declares so, and Lightgate has not checked it",
    "slow": "queries of the previous version may take too long without the index",
    "free": (
        "new rows may have values that the constraint forbade, and the previous version may not "
        "expect them"
    ),
    "dangling": (
        "new rows may refer to rows that do not exist, and the previous version may not expect that"
    ),
    "form": (
        "another class of field reads and writes the column, and the previous version may not "
        "understand the values that the new one writes"
    ),
    "wider": (
        "functions that take a number of the old size fail on the new one, and the previous "
        "version does not find rows whose number is too large for the old size"
    ),
    "digits": "the previous version cannot write back a number with more digits than it knows",
    "ambiguous": (
        "SQL of your own that joins this table with one that has a column of the same name is "
        "ambiguous unless it names the table"
    ),
    "type": "the column may not take the values that the previous version writes, or read others",
    "renamed": _RENAMED,
    "target": (
        "the column refers to rows of another table or field, and the previous version reads and "
        "writes references to the old ones"
    ),
    "check": _CONSTRAINED,
    "constrained": _CONSTRAINED,
    "collation": "the order and the equality of texts change, also in what must be unique",
    "unique": (
        "new rows may repeat a value, and what the previous version gets by it is ambiguous; its "
        "ON CONFLICT fails"
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
_WHY_UNKNOWN_THAT = {
    "atomic": "Django does not run it in a transaction: the migration needs atomic = False",
    "declared": "the team declares so, and Lightgate has not checked it",
    "extension": "the extension may change operators and functions that the previous version uses",
    "contenttypes": (
        "Django gives the content type of the model its new name, and the previous version no "
        "longer finds what refers to it, such as generic relations"
    ),
    "state": (
        "an operation before it has changed this column for Django alone, so Lightgate does not "
        "know the column of the database"
    ),
    "index": "it is not one of Django's own kinds of index, and may refuse rows",
    "type": "the type of the column carries more than a type, such as a default or a check",
}
_WHY_UNKNOWN = {
    "RunSQL": "it is SQL, which Lightgate does not read",
    "RunPython": "it runs code of the app, which may do anything to rows and schema",
    "Migration.apply": "the migration replaces a method of Django's, and may do anything",
}
_BREAKING = "the previous version may not be able to read or write after it"
_ODD = "it is not one of Django's own operations, and may do anything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and, if rollback is not safe, the reason for each migration and operation.

    `restrictions` say which statements of the previous version may fail, though rollback is safe.
    """

    verdict: Verdict
    reasons: Sequence[str] = ()
    restrictions: Sequence[str] = ()


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


def judge_plan(plan: Plan, automatic: Collection[Effect] = DEFAULT_AUTOMATIC) -> Judgement:
    """The verdict on one plan, where an automatic rollback may follow the classes in `automatic`.

    An operation that changes rows is UNKNOWN without the owner's word. It is the app's own code: it
    may delete rows that the previous version needs, write rows that it cannot read, or change the
    schema, even if it is reversible. With a wrong SAFE, Lightgate would roll back automatically to
    code that cannot work with the rows.
    """
    effects = plan.effects
    against = [one for one in plan.operations if not allows(automatic, {one.effect})]
    reasons = [reason_of(one) for one in against]
    if plan.untold and plan.operations:
        reasons.append(
            f"{plan.untold} more operations may not be safe, and the gate did not list them."
        )
    restricted = [reason_of(one) for one in plan.operations if one.effect is Effect.RESTRICTED]
    if effects & {Effect.BREAKING, Effect.RESTRICTED} and not allows(
        automatic, effects & {Effect.BREAKING, Effect.RESTRICTED}
    ):
        return _judgement(Verdict.ONE_WAY, reasons or [_not_told(plan)])
    if not allows(automatic, effects) or plan.count is None or plan.untold:
        return _judgement(Verdict.UNKNOWN, reasons or [_not_told(plan)])
    verdict = Verdict.NONE if plan.is_empty else Verdict.SAFE
    return _judgement(verdict, [], restricted)


def judge_applied(
    planned: Judgement,
    effect: Effect | None,
    migrations: Iterable[str],
    automatic: Collection[Effect] = DEFAULT_AUTOMATIC,
) -> Judgement:
    """The verdict on the applied part of a plan that failed.

    `effect` is the worst of that part, None if it is unknown: then the whole plan counts.
    """
    if effect is None:
        return planned
    if allows(automatic, {effect}):
        restrictions = () if effect is Effect.COMPATIBLE else planned.restrictions
        return Judgement(verdict=Verdict.SAFE, restrictions=restrictions)
    if effect.may_break_live_version and planned.verdict.allows_rollback:
        return _unknown("The gate reports that more was applied than its plan had.")
    if effect is Effect.DATA:
        names = ", ".join(migrations)
        return _unknown(
            f"This release has changed rows, with {names or 'migrations that are unknown'}."
        )
    return planned


def together(judgements: Iterable[Judgement]) -> Judgement:
    """The worst of them, with all reasons against a rollback; NONE if there are none.

    The order does not matter, and adding one again changes nothing.
    """
    found = list(judgements)
    reasons = dict.fromkeys(reason for one in found for reason in one.reasons)
    restrictions = dict.fromkeys(each for one in found for each in one.restrictions)
    for verdict in _FROM_BAD_TO_GOOD:
        if any(one.verdict is verdict for one in found):
            return _judgement(verdict, list(reasons), list(restrictions))
    return Judgement(verdict=Verdict.NONE)


def reason_of(operation: Operation) -> str:
    """The sentence that says what of which migration decides, and why."""
    return f"{operation.migration}: {operation}: {explain(operation)}."


def explain(operation: Operation) -> str:
    """Why the operation has its class, without a full stop."""
    if operation.problem is not None:
        return f"Lightgate could not judge it: {operation.problem}"
    if operation.is_reversed:
        return _WHY_REVERSED.get(operation.kind, _REVERSED)
    if operation.effect is Effect.RESTRICTED:
        because = f": {said}" if (said := _WHY_THAT.get(operation.detail or "")) else ""
        return f"{', '.join(operation.statements)} may fail{because}"
    if operation.effect is Effect.BREAKING:
        why = _WHY_THAT.get(operation.detail or "")
        return why or _WHY.get(operation.kind, _BREAKING)
    return _WHY_UNKNOWN_THAT.get(operation.detail or "") or _WHY_UNKNOWN.get(operation.kind, _ODD)


def _not_told(plan: Plan) -> str:
    if plan.count is None:
        return "The gate could not determine the pending migrations."
    return (
        f"The plan has the class {plan.effect.value}, and the gate did not report all operations."
    )


def _unknown(reason: str) -> Judgement:
    return Judgement(verdict=Verdict.UNKNOWN, reasons=(reason,))


def _judgement(
    verdict: Verdict, reasons: Sequence[str], restrictions: Sequence[str] = ()
) -> Judgement:
    return Judgement(
        verdict=verdict,
        reasons=_shown(reasons, "reasons"),
        restrictions=_shown(restrictions, "restrictions"),
    )


def _shown(sentences: Sequence[str], what: str) -> tuple[str, ...]:
    shown = [plain_text(sentence, _LONGEST_REASON) or "" for sentence in sentences]
    if more := len(shown) - _MOST_REASONS:
        shown = shown[:_MOST_REASONS] + ([f"There are {more} more {what}."] if more > 0 else [])
    return tuple(shown)
