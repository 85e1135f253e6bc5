"""The plan of a gate: the migrations that it is going to apply.

The gate applies only the plan with the permitted hash. So a forged plan in the log or the gate
channel can cost a release its permit, but cannot get a permit for hidden migrations.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightgate.gate.log_lines import events, plain_text
from lightgate.migrations.reversal import UNTOLD, Reversal, read_reversal

_LONGEST_NAME = 200
_MOST_OPERATIONS = 50
_MOST_MIGRATIONS = 10_000
_MOST_AHEAD = 20


class Effect(enum.StrEnum):
    """The effect of a plan on the live version: that of its worst operation.

    ADDITIVE leaves it able to read and to write, DATA changes rows, CONTRACT may break it, and
    UNKNOWN may do anything.
    """

    ADDITIVE = "additive"
    DATA = "data"
    CONTRACT = "contract"
    UNKNOWN = "unknown"

    @property
    def may_break_live_version(self) -> bool:
        return self in (Effect.CONTRACT, Effect.UNKNOWN)


_EFFECTS = {effect.value: effect for effect in Effect}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One step of a pending migration, such as `AddField harvest.season`.

    `problem` is the error that kept the gate from judging it.
    """

    migration: str
    what: str
    effect: Effect
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Migrations that were applied by a later release; `effect` is the worst that they have."""

    effect: Effect
    names: Sequence[str]

    def __str__(self) -> str:
        return (
            f"The database has migrations that this image does not know ({self.effect.value}): "
            f"{', '.join(self.names)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A gate's plan. `count` is None if the gate could not determine the pending migrations.

    `breaking` names the reported operations that may break the live version, `operations` all
    that are not additive. `once`: a plan that one node was permitted must not be permitted to
    another. `ahead` are migrations that the database has and the image does not. `reversal` is how
    to reverse the whole plan.
    """

    hash: str
    count: int | None
    effect: Effect
    breaking: Sequence[str]
    operations: Sequence[Operation] = ()
    once: bool = False
    ahead: Ahead | None = None
    reversal: Reversal = UNTOLD

    @property
    def is_empty(self) -> bool:
        return self.count == 0


def read_plan(release: str, container: str, lines: Iterable[str]) -> Plan | None:
    """The last valid plan that the gate has reported; None without one.

    A permit names the hash of a plan. So of all plans with the hash of the last one the worst
    counts, because one of them may be forged.
    """
    told = read_plans(release, container, lines)
    same = [plan for plan in told if plan.hash == told[-1].hash]
    if not same:
        return None
    worst = max(reversed(same), key=lambda plan: _FROM_GOOD_TO_BAD.index(plan.effect))
    counts = [plan.count for plan in same]
    return replace(
        worst,
        count=None if None in counts else max(count or 0 for count in counts),
        once=any(plan.once for plan in same),
    )


_FROM_GOOD_TO_BAD = (Effect.ADDITIVE, Effect.DATA, Effect.UNKNOWN, Effect.CONTRACT)


def read_plans(release: str, container: str, lines: Iterable[str]) -> list[Plan]:
    """Every plan that the gate has reported. After the first is applied, the next is empty."""
    told = (_plan(e) for e in events(release, container, lines) if e["event"] == "plan")
    return [plan for plan in told if plan is not None]


def _plan(event: Mapping[str, Any]) -> Plan | None:
    name, count = plain_text(event.get("hash"), _LONGEST_NAME), event.get("count")
    is_count = type(count) is int and 0 <= count < _MOST_MIGRATIONS
    if name is None or not (is_count or count is None):
        return None
    operations = _operations(event)
    breaking = [
        f"{one.migration}: {one.what} ({one.effect.value})"
        for one in operations
        if one.effect.may_break_live_version
    ]
    effect = _EFFECTS.get(str(event.get("class")), Effect.UNKNOWN)
    if count is None or (breaking and not effect.may_break_live_version):
        effect = Effect.UNKNOWN
    return Plan(
        hash=name,
        count=count,
        effect=effect,
        breaking=breaking,
        operations=operations,
        once=event.get("once") is True,
        ahead=_ahead(event.get("ahead")),
        reversal=read_reversal(event.get("takeBack"), _names(event), count),
    )


def _names(event: Mapping[str, Any]) -> Sequence[str]:
    found = (one.get("name") for one in _list(event.get("migrations")) if isinstance(one, dict))
    return [name for one in found if (name := plain_text(one, _LONGEST_NAME)) is not None]


def _ahead(found: object) -> Ahead | None:
    if not isinstance(found, Mapping):
        return None
    names = [plain_text(name, _LONGEST_NAME) for name in _list(found.get("names"))]
    return Ahead(
        effect=_EFFECTS.get(str(found.get("class")), Effect.UNKNOWN),
        names=[name for name in names if name is not None][:_MOST_AHEAD],
    )


def _operations(event: Mapping[str, Any]) -> list[Operation]:
    found = []
    for migration in _list(event.get("migrations")):
        if not isinstance(migration, dict):
            continue
        name = plain_text(migration.get("name"), _LONGEST_NAME) or "a migration"
        for operation in _list(migration.get("operations")):
            match operation:
                case [str(effect), str(what), *problem] if effect != Effect.ADDITIVE:
                    found.append(
                        Operation(
                            migration=name,
                            what=plain_text(what, _LONGEST_NAME) or "an operation",
                            effect=_EFFECTS.get(effect, Effect.UNKNOWN),
                            problem=plain_text(next(iter(problem), None), _LONGEST_NAME),
                        )
                    )
    return sorted(found, key=lambda one: one.effect is Effect.DATA)[:_MOST_OPERATIONS]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
