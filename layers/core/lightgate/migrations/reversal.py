"""How the migrations that a release has applied are taken back, as executions a person can start.

The gate has the graph of the migrations, and works out with its plan which calls of manage.py
take back just these and nothing else, or why none do. Nothing is guessed from names here. What it
says is untrusted: it is shown to people, and never carried out unasked.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightgate.gate.log_lines import plain_text
from lightgate.spec.app_spec import Policy

_LONGEST_REASON = 300
_LONGEST_WORD = 200
_MOST_WORDS = 40
_MOST_CALLS = 20
_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """The calls that together take back these migrations; none where `why_not` says why."""

    migrations: Sequence[str] = ()
    calls: Sequence[Sequence[str]] = ()
    why_not: str | None = None

    def executions(self, app: str, digest: str | None, policy: str | None) -> Sequence[str]:
        """Each call as the input of an execution with the image that has the migrations.

        Taking back always counts as something that may break what serves.
        """
        if digest is None:
            return ()
        allowed = {"allowDestructive": True} if policy == Policy.BLOCK else {}
        return [
            json.dumps({"app": app, "digest": digest, "command": list(call), **allowed})
            for call in self.calls
        ]


UNTOLD = Reversal(why_not="the gate did not report how")


def read_reversal(told: object, migrations: Sequence[str], count: int | None) -> Reversal:
    """What a gate has told of a plan of so many migrations, of which it has named these."""
    if isinstance(told, str):
        why_not = plain_text(told, _LONGEST_REASON)
        return Reversal(why_not=why_not) if why_not else UNTOLD
    is_told = isinstance(told, list) and 0 < len(told) <= _MOST_CALLS and all(map(_is_call, told))
    if not isinstance(told, list) or not is_told or len(migrations) != count:
        return UNTOLD
    return Reversal(migrations=tuple(migrations), calls=tuple(tuple(call) for call in told))


def reversal_of(take_back: Mapping[str, Reversal], applied: Iterable[str]) -> Reversal:
    """How everything is taken back that the gates of a deployment have applied.

    Each has told it of its own plan. Where several have applied something, or more was applied
    than is in the plan, the calls would leave something behind.
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
