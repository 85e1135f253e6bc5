"""Why the gate stays shut, and the words of other programs about it."""

from __future__ import annotations

import re
from typing import Any

# The codes of the trouble: SQLSTATE, or the number of MySQL and MariaDB. A query of ours is tried
# again after what is in PASSING.
PASSING = {
    "deadlock": ("40001", "40P01", 1020, 1213),
    "lock timeout": ("55P03", 1205, 3572),
    "statement timeout": ("57014", 1969, 3024),
    "too many connections": ("53300", 1040, 1203, 1226),
    "connection lost": ("57P01", "57P02", "57P05", "08006", 1927, 2006, 2013, 4031),
}
TROUBLES = {
    **PASSING,
    "read-only": ("25006", 1290, 1792, 1836),
    "insufficient resources": ("53100", "53200", 1021, 1041, 1114, 1878),
    "no privilege": ("42501", 1044, 1142, 1227),
}
# MySQL's numbers of what keeps a user out.
NOT_ALLOWED = (1044, 1045, 1130, 1698, 1862, 3118, 3159, 4151)
OUT = re.compile(r"authentication failed|pg_hba.conf|no password|FATAL: +(permission|role) ")
LINE = 400  # characters of a list in an error


class StaysShut(Exception):  # noqa: N818
    """Why the gate stays shut. Before the command has run, the database is unchanged."""

    def __init__(
        self,
        cause: str,
        error: str,
        database: str = "unchanged",
        **more: Any,  # noqa: ANN401
    ) -> None:
        self.cause, self.error, self.more = cause, error, {"database": database, **more}


def error_text(error: BaseException) -> str:
    """The error in a line, with what could not be imported where Django only says for whom."""
    kind, texts = type(error), [str(error)]
    inner = error.__cause__ or error.__context__
    while isinstance(inner, ImportError):
        texts.append(f"; {inner}")
        inner = inner.__cause__ or inner.__context__
    text = " ".join("".join(texts).split())
    return f"{kind.__module__}.{kind.__name__}: {text}"[:500].replace("builtins.", "", 1)


def read_trouble(error: BaseException) -> str | None:
    """The kind of trouble, by its code, which a lost connection may lack."""
    # PyMySQL tells the SQLSTATE as well, which is less exact.
    told = [*error.args[:1], *(getattr(error.__cause__, n, None) for n in ("sqlstate", "pgcode"))]
    kinds = (name for code in told for name, codes in TROUBLES.items() if code in codes)
    is_locked = "is locked" in str(error)  # SQLite has no code for it before Python 3.11
    return next(kinds, "lock timeout" if is_locked else None)


def listed(items: list[str]) -> str:
    """The items in a line: as many as there is room for, and how many that leaves out."""
    shown = items[:]
    while len(shown) > 1 and len("; ".join(shown)) > LINE:
        shown.pop()
    more = len(items) - len(shown)
    return "; ".join(shown + ([f"and {more} more"] if more else []))


def read_refusal(error: BaseException) -> tuple[str, str]:
    """Why there is no connection, from the driver's words: drivers seldom give a code."""
    why = error_text(error)
    number = error.args[0] if error.args else None
    if number in TROUBLES["too many connections"] or re.search("too many|are reserved", why):
        return "too many connections", why
    if number in NOT_ALLOWED or OUT.search(why):
        return "not allowed", why
    if number == 1049 or (why.endswith("does not exist") and "FATAL" in why):
        return "no such database", why
    full = "insufficient resources"
    if number in TROUBLES[full] or re.search("No space left|(Cannot allocate|ut of) memory", why):
        return full, why
    return "unreachable", why
