"""The plan of a gate: the migrations that it is going to apply.

The gate applies only the plan with the permitted hash. So a forged plan in the log or the gate
channel can cost a release its permit, but cannot get a permit for hidden migrations.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lightgate.gate.log_lines import events, plain_text
from lightgate.migrations.blocking import (
    BlockedTable,
    OpenTransaction,
    read_blocking,
    read_transactions,
)
from lightgate.migrations.reversal import UNTOLD, Reversal, read_reversal
from lightgate.patterns import pattern
from lightgate.spec.effect import Effect, effect_of

_LONGEST_NAME = 200
_MOST_OPERATIONS = 50
_MOST_MIGRATIONS = 10_000
_MOST_AHEAD = 20
_MOST_STATEMENTS = 40
_MOST_DECLARED = 20
_LONGEST_DECLARATION = 500
_STATEMENT = pattern(r"(?:SELECT|INSERT|UPDATE|DELETE) \S.*")
_MOST_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One step of a pending migration, such as `AddField harvest.season`.

    `target` is the model or the field, `detail` what of the operation may break the live version.
    `problem` is the error that kept the gate from judging it. `statements` of old code are those
    that a restricted operation may make fail, such as `DELETE crops_farm`.
    """

    migration: str
    kind: str
    effect: Effect
    target: str | None = None
    detail: str | None = None
    problem: str | None = None
    statements: Sequence[str] = ()
    is_reversed: bool = False

    def __str__(self) -> str:
        undo = "undo " if self.is_reversed else ""
        detail = f"({self.detail})" if self.detail else ""
        target = f" {self.target}" if self.target else ""
        return f"{undo}{self.kind}{detail}{target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Migrations that were applied by a later release; `effect` is the worst that they have."""

    effect: Effect
    names: Sequence[str]
    count: int = 0

    def __str__(self) -> str:
        more = self.count - len(self.names)
        names = [*self.names, *([f"and {more} more"] if more > 0 else [])]
        return (
            f"The database has migrations that this image does not know ({self.effect.value}): "
            f"{', '.join(names)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A gate's plan. `count` is None if the gate could not determine the pending migrations.

    `breaking` names the reported operations that may break the live version, `operations` all
    that are not compatible. `counts` are the operations of each effect, also of those that the
    report had no room for, and `names` are the migrations that it had room for, `listed` how many
    they are. `once`: a plan that one node was permitted must not be permitted to
    another. `ahead` are migrations that the database has and the image does not. `declared` has a
    sentence for each migration whose class the team declares. `reversal` is how to reverse the
    whole plan. `kinds` are those of all listed operations, compatible ones too, and `is_whole` says
    that nothing was left out. `backwards` are the migrations that the plan reverses.
    """

    hash: str
    count: int | None
    effect: Effect
    breaking: Sequence[str]
    operations: Sequence[Operation] = ()
    counts: Mapping[Effect, int] = field(default_factory=dict)
    names: Sequence[str] = ()
    listed: int | None = None
    once: bool = False
    ahead: Ahead | None = None
    declared: Sequence[str] = ()
    blocking: Sequence[BlockedTable] = ()
    transactions: Sequence[OpenTransaction] = ()
    reversal: Reversal = UNTOLD
    kinds: Sequence[str] = ()
    is_whole: bool = True
    backwards: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        return self.count == 0

    @property
    def effects(self) -> set[Effect]:
        """The effects of all operations, reported or not."""
        counted = {effect for effect, count in self.counts.items() if count}
        return {self.effect, *counted, *(one.effect for one in self.operations)}

    @property
    def is_compatible(self) -> bool:
        """Whether every pending operation is known and compatible with the previous version."""
        is_known = self.count is not None and not self.untold
        return is_known and self.effects == {Effect.COMPATIBLE}

    @property
    def untold(self) -> int:
        """How many operations that are not compatible were not reported."""
        risky = sum(count for effect, count in self.counts.items() if effect != Effect.COMPATIBLE)
        return max(0, risky - len(self.operations))

    @property
    def cut(self) -> str | None:
        """The sentence that says that the report is only a part of the plan."""
        if self.count is None or self.listed is None or self.listed >= self.count:
            return None
        counts = ", ".join(f"{effect.value} {count}" for effect, count in self.counts.items())
        return (
            f"{self.listed} of {self.count} pending migrations are listed, those with the greatest "
            f"risk first. Operations of all of them: {counts}."
        )


def read_plan(release: str, container: str, lines: Iterable[str]) -> Plan | None:
    """The last valid plan that the gate has reported; None without one.

    A permit names the hash of a plan. So of all plans with the hash of the last one the worst
    counts, because one of them may be forged.
    """
    told = read_plans(release, container, lines)
    same = [plan for plan in told if plan.hash == told[-1].hash]
    if not same:
        return None
    worst = max(reversed(same), key=lambda plan: FROM_GOOD_TO_BAD.index(plan.effect))
    counts = [plan.count for plan in same]
    return replace(
        worst,
        count=None if None in counts else max(count or 0 for count in counts),
        once=any(plan.once for plan in same),
    )


FROM_GOOD_TO_BAD = (
    Effect.COMPATIBLE,
    Effect.RESTRICTED,
    Effect.DATA,
    Effect.UNKNOWN,
    Effect.BREAKING,
)


def read_plans(release: str, container: str, lines: Iterable[str]) -> list[Plan]:
    """Every plan that the gate has reported. After the first is applied, the next is empty."""
    told = (_plan(e) for e in events(release, container, lines) if e["event"] == "plan")
    return [plan for plan in told if plan is not None]


def _plan(event: Mapping[str, Any]) -> Plan | None:
    names = _names(event)
    name, count = plain_text(event.get("hash"), _LONGEST_NAME), event.get("count")
    is_count = type(count) is int and 0 <= count < _MOST_MIGRATIONS
    if name is None or not (is_count or count is None):
        return None
    operations = read_operations(event)
    breaking = [
        f"{one.migration}: {one} ({one.effect.value})"
        for one in operations
        if one.effect.may_break_live_version
    ]
    effect, counts = effect_of(event.get("class")), _counts(event)
    is_breaking = breaking or any(one.may_break_live_version for one in counts)
    if count is None or (is_breaking and not effect.may_break_live_version):
        effect = Effect.UNKNOWN
    return Plan(
        hash=name,
        count=count,
        effect=effect,
        breaking=breaking,
        operations=operations,
        counts=counts,
        names=names,
        listed=len(_list(event.get("migrations"))),
        once=event.get("once") is True,
        ahead=_ahead(event.get("ahead")),
        declared=read_declarations(event.get("declared")),
        blocking=read_blocking(event),
        transactions=read_transactions(event),
        reversal=read_reversal(event.get("takeBack"), names, count),
        kinds=_kinds(event),
        is_whole=not any(one.get("omitted") for one in (event, *_migrations(event))),
        backwards=tuple(
            _names({"migrations": [m for m in _migrations(event) if m.get("reversed") is True]})
        ),
    )


def _migrations(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in _list(event.get("migrations")) if isinstance(one, dict)]


def _kinds(event: Mapping[str, Any]) -> Sequence[str]:
    told = [each for one in _migrations(event) for each in _list(one.get("operations"))]
    named = (plain_text(each[1], _LONGEST_NAME) if len(_list(each)) > 1 else None for each in told)
    return sorted({name or "an operation" for name in named})


def _names(event: Mapping[str, Any]) -> Sequence[str]:
    found = (one.get("name") for one in _migrations(event))
    return [name for one in found if (name := plain_text(one, _LONGEST_NAME)) is not None]


def _counts(event: Mapping[str, Any]) -> Mapping[Effect, int]:
    """The worst effect first. What is no count counts as one."""
    found = event.get("classes")
    told: dict[Effect, int] = {}
    for name, count in found.items() if isinstance(found, Mapping) else ():
        effect, is_count = effect_of(name), type(count) is int and count >= 0
        told[effect] = told.get(effect, 0) + (min(count, _MOST_COUNTED) if is_count else 1)
    return {effect: told[effect] for effect in reversed(FROM_GOOD_TO_BAD) if told.get(effect)}


def _ahead(found: object) -> Ahead | None:
    if not isinstance(found, Mapping):
        return None
    names = [plain_text(name, _LONGEST_NAME) for name in _list(found.get("names"))]
    return Ahead(
        effect=effect_of(found.get("class")),
        names=[name for name in names if name is not None][:_MOST_AHEAD],
        count=count if type(count := found.get("count")) is int and count < _MOST_COUNTED else 0,
    )


def read_declarations(found: object) -> Sequence[str]:
    """A sentence for each migration whose class the team has declared."""
    sentences = []
    for one in _list(found)[:_MOST_DECLARED]:
        match one:
            case [str(name), str(label), str(reason)]:
                said = (
                    f"{name} is declared as {label}, which Lightgate has not checked: {reason}"
                    if label
                    else f"The declaration of {name} is ignored: {reason}"
                )
                sentences.append(plain_text(f"{said.rstrip('.')}.", _LONGEST_DECLARATION) or "")
    return tuple(sentences)


def read_operations(event: Mapping[str, Any]) -> list[Operation]:
    """The operations of its migrations that are not compatible, the worst first."""
    found = []
    for migration in _list(event.get("migrations")):
        if not isinstance(migration, dict):
            continue
        name = plain_text(migration.get("name"), _LONGEST_NAME) or "a migration"
        for operation in _list(migration.get("operations")):
            match operation:
                case [str(effect), str(kind), *more] if effect != Effect.COMPATIBLE:
                    told = [plain_text(one, _LONGEST_NAME) for one in more[:3]]
                    target, detail, problem = [*told, None, None, None][:3]
                    statements = _statements(more)
                    known = effect_of(effect)
                    if known is Effect.RESTRICTED and not statements:
                        known = Effect.UNKNOWN
                    found.append(
                        Operation(
                            migration=name,
                            kind=plain_text(kind, _LONGEST_NAME) or "an operation",
                            effect=known,
                            target=target,
                            detail=detail,
                            problem=problem,
                            statements=statements,
                            is_reversed=migration.get("reversed") is True,
                        )
                    )
    return sorted(found, key=lambda one: -FROM_GOOD_TO_BAD.index(one.effect))[:_MOST_OPERATIONS]


def _statements(more: Sequence[object]) -> Sequence[str]:
    """The statements that a restricted operation names; none unless all of them can be read."""
    told = _list(more[3]) if len(more) > 3 else []
    found = [text for one in told if (text := plain_text(one, _LONGEST_NAME)) is not None]
    is_whole = len(found) == len(told) and all(map(_STATEMENT.fullmatch, found))
    return tuple(found[:_MOST_STATEMENTS]) if is_whole else ()


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
