"""The servers and databases of a run, and the interpreters of the Django versions."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from local.cloud.postgres import running_database
from local.cloud.processes import Process, Program
from tests.gate.environments import interpreter
from tests.gate.programs import free_port
from tests.gate.servers import mariadb, running_mariadb

POSTGRESQL, MARIADB = "postgresql", "mariadb"
ENGINES = (POSTGRESQL, MARIADB)
LATEST = "6.1"
PYTHONS = {"4.2": "3.12", "5.1": "3.12", "5.2": "3.12", "6.0": "3.12", LATEST: ""}
"""The Python of each Django version that the fuzzer runs with; the latest has this one."""
EXTENSIONS = ("btree_gin", "btree_gist", "hstore", "pg_trgm", "bloom")


def python_of(django: str) -> str:
    version = PYTHONS[django]
    return interpreter(version, django, "psycopg[binary]", "pymysql") if version else sys.executable


@contextlib.contextmanager
def running_engine(engine: str, directory: Path, count: int) -> Iterator[list[dict[str, Any]]]:
    """A fresh server, with a database for each worker, as Django's settings have them."""
    running = running_postgresql if engine == POSTGRESQL else running_mysql
    with running(directory, count) as databases:
        yield databases


@contextlib.contextmanager
def running_postgresql(directory: Path, count: int) -> Iterator[list[dict[str, Any]]]:
    """The PostgreSQL of this machine, which has the extensions, or that of the project."""
    binaries = next((p for p in installed() if (p / "initdb").exists()), None)
    logs = directory / "logs"
    logs.mkdir(parents=True)
    if binaries is None:
        with running_database(directory / "data", logs) as found:
            yield postgresql_databases(found.superuser_url, found.port, found.password, count)
        return
    port = free_port()
    data = directory / "data"
    data.mkdir(mode=0o700)
    (logs / "password").write_text("fuzz")
    environment = {"PATH": f"{binaries}:/usr/bin:/bin", "TZ": "UTC"}
    options = ["-U", "postgres", "--auth=scram-sha-256", f"--pwfile={logs / 'password'}"]
    options += ["--no-sync", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    make = Program(
        name="initdb",
        argv=[str(binaries / "initdb"), "-D", str(data), *options],
        environment=environment,
        directory=logs,
        user="nobody",
    )
    from datetime import timedelta

    with Process(make, logs) as process:
        if process.wait(timedelta(seconds=60)):
            raise process.trouble("failed")
    settings = {
        "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
        "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "on",
        "dynamic_shared_memory_type": "sysv", "max_locks_per_transaction": "512",
    }  # fmt: skip
    server = Program(
        name="postgres",
        argv=[
            str(binaries / "postgres"), "-D", str(data), "-p", str(port),
            *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
        ],
        environment=environment,
        directory=data,
        user="nobody",
        stop_signal="INT",
    )  # fmt: skip
    url = f"postgresql://postgres:fuzz@127.0.0.1:{port}/postgres"
    with Process(server, logs) as process:
        process.wait_until(lambda: answers(url), timedelta(seconds=60))
        yield postgresql_databases(url, port, "fuzz", count)


def installed() -> Iterator[Path]:
    """Where PostgreSQL may be, with the files of its extensions."""
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        shared = Path("/usr/share/postgresql") / found.parent.name / "extension/intarray.control"
        if shared.exists():
            yield found
    if on_path := shutil.which("pg_config"):
        ran = subprocess.run([on_path, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(ran.stdout.strip() or "/nonexistent")


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def postgresql_databases(url: str, port: int, password: str, count: int) -> list[dict[str, Any]]:
    return [postgresql_database(url, port, password, number) for number in range(count)]


def postgresql_database(url: str, port: int, password: str, number: int) -> dict[str, Any]:
    name = f"fuzz{number}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    with psycopg.connect(url.rpartition("/")[0] + f"/{name}", autocommit=True) as connection:
        connection.execute(f"GRANT ALL ON SCHEMA public TO {name}")
        found = connection.execute("SELECT name FROM pg_available_extensions").fetchall()
        for extension in EXTENSIONS:
            if (extension,) in found:
                connection.execute(f"CREATE EXTENSION {extension}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": name,
        "PASSWORD": password,
        "HOST": "127.0.0.1",
        "PORT": port,
    }


@contextlib.contextmanager
def running_mysql(directory: Path, count: int) -> Iterator[list[dict[str, Any]]]:
    port = free_port()
    directory.parent.mkdir(parents=True, exist_ok=True)
    quick = ("--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4")
    with running_mariadb(directory, port, *quick) as socket:
        databases = []
        for number in range(count):
            name = f"fuzz{number}"
            mariadb(
                socket,
                f"create database {name}; create user {name}@'127.0.0.1' identified by 'fuzz';"
                f" grant all on {name}.* to {name}@'127.0.0.1'",
            )
            databases.append(
                {
                    "ENGINE": "django.db.backends.mysql",
                    "NAME": name,
                    "USER": name,
                    "PASSWORD": "fuzz",
                    "HOST": "127.0.0.1",
                    "PORT": port,
                    "OPTIONS": {"charset": "utf8mb4"},
                }
            )
        yield databases
