"""`lightgate init` from a running service, and what it asks on a terminal."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.cloud.announcement import announced
from tests.cli.calls import Said
from tests.component.http_servers import serving
from tests.support.spec_examples import Json

SOURCES = Path(__file__).parent / "sources"


def service(**of_web: object) -> Json:
    deployment = json.loads((SOURCES / "deployments-answer.json").read_text())["deployments"][1]
    containers = deployment["containers"]
    containers["web"] |= of_web
    current = {"version": 7, "state": "ACTIVE", "containers": containers}
    endpoint = {"publicEndpoint": deployment["publicEndpoint"]}
    return {"containerServiceName": "harvest", "currentDeployment": current | endpoint}


@pytest.fixture
def lightsail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Announce a local cloud that gives this answer to every call."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    open_servers: list[Any] = []

    def answer(document: Mapping[str, object], status: int = 200) -> None:
        text = json.dumps(document).encode()
        head = f"HTTP/1.1 {status} Told\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"

        def behave(peer: Any) -> None:
            peer.recv(65536)
            peer.sendall(head.encode() + text)

        server = serving(behave)
        cloud = announced(server.__enter__().rstrip("/"), "lightgate")
        cloud.__enter__()
        open_servers.extend([server, cloud])

    yield answer
    for each in reversed(open_servers):
        each.__exit__(None, None, None)


def test_the_running_version_of_a_service_becomes_a_spec(
    lightgate: Callable[..., Said], lightsail: Callable[..., None], tmp_path: Path
) -> None:
    lightsail({"containerServices": [service()]})

    said = lightgate("init", "--from-service", "harvest", "--repository", "harvest", "--local")

    assert said.code == 0, said.errors
    spec = json.loads((tmp_path / "lightgate.json").read_text())
    assert list(spec["containers"]) == ["migrate", "web", "worker"]
    assert spec["database"] == {"instance": "harvest-db"}
    assert spec["requirePrivateDatabase"] is True
    assert spec["secrets"]["SECRET_KEY"] == "ssm:/lightgate/secrets/harvest/SECRET_KEY"
    assert spec["publicEndpoint"]["healthCheck"]["path"] == "/healthz"
    assert said.output.splitlines()[-2:] == [
        "  lightgate doctor --local harvest",
        "  lightgate release --local harvest --follow",
    ]


def test_the_secrets_of_the_live_version_are_stored_without_being_shown(
    lightgate: Callable[..., Said], lightsail: Callable[..., None]
) -> None:
    lightsail({"containerServices": [service()]})

    said = lightgate("init", "--from-service", "harvest", "--repository", "harvest", "--local")

    assert (
        '  printf %s "$(aws lightsail get-container-services --service-name harvest --output text '
        '--query \'containerServices[0].currentDeployment.containers."web".environment.'
        '"SECRET_KEY"\')" | aws ssm put-parameter --type SecureString --name '
        "/lightgate/secrets/harvest/SECRET_KEY --tags Key=lightgate:app,Value=harvest "
        "--value file:///dev/stdin"
    ) in said.output.splitlines()


def test_the_secrets_of_a_version_that_is_not_live_are_typed(
    lightgate: Callable[..., Said], lightsail: Callable[..., None]
) -> None:
    answer = service()
    answer["nextDeployment"] = answer.pop("currentDeployment") | {"state": "FAILED"}
    lightsail({"containerServices": [answer]})

    said = lightgate("init", "--from-service", "harvest", "--repository", "harvest", "--local")

    assert "get-container-services" not in said.output
    assert "  read -rs VALUE && " in said.output


@pytest.mark.parametrize(
    ("tag", "watched", "release"),
    [
        ("latest", None, "harvest --tag latest"),
        ("v12", ["v*"], "harvest --tag v12"),
        ("3fa9c2d", ["3fa9c2d"], "harvest --tag 3fa9c2d"),
    ],
)
def test_the_image_that_runs_can_be_released_first(
    lightgate: Callable[..., Said],
    lightsail: Callable[..., None],
    tmp_path: Path,
    tag: str,
    watched: list[str] | None,
    release: str,
) -> None:
    image = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/harvest:{tag}"
    lightsail({"containerServices": [service(image=image)]})

    said = lightgate("init", "--from-service", "harvest", "--local")

    assert said.code == 0, said.errors
    assert json.loads((tmp_path / "lightgate.json").read_text()).get("tags") == watched
    assert said.output.splitlines()[-1] == f"  lightgate release --local {release} --follow"
    assert ("only pushes of this tag" in "".join(said.errors)) == (tag == "3fa9c2d")


def test_a_service_that_lightgate_deployed_needs_no_new_spec(
    lightgate: Callable[..., Said], lightsail: Callable[..., None]
) -> None:
    lightsail({"containerServices": [service(environment={"LIGHTGATE_RELEASE": "x"})]})

    said = lightgate("init", "--from-service", "harvest", "--repository", "harvest", "--local")

    assert said.code == 1
    assert "Lightgate has made this deployment" in said.errors[0]


def test_a_service_that_does_not_exist_is_named(
    lightgate: Callable[..., Said], lightsail: Callable[..., None]
) -> None:
    lightsail({"__type": "NotFoundException", "message": "none"}, 404)

    said = lightgate("init", "--from-service", "harvest", "--repository", "harvest", "--local")

    assert said.code == 1
    assert said.errors[0] == "error: There is no container service harvest in us-east-1."


def test_the_local_cloud_is_reached_whatever_profile_the_shell_names(
    lightgate: Callable[..., Said],
    lightsail: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lightsail({"containerServices": [service()]})
    monkeypatch.setenv("AWS_PROFILE", "of-another-home")

    said = lightgate("init", "--from-service", "harvest", "--repository", "harvest", "--local")

    assert said.code == 0, said.errors


def test_a_terminal_is_asked_for_what_the_source_does_not_say(tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    # One for each: endpoint, service, repository, database, page of the health check.
    os.write(terminal, b"box:9000\nranch\n\nranch-db\n/ready\n")
    command = [
        sys.executable,
        "-m",
        "lightgate_cli",
        "init",
        str(SOURCES / "compose-rq-worker.yml"),
    ]
    try:
        ran = subprocess.run(
            command, cwd=tmp_path, stdin=end, capture_output=True, text=True, check=False
        )
    finally:
        os.close(end)
        os.close(terminal)

    assert ran.returncode == 0, ran.stderr
    spec = json.loads((tmp_path / "lightgate.json").read_text())
    assert (spec["serviceName"], spec["repository"]) == ("ranch", "ranch")
    assert spec["database"] == {"instance": "ranch-db"}
    assert spec["publicEndpoint"] == {
        "containerName": "box",
        "containerPort": 9000,
        "healthCheck": {"path": "/ready"},
    }
    assert "The ECR repository of the app's image [ranch]" in ran.stderr
