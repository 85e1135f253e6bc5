"""The gate as a container's first process, and on a network of its own."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lightgate.gate.packaging import config_text, program_text
from tests.gate.programs import RELEASE, Runner, after, catches, eventually, free_port

AS_FIRST = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
ALONE = ["unshare", "--net", "--pid", "--fork", "--kill-child"]


def needs(command: list[str]) -> None:
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{' '.join(command)} is not allowed here")


def first_process(unshare: int) -> int:
    children = Path(f"/proc/{unshare}/task/{unshare}/children")
    eventually(lambda: children.read_text().strip() != "", "nothing was started")
    return int(children.read_text().split()[0])


def children_states(pid: int) -> list[str]:
    found = []
    for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # it may just have ended
            found.append(Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[0])
    return found


def test_as_first_process_the_supervisor_buries_orphans_and_obeys_term(runner: Runner) -> None:
    needs(AS_FIRST)
    # setsid takes the orphan out of the group: it outlives the command, and ends as our child.
    orphan = ["sh", "-c", "setsid sh -c 'sleep 0.2' > /dev/null 2>&1 & echo left"]
    migrate = runner.supervisor(orphan, options={"prefix": AS_FIRST})
    migrate.event("succeeded")
    pid = first_process(migrate.process.pid)
    eventually(lambda: children_states(pid) == [], "an orphan was not buried")
    signal_process(pid, signal.SIGTERM)
    assert migrate.ends() == 0


def test_as_first_process_the_waiter_obeys_term(runner: Runner) -> None:
    needs(AS_FIRST)
    web = runner.waiter(
        ["true"], after=[after("migrate", free_port())], options={"prefix": AS_FIRST}
    )
    pid = first_process(web.process.pid)
    # It has no word to say that it is ready; of its handlers the one for QUIT comes last.
    eventually(lambda: catches(pid, signal.SIGQUIT), "no handler", web)
    signal_process(pid, signal.SIGTERM)
    assert web.ends() == 143


def signal_process(pid: int, number: int) -> None:
    subprocess.run(["kill", f"-{int(number)}", str(pid)], check=True)


def test_a_gate_never_takes_its_own_connection_for_the_dependency(tmp_path: Path) -> None:
    """With nobody on the port, TCP gives a client that very port: it connects to itself."""
    needs([*ALONE, "sh", "-c", "ip link set lo up"])
    common = {"release": RELEASE, "after": [], "timeoutSeconds": 9, "graceSeconds": 1}
    configs = {
        "web": {**common, "container": "web", "after": [after("migrate", 47100)]},
        "migrate": {
            **common, "container": "migrate", "port": 47100, "mode": "task",
            "afterFailure": "exit", "healthCheck": None,
        },
    }  # fmt: skip
    programs = {"web": program_text("waiter"), "migrate": program_text("supervisor")}
    for name, config in configs.items():
        (tmp_path / f"{name}.json").write_text(config_text(config))
        (tmp_path / f"{name}.py").write_text(programs[name])
    script = """
        ip link set lo up
        echo '47100 47101' > /proc/sys/net/ipv4/ip_local_port_range
        gate() {
            name=$1; shift
            exec "$python" -I -S -c "$(cat $name.py)" "$(cat $name.json)" "$@"
        }
        gate web sh -c 'echo up' > web.log & web=$!
        sleep 0.5
        gate migrate true > migrate.log & migrate=$!
        wait $web
        kill $migrate
        wait $migrate
    """
    ran = subprocess.run(
        [*ALONE, "sh", "-c", f"python={sys.executable}\n{script}"],
        cwd=tmp_path,
        timeout=15,
        check=False,
        capture_output=True,
    )
    assert "up" in (tmp_path / "web.log").read_text().split(), ran
    assert '"succeeded"' in (tmp_path / "migrate.log").read_text()
