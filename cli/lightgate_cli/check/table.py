"""The result for people: a table, a summary, and what to do next."""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import click

from lightgate.migrations.compatibility import explain
from lightgate.migrations.plan import Operation
from lightgate.spec.effect import Effect, allows
from lightgate_cli.check.judged import Judged, Migration

_COLORS = {
    Effect.COMPATIBLE: "green",
    Effect.RESTRICTED: "yellow",
    Effect.DATA: "yellow",
    Effect.BREAKING: "red",
    Effect.UNKNOWN: "red",
}
_FROM_BAD_TO_GOOD = (
    Effect.BREAKING,
    Effect.UNKNOWN,
    Effect.DATA,
    Effect.RESTRICTED,
    Effect.COMPATIBLE,
)
_NARROW, _WIDE = 60, 100
_MOST_TARGETS = 6
_STEP_BY_STEP = (
    "Release a breaking change in two steps: first code that works before and after the change, "
    "then the migration. New columns need null=True or db_default."
)
_DECLARE = (
    "Lightgate cannot read what Python or SQL does. If the previous version works with the result, "
    "write the class and your reason into the migration class, such as\n"
    '  lightgate = "compatible: fills a new column only"\n'
    "For a package, write the same into migrations.declared of the spec, and give --spec."
)
_ALLOW = "To accept a class for this project, name it: --allow {}"


def lines(
    judged: Judged,
    shown: Sequence[Migration],
    allowed: Collection[Effect],
    since: str | None,
) -> Iterator[str]:
    """The table of the migrations `shown`, then what all of them come to."""
    if shown:
        yield from _table(shown, allowed)
        yield ""
    yield _summary(judged, since)
    hidden = len(judged.migrations) - len(shown)
    if hidden:
        yield f"{_counted(hidden)} of the class compatible {_are(hidden)} not listed."
    refused = judged.not_allowed(allowed)
    if refused:
        classes = ", ".join(sorted({one.effect.value for one in refused}))
        yield (
            f"Not allowed: {len(refused)} of {len(judged.migrations)} ({classes}). Allowed: "
            f"{', '.join(_words(allowed))}."
        )
        yield ""
        yield from _next({one.effect for one in refused}, allowed)


def _table(shown: Sequence[Migration], allowed: Collection[Effect]) -> Iterator[str]:
    width = max(len(one.name) for one in shown)
    longest = max(len(effect.value) for effect in Effect)
    yield f"      {'MIGRATION':<{width}}  {'CLASS':<{longest}}  OPERATION"
    for one in shown:
        is_allowed = allows(allowed, {one.effect})
        mark = click.style("ok  ", fg="green") if is_allowed else click.style("FAIL", fg="red")
        label = click.style(one.effect.value.ljust(longest), fg=_COLORS[one.effect])
        groups = _grouped(one.operations)
        first = groups[0][0] if groups else ""
        yield f"{mark}  {one.name:<{width}}  {label}  {first}".rstrip()
        for number, (operations, why) in enumerate(groups):
            yield from _wrapped(why if number == 0 else f"{operations}: {why}", "        ")
        if one.declared:
            yield from _wrapped(one.declared, "        ")


def _grouped(operations: Sequence[Operation]) -> list[tuple[str, str]]:
    """The operations that have the same reason together, and the reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in operations:
        kind = str(one).removesuffix(f" {one.target}")
        found.setdefault((kind, explain(one)), []).append(one.target or "")
    groups = []
    for (kind, why), targets in found.items():
        more = len(targets) - _MOST_TARGETS
        names = ", ".join(targets[:_MOST_TARGETS]) + (f" and {more} more" if more > 0 else "")
        groups.append((f"{kind} {names}".strip(), f"{why[:1].upper()}{why[1:]}."))
    return groups


def _wrapped(text: str, indent: str) -> list[str]:
    width = _WIDE
    if sys.stdout.isatty():
        width = max(_NARROW, min(_WIDE, shutil.get_terminal_size().columns))
    return _wrap(text, width, indent, indent)


def _summary(judged: Judged, since: str | None) -> str:
    found = Counter(one.effect for one in judged.migrations)
    new = f" new since {since}" if since else ""
    if not found:
        return f"No migration is{new or ' there'}."
    classes = ", ".join(f"{found[each]} {each.value}" for each in _FROM_BAD_TO_GOOD if found[each])
    total = len(judged.migrations)
    return f"{_counted(total)}{new}: {classes}. Judged for {judged.server}; no server was asked."


def _next(refused: Collection[Effect], allowed: Collection[Effect]) -> Iterator[str]:
    steps = []
    if Effect.BREAKING in refused:
        steps.append(_STEP_BY_STEP)
    if Effect.DATA in refused or Effect.UNKNOWN in refused:
        steps.append(_DECLARE)
    classes = [*_words(allowed), *sorted(one.value for one in refused)]
    steps.append(_ALLOW.format(",".join(classes)))
    for step in steps:
        first, *rest = step.splitlines()
        yield from _wrap(first, _WIDE, "Next  ", " " * 6)
        for line in rest:
            yield from _wrap(line, _WIDE, " " * 6, " " * 6)


def _wrap(text: str, width: int, first: str, others: str) -> list[str]:
    """The lines. Commands and the names of tables stay whole."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _words(allowed: Collection[Effect]) -> list[str]:
    return [one.value for one in Effect if allows(allowed, {one})]


def _counted(number: int) -> str:
    return "1 migration" if number == 1 else f"{number} migrations"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
