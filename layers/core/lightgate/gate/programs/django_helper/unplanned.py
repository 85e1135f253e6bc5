"""What has changed beside the plan that was permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.django_helper.leftovers import bare

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


def find_strays(changes: list[tuple[str, Any]], plan: Plan, models: list[Any], /) -> list[str]:
    """The changes that no operation of the plan explains.

    A column or table has to be as the migrations on record want it. Whatever else has changed
    counts only where no operation has named the table, or one that refers to it. A table that is
    not of these models may be another app's: only its removal counts.
    """
    ours = {model._meta.db_table for model in models}
    is_reversed = any("reversed" in one for one in plan.migrations or [])
    named = ours if is_reversed else related(plan.named, models)
    found = []
    for what, (kind, table, *_) in changes:
        if bare(table) in plan.loose:
            continue
        is_gone = what.startswith("removed") and kind in ("column", "table")
        is_column = kind == "column" and not what.startswith("changed")
        is_ours = bare(table) in ours and kind != "table"
        if is_gone or (is_ours and (is_column or bare(table) not in named)):
            found.append(what)
    return found


def related(tables: set[str], models: list[Any], /) -> set[str]:
    """These tables, and all that refer to them, directly or not."""
    found, more = set(tables), set(tables)
    while more:
        more = {
            model._meta.db_table
            for model in models
            for field in model._meta.local_concrete_fields
            if field.remote_field and field.remote_field.model._meta.db_table in found
        } - found
        found |= more
    return found
