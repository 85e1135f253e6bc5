"""The line of a command's output that shows why it failed."""

from collections.abc import Sequence

from lightgate.patterns import pattern

TRACEBACK = "Traceback (most recent call last):"
# As honcho, foreman and docker compose write it, and docker logs with times.
MARK = r"(?:(?:\d\d:\d\d:\d\d )?[\w.-]+ +\| ?|\d{4}-\d\d-\d\d[T ][\d:.]+Z? )"
_MARK = pattern(MARK)
# What commands print of an error without a traceback. Advice may follow in lines below it.
_ERROR = pattern(
    r"(?:[\w.]*(?:Error|Exception|Interrupt|MigrationHistory)|error|fatal|FATAL)\b:? ?\S"
    r"|Unknown command: |(?:\S+: )?(?:line )?\d+: .*not found|.*: error: "
)
_CHECKS = pattern(r"SystemCheckError: |[\w.]*CommandError: System check identified")
# Of the failing checks, each with lines of its own. Only with --fail-level may the last ones fail.
_SECTIONS = ("CRITICALS:", "ERRORS:", "WARNINGS:", "INFOS:")
_WANTED = "Migrations for '"  # what makemigrations --check prints, with the names below it
_CONSEQUENCE = pattern(
    r"current transaction is aborted|until the end of the 'atomic' block"
    r"|Unable to configure (?:handler|formatter|root logger)|populate\(\) isn't reentrant"
    r"|(?:connection|cursor) already closed|gunicorn\.errors\.HaltServer|^SystemExit"
)
_NO_REASON = pattern(
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
    errors = [line for line in reversed(said) if line in raised or _ERROR.match(line)]
    if errors:
        return next((line for line in errors if not is_consequence(line)), errors[0])
    for number, line in enumerate(said):
        if line.startswith(_WANTED):
            names = [one.strip() for one in said[number + 1 :] if one.endswith(".py")]
            return " ".join([line, *names])
    reasons = [line for line in said if not _NO_REASON.match(line)]
    return next(reversed(reasons or said), reported)


def is_consequence(line: str) -> bool:
    """Whether the exception only follows from one before it, which names the cause."""
    return _CONSEQUENCE.search(line) is not None


def exceptions(lines: Sequence[str]) -> list[str]:
    """The line that ends each traceback, with the exception and its words.

    A process manager, or the reader of a log, may have put a name or a time before each line.
    """
    found, is_inside = [], False
    for line in lines:
        if line.endswith(TRACEBACK):
            is_inside = True
        elif is_inside and _MARK.sub("", line, count=1)[:1].strip():
            found.append(line)
            is_inside = False
    return found
