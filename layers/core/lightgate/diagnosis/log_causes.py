"""The causes that lines of servers, shells, drivers and Django name, with the advice for each.

The list is open-ended: a line that is not in it says nothing about the cause.
"""

from collections.abc import Sequence
from dataclasses import replace

from lightgate.diagnosis.app_causes import APP_RULES
from lightgate.diagnosis.database_advice import ADVICE, reason_in
from lightgate.diagnosis.log_patterns import without_prefix
from lightgate.diagnosis.log_rule import LogCause, LogRule
from lightgate.diagnosis.migration_causes import MIGRATION_RULES, ROW_RULES
from lightgate.diagnosis.start_causes import START_RULES
from lightgate.diagnosis.symptoms import Remedy
from lightgate.diagnosis.weak_causes import WEAK_RULES

_RULES = (*START_RULES, *MIGRATION_RULES, *APP_RULES)


def cause_of(line: str, *, migration: bool = False) -> LogCause | None:
    """The cause that the line names, if any. `migration` says that a migration printed it."""
    return (
        _by_rules(line, [*(ROW_RULES if migration else ()), *_RULES], 0)
        or _by_the_database(line)
        or _by_rules(line, WEAK_RULES, len(_RULES) + 1)
    )


def _by_rules(line: str, rules: Sequence[LogRule], first: int) -> LogCause | None:
    for rank, rule in enumerate(rules, first):
        if found := rule.match(line):
            group = next((one for one in found.groups() if one), "")
            what, action = (text.format(group) for text in (rule.cause.what, rule.cause.action))
            return replace(rule.cause, what=what, action=action, line=line, rank=rank)
    return None


def _by_the_database(line: str) -> LogCause | None:
    if (reason := reason_in(without_prefix(line))) is None:
        return None
    advice = ADVICE[reason]
    return LogCause(
        what=f"It could not use the database: {advice.what}.",
        action=advice.action,
        line=line,
        rank=len(_RULES),
        ends_the_app=False,
        kind=advice.kind,
        remedy=Remedy.SAME_IMAGE,
    )


def find_cause(lines: Sequence[str], *, ends_the_app: bool | None = None) -> LogCause | None:
    """The cause that the rule nearest to the top names; of several lines the last one.

    With `ends_the_app` only causes of that kind.
    """
    found = [one for line in reversed(lines) if (one := cause_of(line)) is not None]
    found = [one for one in found if not one.is_last or one.line == lines[-1]]
    fitting = [one for one in found if ends_the_app in (None, one.ends_the_app)]
    return min(fitting, key=lambda one: one.rank, default=None)
