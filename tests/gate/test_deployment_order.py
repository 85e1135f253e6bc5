"""Compiled deployments on the emulated service: real containers, in the order of the spec."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from lightgate.deployment.compiler import ImageSource, compile_deployment
from lightgate.gate.packaging import program_text
from lightgate.image.config import ImageConfig
from lightgate.spec.keys import AppSpec
from tests.emulator.emulator import Emulator, Service, wait_for
from tests.emulator.registry import HOST
from tests.support.builders import RELEASE, Json, compiled_secrets, parse

LONG = 120.0
PORT = 8000

# Each says when its process was made and its command began, and when it got to what others may
# wait for. The first is all that START promises.
SAY = """import os, sys, time
def say(what, at=None):
    print(what, at or time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)
ticks = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
say("made", ticks / os.sysconf("SC_CLK_TCK"))
"""
TASK = SAY + "say('began'); time.sleep(0.2); say('ended'); sys.exit(int(sys.argv[1]))"
SERVICE = (
    SAY + "say('began'); time.sleep(0.2); say('ready'); open('ready', 'w').close(); time.sleep(600)"
)
IS_READY = "import os, sys; sys.exit(not os.path.exists('ready'))"
WEB = SAY + f"say('began'); os.execvp('python3', ['python3', 'server.py', '{PORT}'])"
FACT = {"START": "made", "COMPLETE": "ended", "SUCCESS": "ended", "HEALTHY": "ready"}


def after(*dependencies: str) -> list[Json]:
    """`migrate` for SUCCESS, and `broker:HEALTHY` for another condition."""
    pairs = [one.partition(":") for one in dependencies]
    return [{"containerName": n, "condition": condition or "SUCCESS"} for n, _, condition in pairs]


def task(*dependencies: str, code: int = 0) -> Json:
    command = ["python3", "-c", TASK, str(code)]
    return {"command": command, "dependsOn": after(*dependencies)}


def long_running(*dependencies: str) -> Json:
    return {
        "command": ["python3", "-c", SERVICE],
        "dependsOn": after(*dependencies),
        "healthCheck": {"command": ["python3", "-c", IS_READY], "interval": 1, "retries": 10},
    }


def public(*dependencies: str) -> Json:
    return {"command": ["python3", "-c", WEB], "dependsOn": after(*dependencies)}


def chain(length: int) -> Json:
    names = [f"step-{number}" for number in range(length - 1)]
    before: list[list[str]] = [[], *([name] for name in names)]
    return {
        **{name: task(*others) for name, others in zip(names, before, strict=False)},
        "web": public(names[-1]),
    }


GRAPHS: dict[str, Json] = {
    "every condition": {
        "web": public("migrate", "broker:HEALTHY", "worker:START", "flaky:COMPLETE"),
        "worker": long_running("broker:HEALTHY"),
        "flaky": task("migrate:START", code=3),
        "broker": long_running("migrate"),
        "migrate": task(),
    },
    "a diamond": {
        "web": public("left", "right"),
        "left": task("top"),
        "right": task("top"),
        "top": task(),
    },
    "held through others": {
        "web": public("middle:COMPLETE"),
        "middle": task("migrate"),
        "migrate": task(),
        "beside": long_running(),
    },
    "ten in a chain": chain(10),
}


def spec_of(service: Service, containers: Json) -> AppSpec:
    return parse(
        {
            "serviceName": service.name,
            "repository": "web",
            "containers": containers,
            "publicEndpoint": {"containerName": "web", "containerPort": PORT},
        }
    )


def deployed(service: Service, containers: Json) -> tuple[int, Json]:
    """Compile and create the deployment: its version and its request."""
    spec = spec_of(service, containers)
    config = ImageConfig(command=("python3", "server.py"), entrypoint=(), architecture="amd64")
    source = ImageSource(reference=f"{HOST}/web:latest", config=config)
    request = compile_deployment(spec, source, RELEASE, compiled_secrets(spec))
    answer = service.api.create_container_service_deployment(**request)
    return int(answer["containerService"]["nextDeployment"]["version"]), request


def lines_of(service: Service, containers: Json) -> Callable[[], str]:
    """All that the containers have said, for the one who waits in vain."""
    return lambda: "\n".join(
        f"{name}: {line[:300]}" for name in containers for line in service.log(name)
    )


def is_active(service: Service, version: int, containers: Json) -> None:
    def ended() -> bool:
        return service.deployment_state(version) != "ACTIVATING"

    wait_for(ended, "the deployment ends", LONG)
    assert service.deployment_state(version) == "ACTIVE", lines_of(service, containers)()


def moments(service: Service, name: str) -> dict[str, float]:
    """When the container was made, began, was ready and ended: each of them only once."""
    said = [line.split() for line in service.log(name)]
    said = [words for words in said if words[:1] in (["made"], ["began"], ["ready"], ["ended"])]
    assert len({what for what, _ in said}) == len(said)
    return {what: float(at) for what, at in said}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "name",
    [
        *("every condition", "ten in a chain"),
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ("a diamond", "held through others")
        ),
    ],
)
def test_containers_start_in_the_declared_order(emulator: Emulator, name: str) -> None:
    containers = GRAPHS[name]
    service = emulator.service(name.replace(" ", "-"))

    version, request = deployed(service, containers)
    is_active(service, version, containers)

    seen = {container: moments(service, container) for container in containers}
    for container, described in containers.items():
        for dependency in described["dependsOn"]:
            fact = FACT[dependency["condition"]]
            assert seen[dependency["containerName"]][fact] < seen[container]["began"], seen
    assert service.get()[0] == 200
    assert (
        len(containers) < 10
        or program_text("distributor") in request["containers"]["step-0"]["command"]
    )


@pytest.mark.parametrize(
    "containers",
    [
        pytest.param(
            {"migrate": task(code=1), "web": public("migrate")},
            id="directly",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"migrate": task(code=1), "middle": task("migrate"), "web": public("middle")},
            id="through another",
            marks=pytest.mark.slow,
        ),
        pytest.param({**chain(10), "step-4": task("step-3", code=1)}, id="in a chain of ten"),
    ],
)
def test_a_failed_gate_keeps_the_public_container_from_ever_starting(
    emulator: Emulator, containers: Json, request: pytest.FixtureRequest
) -> None:
    service = emulator.service(request.node.callspec.id.replace(" ", "-"))

    deployed(service, containers)
    failing = next(n for n, c in containers.items() if c["command"][-1] == "1")
    wait_for(
        lambda: any('"failed"' in line for line in service.log(failing)), "the gate fails", LONG
    )
    wait_for(
        lambda: any('"cause": "dependency"' in line for line in service.log("web")),
        "the failure reaches the public container",
        LONG,
    )
    # Nothing more is going to happen; what would go wrong would do so at once.
    time.sleep(1)

    assert "began" not in moments(service, "web")
    assert list(moments(service, failing)) == ["made", "began", "ended"]
    assert service.state == "DEPLOYING"
    assert service.get()[0] == 404


AWKWARD = [
    *("a b", " ", "'", '"', 'it\'s "so"', "$HOME", "${PATH}", "$(id)", "`id`", "a;b", "a&&b", "|"),
    *("line\nbreak", "tab\t", "\r", "\\", "\\n", "%s", "*", "~", "-c", "--", "", "{}", "#"),
    *("ünïcödé", "日本語", "🌾", "\u202e", "\x7f", "\x01"),
]
SHOW = "import json, sys; print('argv', json.dumps(sys.argv[1:]), flush=True)"


def test_every_argument_arrives_as_it_stands_in_the_spec(emulator: Emulator) -> None:
    show: list[str] = ["python3", "-c", SHOW, *AWKWARD]
    stay = SHOW + f"; import os; os.execvp('python3', ['python3', 'server.py', '{PORT}'])"
    containers: dict[str, dict[str, Any]] = {
        "supervised": {"command": show},
        "waiting": {
            "command": ["python3", "-c", SHOW + "; import time; time.sleep(600)", *AWKWARD],
            "dependsOn": after("supervised"),
        },
        "untouched": {
            "command": ["python3", "-c", SHOW + "; import time; time.sleep(600)", *AWKWARD]
        },
        "web": {"command": ["python3", "-c", stay, *AWKWARD], "dependsOn": after("supervised")},
    }
    service = emulator.service("awkward")

    version, _ = deployed(service, containers)
    is_active(service, version, containers)

    for name in containers:
        [arguments] = wait_for(partial(shown, service, name), f"{name} shows its arguments")
        assert arguments == AWKWARD, name


def shown(service: Service, name: str) -> list[object]:
    lines = [line for line in service.log(name) if line.startswith("argv ")]
    return [json.loads(line.removeprefix("argv ")) for line in lines]
