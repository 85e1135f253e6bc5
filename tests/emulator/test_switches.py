"""Every unknown of Lightsail as a switch: exits, reads, what is shown; and the control endpoint."""

import json
import urllib.error
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.lightsail.switches import Switches, UnknownSwitchError, describe_switches
from tests.emulator.emulator import Emulator, wait_for
from tests.emulator.images import script, web
from tests.emulator.registry import Registry

ONCE = "print('ran')"
CRASH = "print('ran'); raise SystemExit(4)"


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    ("switches", "source", "end", "runs"),
    [
        ({"exit_zero": "tolerate"}, ONCE, "ACTIVE", 1),
        ({"exit_zero": "restart", "exit_scope": "container"}, ONCE, "FAILED", 3),
        ({"exit_nonzero": "restart", "exit_scope": "node"}, CRASH, "FAILED", 3),
        ({"exit_nonzero": "fail", "exit_zero": "tolerate"}, CRASH, "FAILED", 1),
        ({"exit_zero": "restart", "relaunch_limit": 1}, ONCE, "FAILED", 1),
        ({"exit_zero": "restart", "exit_scope": "node"}, ONCE, "FAILED", 3),
        ({"exit_zero": "fail"}, ONCE, "FAILED", 1),
        ({"exit_nonzero": "restart", "exit_scope": "container"}, CRASH, "FAILED", 3),
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
ABSENT = {"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:absent"}
SICK_LATER = """
import http.server
print("began")
class Handler(http.server.BaseHTTPRequestHandler):
    answers = 0
    def do_GET(self):
        Handler.answers += 1
        if Handler.answers > 40:
            print("sick")
        self.send_response(200 if Handler.answers <= 40 else 500)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""


@pytest.mark.representatives(1)
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


@pytest.mark.slow
def test_after_activation_a_crash_is_launched_again_for_ever(emulator: Emulator) -> None:
    service = emulator.service("crashing", relaunch_limit=1)
    source = "import time; print('ran'); time.sleep(3); raise SystemExit(1)"
    assert service.ended(service.deploy({"work": script(source)})) == "ACTIVE"
    wait_for(lambda: service.log("work").count("ran") >= 3, "it is launched again")
    assert service.state == "RUNNING"
    assert service.read()["currentDeployment"]["version"] == 1


@pytest.mark.slow
def test_an_unhealthy_node_is_replaced_until_it_took_too_long(emulator: Emulator) -> None:
    service = emulator.service("replaced", unhealthy_node="relaunch", activation_limit=600)
    assert service.ended(service.deploy({"web": web(SICK="1")}, "web")) == "FAILED"
    lines = service.log("web")
    assert lines.count("[deployment:1] Started 1 new node") > 1
    assert "[deployment:1] Took too long" in lines


@pytest.mark.parametrize(
    ("scale", "growth_from", "launches"),
    [(1, 3, 3), (6, 3, 3), (7, 3, 4), (20, 3, 10), (20, 12, 12)],
)
def test_launches_grow_with_the_scale_as_in_ecs(
    scale: int, growth_from: int, launches: int
) -> None:
    assert Switches(relaunch_limit=growth_from).launches(scale) == launches


@pytest.mark.parametrize(("growth", "allowed"), [("scale", {0, 1, 2}), ("none", {3, 4})])
def test_launches_are_counted_over_all_nodes_or_for_each(
    emulator: Emulator, growth: str, allowed: set[int]
) -> None:
    service = emulator.service(f"growth-{growth}", scale=2, relaunch_growth=growth)
    assert service.ended(service.deploy({"web": ABSENT})) == "FAILED"
    assert service.log("web").count("[deployment:1] Started 1 new node") in allowed


@pytest.mark.slow
@pytest.mark.parametrize("action", ["relaunch", "keep"])
def test_an_active_node_that_becomes_unhealthy_is_launched_again_if_the_switch_says_so(
    emulator: Emulator, action: str
) -> None:
    service = emulator.service(f"sick-later-{action}", unhealthy_active=action)
    container = {**web(), **script(SICK_LATER), "ports": {"8000": "HTTP"}}
    assert service.ended(service.deploy({"web": container}, "web")) == "ACTIVE"
    wait_for(lambda: service.log("web").count("sick"), "it is unhealthy")
    if action == "relaunch":
        wait_for(lambda: service.log("web").count("began") > 1, "it is launched again")
        assert service.read()["currentDeployment"]["version"] == 1
    else:
        wait_for(lambda: service.log("web").count("sick") > 10, "it fails many times")
        assert service.log("web").count("began") == 1


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("policy", "lines"),
    [
        (
            "missing",
            ["Creating your deployment", *["Started 1 new node"] * 3, "Canceled"],
        ),
        ("silent", []),
    ],
)
def test_without_the_right_policy_nothing_runs_and_the_old_version_goes_on(
    emulator: Emulator, policy: str, lines: list[str]
) -> None:
    service = emulator.service(f"puller-{policy}")
    assert service.ended(service.deploy({"web": web("old")}, "web")) == "ACTIVE"
    own = f"services/{service.name}/switches"
    emulator.control("PUT", own, {"puller_policy": policy, "time_to_fail_pull": 100})

    version = service.deploy({"web": web("new")}, "web")

    with pytest.raises(ClientError, match="deployment 2 is in progress"):
        service.deploy({"web": web("newer")}, "web")
    assert service.ended(version) == "FAILED"
    told = [line for line in service.log("web") if line.startswith("[deployment:2] ")]
    assert told == [f"[deployment:2] {line}" for line in lines]
    assert service.log("web").count("listening on 8000") == 1
    assert (service.state, service.get()) == ("RUNNING", (200, "old"))


def test_the_puller_role_is_not_the_role_of_the_containers(emulator: Emulator) -> None:
    service = emulator.service("two-roles")
    role = {"ecrImagePullerRole": {"isActive": True}}
    emulator.api.update_container_service(serviceName="two-roles", privateRegistryAccess=role)
    service.waits_for("READY")
    found = service.read()
    puller = found["privateRegistryAccess"]["ecrImagePullerRole"]["principalArn"]
    assert puller.startswith("arn:aws:iam::")
    assert puller != found["principalArn"]


@pytest.mark.slow
def test_only_an_image_that_was_not_pulled_before_takes_its_time(
    emulator: Emulator, registry: Registry
) -> None:
    service = emulator.service("pulling")
    assert service.ended(service.deploy({"web": web()}, "web")) == "ACTIVE"
    emulator.control("PUT", "services/pulling/switches", {"time_to_pull": NEVER})
    again = service.deploy({"web": web("v2")}, "web")
    assert service.ended(again) == "ACTIVE"
    emulator.control("PUT", "services/pulling/switches", {"time_to_pull": 1000})
    other = registry.push("other", "v1", {"app/x": "x"}).tagged
    service.deploy({"web": {**web("v3"), **script("print('up')"), "image": other}})
    wait_for(lambda: "[deployment:3] Started 1 new node" in service.log("web"), "it begins")
    assert "up" not in service.log("web")
    wait_for(lambda: "up" in service.log("web"), "it was pulled")


@pytest.mark.slow
def test_output_that_was_not_flushed_is_lost_when_it_took_too_long(emulator: Emulator) -> None:
    source = "import time; print('flushed', flush=True); print('not flushed'); time.sleep(600)"
    container = {**script(source), "command": ["python3", "-c", source], "ports": {"8000": "HTTP"}}
    service = emulator.service("unflushed", activation_limit=200)
    assert service.ended(service.deploy({"web": container}, "web")) == "FAILED"
    lines = service.log("web")
    assert "flushed" in lines
    assert "[deployment:1] Took too long" in lines
    assert "not flushed" not in lines


@pytest.mark.slow
def test_a_throttled_call_says_what_the_switch_says(registry: Registry) -> None:
    for text, words in (("account", "maximum API request rate"), ("rate", "Rate exceeded")):
        switches = {"throttle_rate": "1", "throttle_text": text}
        with (
            Emulator("--registry", registry.url, switches=switches) as emulator,
            pytest.raises(ClientError, match=words) as refused,
        ):
            emulator.api.get_container_services()
        answer = refused.value.response
        assert answer["Error"]["Code"] == "ThrottlingException"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.slow
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
        emulator.control("PUT", "services/advising/switches", {"busy_delete_text": "busy"})
        with pytest.raises(ClientError, match=advice):
            emulator.api.delete_container_service(serviceName="advising")
        emulator.control("PUT", "services/advising/switches", {"busy_delete_text": "transition"})
        with pytest.raises(ClientError, match=r'state \("UPDATING"\) and cannot be deleted\.$'):
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
        Switches().changed({"speed": -1})
