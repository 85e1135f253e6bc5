"""The line of a command's output that shows why it failed."""

from __future__ import annotations

import re
from typing import Collection

# What commands print of an error without a traceback. Advice may follow in lines below it.
ERROR = re.compile(
    r"([\w.]*(Error|Exception|Interrupt|MigrationHistory)|error|fatal|FATAL)\b:? ?\S"
    r"|Unknown command: |(\S+: )?(line )?\d+: .*not found|.*: error: "
)
CHECKS = re.compile(r"SystemCheckError: |[\w.]*CommandError: System check identified")
SECTIONS = ("CRITICALS:", "ERRORS:")  # of the failing checks, each with lines of its own
WANTED = "Migrations for '"  # what makemigrations --check prints, with the names below it
NO_REASON = re.compile(
    r"\s|HINT: |(\[[^\]]*\] *)*(DEBUG|INFO|TRACE)\b|\d{4}-\S+ \S+ (DEBUG|INFO)\b"
)


def find_evidence(printed: Collection[tuple[str, bool]]) -> str | None:
    """`printed` has the lines, and whether each ends a traceback; None if all are empty."""
    lines = [line for line, _ in printed]
    if any(map(CHECKS.search, lines)):
        for number, line in enumerate(lines):
            failing = [one for one in lines[number + 1 :] if one.strip()]
            if line in SECTIONS and failing:
                return failing[0]
    for line, is_exception in reversed(list(printed)):
        if is_exception or ERROR.match(line):
            return line
    for number, line in enumerate(lines):
        if line.startswith(WANTED):
            names = [one.strip() for one in lines[number + 1 :] if one.endswith(".py")]
            return " ".join([line, *names])
    said = [line for line in lines if line.strip()]
    reasons = [line for line in said if not NO_REASON.match(line)]
    return next(reversed(reasons or said), None)
