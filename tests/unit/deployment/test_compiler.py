"""From a spec to a request that Lightsail accepts, with the same meaning, however large it is."""

import hashlib
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
from hypothesis import given, reject

from lightgate.deployment import compiler
from lightgate.deployment.compiler import (
    LARGEST_REQUEST_BYTES,
    PLAIN_REQUEST_BYTES,
    compile_deployment,
)
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.packaging import FIRST_GATE_PORT, pack, program_text
from lightgate.spec.keys import AppSpec
from lightgate.spec.presets import preset
from tests.support.builders import (
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
from tests.support.compiled_requests import assert_same_texts, compiled, gate_config
from tests.support.strategies import valid_specs

LIGHTSAIL = ServiceModel(Loader().load_service_model("lightsail", "service-2"), "lightsail")
CREATE = LIGHTSAIL.operation_model("CreateContainerServiceDeployment").input_shape
WITHOUT_END = 10**9
ROOT = Path(__file__).parents[3]


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
        if container.get("command", [])[1:2] == ["-ISc"]:
            config = gate_config(container)
            listening += [config["port"]] if "port" in config else []
            if container["command"][2] == program_text("distributor"):
                listening.append(int(container["command"][3]))
    assert len(listening) == len(set(listening))
    if "publicEndpoint" in request:
        endpoint = request["publicEndpoint"]
        protocols = containers[endpoint["containerName"]]["ports"]
        assert protocols[str(endpoint["containerPort"])] in ("HTTP", "HTTPS")


def own_command(spec: AppSpec, name: str) -> list[str]:
    """What the container runs in the end, wherever that is said."""
    if spec.uses_preset(name):
        return list(preset(spec, name).main)
    return list(spec.containers[name].command or source().config.command)


def assert_the_order_is_kept(document: Json, request: Mapping[str, Any]) -> None:
    spec = parse(document)
    for name, container in document["containers"].items():
        command = request["containers"][name].get("command")
        if command is None:
            assert not container["dependsOn"]
            assert not spec.conditions_on(name)
            continue
        own = own_command(spec, name)
        assert command[-len(own) :] == own
        for dependency in container["dependsOn"]:
            target = request["containers"][dependency["containerName"]]
            parts = (dependency["containerName"], gate_config(target)["port"])
            expected = f"{parts[0]}:{parts[1]}:{dependency['condition']}".removesuffix(":SUCCESS")
            assert expected in gate_config(request["containers"][name])["after"]


def compiled_if_it_fits(document: Json) -> Json:
    """Many containers with long texts may be too much for a request that has the classifier."""
    try:
        return compiled(document)
    except RefusedError as error:
        if error.code is not RefusalCode.DEPLOYMENT or len(document["containers"]) < 8:
            raise
        reject()


@given(valid_specs())
def test_every_valid_spec_compiles_to_a_request_that_lightsail_accepts(document: Json) -> None:
    request = compiled_if_it_fits(document)

    assert_the_service_would_accept(request)
    assert_the_order_is_kept(document, request)
    text = json.dumps(request)
    assert len(text) <= LARGEST_REQUEST_BYTES
    assert text == json.dumps(compiled(document)), "the same arguments give the same bytes"


def test_the_checks_of_this_file_notice_what_lightsail_refuses() -> None:
    request = compiled()
    request["containers"]["web"]["dependsOn"] = []

    with pytest.raises(AssertionError, match=r"Unknown parameter in containers\.web"):
        assert_the_service_would_accept(request)


def test_the_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "import json; from tests.support.compiled_requests import compiled;"
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


def chain(length: int, **changes: Any) -> Json:
    """Each container waits for the one before it; the last one is public."""
    names = [f"step-{number}" for number in range(length - 1)]
    containers = {
        name: migrate(dependsOn=[wait_for(before)] if before else [], **changes)
        for before, name in zip([None, *names], names, strict=False)
    }
    return {**containers, "web": web(dependsOn=[wait_for(names[-1])], **changes)}


def test_a_gate_in_a_large_deployment_gets_its_helpers_from_the_distributor() -> None:
    spec = app_spec(containers=chain(10))
    mailboxes = dict.fromkeys(spec.asking_gates(), "m" * 100)

    request = compile_deployment(spec, source(), RELEASE, {}, mailboxes=mailboxes)

    assert request["containers"]["step-3"]["command"][6] == "023"


def test_with_many_containers_one_distributes_the_programs_to_the_others() -> None:
    request = compiled(containers=chain(10))

    commands = {name: c["command"] for name, c in request["containers"].items()}
    first, *others = commands.values()
    port, packed = first[3:5]
    assert first[2] == program_text("distributor")
    # Without a channel nobody needs the S3 client.
    texts = [program_text(one) for one in ("supervisor", "waiter", "django_helper")]
    whole = "\0".join([*texts, "", program_text("django_classifier")]).encode()
    assert_same_texts([packed], pack(whole))
    assert {command[2] for command in others} == {program_text("loader")}
    assert {command[4] for command in others} == {port}
    assert {command[5] for command in others} == {hashlib.sha256(whole).hexdigest()[:24]}
    assert [command[6] for command in others] == ["024"] * 8 + ["1"]
    assert_the_service_would_accept(request)


def test_the_distributor_is_a_container_that_stays_alive_after_its_work() -> None:
    containers = {
        "broker": migrate(command=["broker"], healthCheck={"command": ["ping"]}),
        **chain(9),
    }
    containers["web"]["dependsOn"].append(wait_for("broker", "HEALTHY"))

    request = compiled(containers=containers)

    programs = {name: c["command"][2] for name, c in request["containers"].items()}
    assert [n for n, p in programs.items() if p == program_text("distributor")] == ["step-0"]


def test_the_distributor_and_the_others_run_the_python_of_their_image() -> None:
    containers = chain(10, python="python3.8")
    containers["step-4"]["python"] = "python3.11"

    request = compiled(containers=containers)

    programs = [c["command"][0] for c in request["containers"].values()]
    assert programs == ["python3.8"] * 4 + ["python3.11"] + ["python3.8"] * 5


def test_the_distributor_listens_where_nobody_else_does() -> None:
    containers = chain(10)
    taken = {str(FIRST_GATE_PORT + number): "TCP" for number in (0, 9, 10)}
    containers["web"]["ports"] |= taken

    request = compiled(containers=containers)

    ports = {gate_config(c)["port"] for n, c in request["containers"].items() if n != "web"}
    first, *others = (c["command"] for c in request["containers"].values())
    [distributor_port] = {int(first[3]), *(int(command[4]) for command in others)}
    assert distributor_port not in ports
    assert distributor_port >= FIRST_GATE_PORT
    assert str(distributor_port) not in request["containers"]["web"]["ports"]


def test_a_request_that_is_too_large_is_refused_and_names_the_largest_environment() -> None:
    containers = chain(10)
    containers["step-3"]["environment"] = {"OWN": "x" * 300}

    [reason] = reasons_of(
        lambda: compiled(
            containers=containers, environment={"SHARED": "x" * 4000, "MORE": "x" * 800}
        )
    )

    assert re.fullmatch(
        r"containers: the deployment has \d{5,6} bytes and may have 57344; 4\d{4} of them "
        r"are environments with their secrets, the largest that of step-3 with 5\d{3}\. Shorten "
        r"them, or let fewer containers wait for each other\.",
        reason,
    )


def test_the_size_is_that_of_the_escaped_text_which_is_sent() -> None:
    spec = app_spec(secrets={"KEY": "ssm:/crops/key"})
    [reference] = {*compiled_secrets(spec)}

    with pytest.raises(RefusedError, match=r"the deployment has \d+ bytes and may have 57344"):
        compile_deployment(spec, source(), RELEASE, {reference: "ü" * 9000})
    compile_deployment(spec, source(), RELEASE, {reference: "u" * 4300})


@given(valid_specs())
def test_a_request_that_is_small_enough_needs_no_distributor(document: Json) -> None:
    with (
        patch.object(compiler, "PLAIN_REQUEST_BYTES", WITHOUT_END),
        patch.object(compiler, "LARGEST_REQUEST_BYTES", WITHOUT_END),
    ):
        plain = compiled(document)

    assert_the_service_would_accept(plain)
    assert_the_order_is_kept(document, plain)
    request = compiled_if_it_fits(document)
    assert (len(json.dumps(plain)) <= PLAIN_REQUEST_BYTES) == (request == plain)


def of_the_usual_size(before: list[list[str]]) -> AppSpec:
    """Containers with a health check, a dozen variables and secrets, and those they wait for."""
    variables = {f"DJANGO_SETTING_{n}": "a-value-of-thirty-characters--" for n in range(8)}
    secrets = {f"SECRET_{n}": f"secretsmanager:crops/db:key-{n}" for n in range(4)}
    check = {"command": ["python", "manage.py", "check", "--database", "default"]}
    names = [*(f"container-{n}" for n in range(len(before) - 1)), "web"]
    containers = {
        name: (web if name == "web" else migrate)(
            healthCheck=check, dependsOn=[wait_for(other) for other in others]
        )
        for name, others in zip(names, before, strict=True)
    }
    return app_spec(containers=containers, environment=variables, secrets=secrets)


@pytest.mark.parametrize("shape", ["a chain", "a fan", "two layers"])
def test_ten_containers_of_the_usual_size_are_never_too_large(shape: str) -> None:
    """With up to 18 dependencies."""
    names = [f"container-{n}" for n in range(9)]
    before: Mapping[str, list[list[str]]] = {
        "a chain": [names[max(0, n - 1) : n] for n in range(10)],
        "a fan": [[], *[names[:1]] * 8, names],
        "two layers": [*[[]] * 3, *[names[:3]] * 6, names[3:]],
    }
    spec = of_the_usual_size(before[shape])
    mailboxes = dict.fromkeys(spec.asking_gates(), "{}")
    values = compiled_secrets(spec)
    request = compile_deployment(spec, source(), RELEASE, values, mailboxes=mailboxes)

    assert_the_service_would_accept(request)
    assert len(json.dumps(request)) <= LARGEST_REQUEST_BYTES


def test_six_containers_of_the_usual_size_fit_without_a_channel() -> None:
    spec = of_the_usual_size([[f"container-{n - 1}"] if n else [] for n in range(6)])

    request = compile_deployment(spec, source(), RELEASE, compiled_secrets(spec))

    assert len(json.dumps(request)) <= LARGEST_REQUEST_BYTES
