"""The programs as such: their texts, what they refuse, what they cost."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lightgate.gate.packaging import config_text, pack, program_text
from tests.gate.programs import (
    RELEASE,
    Runner,
    after,
    eventually,
    free_port,
    resident_kilobytes,
    shell,
)

SOURCES = {"supervisor": program_text("supervisor"), "waiter": program_text("waiter")}


PROGRAMS = {
    **SOURCES,
    "django_helper": program_text("django_helper"),
    "s3_client": program_text("s3_client"),
}
MORE = {"django_classifier": program_text("django_classifier")}


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("supervisor", 33_500),
        ("waiter", 2_600),
        ("django_helper", 51_000),
        ("s3_client", 1_900),
        ("django_classifier", 26_500),
    ],
)
def test_the_text_of_a_program_is_small_and_plain(name: str, limit: int) -> None:
    source = {**PROGRAMS, **MORE}[name]
    assert source.isascii()
    assert "\0" not in source
    assert len(json.dumps(source)) < limit


def test_all_that_a_django_app_needs_leaves_room_in_a_request() -> None:
    """Beside ten containers of the usual size, which have some 18 KB of their own."""
    packed = pack("\0".join(PROGRAMS.values()).encode())
    assert len(json.dumps([program_text("distributor"), packed])) < 37 * 1024


def run(source: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", source, *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


GOOD: dict[str, Any] = {
    "release": RELEASE,
    "container": "migrate",
    "after": [after("base", 1)],
    "port": 1,
    "mode": "task",
    "timeoutSeconds": None,
    "graceSeconds": 1,
    "afterFailure": "exit",
    "healthCheck": {
        "command": ["true"], "interval": 1, "timeout": 1, "retries": 1, "startPeriod": 0
    },
}  # fmt: skip
WRONG: st.SearchStrategy[Any] = st.sampled_from([
    None, True, [], {}, "", -1, 0, 1e999, 70000, "a b", "x\n", [[]], [1], {"a": 1}, "\ud800", ["\0"]
])  # fmt: skip
OF_WAITER = ["release", "container", "after"]


def assert_refused(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 2, ran
    event = json.loads(ran.stdout)
    assert event["event"] == "failed"
    assert event["cause"] == "config"
    assert event["error"]
    assert ran.stderr == ""


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "arguments",
    [[], [""], ["{"], ["null"], ["[]"], ["1"], ['"x"'], ["[" * 50_000], ["{}"], ["{}", "true"]],
    ids=lambda arguments: str(arguments)[:12],
)
def test_what_is_no_configuration_is_refused(name: str, arguments: list[str]) -> None:
    assert_refused(run(SOURCES[name], arguments))


@pytest.mark.parametrize("name", SOURCES)
def test_a_missing_command_is_refused(name: str) -> None:
    assert_refused(run(SOURCES[name], [config_text(GOOD)]))


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=settings.default.max_examples // 4, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_wrong_member_is_refused(name: str, data: st.DataObject) -> None:
    config = json.loads(json.dumps(GOOD))
    key = data.draw(st.sampled_from(OF_WAITER if name == "waiter" else sorted(GOOD)))
    holder = config
    inner = config["healthCheck"]
    if key == "healthCheck" and data.draw(st.booleans()):
        holder, key = inner, data.draw(st.sampled_from(sorted(inner)))
    wrong = data.draw(WRONG)
    may_be: dict[str, list[Any]] = {
        "after": [[]], "timeoutSeconds": [None, 0, 70000], "graceSeconds": [0, 70000],
        "healthCheck": [None], "interval": [0, 70000], "timeout": [0, 70000],
        "retries": [0, 70000], "startPeriod": [0, 70000], "port": [],
    }  # fmt: skip
    if any(wrong == fine and type(wrong) is type(fine) for fine in may_be.get(key, [])):
        assume(key in OF_WAITER)  # the others have defaults
        del holder[key]
    else:
        holder[key] = wrong
    assert_refused(run(SOURCES[name], [config_text(config), "true"]))


NO_VALUES: list[Any] = [None, [], -1]
DJANGO: dict[str, Any] = {
    "manage": ["python", "manage.py"],
    "script": 1,
    "migrate": 2,
    "database": "default",
    "policy": "warn",
    "allowDestructive": False,
    "lockTimeoutSeconds": 2,
    "requireLock": True,
    "databaseTimeoutSeconds": 60,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"django": {}},
        {"django": True},
        *({"django": {**DJANGO, key: value}} for key in DJANGO for value in NO_VALUES),
        {"before": None},
        {"before": ["x"]},
        {"then": [[]]},
        {"then": [[1]]},
        {"pendingCommand": []},
        {"pendingCommand": "x"},
        {"pending": "always"},
    ],
    ids=str,
)
def test_a_wrong_member_of_what_a_task_does_is_refused(wrong: dict[str, Any]) -> None:
    helper = ["print()"] if wrong.get("django") else []
    assert_refused(run(SOURCES["supervisor"], [config_text({**GOOD, **wrong}), *helper, "true"]))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_waiting_and_idling_take_little_memory_and_no_time(
    runner: Runner, any_python: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    supervisor = runner.supervisor(shell("sleep 0.1"), python=any_python, port=port)
    supervisor.event("succeeded")
    waiter = runner.waiter(
        shell("true"), python=any_python, after=[after("migrate", port, "HEALTHY")]
    )
    refused = runner.waiter(shell("true"), after=[after("migrate", free_port())])

    def at_rest() -> bool:
        before = [ticks(p.process.pid) for p in (supervisor, waiter)]
        time.sleep(0.3)
        return [ticks(p.process.pid) for p in (supervisor, waiter)] == before

    eventually(at_rest, "they are never at rest")
    sizes = [resident_kilobytes(p.process.pid) for p in (supervisor, waiter)]
    with capsys.disabled():
        print(f"\n{any_python}: supervisor {sizes[0]} kB, waiter {sizes[1]} kB resident")
    assert sizes[0] <= 16 * 1024
    assert sizes[1] <= 13 * 1024
    assert refused.is_alive()


def ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
