"""What has changed beside the plan that was permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.plan import Plan

CHANGED = "the schema has changed without a migration on record"


def find_unplanned(plan: Plan, looks: list[Any], /) -> list[str]:
    """The migrations that are not in the plan, and changes of the schema without a record.

    The database was looked at before the command, after it, and after the commands that follow it.
    Of another app in this database nothing is expected, and nothing counts.
    """
    before, *_, now = looks
    found = compare(before[0], now[0], plan.apps, plan.expected)
    # The command itself may change the schema, unless nothing was pending.
    steps = zip(looks, looks[1:]) if plan.migrations == [] else zip(looks[1:], looks[2:])
    if not found and any(old[1] != new[1] for old, new in steps):
        found.append(CHANGED)
    return found


def compare(before: set[str], now: set[str], apps: set[str], expected: set[str]) -> list[str]:
    """The migrations of these apps that only one of the two looks has, but the expected ones."""
    changed = sorted(n for n in before ^ now if n.split(".")[0] in apps and n not in expected)
    return [name + (" was applied" if name in now else " was reversed") for name in changed]
