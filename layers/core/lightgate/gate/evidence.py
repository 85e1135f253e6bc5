"""The line of a command's output that shows why it failed."""

import re
from collections.abc import Sequence

_TRACEBACK = "Traceback (most recent call last):"
# What commands print of an error without a traceback. Advice may follow in lines below it.
_ERROR = re.compile(
    r"(?:[\w.]*(?:Error|Exception|Interrupt|MigrationHistory)|error|fatal|FATAL)\b:? ?\S"
    r"|Unknown command: |(?:\S+: )?(?:line )?\d+: .*not found|.*: error: "
)
_CHECKS = re.compile(r"SystemCheckError: |[\w.]*CommandError: System check identified")
_SECTIONS = ("CRITICALS:", "ERRORS:")  # of the failing checks, each with lines of its own
_WANTED = "Migrations for '"  # what makemigrations --check prints, with the names below it
_NO_REASON = re.compile(
    r"\s|HINT: |(?:\[[^\]]*\] *)*(?:DEBUG|INFO|TRACE)\b|\d{4}-\S+ \S+ (?:DEBUG|INFO)\b"
)


def find_evidence(lines: Sequence[str], reported: str) -> str:
    """`lines` are the last ones that a command printed, and `reported` the one its gate chose.

    The gate chooses the last exception, or else the last line.
    """
    said = [line for line in lines if line.strip()]
    raised = set(exceptions(lines))
    if said and reported != said[-1]:
        if reported not in said:
            return reported  # the lines did not arrive, or the gate itself found the reason
        raised.add(reported)
    if any(map(_CHECKS.search, said)):
        for number, line in enumerate(said[:-1]):
            if line in _SECTIONS:
                return said[number + 1]
    for line in reversed(said):
        if line in raised or _ERROR.match(line):
            return line
    for number, line in enumerate(said):
        if line.startswith(_WANTED):
            names = [one.strip() for one in said[number + 1 :] if one.endswith(".py")]
            return " ".join([line, *names])
    reasons = [line for line in said if not _NO_REASON.match(line)]
    return next(reversed(reasons or said), reported)


def exceptions(lines: Sequence[str]) -> list[str]:
    """The line that ends each traceback, with the exception and its words."""
    found, is_inside = [], False
    for line in lines:
        if line.endswith(_TRACEBACK):
            is_inside = True
        elif is_inside and line[:1].strip():
            found.append(line)
            is_inside = False
    return found
