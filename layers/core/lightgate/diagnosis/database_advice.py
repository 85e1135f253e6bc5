"""What a database refuses, by the driver's words, and the advice for it: for gates and for apps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.gate.gate_report import Detail


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAdvice:
    """`what` is a clause, and `action` has no full stop and not how to start the release again."""

    kind: FailureClass
    what: str
    action: str


ADVICE: Mapping[Detail, DatabaseAdvice] = MappingProxyType(
    {
        Detail.NOT_ALLOWED: DatabaseAdvice(
            kind=FailureClass.DATABASE_UNREACHABLE,
            what="it does not accept the user, password, database or network of the connection",
            action=(
                "Correct user, password and database name in the secret that DATABASE_URL comes "
                "from. If the error says access denied to a database, the user has no rights on "
                "it, or it does not exist. If the error says no encryption, or SSL, the server "
                "requires TLS: add ?sslmode=require to the URL"
            ),
        ),
        Detail.NO_SUCH_DATABASE: DatabaseAdvice(
            kind=FailureClass.DATABASE_UNREACHABLE,
            what="the server has no database of this name",
            action="Create the database, or correct its name in the connection's URL",
        ),
        Detail.TOO_MANY_CONNECTIONS: DatabaseAdvice(
            kind=FailureClass.DATABASE_UNREACHABLE,
            what="it has no free connection",
            action=(
                "Close connections that nobody needs, lower the number that each process of the "
                "app keeps (workers, CONN_MAX_AGE, the pool's size), or raise max_connections. The "
                "live version and the new one are connected at the same time"
            ),
        ),
        Detail.UNREACHABLE: DatabaseAdvice(
            kind=FailureClass.DATABASE_UNREACHABLE,
            what="it cannot be reached",
            action=(
                "Check whether the database is available, whether host and port in the "
                "connection's URL are right, and whether its security group allows 172.26.0.0/16, "
                "the network of the containers"
            ),
        ),
        Detail.NO_HOST: DatabaseAdvice(
            kind=FailureClass.DATABASE_UNREACHABLE,
            what="the connection leads to the container itself, where no database listens",
            action=(
                "Add the variable that the settings read the database's host from, such as "
                "DATABASE_URL, to secrets in the app's spec, or correct the host in it"
            ),
        ),
        Detail.CERTIFICATE: DatabaseAdvice(
            kind=FailureClass.DATABASE_UNREACHABLE,
            what="the two sides do not agree on TLS",
            action=(
                "Correct the TLS options of the connection (sslmode, sslrootcert, ssl_ca). To "
                "check the server's certificate, the image needs the certificate of its CA, for "
                "RDS and Lightsail the file global-bundle.pem of AWS"
            ),
        ),
        Detail.SERVER_TOO_OLD: DatabaseAdvice(
            kind=FailureClass.DATABASE_REFUSED,
            what="the server, or the client library in the image, is too old",
            action=(
                "Upgrade what the error names: the database server, or the client library in the "
                "image. Or use a version of Django that supports it"
            ),
        ),
        Detail.DATABASE_FILE: DatabaseAdvice(
            kind=FailureClass.DATABASE_REFUSED,
            what="the app may not use its SQLite file",
            action=(
                "Use a database server: a container on Lightsail loses its files with each "
                "deployment. For a try, keep the file in a directory that the user of the "
                "container may write to"
            ),
        ),
        Detail.READ_ONLY: DatabaseAdvice(
            kind=FailureClass.DATABASE_REFUSED,
            what="it is read-only",
            action=(
                "Connect to the primary instance (on Aurora the writer endpoint), not to a "
                "replica, and check whether the database failed over, ran out of storage, or has "
                "default_transaction_read_only set for this role"
            ),
        ),
        Detail.INSUFFICIENT_RESOURCES: DatabaseAdvice(
            kind=FailureClass.DATABASE_REFUSED,
            what="it has no storage or no memory left",
            action=(
                "Enlarge the storage or the memory of the database: its metrics show which one "
                "ran out"
            ),
        ),
        Detail.NO_PRIVILEGE: DatabaseAdvice(
            kind=FailureClass.DATABASE_REFUSED,
            what="its user has no right to do it",
            action=(
                "Connect as the user that owns the tables, lightgate_attempt among them, or grant "
                "the right that the error names. Since PostgreSQL 15 only the owner of the schema "
                "public may create tables in it: GRANT USAGE, CREATE ON SCHEMA public TO USER. An "
                "extension is created by the administrator of the database"
            ),
        ),
    }
)

# The first that fits counts: a server that was reached explains more than "connection failed".
_WORDS: tuple[tuple[Detail, re.Pattern[str]], ...] = (
    (
        Detail.DATABASE_FILE,
        re.compile(r"unable to open database file|attempt to write a readonly database"),
    ),
    (
        Detail.NO_HOST,
        re.compile(
            r'server on socket "|domain socket "|local (?:MySQL |MariaDB )?server through socket'
            r'|server at "(?:localhost|127\.0\.0\.1)".* Connection refused'
            r"|[Cc]an't connect to (?:MySQL |MariaDB )?server on '(?:localhost|127\.0\.0\.1)"
        ),
    ),
    (
        Detail.CERTIFICATE,
        re.compile(
            r"certificate verify failed|root certificate file|\(2026, |certificate (?:has expired"
            r"|is not yet valid)|server certificate for|SSL was required"
        ),
    ),
    (
        Detail.SERVER_TOO_OLD,
        re.compile(
            r"\w+ [\d.]+ or later is required|SCRAM authentication requires libpq"
            r"|authentication method (?:10|13) not supported"
        ),
    ),
    (
        Detail.TOO_MANY_CONNECTIONS,
        re.compile(
            r"[Tt]oo many (?:clients|connections)|slots are reserved"
            r"|has more than 'max_user_connections'|max_user_connections' resource"
        ),
    ),
    (
        Detail.NOT_ALLOWED,
        re.compile(
            r"authentication failed|no pg_hba\.conf entry|Access denied for user"
            r"|is not allowed to connect to this M|SSL (?:connection is )?required"
            r'|role ".*" does not exist|using insecure transport|no password supplied'
        ),
    ),
    (
        Detail.NO_SUCH_DATABASE,
        re.compile(r'database ".*" does not exist|Unknown database|no such database: '),
    ),
    (
        Detail.READ_ONLY,
        re.compile(
            r"read-?only (?:transaction|database)|--read-only option|ReadOnlySqlTransaction"
        ),
    ),
    (
        Detail.INSUFFICIENT_RESOURCES,
        re.compile(r"DiskFull|No space left on device|disk is full|The table '.*' is full"),
    ),
    (
        Detail.NO_PRIVILEGE,
        re.compile(
            r"InsufficientPrivilege|permission denied (?:for|to)|must be (?:owner|superuser)"
            r"|command denied to user|Access denied; you need|not have the SUPER privilege"
        ),
    ),
    (
        Detail.UNREACHABLE,
        re.compile(
            r"connection to server at|the database system is (?:shutting down|starting up|in "
            r"recovery mode|not yet accepting)"
            r"|[Cc]an't connect to|could not (?:connect to server|translate host name)"
            r"|connection (?:timeout|timed out|failed|is bad)|failed to resolve host"
            r"|Unknown (?:MySQL )?server host|[Nn]ame or service not known"
            r"|Connection refused|timeout expired"
        ),
    ),
)
# So begins what a driver raises. Other services refuse connections in the same words.
_OF_A_DRIVER = re.compile(
    r"(?:[\w.]+: |health check: )*"
    r"(?:django\.db\.|psycopg|pymysql\.|MySQLdb\.|sqlite3\.|_mysql_exceptions\.)"
)
# Words that only a database uses, also towards a client of its own, such as psql.
_UNMISTAKABLE = re.compile(
    r"connection to server at|the database system is |too many clients|slots are reserved"
    r"|password authentication failed for user|no pg_hba\.conf entry|Access denied for user"
    r"|FATAL: +(?:database|role) \".*\" does not exist|Unknown database"
    r"|Can't connect to (?:local )?(?:MySQL |MariaDB )?server|cannot execute \w+ in a read-only"
)


def finer(reason: Detail | None, error: str) -> Detail | None:
    """The more exact reason that the words of the error give, or the same one."""
    is_coarse = reason in (Detail.UNREACHABLE, Detail.READ_ONLY)
    return reason_of(error) or reason if is_coarse else reason


def reason_of(error: str) -> Detail | None:
    """Why the database could not be used, by words that are known to be about a database."""
    return next((detail for detail, words in _WORDS if words.search(error)), None)


def reason_in(line: str) -> Detail | None:
    """The same for any line: it counts only if a driver raised it, or only a database says so."""
    is_about_it = _OF_A_DRIVER.match(line) or _UNMISTAKABLE.search(line)
    return reason_of(line) if is_about_it else None
