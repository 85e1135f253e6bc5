"""The real ``aws`` command line, and a restart of the server, as a person would use them."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.emulator import BASE_PATH, Emulator, Service, wait_for
from tests.emulator.images import web
from tests.emulator.registry import Registry


def command_line(emulator: Emulator) -> Callable[..., Any]:
    """The real ``aws lightsail``; returns what it prints."""

    def aws(*arguments: str) -> Any:
        ended = subprocess.run(
            [
                *(str(BASE_PATH / "aws"), "lightsail", *arguments, "--output", "json"),
                *("--endpoint-url", emulator.endpoint, "--region", "us-east-1"),
            ],
            env={
                "PATH": os.environ["PATH"],
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout or "null")

    return aws


@pytest.mark.slow  # a second and more for each call
def test_the_aws_command_line_speaks_every_operation(emulator: Emulator) -> None:
    aws = command_line(emulator)
    name = ("--service-name", "spoken")
    aws("create-container-service", *name, "--power", "nano", "--scale", "1")
    service = Service(emulator, "spoken")
    service.waits_for("READY")
    containers = json.dumps({"web": web("cli")})
    aws("create-container-service-deployment", *name, "--containers", containers)
    assert service.ended(1) == "ACTIVE"
    service.waits_for("RUNNING")
    listed = aws("get-container-service-deployments", *name)["deployments"]
    assert [(each["version"], each["state"]) for each in listed] == [(1, "ACTIVE")]
    assert aws("get-container-services", *name)["containerServices"][0]["state"] == "RUNNING"
    steady = ("--container-name", "web", "--filter-pattern", "steady")
    [line] = aws("get-container-log", *name, *steady)["logEvents"]
    assert line["message"] == "[deployment:1] Reached a steady state"
    assert len(aws("get-container-service-powers")["powers"]) == 6
    assert aws("get-container-images", *name) == {"containerImages": []}
    assert aws("get-container-api-metadata")["metadata"]
    metric = aws(
        *("get-container-service-metric-data", *name, "--metric-name", "MemoryUtilization"),
        *("--start-time", "2026-01-01T00:00:00Z", "--end-time", "2036-01-01T00:00:00Z"),
        *("--period", "300", "--statistics", "Average"),
    )
    assert metric["metricName"] == "MemoryUtilization"
    resource = ("--resource-name", "spoken")
    assert aws("tag-resource", *resource, "--tags", "key=team,value=crops") == {"operations": []}
    assert aws("untag-resource", *resource, "--tag-keys", "team") == {"operations": []}
    updated = aws("update-container-service", *name, "--is-disabled")
    assert updated["containerService"]["isDisabled"] is True
    service.waits_for("DISABLED")
    aws("delete-container-service", *name)


@pytest.mark.slow
def test_a_restart_takes_up_where_the_server_was(registry: Registry, tmp_path: Path) -> None:
    flags = ("--registry", registry.url, "--state", str(tmp_path))
    with Emulator(*flags) as emulator:
        service = emulator.service("lasting", relaunch_limit=2)
        service.ended(service.deploy({"web": web("kept")}, "web"))
        url = service.url
        emulator.process.kill()
        emulator.process.wait()
    with Emulator(*flags) as emulator:
        service = Service(emulator, "lasting")
        assert service.url == url
        wait_for(lambda: service.get() == (200, "kept"), "it serves again")
        assert service.state == "RUNNING"
        assert "[deployment:1] Reached a steady state" in service.log("web")
        assert emulator.control("GET", "services/lasting/switches")["relaunch_limit"] == 2
        assert service.deploy({"web": web("next")}, "web") == 2
        assert service.ended(2) == "ACTIVE"
