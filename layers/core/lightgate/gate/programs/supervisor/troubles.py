"""What trouble with the database the exceptions of a command show, by the drivers' own codes."""

from __future__ import annotations

import re
from typing import Iterable

# The class of psycopg's exception, or the number of MySQL and MariaDB. PostgreSQL's own words are
# there for what has no class: they are English unless the server is set to another language.
TROUBLES = {
    "deadlock": r"DeadlockDetected|SerializationFailure|deadlock detected|not serialize access"
    r"|\((1020|1213), ",
    "lock timeout": r"LockNotAvailable|lock timeout|is locked|\((1205|3572), ",
    "interrupted": r"user request|\(1317, ",
    "statement timeout": r"QueryCanceled|(statement|transaction) timeout|\((1969|3024), ",
    "too many connections": r"too many (clients|connections)|slots are reserved"
    r"|\((1040|1203|1226), ",
    "connection lost": r"AdminShutdown|CrashShutdown|SessionTimeout|due to (administ|idle)"
    r"|closed the connection|connection (is|was|has been|already) closed|EOF detected"
    r"|(receive|send) data|no connection to|\(0, ''"
    r"|\((1053|115[89]|116[01]|1927|2006|2013|2055|4031), ",
    "read-only": r"ReadOnlySql|read-?only (transaction|database)"
    r"|\((1792|1836), |\(1290, .*read.only",
    "insufficient resources": r"DiskFull|OutOfMemory|No space left|disk is full"
    r"|\((1021|1041|1114|1878), |Got error 28",
    "no privilege": r"InsufficientPrivilege|permission denied|must be owner|\((1044|1142|1227), ",
}
DRIVERS = ("django.db.", "psycopg", "pymysql.", "MySQLdb.", "sqlite3.")
PASSING = ("deadlock", "lock timeout", "interrupted", "too many connections")


def find_trouble(exceptions: Iterable[str]) -> str | None:
    """The trouble of the last exception that shows one."""
    found = None
    for line in exceptions:
        if not line.startswith(DRIVERS):  # of another service
            continue
        found = next((name for name, how in TROUBLES.items() if re.search(how, line)), found)
    return found
