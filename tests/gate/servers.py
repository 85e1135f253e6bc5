"""Other servers that some tests need, where they are installed: pgbouncer and MariaDB."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.cloud.postgres import Database
from tests.gate.programs import free_port


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        pytest.skip(f"{name} is not installed here")
    return found


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_answer(process: subprocess.Popen[bytes], asks: Any, log: Path) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            asks()
        except Exception:  # noqa: BLE001 - each driver has its own
            if process.poll() is not None or time.monotonic() > end:
                pytest.skip(f"{process.args!r} cannot be started: {log.read_text()[-500:]}")
        else:
            return
        time.sleep(0.05)


@contextlib.contextmanager
def running_pooler(database: Database, directory: Path, **settings: Any) -> Iterator[int]:
    """pgbouncer before a database, with transaction pooling; yields its port."""
    port = free_port()
    executable = program("pgbouncer")
    directory.mkdir()
    directory.chmod(0o777)
    (directory / "users").write_text(f'"{database.user}" "{database.password}"\n')
    whole = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "plain",
        "auth_file": directory / "users",
        "pool_mode": "transaction",
        "user": "nobody",
        **settings,
    }
    lines = "".join(f"{key} = {value}\n" for key, value in whole.items())
    (directory / "ini").write_text(
        f"[databases]\n{database.name} = host=127.0.0.1 port={database.port}\n[pgbouncer]\n{lines}"
    )
    log = directory / "log"
    with running([executable, str(directory / "ini")], log) as process:
        url = database.url.replace(f":{database.port}/", f":{port}/")
        await_answer(process, lambda: psycopg.connect(url, connect_timeout=2).close(), log)
        yield port


@contextlib.contextmanager
def running_mariadb(directory: Path, port: int, *options: str) -> Iterator[Path]:
    """A fresh server on a port and a socket in the directory; yields the socket."""
    server, install = program("mariadbd"), program("mariadb-install-db")
    directory.mkdir()
    data, socket, log = directory / "data", directory / "socket", directory / "log"
    common = ["--no-defaults", f"--datadir={data}", "--user=root"]
    made = subprocess.run(
        [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no MariaDB can be made here: {made.stderr[-300:]!r}")
    where = [f"--socket={socket}", "--bind-address=127.0.0.1", f"--port={port}"]
    command = [server, *common, *where, "--skip-log-bin", *options]
    with running(command, log) as process:
        client = [program("mariadb"), "--no-defaults", f"--socket={socket}", "-e", "select 1"]
        await_answer(process, lambda: subprocess.run(client, check=True, capture_output=True), log)
        yield socket


def mariadb(socket: Path, statement: str, database: str = "") -> list[str]:
    client = [program("mariadb"), "--no-defaults", f"--socket={socket}", "-N", "-e", statement]
    ran = subprocess.run([*client, database], check=True, capture_output=True, text=True)
    return ran.stdout.split()
