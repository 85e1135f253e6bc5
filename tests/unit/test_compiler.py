"""From a spec to a request that Lightsail accepts, with the same meaning."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given

from lightgate import compiler, gate
from lightgate.compiler import (
    LARGEST_REQUEST_BYTES,
    Source,
    compile_deployment,
)
from lightgate.errors import RefusedError
from lightgate.gate_programs import FIRST_GATE_PORT
from tests.unit.builders import (
    RELEASE,
    Json,
    app_spec,
    compiled_secrets,
    migrate,
    parse,
    reasons_of,
    source,
    wait_for,
    web,
)
from tests.unit.strategies import valid_specs

LIGHTSAIL = ServiceModel(Loader().load_service_model("lightsail", "service-2"), "lightsail")
CREATE = LIGHTSAIL.operation_model("CreateContainerServiceDeployment").input_shape
WITHOUT_END = 10**9
ROOT = Path(__file__).parents[2]


def compiled(document: Json | None = None, image: Source | None = None, **changes: Any) -> Json:
    spec = parse(document) if document is not None else app_spec(**changes)
    return compile_deployment(spec, image or source(), RELEASE, compiled_secrets(spec))


def gate_config(container: Json) -> Json:
    """What the gate in front of a container's command is told."""
    assert container["command"][:4] == ["python3", "-I", "-S", "-c"]
    config: Json = json.loads(container["command"][5])
    return config


def test_the_migration_runs_under_the_supervisor() -> None:
    request = compiled(
        containers={
            "migrate": migrate(
                timeoutSeconds=300, healthCheck={"command": ["check"], "retries": 2}
            ),
            "web": web(secrets={"B": "ssm:/b", "A": "ssm:/a"}),
        }
    )

    command = request["containers"]["migrate"]["command"]
    assert command[4] == gate.supervisor_source()
    assert command[6:] == ["python", "manage.py", "migrate", "--noinput"]
    assert gate_config(request["containers"]["migrate"]) == {
        "release": RELEASE,
        "container": "migrate",
        "after": [],
        "port": FIRST_GATE_PORT,
        "mode": "task",
        "timeoutSeconds": 300,
        "graceSeconds": 10,
        "afterFailure": "hold",
        "secretNames": [],
        "healthCheck": {
            "command": ["check"],
            "interval": 30,
            "timeout": 5,
            "retries": 2,
            "startPeriod": 0,
        },
    }


def test_what_only_waits_becomes_its_own_command() -> None:
    request = compiled()

    command = request["containers"]["web"]["command"]
    assert command[4] == gate.waiter_source()
    assert command[6:] == ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"]
    assert gate_config(request["containers"]["web"]) == {
        "release": RELEASE,
        "container": "web",
        "after": [{"container": "migrate", "port": FIRST_GATE_PORT, "condition": "SUCCESS"}],
    }


def test_a_container_outside_the_graph_runs_untouched() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(),
            "cache": {"image": "redis:7", "command": ["redis-server", "--save", ""]},
            "proxy": {"image": "nginx"},
        }
    )

    assert request["containers"]["cache"]["command"] == ["redis-server", "--save", ""]
    assert request["containers"]["cache"]["image"] == "redis:7"
    assert "command" not in request["containers"]["proxy"]


def test_a_migration_without_a_limit_gets_one_and_a_service_gets_none() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(healthCheck={"command": ["true"]}),
            "side": {"image": "nginx", "command": ["x"], "dependsOn": [wait_for("web", "HEALTHY")]},
        }
    )

    task, service = (gate_config(request["containers"][name]) for name in ("migrate", "web"))
    assert (task["mode"], task["timeoutSeconds"]) == ("task", 900)
    assert (service["mode"], service["timeoutSeconds"]) == ("service", None)
    assert service["after"] == [
        {"container": "migrate", "port": FIRST_GATE_PORT, "condition": "SUCCESS"}
    ]


def test_the_health_check_of_the_endpoint_is_written_out() -> None:
    request = compiled(
        publicEndpoint={
            "containerName": "web",
            "containerPort": 8000,
            "healthCheck": {"path": "/healthz", "successCodes": "200", "intervalSeconds": 7},
        }
    )

    assert request["publicEndpoint"] == {
        "containerName": "web",
        "containerPort": 8000,
        "healthCheck": {
            "healthyThreshold": 2,
            "unhealthyThreshold": 2,
            "timeoutSeconds": 2,
            "intervalSeconds": 7,
            "path": "/healthz",
            "successCodes": "200",
        },
    }


def test_without_an_endpoint_the_request_has_none() -> None:
    assert "publicEndpoint" not in compiled(publicEndpoint=None, unprotected=True)


def test_every_container_carries_the_marker_its_variables_and_its_secrets() -> None:
    request = compiled(environment={"DEBUG": "0"}, secrets={"KEY": "ssm:/crops/key"})

    expected = {"DEBUG": "0", "KEY": "value of ssm:/crops/key", "LIGHTGATE_RELEASE": RELEASE}
    assert [c["environment"] for c in request["containers"].values()] == [expected, expected]


def test_a_secret_is_named_but_never_written_into_the_command() -> None:
    request = compiled(secrets={"KEY": "ssm:/crops/key", "DSN": "ssm:/crops/dsn"})

    migration = request["containers"]["migrate"]
    assert gate_config(migration)["secretNames"] == ["DSN", "KEY"]
    assert "value of" not in json.dumps(migration["command"])


def test_the_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "import json; from tests.unit.test_compiler import compiled;"
        "names = [f'V{n}' for n in range(9)];"
        "print(json.dumps(compiled(secrets={n: f'ssm:/{n}' for n in names})))"
    )
    paths = os.pathsep.join(str(ROOT / path) for path in ("layers/core", "."))

    first, second = (
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": paths, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )

    assert len(first) > 1000
    assert first == second


def test_the_gates_keep_away_from_the_ports_of_the_app() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(ports={"8000": "HTTP", str(FIRST_GATE_PORT): "TCP"}),
        }
    )

    assert gate_config(request["containers"]["migrate"])["port"] == FIRST_GATE_PORT + 1
    assert gate_config(request["containers"]["web"])["after"][0]["port"] == FIRST_GATE_PORT + 1


AWKWARD = [
    "a b",
    "'",
    '"',
    "$HOME",
    "`x`",
    "line\nbreak",
    "tab\t",
    "\\",
    "ünïcödé 🌾",
    "",
    "*",
    "{{"[:1],
]


def test_a_command_passes_through_word_for_word() -> None:
    request = compiled(
        containers={"migrate": migrate(command=["run", *AWKWARD]), "web": web(command=AWKWARD)}
    )

    assert request["containers"]["migrate"]["command"][6:] == ["run", *AWKWARD]
    assert request["containers"]["web"]["command"][6:] == AWKWARD


def test_a_missing_command_is_the_images_own() -> None:
    request = compiled(
        image=source(command=["gunicorn", "from-the-image"]),
        containers={
            "migrate": migrate(),
            "web": {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]},
        },
    )

    assert request["containers"]["web"]["command"][6:] == ["gunicorn", "from-the-image"]


def refused(**arguments: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        compiled(**arguments)
    [reason] = caught.value.reasons
    return reason


def test_a_command_that_nobody_knows_is_refused() -> None:
    containers = {
        "migrate": migrate(),
        "web": {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]},
    }

    expected = (
        "containers.web.command: is missing, and the pushed image has no CMD; give one of the two"
    )
    assert expected == refused(image=source(command=[]), containers=containers)


def test_a_wrapped_foreign_image_without_a_command_is_refused() -> None:
    containers = {
        "migrate": migrate(),
        "web": web(),
        "side": {"image": "nginx:1", "dependsOn": [wait_for("migrate")]},
    }

    expected = (
        "containers.side.command: is missing; the command of the image nginx:1 is not known, "
        "so give it in the spec"
    )
    assert expected == refused(containers=containers)


def test_a_request_that_is_too_large_is_refused_and_names_the_largest_container() -> None:
    containers = {
        "migrate": migrate(),
        **{f"step-{n}": migrate(dependsOn=[wait_for("migrate")]) for n in range(3)},
        "web": web(dependsOn=[wait_for("migrate"), *(wait_for(f"step-{n}") for n in range(3))]),
    }

    reason = refused(containers=containers)

    assert re.fullmatch(
        r"containers: the deployment has \d+ bytes and may have 49152; the largest container is "
        r"step-\d with \d+\. Shorten its environment or let fewer containers wait for each other\.",
        reason,
    )


def test_the_size_is_that_of_the_escaped_text_which_is_sent() -> None:
    spec = app_spec(secrets={"KEY": "ssm:/crops/key"})
    [reference] = {*compiled_secrets(spec)}

    with pytest.raises(RefusedError, match=r"the deployment has \d+ bytes and may have 49152"):
        compile_deployment(spec, source(), RELEASE, {reference: "ü" * 3000})
    compile_deployment(spec, source(), RELEASE, {reference: "u" * 3000})


def assert_the_service_would_accept(request: Mapping[str, Any]) -> None:
    """What botocore checks, and what only the server does."""
    assert CREATE is not None
    report = ParamValidator().validate(request, CREATE)
    assert report.generate_report() == ""
    name = re.compile(r"^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$")
    containers = request["containers"]
    assert 1 <= len(containers) <= 10
    listening: list[int] = []
    for container_name, container in containers.items():
        assert name.match(container_name)
        assert len(container_name) <= 53
        assert container["image"]
        assert set(container["ports"].values()) <= {"HTTP", "HTTPS", "TCP", "UDP"}
        listening += [int(port) for port in container["ports"]]
        assert all(0 < int(port) < 65536 for port in container["ports"])
        words = [*container.get("command", []), *container["environment"].values()]
        assert all("\0" not in word and len(word.encode()) < 131_072 for word in words)
        if container.get("command", [])[:4] == ["python3", "-I", "-S", "-c"]:
            listening += [gate_config(container).get("port", 0)] * (
                "port" in gate_config(container)
            )
    assert len(listening) == len(set(listening))
    if "publicEndpoint" in request:
        endpoint = request["publicEndpoint"]
        protocols = containers[endpoint["containerName"]]["ports"]
        assert protocols[str(endpoint["containerPort"])] in ("HTTP", "HTTPS")


def assert_the_order_is_kept(document: Json, request: Mapping[str, Any]) -> None:
    for name, container in document["containers"].items():
        command = request["containers"][name]["command"]
        assert command[-len(container["command"]) :] == container["command"]
        for dependency in container["dependsOn"]:
            target = request["containers"][dependency["containerName"]]
            expected = {
                "container": dependency["containerName"],
                "port": gate_config(target)["port"],
                "condition": dependency["condition"],
            }
            assert expected in gate_config(request["containers"][name])["after"]


@given(valid_specs())
def test_every_valid_spec_compiles_to_a_request_that_lightsail_accepts(document: Json) -> None:
    with patch.object(compiler, "LARGEST_REQUEST_BYTES", WITHOUT_END):
        request = compiled(document)

    assert_the_service_would_accept(request)
    assert_the_order_is_kept(document, request)


@given(valid_specs())
def test_a_request_is_small_enough_or_refused(document: Json) -> None:
    reasons = reasons_of(lambda: compiled(document))

    with patch.object(compiler, "LARGEST_REQUEST_BYTES", WITHOUT_END):
        size = len(json.dumps(compiled(document)))
    assert (size > LARGEST_REQUEST_BYTES) == bool(reasons)
    assert all(f"the deployment has {size} bytes and may have 49152" in r for r in reasons)


@given(valid_specs())
def test_the_same_spec_image_and_release_give_the_same_bytes(document: Json) -> None:
    with patch.object(compiler, "LARGEST_REQUEST_BYTES", WITHOUT_END):
        first, second = (json.dumps(compiled(document)) for _ in range(2))

    assert first == second


def test_the_checks_of_this_file_notice_what_lightsail_refuses() -> None:
    request = compiled()
    request["containers"]["web"]["dependsOn"] = []

    with pytest.raises(AssertionError, match=r"Unknown parameter in containers\.web"):
        assert_the_service_would_accept(request)
