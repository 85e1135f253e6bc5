"""What the classifier promises of a plan, and whether what was observed keeps the promise.

The only place that knows the names of the classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.migrations import Migration

from lightgate.gate.programs.django_classifier.compatibility import Known
from lightgate.gate.programs.django_classifier.operations import describe
from lightgate.gate.programs.django_helper.classes import worst

AGREES, MISS, ALARM, OPEN = "agrees", "miss", "alarm", "open"
# What each class promises of old code.
WORKS = {"compatible"}
RESTRICTS = {"restricted"}
BREAKS = {"breaking"}
NO_PROMISE = {"data", "unknown"}


@dataclass(frozen=True)
class Symptom:
    """Something that old code could do before the plan, and cannot do after it."""

    verb: str
    """The kind of statement: select, insert, update, delete, relate."""
    table: str
    error: str
    """The code of the database's error, the name of Django's, or what differs."""
    text: str
    statement: str
    touched: frozenset[str] = frozenset()
    """The tables that the SQL touches, each with the call: `delete crops_farm`."""
    is_weak: bool = False
    """It is no miss, and a plan that is called breaking is no alarm: old code reads NULL that new
    code wrote, or a value of new code is too large for a function of old code."""
    needs_new_rows: bool = False
    """It shows only if new code has written rows."""
    by_old_rules: bool = False
    """It is refused by a constraint or relation that old code knows."""
    is_data: bool = False
    """A value does not fit a function or an operator."""

    @property
    def kind(self) -> str:
        return f"{self.verb} {self.error}"


@dataclass(frozen=True)
class Claim:
    """The class of a plan, its operations as described, and the statements that they name."""

    label: str
    operations: tuple[tuple[str, ...], ...]
    named: frozenset[str] = frozenset()

    def allows(self, symptom: Symptom) -> bool:
        """Whether the class says that this may happen."""
        if symptom.is_weak:
            return True
        if self.label in RESTRICTS:
            return bool(symptom.touched & self.named)
        return self.label not in WORKS

    @property
    def breaking(self) -> list[int]:
        """The operations that are called breaking, by their number."""
        return [n for n, one in enumerate(self.operations) if one[0] in BREAKS]


def claim_of(migrations: Sequence[Migration], state: Any, tables: Sequence[str]) -> Claim:
    """What the helper of the gate says of the plan. `state` is changed."""
    known = Known(connection, tables)
    found = [describe((one, False), state, known) for one in migrations]
    told = [one for each in found for one in each["operations"]]
    named = [statement.lower() for one in told if len(one) > 5 for statement in one[5]]
    operations = tuple(tuple(map(str, one)) for one in told)
    return Claim(worst(one["class"] for one in found), operations, frozenset(named))


def judge(claim: Claim, symptoms: Sequence[Symptom]) -> str:
    if claim.label in NO_PROMISE:
        return OPEN
    if any(not claim.allows(one) for one in symptoms):
        return MISS
    if claim.label in BREAKS and not symptoms:
        return ALARM
    return AGREES
