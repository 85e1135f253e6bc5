"""A person's command beside the app, as one deployment."""

import json
import re
from typing import Any

import pytest

from lightgate.deployment.compiler import LARGEST_REQUEST_BYTES
from lightgate.deployment.one_off_command import compile_app, compile_command
from lightgate.names import COMMAND_CONTAINER
from lightgate.spec.keys import AppSpec
from tests.support.builders import (
    DIGEST,
    RELEASE,
    Json,
    app_spec,
    compiled_secrets,
    migrate,
    source,
    wait_for,
    web,
)
from tests.support.compiled_requests import read_config_text, whole_config

BACK = ("python", "manage.py", "migrate", "crops", "0007")
SHOW = ("python", "manage.py", "showmigrations", "--plan")
MAILBOX = "a mailbox"


def container_of(
    command: tuple[str, ...],
    spec: AppSpec | None = None,
    beside: AppSpec | None = None,
    **changes: Any,
) -> Json:
    spec = spec or app_spec(**changes)
    found = compile_command(
        spec,
        command,
        source(),
        RELEASE,
        compiled_secrets(spec),
        mailbox=MAILBOX,
        allow_destructive=False,
        beside=beside,
    )
    return dict(found)


def config_of(container: Json) -> Json:
    told = next(word for word in container["command"] if word.startswith("{'release':"))
    return whole_config(read_config_text(told))


def test_the_command_runs_as_the_migration_would() -> None:
    containers = {
        "migrate": migrate(timeoutSeconds=120, environment={"A": "1"}, secrets={"B": "ssm:/b"}),
        "web": web(environment={"A": "2"}),
    }

    container = container_of(BACK, containers=containers)

    assert container["command"][-len(BACK) :] == list(BACK)
    assert container["environment"]["A"] == "1"
    assert container["environment"]["B"] == "value of ssm:/b"
    assert container["environment"]["LIGHTGATE_MAILBOX"] == MAILBOX
    assert container["environment"]["LIGHTGATE_RELEASE"] == RELEASE
    assert container["ports"] == {}
    config = config_of(container)
    assert config["container"] == COMMAND_CONTAINER
    assert config["timeoutSeconds"] == 120
    assert config["django"]["manage"] == ["python", "manage.py"]
    assert config["after"] == []


@pytest.mark.parametrize(("command", "expected"), [(BACK, None), (SHOW, "always")])
def test_a_command_without_a_plan_needs_a_permit(
    command: tuple[str, ...], expected: str | None
) -> None:
    config = config_of(container_of(command))

    assert config.get("pending") == expected
    assert ("django" in config) is (expected is None)
    assert "mailbox" in config


@pytest.mark.parametrize("command", [BACK, SHOW])
def test_it_stays_alive_after_a_failure_so_that_nothing_starts_it_again(
    command: tuple[str, ...],
) -> None:
    spec = app_spec(containers={"migrate": migrate(afterFailure="exit"), "web": web()})

    assert config_of(container_of(command, spec))["afterFailure"] == "hold"


def test_a_way_to_call_manage_py_that_is_given_is_used_for_migrate_only() -> None:
    spec = app_spec(
        containers={
            "migrate": migrate(command=["nautobot-server", "migrate"], manage=["nautobot-server"]),
            "web": web(),
        }
    )
    own = ("nautobot-server", "migrate", "crops", "0001")

    assert config_of(container_of(own, spec))["django"]["manage"] == ["nautobot-server"]
    assert config_of(container_of(BACK, spec))["django"]["manage"] == list(BACK[:-3])
    assert "django" not in config_of(container_of(SHOW, spec))


def test_of_containers_with_an_image_of_their_own_none_is_taken_for_a_model() -> None:
    sidecar = {"image": f"nginx:1.27@{DIGEST}", "command": ["nginx"]}
    containers = {"proxy": sidecar, "web": web(dependsOn=[], environment={"A": "2"})}
    spec = app_spec(containers=containers)

    container = container_of(SHOW, spec)

    assert container["image"] == source().reference
    assert container["environment"]["A"] == "2"


CODE = "20260102t030405z-0a1b2c3d-9f8e"


def with_command(spec: AppSpec, command: tuple[str, ...], code: str | None = CODE) -> Json:
    """The deployment of a command beside what serves."""
    app = compile_app(spec, source(), RELEASE, compiled_secrets(spec), code=code)
    command_container = container_of(command, spec, beside=spec)
    return {**app, "containers": {**app["containers"], COMMAND_CONTAINER: command_container}}


def test_the_gates_of_the_live_version_apply_nothing_and_those_of_the_command_do() -> None:
    containers = with_command(app_spec(), BACK)["containers"]

    assert {
        name: container["environment"].get("LIGHTGATE_ROLLBACK")
        for name, container in containers.items()
    } == {"migrate": "unchecked", "web": "unchecked", COMMAND_CONTAINER: None}
    assert "mailbox" not in config_of(containers["migrate"])


def test_the_gates_of_the_live_version_know_how_old_its_code_is() -> None:
    containers = with_command(app_spec(), BACK)["containers"]

    assert {
        name: (config_of(container)["release"], container["environment"]["LIGHTGATE_RELEASE"])
        for name, container in containers.items()
    } == {"migrate": (CODE, RELEASE), "web": (CODE, RELEASE), COMMAND_CONTAINER: (RELEASE, RELEASE)}


def test_code_of_unknown_age_counts_as_older_than_all_migrations() -> None:
    containers = with_command(app_spec(), BACK, code=None)["containers"]

    assert config_of(containers["migrate"])["release"] < "20000101t000000z"


def test_both_parts_fit_into_one_deployment() -> None:
    spec = app_spec(
        containers={
            "migrate": migrate(),
            "web": web(),
            "worker": web(ports={}, command=["celery"]),
            "cache": web(dependsOn=[wait_for("migrate"), wait_for("web", "START")], ports={}),
        }
    )

    assert len(json.dumps(with_command(spec, BACK))) <= LARGEST_REQUEST_BYTES


def test_no_two_gates_of_one_node_listen_on_the_same_port() -> None:
    ports = {"8000": "HTTP", "61101": "TCP", "61103": "TCP"}
    spec = app_spec(containers={"migrate": migrate(), "web": web(ports=ports)})
    containers = with_command(spec, SHOW)["containers"]

    listening = [config_of(c)["port"] for c in containers.values() if "port" in config_of(c)]
    [distributor] = {
        int(word)
        for container in containers.values()
        for word in container["command"]
        if re.fullmatch("[0-9]{5}", word)
    }

    assert sorted([*listening, distributor]) == [61100, 61102, 61104]
