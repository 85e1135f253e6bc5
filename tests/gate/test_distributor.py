"""One container brings the gate's programs, the others get theirs over loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lightgate.gate.packaging import config_text, pack, program_text
from tests.gate.distributors import (
    CONFIG,
    DEADLINE,
    SUPERVISOR,
    WAITER,
    Containers,
    connect,
    ended,
    first_line,
    handed_out,
    hash_of,
)
from tests.gate.programs import free_port, killed_while_closing

WHOLE = "\0".join((SUPERVISOR, WAITER)).encode()
AWKWARD = ["a b", "'", '"', "$HOME", "`x`", "line\nbreak", "\\", "ünïcödé 🌾", "", "*", "-c", "--"]
NEW_PID_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


def said(line: str) -> tuple[str, list[str], str]:
    """The program that ran, its arguments, and what it thinks its name is."""
    program, _, rest = line.partition(" ")
    arguments, _, name = rest.rstrip("\n").rpartition(" ")
    return program, json.loads(arguments), name


def test_everybody_runs_its_own_program_with_its_own_arguments(
    containers: Containers, any_python: str
) -> None:
    port = free_port()
    supervised = containers.loader(port, SUPERVISOR, "{1}", "x", python=any_python)
    waiting = containers.loader(port, WAITER, "{2}", *AWKWARD, python=any_python)
    distributor = containers.distributor(port, *AWKWARD, python=any_python)

    assert said(first_line(distributor)) == ("supervisor", [CONFIG, *AWKWARD], "__main__")
    assert said(first_line(supervised)) == ("supervisor", ["{1}", "x"], "__main__")
    code, output, errors = ended(waiting)
    assert (code, errors) == (0, "")
    assert said(output) == ("waiter", ["{2}", *AWKWARD], "__main__")


def test_many_at_once_all_get_their_program(containers: Containers) -> None:
    port = free_port()
    loaders = [containers.loader(port, WAITER, str(number)) for number in range(12)]
    containers.distributor(port)

    said_by_all = [said(ended(loader)[1]) for loader in loaders]

    assert said_by_all == [("waiter", [str(number)], "__main__") for number in range(12)]


def test_helpers_come_as_arguments_between_configuration_and_command(
    containers: Containers, any_python: str
) -> None:
    port, texts = free_port(), (SUPERVISOR, WAITER, "a helper", "a client")
    containers.distributor(port, texts=texts)

    for numbers, helpers in {"1": [], "12": texts[2:3], "123": texts[2:]}.items():
        own = ("{1}", str(port), hash_of(*texts), numbers, "x")
        loader = containers.run(any_python, program_text("loader"), *own)
        assert said(ended(loader)[1]) == ("waiter", ["{1}", *helpers, "x"], "__main__")
    assert handed_out(port) == "\0".join(texts).encode()


def test_who_says_nothing_or_goes_away_keeps_nobody_waiting_for_long(
    containers: Containers,
) -> None:
    port = free_port()
    first_line(containers.distributor(port))
    for _ in range(20):
        connect(port).close()

    with connect(port):
        loader = containers.loader(port, WAITER, "late")
        assert said(ended(loader)[1]) == ("waiter", ["late"], "__main__")


@contextmanager
def stranger(answer: bytes) -> Iterator[tuple[int, threading.Event]]:
    """Somebody else on the port, who says the same to everybody."""
    asked_often, stopped = threading.Event(), threading.Event()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port = free_port()
    listener.bind(("127.0.0.1", port))
    listener.listen()
    listener.settimeout(0.1)

    def serve() -> None:
        visits = 0
        while not stopped.is_set():
            try:
                client, _ = listener.accept()
                with client:
                    client.sendall(answer)
            except OSError:
                continue
            visits += 1
            if visits == 3:
                asked_often.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield port, asked_often
    finally:
        stopped.set()
        thread.join()
        listener.close()


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"print('stray')",
        WHOLE + b"\n",
        WHOLE[:-1],
        b"\0\xff" * 100,
        b"#" * (3 << 20),
    ],
    ids=["nothing", "http", "program", "longer", "shorter", "bytes", "flood"],
)
def test_a_text_with_another_hash_is_never_run_and_the_right_one_still_is(
    containers: Containers, answer: bytes
) -> None:
    with stranger(answer) as (port, asked_often):
        loader = containers.loader(port, WAITER, "patient")
        assert asked_often.wait(DEADLINE)
        assert loader.poll() is None
    containers.distributor(port)

    code, output, errors = ended(loader)

    assert (code, errors) == (0, "")
    assert said(output) == ("waiter", ["patient"], "__main__")


def test_a_taken_port_is_reported_as_the_gate_reports(containers: Containers) -> None:
    with stranger(b"") as (port, _):
        code, output, errors = ended(containers.distributor(port, "true"))

    assert (code, errors) == (1, "")
    event = json.loads(output)
    at = event.pop("at")
    assert time.strptime(at, "%Y-%m-%dT%H:%M:%SZ")
    assert event == {
        "lightgate": 1,
        "release": "20260102t030405z-0a1b2c3d-9f8e",
        "container": "first",
        "event": "failed",
        "cause": "port",
        "error": f"cannot listen on port {port}: Address already in use",
    }


def can_unshare() -> bool:
    tried = subprocess.run([*NEW_PID_NAMESPACE, "true"], capture_output=True, check=False)
    return tried.returncode == 0


def test_term_ends_who_waits_for_its_program(containers: Containers, any_python: str) -> None:
    with stranger(b"") as (port, asked_often):
        loader = containers.loader(port, WAITER, python=any_python)
        assert asked_often.wait(DEADLINE)
        loader.send_signal(signal.SIGTERM)

        assert ended(loader) == (128 + signal.SIGTERM, "", "")


def test_term_ends_it_also_while_an_object_is_closed(
    containers: Containers, any_python: str
) -> None:
    with stranger(b"") as (port, _):
        source = killed_while_closing("socket.SocketIO", program_text("loader"))
        loader = containers.run(any_python, source, CONFIG, str(port), hash_of(WAITER), "0")

        assert ended(loader) == (128 + signal.SIGTERM, "", "")


@pytest.mark.skipif(not can_unshare(), reason="needs a PID namespace")
def test_term_ends_it_as_pid_1_too(containers: Containers) -> None:
    with stranger(b"") as (port, asked_often):
        loader = containers.loader(port, WAITER, prefix=NEW_PID_NAMESPACE)
        assert asked_often.wait(DEADLINE)
        [child] = children_of(loader.pid)
        os.kill(child, signal.SIGTERM)

        assert ended(loader)[0] == 128 + signal.SIGTERM


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123
        return [int(child) for child in children.read().split()]


def test_term_reaches_the_program_that_was_loaded(containers: Containers) -> None:
    port = free_port()
    distributor, loader = containers.distributor(port), containers.loader(port, SUPERVISOR)

    assert {first_line(process).split()[0] for process in (distributor, loader)} == {"supervisor"}
    for process in (distributor, loader):
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "", "")


def test_the_distributor_serves_on_after_its_own_commands_end(containers: Containers) -> None:
    """With the real programs: the gate has opened, and a container is relaunched late."""
    port, gate_port = free_port(), free_port()
    release = {"release": "20260102t030405z-0a1b2c3d-9f8e"}
    first: dict[str, object] = {
        **release, "container": "first", "after": [], "port": gate_port, "mode": "task",
        "timeoutSeconds": 30, "graceSeconds": 1, "afterFailure": "hold", "secretNames": [],
        "healthCheck": None,
    }  # fmt: skip
    needed = f"first:{gate_port}"
    second = {**release, "container": "second", "after": [needed]}
    texts = (program_text("supervisor"), program_text("waiter"))
    carried = containers.run(
        sys.executable,
        *(
            program_text("distributor"),
            str(port),
            pack("\0".join(texts).encode()),
            config_text(first),
        ),
        *("sh", "-c", "echo migrated"),
    )
    assert carried.stdout is not None
    assert any('"succeeded"' in line for line in carried.stdout)

    late = containers.run(
        sys.executable,
        *(program_text("loader"), config_text(second), str(port), hash_of(*texts), "1"),
        *("printf", "%s", "$HOME is 'open'"),
    )
    code, output, errors = ended(late)

    assert (code, errors) == (0, "")
    assert output.splitlines()[-1] == "$HOME is 'open'"
    assert carried.poll() is None
