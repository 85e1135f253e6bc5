"""How to reverse the migrations of a release: executions that a person can start.

The gate has the graph of the migrations. It reports with its plan which calls of manage.py reverse
exactly these migrations, or why there are none. The report is untrusted: the calls are shown to
people, and Lightgate never runs them automatically.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightgate.gate.log_lines import plain_text
from lightgate.spec.migration_policy import Policy

_LONGEST_REASON = 300
_LONGEST_WORD = 200
_MOST_WORDS = 40
_MOST_CALLS = 20
_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """The calls that together reverse these migrations; none if `why_not` gives the reason."""

    migrations: Sequence[str] = ()
    calls: Sequence[Sequence[str]] = ()
    why_not: str | None = None

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
