"""The connection of the command line: one clear error for whatever keeps it from an answer."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightgate_cli.connection import local_cloud_file
from local.cloud.announcement import announced, announcement_file
from tests.cli.calls import Said
from tests.component.http_servers import Behaviour, serving

HINT_SIGN_IN = "Run aws sso login or aws configure, or give --profile."


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell without anything of AWS, and without a local cloud."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def answering() -> Iterator[Callable[[int, str], None]]:
    """Announce a local cloud whose every answer is this status and body."""
    open_servers = []

    def answer(status: int, body: str) -> None:
        text = body.encode()
        head = (
            f"HTTP/1.1 {status} Told\r\nContent-Type: text/xml\r\nConnection: close\r\n"
            f"Content-Length: {len(text)}\r\n\r\n"
        )
        server = serving(_reading_all(head.encode() + text))
        cloud = announced(server.__enter__().rstrip("/"), "lightgate")
        cloud.__enter__()
        open_servers.extend([server, cloud])

    yield answer
    for each in reversed(open_servers):
        each.__exit__(None, None, None)


def _reading_all(answer: bytes) -> Behaviour:
    def behave(peer: object) -> None:
        peer.recv(65536)  # type: ignore[attr-defined]
        peer.sendall(answer)  # type: ignore[attr-defined]

    return behave


def refusal(code: str, message: str) -> str:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
        "</Error><RequestId>1</RequestId></ErrorResponse>"
    )


def stack(outputs: str, status: str = "CREATE_COMPLETE") -> str:
    return (
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>"
        f"<StackName>lightgate</StackName><StackStatus>{status}</StackStatus>"
        f"<Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult>"
        "</DescribeStacksResponse>"
    )


def assert_one_error(said: Said, error: str, hint: str) -> None:
    assert said == Said(2, "", [f"error: {error}", hint])


def test_no_region(lightgate: Callable[..., Said]) -> None:
    assert_one_error(
        lightgate("status"),
        "No AWS region is set.",
        "Give --region, or set AWS_REGION, or a region for the profile.",
    )


def test_no_credentials(lightgate: Callable[..., Said]) -> None:
    assert_one_error(
        lightgate("status", "--region", "us-east-1"),
        "No AWS credentials were found.",
        HINT_SIGN_IN,
    )


def test_half_of_the_credentials(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")

    said = lightgate("status", "--region", "us-east-1")

    assert said.code == 2
    assert said.errors[0].startswith("error: The AWS credentials could not be loaded: ")
    assert said.errors[1:] == [HINT_SIGN_IN]


def test_no_such_profile(lightgate: Callable[..., Said]) -> None:
    assert_one_error(
        lightgate("status", "--profile", "prod"),
        "There is no AWS profile prod.",
        "aws configure list-profiles shows those that exist.",
    )


def test_an_expired_sign_in(lightgate: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile prod]\nregion = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
        "sso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
    )

    said = lightgate("status", "--profile", "prod")

    assert said.code == 2
    assert said.errors[0].startswith("error: The AWS credentials could not be loaded: ")
    assert said.errors[1:] == [
        "Run aws sso login --profile prod or aws configure, or give another --profile."
    ]


def test_no_such_stack(
    lightgate: Callable[..., Said], answering: Callable[[int, str], None]
) -> None:
    answering(400, refusal("ValidationError", "Stack with id other does not exist"))

    assert_one_error(
        lightgate("status", "--local", "--stack", "other"),
        "There is no stack other in us-east-1.",
        "Give its name with --stack and its region with --region, or deploy it.",
    )


def test_a_stack_that_is_not_deployed_yet(
    lightgate: Callable[..., Said], answering: Callable[[int, str], None]
) -> None:
    answering(200, stack("", "CREATE_IN_PROGRESS"))

    assert_one_error(
        lightgate("status", "--local"),
        "The stack lightgate in us-east-1 has no outputs: it is CREATE_IN_PROGRESS.",
        "Wait until it is deployed, or deploy it again.",
    )


def test_an_old_stack_without_an_output(
    lightgate: Callable[..., Said], answering: Callable[[int, str], None]
) -> None:
    topic = "<member><OutputKey>TopicArn</OutputKey><OutputValue>arn</OutputValue></member>"
    answering(200, stack(topic))

    said = lightgate("history", "crops", "--local")

    assert said.code == 2
    assert said.errors[0] == (
        "error: The stack lightgate has no output AppsPath: it is of an older version of Lightgate "
        "than this command."
    )


def test_a_missing_permission(
    lightgate: Callable[..., Said], answering: Callable[[int, str], None]
) -> None:
    words = "User: arn:aws:iam::123456789012:user/ann is not authorized"
    answering(403, refusal("AccessDenied", words))

    assert_one_error(
        lightgate("status", "--local"),
        f"AWS does not allow DescribeStacks: {words}",
        "docs/command-line.md lists the permissions that each command needs.",
    )


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_credentials_that_aws_does_not_take(
    lightgate: Callable[..., Said], answering: Callable[[int, str], None], code: str
) -> None:
    answering(403, refusal(code, "The security token is expired"))

    assert_one_error(
        lightgate("status", "--local"),
        f"AWS does not accept the credentials: {code}: The security token is expired",
        HINT_SIGN_IN,
    )


def test_aws_that_cannot_be_reached(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    said = lightgate("status", "--region", "us-east-1")

    assert said.code == 2
    assert said.errors[0].startswith("error: AWS cannot be reached: ")
    assert said.errors[1:] == ["Check the network, the proxy and --region."]


def test_a_local_cloud_that_was_killed(lightgate: Callable[..., Said]) -> None:
    with announced("http://127.0.0.1:1", "lightgate"):
        said = lightgate("status", "--local")

    assert_one_error(
        said,
        "The local cloud does not answer: it has stopped, or is just starting.",
        "Start one with make local in a checkout.",
    )


def test_no_local_cloud(lightgate: Callable[..., Said]) -> None:
    assert_one_error(
        lightgate("status", "--local"),
        "No local cloud is running.",
        "Start one with make local in a checkout.",
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"endpoint": 7}'])
def test_a_broken_announcement_is_no_traceback(lightgate: Callable[..., Said], text: str) -> None:
    file = local_cloud_file(os.environ)
    file.parent.mkdir(parents=True)
    file.write_text(text)

    said = lightgate("status", "--local")

    assert said.code == 2
    assert said.errors[0].startswith(f"error: The local cloud cannot be found: {file} cannot be")


@pytest.mark.parametrize("environment", [{}, {"XDG_STATE_HOME": "/x"}, {"XDG_STATE_HOME": ""}])
def test_both_sides_look_for_the_local_cloud_in_one_place(environment: dict[str, str]) -> None:
    assert local_cloud_file(environment) == announcement_file(environment)


def test_a_local_cloud_that_stops_leaves_the_announcement_of_another_one() -> None:
    with announced("http://127.0.0.1:1", "lightgate") as file:
        with announced("http://127.0.0.1:2", "lightgate"):
            pass
        assert not file.exists()
        file.write_text(json.dumps({"endpoint": "http://127.0.0.1:3"}))
    assert file.exists()


@pytest.mark.parametrize("option", ["--profile", "--region", "--stack"])
def test_an_option_that_is_empty_is_a_wrong_call(
    lightgate: Callable[..., Said], option: str
) -> None:
    said = lightgate("status", option, " ")

    assert (said.code, said.output) == (2, "")
    assert said.errors[-1] == f"Error: Invalid value for '{option}': it is empty"


def test_an_empty_region_of_the_shell_is_none(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.delenv("AWS_PROFILE", raising=False)

    assert lightgate("status").errors[0] == "error: No AWS region is set."


def test_what_cannot_be_a_region_is_named(lightgate: Callable[..., Said]) -> None:
    said = lightgate("status", "--region", "us east")

    assert said.code == 2
    assert said.errors[0].startswith("error: This is no region of AWS: ")
