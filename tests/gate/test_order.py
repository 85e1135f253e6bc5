"""Who runs when, and what opens a gate."""

import json
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.gate.programs import RELEASE, Runner, after, eventually, facts, free_port, shell


def test_each_of_a_chain_starts_after_the_one_before_it_succeeded(
    runner: Runner, any_python: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    first, second = free_port(), free_port()
    web = runner.waiter(
        shell(f"echo web >> {log}"), python=any_python, after=[after("seed", second)]
    )
    seed = runner.supervisor(
        shell(f"echo seed >> {log}; sleep 0.1"),
        python=any_python,
        container="seed",
        port=second,
        after=[after("migrate", first)],
    )
    assert seed.event("waiting")["for"] == ["migrate"]
    assert not log.exists()
    migrate = runner.supervisor(
        shell(f"sleep 0.2; echo migrate >> {log}"), python=any_python, port=first
    )
    assert web.ends() == 0
    assert log.read_text().split() == ["migrate", "seed", "web"]
    assert migrate.is_alive()
    assert seed.is_alive()
    done = migrate.event("succeeded")
    assert done["release"] == RELEASE
    assert done["container"] == "migrate"
    assert done["migrations"] == []
    assert done["seconds"] >= 0.2
    assert web.events[-1]["event"] == "open"


def test_a_relaunched_waiter_opens_again_long_after_the_success(runner: Runner) -> None:
    port = free_port()
    runner.supervisor(shell("true"), port=port).event("succeeded")
    for _ in range(2):
        assert runner.waiter(shell("exit 7"), after=[after("migrate", port)]).ends() == 7


def test_the_gate_opens_when_the_command_has_ended_and_its_latency_is_shown(
    runner: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port, go, opened = free_port(), tmp_path / "go", tmp_path / "opened"
    stamp = "import time; print(time.time(), flush=True)"
    wait = f"while ! test -e {go}; do sleep 0.05; done"
    migrate = runner.supervisor([*shell(f'{wait}; exec python3 -I -S -c "{stamp}"')], port=port)
    web = runner.waiter(["sh", "-c", f"date +%s.%N > {opened}"], after=[after("migrate", port)])
    facts(port, "START")
    time.sleep(1.1)  # longer than the longest pause between two tries: the waiter is connected
    go.touch()
    assert web.ends() == 0
    migrate.event("succeeded")
    ended = float(migrate.command_output.split()[0])
    latency = float(opened.read_text()) - ended
    with capsys.disabled():
        print(f"\nfrom the end of the command to the start of the app: {latency * 1000:.0f} ms")
    # Some milliseconds; a busy machine adds its own.
    assert latency < 5


def stray(port: int, says: bytes, stop: threading.Event) -> threading.Thread:
    """Someone else on the port, who says something to everyone and keeps the line."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.05)

    def answer() -> None:
        held = []
        with listener:
            while not stop.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                peer.sendall(says)
                held.append(peer)
        for peer in held:
            peer.close()

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    "says",
    [
        b"lightgate 20250101t000000z-ffffffff-0000 migrate SUCCESS\n",
        f"lightgate {RELEASE} other SUCCESS\n".encode(),
        f"lightgate {RELEASE} migrate SUCCESS!\n".encode(),
        f"lightgate {RELEASE} migrate START\n".encode(),
        f"lightgate {RELEASE} migrate SUCCESS".encode(),
        b"HTTP/1.1 200 OK\r\n\r\nSUCCESS\n",
        b"x" * 100_000,
        b"\xff\x00\n",
        b"",
    ],
)
def test_nobody_else_on_the_port_opens_a_gate(runner: Runner, says: bytes) -> None:
    port, stop = free_port(), threading.Event()
    thread = stray(port, says, stop)
    try:
        web = runner.waiter(shell("echo up"), after=[after("migrate", port)])
        seed = runner.supervisor(shell("echo up"), container="seed", after=[after("migrate", port)])
        seed.event("waiting")
        time.sleep(0.25)
        assert web.is_alive()
        assert b"up" not in web.output + seed.output
        assert web.events == []
    finally:
        stop.set()
        thread.join()
    runner.supervisor(shell("true"), port=port)
    assert web.ends() == 0
    seed.event("succeeded")


def test_start_opens_while_the_command_still_runs(runner: Runner) -> None:
    port = free_port()
    runner.supervisor(shell("sleep 20"), port=port)
    assert runner.waiter(shell("true"), after=[after("migrate", port, "START")]).ends() == 0


def test_complete_opens_after_a_failure_and_success_does_not(runner: Runner) -> None:
    port = free_port()
    migrate = runner.supervisor(shell("exit 3"), port=port)
    web = runner.waiter(shell("echo up"), after=[after("migrate", port)])
    assert runner.waiter(shell("true"), after=[after("migrate", port, "COMPLETE")]).ends() == 0
    assert web.event("failed")["error"] == "migrate failed"
    assert web.event("failed")["cause"] == "dependency"
    assert migrate.event("failed")["exitCode"] == 3
    assert web.is_alive()
    assert b"up" not in web.output


def test_a_failure_goes_down_the_chain(runner: Runner) -> None:
    first, second = free_port(), free_port()
    web = runner.waiter(shell("echo up"), after=[after("seed", second)])
    seed = runner.supervisor(
        shell("echo up"), container="seed", port=second, after=[after("migrate", first)]
    )
    runner.supervisor(shell("false"), port=first)
    assert seed.event("failed")["cause"] == "dependency"
    assert seed.event("failed")["error"] == "migrate failed"
    assert web.event("failed")["error"] == "seed failed"
    assert b"up" not in web.output + seed.output


def test_healthy_opens_after_a_successful_probe_beside_the_command(
    runner: Runner, any_python: str, tmp_path: Path
) -> None:
    port, ready = free_port(), tmp_path / "ready"
    check = {
        "command": ["test", "-e", str(ready)],
        "interval": 0.05,
        "timeout": 5,
        "retries": 1000,
        "startPeriod": 0,
    }
    cache = runner.supervisor(
        shell("echo serving; sleep 20"),
        python=any_python,
        container="cache",
        port=port,
        mode="service",
        timeoutSeconds=None,
        healthCheck=check,
    )
    web = runner.waiter(shell("true"), python=any_python, after=[after("cache", port, "HEALTHY")])
    cache.says(b"serving")
    assert web.is_alive()
    ready.touch()
    assert web.ends() == 0
    assert cache.is_alive()


def test_a_service_that_never_gets_healthy_fails_those_who_wait_and_runs_on(runner: Runner) -> None:
    port = free_port()
    check = {
        "command": shell("echo no answer; exit 1"),
        "interval": 0.05,
        "timeout": 5,
        "retries": 2,
        "startPeriod": 0,
    }
    cache = runner.supervisor(
        shell("sleep 20"), container="cache", port=port, mode="service", healthCheck=check
    )
    failed = cache.event("failed")
    assert failed["cause"] == "healthCheck"
    assert "no answer" in failed["error"]
    assert cache.command_output.count(b"no answer") == 3
    assert facts(port, "FAILED")[0].endswith(" START")
    assert cache.is_alive()


def test_a_service_ends_with_the_code_of_its_command(runner: Runner) -> None:
    assert runner.supervisor(shell("exit 9"), mode="service").ends() == 9
    stopped = runner.supervisor(
        shell("trap 'exit 4' TERM; echo on; while :; do sleep 0.05; done"),
        mode="service",
        graceSeconds=10,
    )
    stopped.says(b"on")
    stopped.told(signal.SIGTERM)
    assert stopped.ends() == 4
    assert stopped.events == []


def test_clients_get_one_line_for_each_fact(runner: Runner) -> None:
    port = free_port()
    runner.supervisor(shell("true"), port=port).event("succeeded")
    assert facts(port, "SUCCESS") == [
        f"lightgate {RELEASE} migrate {fact}" for fact in ("START", "COMPLETE", "SUCCESS")
    ]


def test_many_held_and_chattering_clients_stop_nobody(runner: Runner) -> None:
    port = free_port()
    migrate = runner.supervisor(shell("true"), port=port)
    migrate.event("succeeded")
    held = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(150)]
    for peer in held:
        try:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        except OSError:
            continue  # dropped already: that is what it asked for
    assert facts(port, "SUCCESS")
    for peer in held:
        peer.close()
    eventually(lambda: bool(facts(port, "SUCCESS")), "the supervisor does not answer")
    assert migrate.is_alive()


def test_every_event_names_release_container_and_time(runner: Runner) -> None:
    event = runner.supervisor(shell("true")).event("succeeded")
    assert list(event)[:5] == ["lightgate", "release", "container", "event", "at"]
    assert event["lightgate"] == 1
    assert len(event["at"]) == len("2026-01-02T03:04:05.678Z")
    assert json.dumps(event)
