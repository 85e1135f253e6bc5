"""A rule that reads the cause of a failure from one line of a log."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_patterns import PREFIX
from lightgate.diagnosis.symptoms import Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCause:
    """`what` is a sentence, and `action` an order without the way to start the release again.

    `ends_the_app` says that no app runs after such a line. Otherwise the live version may have
    written it as well. A lower `rank` explains more. With `comes_first` it explains the exceptions
    beside it. With `is_last` it counts only where nothing follows.
    """

    what: str
    action: str
    line: str
    rank: int
    ends_the_app: bool = True
    comes_first: bool = False
    is_last: bool = False
    kind: FailureClass = FailureClass.APP_CRASH
    remedy: Remedy = Remedy.IMAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRule:
    """In the texts of the cause `{0}` is the first group of the pattern."""

    pattern: str
    cause: LogCause

    def match(self, line: str) -> re.Match[str] | None:
        return _compiled(self.pattern).match(line)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # At the first line, and not at import: only a function that explains a failure needs them.
    return re.compile(pattern)


def rule(pattern: str, what: str, action: str, **more: Any) -> LogRule:  # noqa: ANN401 - the fields of a cause
    cause = LogCause(what=what, action=action, line="", rank=0, **more)
    return LogRule(pattern=f"{PREFIX}(?:{pattern})", cause=cause)


# What stands before the name of an exception: those that it was raised from, and its module.
EXCEPTION = r"(?:[\w.]+: )*(?:\w+\.)*"
