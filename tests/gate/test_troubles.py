"""Which trouble with the database an exception shows, by the words of the drivers."""

import pytest

from lightgate.gate.programs.django_helper.errors import (
    error_text,
    read_refusal,
    read_trouble,
)
from lightgate.gate.programs.supervisor.troubles import PASSING, find_trouble

DJANGO = "django.db.utils.OperationalError: "


@pytest.mark.parametrize(
    ("trouble", "lines"),
    [
        (
            "deadlock",
            [
                "psycopg2.errors.DeadlockDetected: deadlock detected",
                "psycopg.errors.SerializationFailure: could not serialize access",
                DJANGO + "could not serialize access due to concurrent update",
                DJANGO + "(1213, 'Deadlock found when trying to get lock')",
                DJANGO + "(1020, \"Record has changed since last read in table 'crops_crop'\")",
            ],
        ),
        (
            "lock timeout",
            [
                "psycopg.errors.LockNotAvailable: canceling statement due to lock timeout",
                DJANGO + "(1205, 'Lock wait timeout exceeded; try restarting transaction')",
                DJANGO + "(3572, 'Statement aborted because lock(s) could not be acquired')",
                DJANGO + "database is locked",
                DJANGO + "database table is locked: crops_crop",
            ],
        ),
        ("interrupted", [DJANGO + "(1317, 'Query execution was interrupted')"]),
        (
            "statement timeout",
            [
                "psycopg.errors.QueryCanceled: canceling statement due to statement timeout",
                DJANGO + "(1969, 'Query execution was interrupted (max_statement_time exceeded)')",
                DJANGO + "(3024, 'Query execution was interrupted, maximum statement …')",
            ],
        ),
        (
            "connection lost",
            [
                DJANGO + "server closed the connection unexpectedly",
                DJANGO + "SSL connection has been closed unexpectedly",
                DJANGO + "SSL SYSCALL error: EOF detected",
                DJANGO + "consuming input failed: could not receive data from server: …",
                DJANGO + "sending query failed: no connection to the server",
                "psycopg.OperationalError: the connection is closed",
                "psycopg2.InterfaceError: connection already closed",
                "psycopg.errors.AdminShutdown: terminating connection due to administrator command",
                DJANGO + "(2006, 'Server has gone away')",
                DJANGO + "(2013, 'Lost connection to MySQL server during query')",
                DJANGO + "(4031, 'The client was disconnected by the server')",
                DJANGO + "(1158, 'Got an error reading communication packets')",
                "django.db.utils.InterfaceError: (0, '')",
            ],
        ),
        (
            "too many connections",
            [
                DJANGO + 'connection to server at "h", port 5432 failed: FATAL:  sorry, too many '
                "clients already",
                DJANGO + 'connection failed: FATAL:  too many connections for role "crops"',
                DJANGO + "connection failed: FATAL:  remaining connection slots are reserved for "
                "roles with the SUPERUSER attribute",
                DJANGO + "(1040, 'Too many connections')",
                DJANGO + "(1203, 'User crops already has more than max_user_connections …')",
                DJANGO + "(1226, \"User 'crops' has exceeded the 'max_user_connections' …\")",
            ],
        ),
        (
            "read-only",
            [
                "psycopg.errors.ReadOnlySqlTransaction: cannot execute ALTER in a read-only …",
                "django.db.utils.InternalError: cannot execute CREATE TABLE in a read-only "
                "transaction",
                DJANGO + "(1290, 'The server is running with the --read-only option so it …')",
                DJANGO + "(1290, 'The MariaDB server is running with the --read-only option')",
                DJANGO + "(1792, 'Cannot execute statement in a READ ONLY transaction.')",
                DJANGO + "(1836, 'Running in read-only mode')",
                DJANGO + "attempt to write a readonly database",
            ],
        ),
        (
            "insufficient resources",
            [
                "psycopg.errors.DiskFull: could not extend file: No space left on device",
                DJANGO + 'could not extend file "base/5/1": No space left on device',
                "psycopg.errors.OutOfMemory: out of shared memory",
                DJANGO + "(1114, \"The table 'crops_crop' is full\")",
                DJANGO + "(1878, 'Temporary file write failure.')",
                DJANGO + "(1180, 'Got error 28 during COMMIT')",
                DJANGO + "(1021, 'Disk full (/tmp/#sql-temptable); waiting for someone to …')",
                DJANGO + "(1041, 'Out of memory; check if mysqld or some other process uses …')",
                DJANGO + "database or disk is full",
            ],
        ),
        (
            "no privilege",
            [
                "psycopg.errors.InsufficientPrivilege: permission denied for schema public",
                "django.db.utils.ProgrammingError: must be owner of table crops_crop",
                'django.db.utils.ProgrammingError: permission denied to create extension "citext"',
                DJANGO + "(1142, \"ALTER command denied to user 'crops'@'h' for table 'x'\")",
                DJANGO + "(1044, \"Access denied for user 'crops'@'%' to database 'x'\")",
                DJANGO + "(1227, 'Access denied; you need (at least one of) the SUPER privilege')",
            ],
        ),
        (
            None,
            [
                "django.db.utils.IntegrityError: (1062, \"Duplicate entry '1205, 2006' for key\")",
                "django.db.utils.DataError: division by zero",
                # Of other services, whose trouble is not the database's.
                "redis.exceptions.ConnectionError: server closed the connection unexpectedly",
                "PermissionError: [Errno 13] permission denied: '/app/media'",
                "OSError: [Errno 28] No space left on device",
                "botocore.exceptions.ReadTimeoutError: lock timeout",
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_words_of_the_drivers_show_the_trouble(trouble: str | None, lines: list[str]) -> None:
    assert {line: find_trouble([line]) for line in lines} == dict.fromkeys(lines, trouble)


def test_the_last_exception_that_shows_a_trouble_counts() -> None:
    lines = [DJANGO + "(1213, 'x')", "ValueError: 1", DJANGO + "(2006, 'x')", "KeyError: 1"]

    assert find_trouble(lines) == "connection lost"


def test_only_trouble_that_may_be_gone_in_seconds_passes() -> None:
    assert set(PASSING) == {"deadlock", "lock timeout", "interrupted", "too many connections"}


@pytest.mark.parametrize(
    ("number", "sqlstate", "trouble"),
    [
        (1205, "HY000", "lock timeout"),
        (1213, "40001", "deadlock"),
        (1114, "HY000", "insufficient resources"),
        ("deadlock detected", "40P01", "deadlock"),
        (1054, "42S22", None),
    ],
)
def test_the_number_of_an_error_counts_beside_its_sqlstate(
    number: int | str, sqlstate: str, trouble: str | None
) -> None:
    cause, error = Exception(), Exception(number, "as the driver words it")
    cause.sqlstate = sqlstate  # type: ignore[attr-defined]
    error.__cause__ = cause

    assert read_trouble(error) == trouble


AT = 'connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ((AT + "Connection refused",), "unreachable"),
        (
            (AT + "FATAL:  could not write init file: No space left on device",),
            "insufficient resources",
        ),
        ((AT + "FATAL:  out of memory",), "insufficient resources"),
        (
            (AT + "could not fork new process for connection: Cannot allocate memory",),
            "insufficient resources",
        ),
        ((1041, "Out of memory; check if mariadbd uses all of it"), "insufficient resources"),
        ((AT + "FATAL:  sorry, too many clients already",), "too many connections"),
        ((AT + 'FATAL:  database "no" does not exist',), "no such database"),
        ((1045, "Access denied for user 'crops'"), "not allowed"),
    ],
)
def test_why_there_is_no_connection_is_read_from_what_the_server_says(
    error: tuple[object, ...], reason: str
) -> None:
    assert read_refusal(Exception(*error))[0] == reason


def test_what_could_not_be_imported_is_reported_beside_for_whom() -> None:
    try:
        try:
            raise ImportError("libpq.so.5: cannot open shared object file")
        except ImportError:
            raise ValueError("Error loading psycopg2 or psycopg module")  # noqa: B904 - as Django does
    except ValueError as error:
        told = error_text(error)

    assert told == (
        "ValueError: Error loading psycopg2 or psycopg module; "
        "libpq.so.5: cannot open shared object file"
    )
