"""What trouble with the database the exceptions of a command show, by the drivers' own codes."""

from __future__ import annotations

import re
from typing import Iterable

# The class of psycopg's exception, or the number of MySQL and MariaDB. PostgreSQL's own words are
# there for what has no class: they are English unless the server is set to another language.
TROUBLES = {
    "deadlock": r"DeadlockDetected|deadlock detected|\(1213, ",
    "lock timeout": r"LockNotAvailable|lock timeout|\((1205|3572), ",
    "interrupted": r"user request|\(1317, ",
    "statement timeout": r"QueryCanceled|(statement|transaction) timeout|\((1969|3024), ",
    "connection lost": r"AdminShutdown|CrashShutdown|SessionTimeout|due to (administ|idle)"
    r"|closed the connection|connection (is|was|has been|already) closed"
    r"|\((1053|1927|2006|2013|2055|4031), ",
}
PASSING = ("deadlock", "lock timeout", "interrupted")


def find_trouble(exceptions: Iterable[str]) -> str | None:
    """The trouble of the last exception that shows one."""
    found = None
    for line in exceptions:
        found = next((name for name, how in TROUBLES.items() if re.search(how, line)), found)
    return found
