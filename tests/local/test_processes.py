"""Nothing outlives its owner, whatever it does and however the owner ends."""

import fcntl
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from local.cloud.errors import LocalCloudError
from local.cloud.processes import Process, Program
from tests.local.waiting import eventually

SOON = timedelta(seconds=10)

# Takes a lock, then leaves its session and its parent, as a daemon does. The lock is held for as
# long as the daemon lives: that is how a test sees it from another PID namespace.
DAEMON = """
import fcntl, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    time.sleep(1000)
os.setsid()
if os.fork():
    os._exit(0)
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(1000)
"""

OWNER = """
import sys, time
from datetime import timedelta
from pathlib import Path
from local.cloud.processes import Process, Program

directory = Path(sys.argv[1])
daemon = [sys.executable, "-c", sys.argv[2], str(directory / "lock")]
program = Program(
    name="daemon", argv=daemon, environment={}, directory=directory, grace=timedelta(seconds=0.2)
)
process = Process(program, directory)
process.first_line(timedelta(seconds=10))
print("started", flush=True)
time.sleep(1000)
"""


def program(*argv: str, directory: Path, grace: float = 0.2) -> Program:
    return Program(
        name="program",
        argv=argv,
        environment={"PATH": os.environ["PATH"]},
        directory=directory,
        grace=timedelta(seconds=grace),
    )


def is_free(lock: Path) -> bool:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_stopping_ends_also_a_daemon_that_left_its_session_and_ignores_term(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "lock"
    daemon = program(sys.executable, "-c", DAEMON, str(lock), directory=tmp_path)
    with Process(daemon, tmp_path) as process:
        process.first_line(SOON)
        assert not is_free(lock)

    assert is_free(lock)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_everything_ends_when_the_owner_is_killed(how: signal.Signals, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), DAEMON],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"started\n"
        assert not is_free(lock)
        owner.send_signal(how)

    assert eventually(lambda: is_free(lock))


def test_everything_ends_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    daemon = program(sys.executable, "-c", DAEMON, str(lock), directory=tmp_path)
    with Process(daemon, tmp_path) as process:
        process.first_line(SOON)
        os.kill(supervisor_of(lock), signal.SIGKILL)

        assert eventually(lambda: is_free(lock))


def supervisor_of(lock: Path) -> int:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return next(
        int(pid)
        for pid in children
        if os.fsencode(lock) in Path(f"/proc/{pid}/cmdline").read_bytes()
    )


def test_a_program_that_ends_by_itself_gives_its_exit_code(tmp_path: Path) -> None:
    with Process(program("sh", "-c", "exit 3", directory=tmp_path), tmp_path) as process:
        assert process.wait(SOON) == 3


def test_a_program_that_fails_before_it_is_ready_is_named_with_its_last_line(
    tmp_path: Path,
) -> None:
    failing = program("sh", "-c", "echo no luck today >&2; exit 1", directory=tmp_path)

    with (
        Process(failing, tmp_path) as process,
        pytest.raises(LocalCloudError, match=r"program ended before it was ready: no luck today"),
    ):
        process.first_line(SOON)


def test_a_program_that_is_never_ready_is_stopped_in_time(tmp_path: Path) -> None:
    with (
        Process(program("sleep", "1000", directory=tmp_path), tmp_path) as process,
        pytest.raises(LocalCloudError, match=r"program was not ready within 0\.1 s"),
    ):
        process.first_line(timedelta(seconds=0.1))

    assert not process.running


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with (
        Process(program("no-such-program", directory=tmp_path), tmp_path) as process,
        pytest.raises(LocalCloudError, match="no-such-program: No such file or directory"),
    ):
        process.first_line(SOON)


def test_a_program_reads_nothing_from_the_lifeline(tmp_path: Path) -> None:
    with Process(program("sh", "-c", "cat; echo end", directory=tmp_path), tmp_path) as process:
        assert process.first_line(SOON) == "end"


def test_what_a_program_keeps_in_memory_is_seen_by_nobody_else_and_gone_with_it(
    tmp_path: Path,
) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    writer = replace(
        program("sh", "-c", "touch memory/x; ls memory; sleep 1000", directory=tmp_path),
        memory=memory,
    )

    with Process(writer, tmp_path) as process:
        assert process.first_line(SOON) == "x"
        assert list(memory.iterdir()) == []
