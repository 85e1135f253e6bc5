"""Every unknown of Lightsail as a switch: exits, reads, what is shown; and the control endpoint."""

import json
import urllib.error
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.lightsail.switches import Switches, UnknownSwitchError, describe_switches
from tests.lightsail.emulator import Emulator, wait_for
from tests.lightsail.images import script, web
from tests.lightsail.registry import Registry

ONCE = "print('ran')"
CRASH = "print('ran'); raise SystemExit(4)"


@pytest.mark.parametrize(
    ("switches", "source", "end", "runs"),
    [
        ({"exit_zero": "tolerate"}, ONCE, "ACTIVE", 1),
        ({"exit_zero": "restart", "exit_scope": "container"}, ONCE, "FAILED", 3),
        ({"exit_nonzero": "restart", "exit_scope": "node"}, CRASH, "FAILED", 3),
        ({"exit_nonzero": "fail", "exit_zero": "tolerate"}, CRASH, "FAILED", 1),
        ({"exit_zero": "restart", "relaunch_limit": 1}, ONCE, "FAILED", 1),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ({"exit_zero": "restart", "exit_scope": "node"}, ONCE, "FAILED", 3),
                ({"exit_zero": "fail"}, ONCE, "FAILED", 1),
                ({"exit_nonzero": "restart", "exit_scope": "container"}, CRASH, "FAILED", 3),
            )
        ),
    ],
)
def test_the_exit_of_a_container_does_what_the_switches_say(
    emulator: Emulator, switches: dict[str, Any], source: str, end: str, runs: int
) -> None:
    name = "exit-" + "-".join(map(str, switches.values())) + f"-{len(source)}"
    service = emulator.service(name, time_to_active=600, **switches)
    version = service.deploy({"web": web(), "once": script(source)}, "web")
    assert service.ended(version) == end
    lines = service.log("once")
    assert lines.count("ran") == runs
    assert ("[deployment:1] Canceled" in lines) == (end == "FAILED")
    nodes = runs if switches.get("exit_scope", "node") == "node" else 1
    assert lines.count("[deployment:1] Started 1 new node") == nodes


NEVER = 10**7


@pytest.mark.parametrize(
    ("why", "container", "last_words"),
    [
        ("exit", script(CRASH), "Canceled"),
        ("pull", {"image": "127.0.0.1:1/nowhere:latest"}, "Canceled"),
        ("limit", web(SICK="1"), "Took too long"),
    ],
)
def test_how_long_failing_takes_depends_on_why(
    emulator: Emulator, why: str, container: dict[str, Any], last_words: str
) -> None:
    """And on nothing else: the other reasons take for ever here."""
    times = {f"time_to_fail_{each}": NEVER for each in ("exit", "pull", "limit")}
    service = emulator.service(f"fails-by-{why}", activation_limit=200, settle_time=1000, **times)
    public = "web" if why == "limit" else None

    first = service.deploy({"web": container}, public)
    wait_for(lambda: f"[deployment:1] {last_words}" in service.log("web"), "it is given up")
    assert service.deployment_state(first) == "ACTIVATING"

    other = emulator.service(f"fails-soon-by-{why}", activation_limit=200, settle_time=1000)
    emulator.control("PUT", f"services/{other.name}/switches", times | {f"time_to_fail_{why}": 0})
    assert other.ended(other.deploy({"web": container}, public)) == "FAILED"


def test_after_activation_a_crash_is_launched_again_for_ever(emulator: Emulator) -> None:
    service = emulator.service("crashing", relaunch_limit=1)
    source = "import time; print('ran'); time.sleep(3); raise SystemExit(1)"
    assert service.ended(service.deploy({"work": script(source)})) == "ACTIVE"
    wait_for(lambda: service.log("work").count("ran") >= 3, "it is launched again")
    assert service.state == "RUNNING"
    assert service.read()["currentDeployment"]["version"] == 1


def test_an_unhealthy_node_is_replaced_until_it_took_too_long(emulator: Emulator) -> None:
    service = emulator.service("replaced", unhealthy_node="relaunch", activation_limit=600)
    assert service.ended(service.deploy({"web": web(SICK="1")}, "web")) == "FAILED"
    lines = service.log("web")
    assert lines.count("[deployment:1] Started 1 new node") > 1
    assert "[deployment:1] Took too long" in lines


def test_reads_may_lag_behind_a_create(emulator: Emulator) -> None:
    service = emulator.service("lagging", read_lag=300)
    service.deploy({"web": web()}, "web")
    assert service.state == "READY"
    listed = emulator.api.get_container_service_deployments(serviceName="lagging")
    assert listed["deployments"] == []
    wait_for(lambda: service.state == "RUNNING", "reads catch up")


def test_a_busy_service_advises_what_the_switch_says(emulator: Emulator) -> None:
    service = emulator.service("advising", time_to_update=600)
    emulator.api.update_container_service(serviceName="advising", power="micro")
    for text, advice in (("minutes", "in a few minutes"), ("wait", "wait for it to complete")):
        emulator.control("PUT", "services/advising/switches", {"busy_error_text": text})
        with pytest.raises(ClientError, match=advice):
            service.deploy({"web": web()})
        with pytest.raises(ClientError, match=advice):
            emulator.api.delete_container_service(serviceName="advising")


def test_what_is_shown_around_a_deployment_is_a_switch(emulator: Emulator) -> None:
    service = emulator.service("showing", next_failed_visible=True, state_detail_at_create=True)
    answer = emulator.api.create_container_service_deployment(
        serviceName="showing",
        containers={"web": {"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/no:no"}},
    )
    assert answer["containerService"]["stateDetail"] == {"code": "CREATING_DEPLOYMENT"}
    wait_for(lambda: service.state == "READY", "it failed")
    assert service.read()["nextDeployment"]["state"] == "FAILED"


def test_a_command_replaces_cmd_or_the_entrypoint_too(
    emulator: Emulator, registry: Registry
) -> None:
    say = "import sys, time; print('entry', *sys.argv[1:], flush=True); time.sleep(600)"
    pushed = registry.push(
        "entry", "v1", {"app/x": "x"}, Entrypoint=["python3", "-c", say], Cmd=["a"]
    )
    image = pushed.tagged
    service = emulator.service("entry")
    service.ended(service.deploy({"web": {"image": image}}))
    service.ended(service.deploy({"web": {"image": image, "command": ["b"]}}))
    assert [line for line in service.log("web") if line.startswith("entry")] == [
        "entry a",
        "entry b",
    ]
    emulator.control(
        "PUT",
        "services/entry/switches",
        {"command_mode": "entrypoint", "relaunch_limit": 1, "settle_time": 1000},
    )
    assert service.ended(service.deploy({"web": {"image": image, "command": ["b"]}})) == "FAILED"
    assert 'exec: "b": executable file not found in $PATH' in service.log("web")


def test_switches_are_set_at_run_time_for_all_or_for_one(emulator: Emulator) -> None:
    after = emulator.control("PUT", "services/unborn/switches", {"speed": 7, "exit_zero": "fail"})
    assert (after["speed"], after["exit_zero"]) == (7, "fail")
    assert emulator.control("GET", "switches")["speed"] == 100
    for wrong in ({"sped": 1}, {"speed": 0}, {"exit_zero": "explode"}, {"speed": "x"}, [1]):
        with pytest.raises(urllib.error.HTTPError) as refused:
            emulator.control("PUT", "switches", wrong)
        with refused.value as answer:
            assert answer.code == 400
            assert json.load(answer)["message"]
    assert emulator.control("GET", "switches")["speed"] == 100


def test_every_switch_is_described_and_takes_its_default_as_text() -> None:
    for switch in describe_switches():
        assert switch.says
        assert Switches().changed({switch.name: str(switch.default)}) == Switches()
    with pytest.raises(UnknownSwitchError, match="speed"):
        Switches(speed=-1)
