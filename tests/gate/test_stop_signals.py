"""Signals reach the command as a container's first process gets them, and stop the gate alike."""

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.gate.programs import Runner, eventually, shell
from tests.gate.projects import Project
from tests.gate.test_command import STOPS, is_running, python
from tests.gate.test_django_lock import held

# As servers do it: the first process finishes what its worker is at, and a worker dies of a signal.
SERVER = """
import os, signal, sys, time
worker = os.fork()
if not worker:
    print('working', flush=True)
    time.sleep(0.7)
    print('finished', flush=True)
    os._exit(0)
def stop(number, _):
    print('asked by', signal.Signals(number).name, flush=True)
    code = os.waitpid(worker, 0)[1]
    print('lost' if code else 'done', flush=True)
    os._exit(0)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH):
    signal.signal(number, stop)
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("number", [*STOPS, signal.SIGHUP, signal.SIGWINCH])
def test_a_server_finishes_the_work_of_its_workers_before_it_stops(
    runner: Runner, number: signal.Signals
) -> None:
    server = runner.supervisor(python(SERVER), mode="service", graceSeconds=0.1)
    server.says(b"working")

    server.told(number)

    assert server.ends() == 0
    assert server.command_output.decode().splitlines()[1:] == [
        f"asked by {number.name}",
        "finished",
        "done",
    ]
    assert server.named("failed") == []


def test_what_a_server_leaves_behind_ends_with_it(runner: Runner) -> None:
    leaves = "import os, signal, time\nif not os.fork(): time.sleep(60)\n"
    stops = "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))\nprint('on', flush=True)\n"
    server = runner.supervisor(python(f"{leaves}{stops}time.sleep(60)"), mode="service")
    server.says(b"on")
    began = time.monotonic()

    server.told(signal.SIGTERM)

    assert server.ends() == 7
    assert time.monotonic() - began < 15


def test_the_program_behind_a_shell_gets_its_time(runner: Runner) -> None:
    """As the first process of a container a shell ignores TERM; here it dies of it."""
    work = "import time; print('working', flush=True); time.sleep(0.5); print('finished')"
    server = runner.supervisor(
        ["sh", "-c", f'{{ {sys.executable} -c "{work}"; }} && true'],
        mode="service",
        graceSeconds=10,
    )
    server.says(b"working")

    server.told(signal.SIGTERM)

    server.ends()
    assert b"finished" in server.command_output


@pytest.mark.parametrize("number", [*STOPS, signal.SIGHUP, signal.SIGUSR1])
def test_a_command_that_dies_of_the_signal_was_stopped(
    runner: Runner, number: signal.Signals
) -> None:
    migrate = runner.supervisor(shell("echo $$ is on; exec sleep 60"))
    migrate.says(b" is on\n")

    migrate.told(number)

    assert migrate.ends() == 128 + number
    failed = migrate.event("failed")
    assert (failed["cause"], failed["detail"]) == ("signal", "stopped")
    assert failed["error"] == f"stopped by {number.name}"
    assert not is_running(int(migrate.command_output.split()[0]))


def test_a_service_that_dies_of_the_signal_has_not_failed(runner: Runner) -> None:
    server = runner.supervisor(shell("echo on; exec sleep 60"), mode="service")
    server.says(b"on")

    server.told(signal.SIGUSR1)

    assert server.ends() == 128 + signal.SIGUSR1
    assert server.events == []


def test_a_signal_from_elsewhere_is_a_failure_after_another_was_passed_on(runner: Runner) -> None:
    migrate = runner.supervisor(
        shell("trap 'kill -9 $$' USR1; echo on; while :; do sleep 0.1; done")
    )
    migrate.says(b"on")

    migrate.told(signal.SIGUSR1)

    assert migrate.event("failed")["error"].startswith("ended by signal 9")
    assert migrate.is_alive()


def test_a_signal_that_nothing_handles_changes_nothing(runner: Runner) -> None:
    migrate = runner.supervisor(shell("echo on; sleep 0.5; exit 0"))
    migrate.says(b"on")

    migrate.told(signal.SIGWINCH)

    migrate.event("succeeded")


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT,
     *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGQUIT, signal.SIGHUP))],
)  # fmt: skip
def test_a_migration_that_was_stopped_by_any_signal_runs_again(
    runner: Runner, crops: Project, tmp_path: Path, number: signal.Signals
) -> None:
    crops.migration(held("select 1", tmp_path / "go"))
    migrate = crops.gate(runner)
    eventually(lambda: len(migrate.named("applying")) == 3, "does not migrate", migrate)

    migrate.told(number)

    assert migrate.ends() == 128 + number
    assert migrate.event("failed")["detail"] == "stopped"
    (tmp_path / "go").touch()
    crops.gate(runner).event("succeeded")
