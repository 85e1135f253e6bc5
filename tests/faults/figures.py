"""Cases as tables: what was struck, by what, and how many cases passed."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tests.faults.checks import RELIABILITY
from tests.faults.matrix import Case

_FIGURES = re.compile(r"(?<=<!-- figures begin -->\n).*(?=<!-- figures end -->)", re.DOTALL)


def table(section: str, cases: Sequence[Case], columns: Iterable[str]) -> Iterator[str]:
    """Rows are what was struck. Of `columns` those that were used come first, in this order."""
    used = dict.fromkeys(case.fault for case in cases)
    names = list(dict.fromkeys([*(one for one in columns if one in used), *used]))
    yield f"| {section} | " + " | ".join(names) + " |"
    yield "| --- |" + " --- |" * len(names)
    for row in sorted({case.call for case in cases}):
        found = [[c for c in cases if (c.call, c.fault) == (row, name)] for name in names]
        yield f"| {row} | " + " | ".join(_passed(some) if some else "" for some in found) + " |"


def total(cases: Sequence[Case], seconds: float) -> str:
    failed = sum(bool(case.problems) for case in cases)
    return f"{len(cases) - failed} passed, {failed} failed in {seconds:.0f} s"


def write(results: Mapping[str, Sequence[Case]], seconds: float, calls: str) -> None:
    """Put what a whole run has found where docs/reliability.md has a place for it.

    `calls` is the section of which each run and each fault has a line; others have one.
    """
    others = [case for section, cases in results.items() if section != calls for case in cases]
    lines = [
        total([*results[calls], *others], seconds) + ".",
        "",
        *_counted("Run", results[calls], lambda case: case.run),
        "",
        *_counted("Fault", results[calls], lambda case: case.fault),
        "",
        *_counted("Section", others, lambda case: case.run),
    ]
    text = RELIABILITY.read_text()
    assert _FIGURES.search(text), f"{RELIABILITY} has no place for the figures"
    RELIABILITY.write_text(_FIGURES.sub(lambda _: "\n".join(lines) + "\n", text))


def _counted(head: str, cases: Sequence[Case], key: Callable[[Case], str]) -> Iterator[str]:
    yield f"| {head} | Passed of all |"
    yield "| --- | --- |"
    for name in dict.fromkeys(map(key, cases)):
        yield f"| {name} | {_passed([case for case in cases if key(case) == name])} |"


def _passed(cases: Sequence[Case]) -> str:
    return f"{sum(not case.problems for case in cases)}/{len(cases)}"
