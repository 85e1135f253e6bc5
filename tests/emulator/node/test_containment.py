"""Nothing outlives the server, and a container that misbehaves harms only itself."""

import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

from tests.emulator.emulator import ROOT, Emulator, wait_for
from tests.emulator.images import script, web
from tests.emulator.registry import Registry

MARK = f"LIGHTSAIL_TEST_MARK_{uuid.uuid4().hex}"
"""Of this run alone: other runs of the same tests may be on this machine."""
GRANDCHILD = """
import subprocess, sys, time, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("up")
time.sleep(600)
"""


def marked(mark: str) -> list[int]:
    """The processes of this machine whose environment has the mark as a variable."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        try:
            variables = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
            if wanted in variables.split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def children(pid: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    found |= {int(entry.name)} | children(int(entry.name))
        except OSError:
            continue
    return found


def test_kill_9_of_the_server_ends_nodes_containers_and_grandchildren(
    registry: Registry, tmp_path: Path
) -> None:
    with Emulator("--registry", registry.url, "--state", str(tmp_path)) as emulator:
        service = emulator.service("killed", scale=2)
        service.deploy({"work": script(GRANDCHILD, **{MARK: "killed"})})
        wait_for(lambda: len(marked("killed")) == 4, "containers and grandchildren run")
        all_of_them = children(emulator.process.pid)
        assert len(all_of_them) >= 8
        emulator.process.send_signal(signal.SIGKILL)
        emulator.process.wait()
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in all_of_them), "all gone")


def test_terminating_the_server_ends_everything_quickly(registry: Registry) -> None:
    with Emulator("--registry", registry.url) as emulator:
        service = emulator.service("stopped")
        service.ended(service.deploy({"work": script(GRANDCHILD, **{MARK: "stopped"})}))
        emulator.process.terminate()
        assert emulator.process.wait(10) == 0
        assert marked("stopped") == []


def test_a_container_that_ignores_term_is_killed_after_the_grace(emulator: Emulator) -> None:
    service = emulator.service("stubborn", stop_grace=10)
    service.ended(service.deploy({"work": script(GRANDCHILD, **{MARK: "stubborn"})}))
    service.ended(service.deploy({"work": script("import time; time.sleep(600)")}))
    wait_for(lambda: not marked("stubborn"), "the old container and its child are gone")


def test_a_flood_of_output_is_bounded_and_blocks_nobody(emulator: Emulator) -> None:
    service = emulator.service("flood")
    flood = """
import sys, time
for _ in range(3000):
    sys.stdout.write("spam " * 2000 + "\\n")
# The line that comes when there is room again tells of those that were dropped.
while True:
    print("end of flood", flush=True)
    time.sleep(0.5)
"""
    service.deploy({"web": web("dry"), "flood": script(flood)}, "web")
    assert service.ended(1) == "ACTIVE"
    assert service.get() == (200, "dry")
    query = {"serviceName": "flood", "containerName": "flood", "filterPattern": '"too fast"'}
    wait_for(lambda: emulator.api.get_container_log(**query)["logEvents"], "it is reported")


def test_two_containers_cannot_have_the_same_port(emulator: Emulator) -> None:
    service = emulator.service("same-port", time_to_active=600)
    version = service.deploy({"web": web(), "twin": web()}, "web")
    assert service.ended(version) == "FAILED"
    assert any(
        "Address already in use" in line for line in service.log("twin") + service.log("web")
    )


def test_containers_reach_the_outside_only_through_the_ports_given(registry: Registry) -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"hello " + connection.recv(100))

    call = """
import socket, sys, time
with socket.create_connection(("127.0.0.1", {port})) as connection:
    connection.sendall(b"from the node")
    connection.shutdown(socket.SHUT_WR)
    print(connection.recv(100).decode(), flush=True)
try:
    socket.create_connection(("127.0.0.1", {closed}), 5)
except OSError as problem:
    print(type(problem).__name__, flush=True)
time.sleep(600)
"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Emulator("--registry", registry.url, "--outside", str(port)) as emulator:
            answering = threading.Thread(target=serve, args=(listener,))
            answering.start()
            service = emulator.service("calling")
            closed = int(emulator.endpoint.rpartition(":")[2])
            service.ended(service.deploy({"work": script(call.format(port=port, closed=closed))}))
            answering.join()
            wait_for(lambda: "ConnectionRefusedError" in service.log("work"), "the other port")
            assert "hello from the node" in service.log("work")


def test_a_port_in_use_is_one_clear_line(emulator: Emulator) -> None:
    port = emulator.endpoint.rpartition(":")[2]
    command = [sys.executable, "-m", "local.lightsail", "--port", port]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == f"lightsail: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_the_server_ends_with_its_parent() -> None:
    command = """
import subprocess, sys, os
server = subprocess.Popen([sys.executable, "-m", "local.lightsail", "--exit-with-parent"],
                          stdout=subprocess.PIPE)
server.stdout.readline()
print(server.pid, flush=True)
os._exit(0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pid = int(ended.stdout)

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    wait_for(gone, "the server is gone")
