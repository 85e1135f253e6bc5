"""How to reverse the migrations of a release: executions that a person can start.

The gate has the graph of the migrations. It reports with its plan which calls of manage.py reverse
exactly these migrations, or why there are none. The report is untrusted. People see the calls, and
Lightgate runs one by itself only if the owner has opted in, every condition of
`lightgate.rollback.reversal_policy` holds, and the plan of the call reverses these migrations only.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightgate.gate.log_lines import plain_text
from lightgate.patterns import pattern
from lightgate.spec.migration_policy import Policy

_LONGEST_REASON = 300
_LONGEST_WORD = 200
_MOST_WORDS = 40
_MOST_CALLS = 20
_NAME = pattern(r"[\w-]+")


class ReversalBar(enum.StrEnum):
    """Why Lightgate does not reverse the migrations of a failed release by itself."""

    GATE_NOT_OPEN = "gate-not-open"
    SERVED = "served"
    PREVIOUS_NOT_LIVE = "previous-not-live"
    PREVIOUS_UNKNOWN = "previous-unknown"
    EARLIER_MIGRATIONS = "earlier-migrations"
    NO_PERMIT = "no-permit"
    WORKER = "worker"
    OTHER_COMMAND = "other-command"
    OUTSIDE = "outside"
    OTHER_MIGRATIONS = "other-migrations"
    NO_REVERSE = "no-reverse"
    SEVERAL_CALLS = "several-calls"
    NOT_ATOMIC = "not-atomic"
    PLAN_INCOMPLETE = "plan-incomplete"
    CHANGED_ROWS = "changed-rows"
    LOSES_DATA = "loses-data"
    DECLARED = "declared"
    UNKNOWN_EFFECT = "unknown-effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A reason against an automatic reversal, in a whole sentence."""

    bar: ReversalBar
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """The calls that together reverse these migrations; none if `why_not` gives the reason.

    `doubts` are the reasons why Lightgate must not run them by itself.
    """

    migrations: Sequence[str] = ()
    calls: Sequence[Sequence[str]] = ()
    why_not: str | None = None
    doubts: Sequence[Doubt] = ()

    def executions(
        self, app: str, digest: str | None, policy: str | None
    ) -> Sequence[Mapping[str, object]]:
        """Each call as the request of an execution with the image that has the migrations.

        A reversal always counts as a change that may break the live version.
        """
        if digest is None:
            return ()
        allowed = {"allowDestructive": True} if policy == Policy.BLOCK else {}
        return [
            {"app": app, "digest": digest, "command": list(call), **allowed} for call in self.calls
        ]


UNTOLD = Reversal(why_not="the gate did not report how")


def read_reversal(told: object, migrations: Sequence[str], count: int | None) -> Reversal:
    """The reversal that a gate has reported for a plan of `count` migrations with these names."""
    if isinstance(told, str):
        why_not = plain_text(told, _LONGEST_REASON)
        return Reversal(why_not=why_not) if why_not else UNTOLD
    is_told = isinstance(told, list) and 0 < len(told) <= _MOST_CALLS and all(map(_is_call, told))
    if not isinstance(told, list) or not is_told or len(migrations) != count:
        return UNTOLD
    return Reversal(migrations=tuple(migrations), calls=tuple(tuple(call) for call in told))


def reversal_of(take_back: Mapping[str, Reversal], applied: Iterable[str]) -> Reversal:
    """How to reverse everything that the gates of a deployment have applied.

    Each gate has reported it for its own plan. If several gates have applied migrations, or more
    was applied than planned, the calls would not reverse everything, so there are none.
    """
    told = set(take_back.values())
    if len(told) > 1:
        return Reversal(why_not="several gates have applied migrations")
    found = next(iter(told), UNTOLD)
    if found.why_not is None and not set(applied) <= set(found.migrations):
        return Reversal(why_not="more was applied than the gate had planned")
    return found


def _is_call(value: object) -> bool:
    """Whether it has the form `… migrate LABEL NAME [OPTIONS]`."""
    if not isinstance(value, list) or len(value) > _MOST_WORDS:
        return False
    if not all(isinstance(word, str) and word and word.isprintable() for word in value):
        return False
    if any(len(word) > _LONGEST_WORD for word in value) or "migrate" not in value[1:]:
        return False
    target = value[value.index("migrate", 1) + 1 :][:2]
    return len(target) == 2 and all(map(_NAME.fullmatch, target))
