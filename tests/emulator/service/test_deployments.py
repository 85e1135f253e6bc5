"""A deployment from create to its end: states, versions, log lines, the live version meanwhile."""

import json
import re

import pytest
from botocore.exceptions import ClientError

from tests.emulator.emulator import DEFAULT_CHECK, Emulator, wait_for
from tests.emulator.images import script, web
from tests.emulator.registry import Registry

SERVE = "import time; print('up'); time.sleep(600)"


def test_a_good_deployment_becomes_active_and_serves(emulator: Emulator) -> None:
    service = emulator.service("good")
    assert service.get() == (404, "404 No Such Service\n")

    version = service.deploy({"web": web("first")}, "web")

    assert version == 1
    assert service.state == "DEPLOYING"
    assert service.ended(version) == "ACTIVE"
    seen = service.read()
    assert seen["state"] == "RUNNING"
    assert "nextDeployment" not in seen
    assert "stateDetail" not in seen
    assert seen["currentDeployment"]["publicEndpoint"]["healthCheck"] == DEFAULT_CHECK
    assert service.get() == (200, "first")
    assert service.log("web") == [
        "[deployment:1] Creating your deployment",
        "[deployment:1] Started 1 new node",
        "listening on 8000",
        "[deployment:1] Reached a steady state",
        "[deployment:1] Finalizing your deployment",
    ]


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("crashes", web("v1", "python3", "-c", "raise SystemExit(3)")),
        ("absent", {"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:absent"}),
    ],
)
def test_a_failed_first_deployment_is_tried_three_times_and_leaves_the_service_ready(
    emulator: Emulator, name: str, container: dict[str, object]
) -> None:
    service = emulator.service(name)
    assert service.ended(service.deploy({"web": container})) == "FAILED"
    seen = service.read()
    assert seen["state"] == "READY"
    assert "currentDeployment" not in seen
    assert service.log("web") == [
        "[deployment:1] Creating your deployment",
        *["[deployment:1] Started 1 new node"] * 3,
        "[deployment:1] Canceled",
    ]


def test_environment_is_the_images_and_the_deployments_and_nothing_else(
    emulator: Emulator,
) -> None:
    service = emulator.service("environment")
    service.ended(service.deploy({"web": web("v1", COLOUR="green")}, "web"))
    environment = json.loads(service.get("env")[1])
    environment.pop("LC_CTYPE", None)  # set by Python itself
    path = environment.pop("PATH")
    assert path.endswith(":/image/bin")
    assert environment.pop("HOME").endswith("/root")
    assert environment.pop("AWS_EXECUTION_ENV") == "AWS_ECS_FARGATE"
    assert environment.pop("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").startswith("/v2/credentials/")
    assert environment == {"FROM_IMAGE": "yes", "TAG": "v1", "COLOUR": "green"}


def test_a_container_is_process_one_in_its_own_copy_of_the_image(emulator: Emulator) -> None:
    service = emulator.service("process-one")
    service.ended(service.deploy({"web": web()}, "web"))
    pid, directory = service.get("pid")[1].split()
    assert pid == "1"
    assert directory.endswith("/app")


def test_every_node_runs_all_containers_with_a_loopback_of_its_own(emulator: Emulator) -> None:
    service = emulator.service("two-nodes", scale=2)
    side = """
import socket, http.client, time, uuid
own = socket.create_server(("127.0.0.1", 9000))   # taken already if nodes shared a network
print("node", uuid.uuid4())
while True:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 8000)
        connection.request("GET", "/")
        print("sibling says", connection.getresponse().read().decode())
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
time.sleep(600)
"""
    version = service.deploy({"web": web("hello"), "side": script(side)}, "web")
    assert service.ended(version) == "ACTIVE"
    wait_for(
        lambda: service.log("side").count("sibling says hello") == 2,
        "both nodes talk over loopback",
    )
    lines = service.log("side")
    assert len({line for line in lines if line.startswith("node ")}) == 2
    assert "[deployment:1] Started 2 new nodes" in lines


@pytest.mark.slow
def test_a_change_of_scale_launches_the_current_deployment_again(emulator: Emulator) -> None:
    service = emulator.service("growing", time_to_update=300)
    service.ended(service.deploy({"web": web("big")}, "web"))
    seen = emulator.api.update_container_service(serviceName="growing", scale=2)
    assert seen["containerService"]["state"] == "UPDATING"
    with pytest.raises(ClientError, match="Please try again in a few minutes"):
        service.deploy({"web": web()}, "web")
    wait_for(lambda: service.state == "RUNNING", "it runs at the new size")
    assert service.read()["currentDeployment"]["version"] == 1
    assert service.log("web").count("listening on 8000") == 3


def test_a_private_image_may_be_named_by_digest(emulator: Emulator, registry: Registry) -> None:
    service = emulator.service("digest", scale=1)
    pushed = registry.push(
        "indexed", "v1", {"app/x": "x"}, in_index=True, Cmd=["python3", "-c", SERVE]
    )
    assert service.ended(service.deploy({"web": {"image": pushed.by_digest}})) == "ACTIVE"
    emulator.control("PUT", "services/digest/switches", {"digest_images": "refuse"})
    with pytest.raises(ClientError, match=re.escape(f'invalid image "{pushed.by_digest}"')):
        service.deploy({"web": {"image": pushed.by_digest}})


def test_an_arm_image_says_exec_format_error(emulator: Emulator, registry: Registry) -> None:
    pushed = registry.push("arm", "v1", {"app/x": "x"}, architecture="arm64", Cmd=["python3"])
    service = emulator.service("arm")
    assert service.ended(service.deploy({"web": {"image": pushed.tagged}})) == "FAILED"
    assert "exec python3: exec format error" in service.log("web")
