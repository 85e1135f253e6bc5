"""What of a spec stands in the request as the spec says it, and what the image adds."""

from lightgate.deployment.compiler import compile_deployment
from tests.support.builders import (
    DIGEST,
    RELEASE,
    app_spec,
    migrate,
    reasons_of,
    source,
    wait_for,
    web,
)
from tests.support.compiled_requests import compiled, own_command


def test_a_container_outside_the_graph_runs_untouched() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(),
            "cache": {"image": f"redis:7@{DIGEST}", "command": ["redis-server", "--save", ""]},
            "proxy": {"image": f"nginx@{DIGEST}"},
        }
    )

    assert request["containers"]["cache"]["command"] == ["redis-server", "--save", ""]
    assert request["containers"]["cache"]["image"] == f"redis:7@{DIGEST}"
    assert "command" not in request["containers"]["proxy"]


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


def test_the_port_of_the_endpoint_is_open_without_being_mentioned() -> None:
    request = compiled(containers={"migrate": migrate(), "web": web(ports={"9000": "TCP"})})

    assert request["containers"]["web"]["ports"] == {"9000": "TCP", "8000": "HTTP"}
    assert request["containers"]["migrate"]["ports"] == {}


def test_every_container_carries_the_marker_its_variables_and_its_secrets() -> None:
    request = compiled(environment={"DEBUG": "0"}, secrets={"KEY": "ssm:/crops/key"})

    expected = {"DEBUG": "0", "KEY": "value of ssm:/crops/key", "LIGHTGATE_RELEASE": RELEASE}
    assert [c["environment"] for c in request["containers"].values()] == [expected, expected]


def test_only_the_name_of_the_stack_is_added_to_a_deployment_of_a_stack() -> None:
    spec = app_spec(environment={"DEBUG": "0"})
    without = compile_deployment(spec, source(), RELEASE, {})

    request = compile_deployment(spec, source(), RELEASE, {}, stack="lightgate")

    for container in request["containers"].values():
        assert container["environment"].pop("LIGHTGATE_STACK") == "lightgate"
    assert request == without


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
        containers={
            "migrate": migrate(command=["awk", *AWKWARD]),
            "web": web(command=["awk", *AWKWARD]),
        }
    )

    assert own_command(request["containers"]["migrate"]) == ["awk", *AWKWARD]
    assert own_command(request["containers"]["web"]) == ["awk", *AWKWARD]


def test_a_missing_command_is_the_images_own() -> None:
    request = compiled(
        image=source(command=["gunicorn", "from-the-image"]),
        containers={
            "migrate": migrate(),
            "web": {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]},
        },
    )

    assert own_command(request["containers"]["web"]) == ["gunicorn", "from-the-image"]


def test_an_unknown_command_is_refused() -> None:
    containers = {
        "migrate": migrate(),
        "web": {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]},
    }

    [reason] = reasons_of(lambda: compiled(image=source(command=[]), containers=containers))

    assert reason == (
        "containers.web.command: is missing, and the pushed image has no CMD; give one of the two"
    )
