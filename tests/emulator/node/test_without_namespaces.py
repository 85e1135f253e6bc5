"""Where no namespaces can be made: one node a service, on the machine's own network."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from local.cloud.processes import free_port
from local.lightsail.model import Service as StoredService
from tests.emulator.emulator import ROOT, Emulator, Service, wait_for
from tests.emulator.images import script, web
from tests.emulator.node.test_containment import GRANDCHILD, MARK, children, marked
from tests.emulator.registry import Registry


@pytest.fixture(scope="module")
def outside() -> Iterator[socket.socket]:
    """What a program of the machine listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture(scope="module")
def way_out() -> int:
    """The port by which containers reach the outside."""
    return free_port()


@pytest.fixture(scope="module")
def shared_emulator(registry: Registry, outside: socket.socket, way_out: int) -> Iterator[Emulator]:
    ports = f"{way_out}:{outside.getsockname()[1]}"
    flags = ("--registry", registry.url, "--no-namespaces", "--outside", ports)
    with Emulator(*flags) as running:
        yield running


@pytest.fixture
def port() -> int:
    return free_port()


def deployed(emulator: Emulator, name: str, port: int) -> Service:
    """A service whose first deployment serves."""
    service = emulator.service(name)
    assert service.ended(service.deploy({"web": web("old", port=port)}, "web")) == "ACTIVE"
    return service


def test_a_deployment_serves(emulator: Emulator, port: int) -> None:
    service = deployed(emulator, "alone", port)
    assert service.get() == (200, "old")
    assert service.log("web") == [
        "[deployment:1] Creating your deployment",
        "[deployment:1] Started 1 new node",
        f"listening on {port}",
        "[deployment:1] Reached a steady state",
        "[deployment:1] Finalizing your deployment",
    ]


def test_a_scale_above_one_is_refused_with_the_reason(emulator: Emulator) -> None:
    with pytest.raises(ClientError) as created:
        emulator.api.create_container_service(serviceName="wide", power="nano", scale=2)
    emulator.service("narrow")
    with pytest.raises(ClientError) as updated:
        emulator.api.update_container_service(serviceName="narrow", scale=3)
    for refusal, scale in ((created, 2), (updated, 3)):
        error = refusal.value.response["Error"]
        assert error["Code"] == "InvalidInputException"
        assert error["Message"].startswith(
            f"The scale must be 1, not {scale}: nodes side by side need Linux network namespaces"
        )


def test_a_new_deployment_takes_the_port_of_the_one_before(emulator: Emulator, port: int) -> None:
    service = deployed(emulator, "switching", port)
    assert service.ended(service.deploy({"web": web("new", port=port)}, "web")) == "ACTIVE"
    assert service.get() == (200, "new")
    assert service.log("web").count(f"listening on {port}") == 2


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"SICK": "1"}, id="unhealthy"),
        pytest.param({"PYTHONHOME": "/nowhere"}, id="crashing"),
    ],
)
def test_the_version_before_a_failed_deployment_serves_again(
    emulator: Emulator, port: int, bad: dict[str, str]
) -> None:
    service = deployed(emulator, f"again-{next(iter(bad)).lower()}", port)
    emulator.control("PUT", f"services/{service.name}/switches", {"activation_limit": 80})
    assert service.ended(service.deploy({"web": web("new", port=port, **bad)}, "web")) == "FAILED"
    wait_for(lambda: service.get() == (200, "old"), "the version before serves again")
    seen = service.read()
    assert seen["state"] == "RUNNING"
    assert seen["currentDeployment"]["version"] == 1


def test_a_port_that_a_program_of_the_machine_has_fails_the_deployment(emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        service = emulator.service("taken")
        assert service.ended(service.deploy({"web": web(port=taken)}, "web")) == "FAILED"
    line = f"bind 0.0.0.0:{taken}: address already in use, by another on this machine"
    assert service.log("web").count(line) == 3


def test_a_port_of_another_service_is_refused_and_never_answers_for_it(
    emulator: Emulator, port: int
) -> None:
    first = deployed(emulator, "first", port)
    second = emulator.service("second")
    assert second.ended(second.deploy({"web": web("second", port=port)}, "web")) == "FAILED"
    assert first.get() == (200, "old")
    assert second.get()[0] == 404


def test_a_replaced_node_and_a_service_enabled_again_serve(emulator: Emulator, port: int) -> None:
    service = deployed(emulator, "coming-back", port)
    for abrupt in (False, True):
        before = service.get("pid")
        emulator.control("POST", f"services/{service.name}/replace-node", {"abrupt": abrupt})
        wait_for(lambda before=before: service.get("pid") != before, "the old node is gone")  # type: ignore[misc]
        wait_for(lambda: service.get() == (200, "old"), "the new node serves")
    for disabled, state in ((True, "DISABLED"), (False, "RUNNING")):
        emulator.api.update_container_service(serviceName=service.name, isDisabled=disabled)
        service.waits_for(state)
    assert service.get() == (200, "old")


def test_what_a_container_leaves_behind_ends_with_it(emulator: Emulator) -> None:
    service = emulator.service("leaving", settle_time=1000)
    leaving = GRANDCHILD.partition("time.sleep(600)\n")[0]
    service.deploy({"work": script(leaving, **{MARK: "leaving"})})
    assert service.ended(1) == "FAILED"
    wait_for(lambda: not marked("leaving"), "the container's own children are gone")


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_nothing_outlives_the_server(registry: Registry, number: signal.Signals) -> None:
    with Emulator("--registry", registry.url, "--no-namespaces") as emulator:
        service = emulator.service("ending")
        mark = f"ending-{number}"
        service.deploy({"work": script(GRANDCHILD, **{MARK: mark})})
        wait_for(lambda: len(marked(mark)) == 2, "the container and its child run")
        all_of_them = children(emulator.process.pid)
        emulator.process.send_signal(number)
        emulator.process.wait(10)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in all_of_them), "all gone")
        assert marked(mark) == []


def test_a_kept_service_of_two_nodes_is_not_taken_up_with_one(
    tmp_path: Path,
) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    wide = StoredService(name="wide", arn="arn:x", created_at=now, power="nano", scale=2)
    stored = TypeAdapter(StoredService).dump_python(wide, mode="json")
    kept = {"format": 1, "services": [{"port": 0, "service": stored}]}
    (tmp_path / "state.json").write_text(json.dumps(kept))
    command = [sys.executable, "-m", "local.lightsail", "--no-namespaces", "--state", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(
        f'lightsail: service "wide" of {tmp_path}/state.json has scale 2: nodes side by side need'
    )


def test_an_outside_port_has_its_other_number_on_the_machine_too(
    emulator: Emulator, outside: socket.socket, way_out: int
) -> None:
    call = f"""
import socket, time
with socket.create_connection(("127.0.0.1", {way_out})) as connection:
    print(connection.recv(100).decode(), flush=True)
time.sleep(600)
"""
    service = emulator.service("calling")
    service.deploy({"work": script(call)})
    outside.settimeout(30)
    connection, _ = outside.accept()
    with connection:
        connection.sendall(b"hello from outside")
    wait_for(lambda: "hello from outside" in service.log("work"), "it is heard")


def test_a_machine_that_allows_no_namespaces_is_warned_of_and_worked_with() -> None:
    # In a user namespace of its own, the limit of network namespaces is the test's to set.
    hardened = """
import os, runpy, sys
from pathlib import Path
user = os.geteuid()
os.unshare(os.CLONE_NEWUSER)
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"0 {user} 1")
Path("/proc/sys/user/max_net_namespaces").write_text("0")
sys.argv = ["lightsail"]
runpy.run_module("local.lightsail", run_name="__main__")
"""
    with subprocess.Popen(
        [sys.executable, "-c", hardened],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        assert json.loads(server.stdout.readline())["endpoint"].startswith("http://127.0.0.1:")
        os.kill(server.pid, signal.SIGTERM)
        warning = server.stderr.read()
    assert server.returncode == 0
    assert warning.startswith(
        "lightsail: nodes side by side need Linux network namespaces, which cannot be made here: "
    )
    assert "A scale above 1 is refused." in warning
    assert "To have namespaces:" in warning
