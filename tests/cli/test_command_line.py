"""The command `lightgate`: results on standard output, messages on standard error."""

import errno
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightgate.gate.packaging import program_text
from tests.cli.calls import Said, StandardInput
from tests.support.builders import spec_document
from tests.support.spec_examples import EXAMPLES, GUIDE, Json
from tests.unit.deployment.test_compiler import assert_the_service_would_accept

NO_COMMAND = (
    "warning: containers.web.command: is missing, so the image's CMD is run; give --image-config "
    "to see it here"
)
TRY_AGAIN = "Correct this problem and run the command again."
NO_SNAPSHOT = "warning: database: is missing, so no snapshot is taken before a release"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_plan_of_every_example_is_a_request_that_lightsail_accepts(
    lightgate: Callable[..., Said], written: Callable[..., Path], name: str
) -> None:
    said = lightgate("plan", written(EXAMPLES[name]), "--json")

    assert said.code == 0
    request = json.loads(said.output)
    assert_the_service_would_accept(request)
    wanted = EXAMPLES[name]["containers"]
    for container in ("migrate", "web"):
        own = wanted[container].get("command", ["(the image's CMD)"])
        assert request["containers"][container]["command"][-len(own) :] == own
    assert request["containers"]["migrate"]["command"][2] == program_text("distributor")
    assert request["containers"]["web"]["command"][2] == program_text("loader")
    assert request["containers"]["web"]["ports"] == {"8000": "HTTP"}
    expected = [NO_SNAPSHOT, NO_COMMAND] if name.startswith("guide") else []
    assert said.errors == expected


def test_the_plan_leaves_secrets_as_references(
    lightgate: Callable[..., Said], written: Callable[..., Path]
) -> None:
    request = json.loads(lightgate("plan", written(EXAMPLES["full"]), "--json").output)

    environment = request["containers"]["web"]["environment"]
    assert environment["DATABASE_URL"] == "secretsmanager:crops/db:url"
    assert environment["SECRET_KEY"] == "ssm:/crops/secret-key"


def test_the_plan_has_a_placeholder_for_the_stack(
    lightgate: Callable[..., Said], written: Callable[..., Path]
) -> None:
    request = json.loads(lightgate("plan", written(EXAMPLES["full"]), "--json").output)

    stacks = {c["environment"]["LIGHTGATE_STACK"] for c in request["containers"].values()}
    assert stacks == {"STACK"}


INSPECTED = [{"Architecture": "amd64", "Config": {"Cmd": ["gunicorn", "crops.wsgi"]}}]
BLOB = {"architecture": "amd64", "config": {"Cmd": ["gunicorn", "crops.wsgi"]}}


@pytest.mark.parametrize("image", [INSPECTED, BLOB], ids=["docker image inspect", "the blob"])
def test_the_plan_shows_the_command_of_the_image(
    lightgate: Callable[..., Said], written: Callable[..., Path], image: object
) -> None:
    uri = "123456789012.dkr.ecr.us-east-2.amazonaws.com/crops-backend:v7"

    said = lightgate(
        *("plan", written(GUIDE), "--image", uri, "--json"),
        *("--image-config", written(image, "image.json")),
    )

    containers = json.loads(said.output)["containers"]
    assert containers["web"]["command"][-2:] == ["gunicorn", "crops.wsgi"]
    assert {container["image"] for container in containers.values()} == {uri}
    assert said.errors == [NO_SNAPSHOT]


def test_the_plan_warns_of_what_the_image_does_by_itself(
    lightgate: Callable[..., Said], written: Callable[..., Path]
) -> None:
    image = {"architecture": "amd64", "config": {"Entrypoint": ["./migrate.sh"], "Cmd": ["x"]}}

    said = lightgate("plan", written(GUIDE), "--image-config", written(image, "image.json"))

    assert said.code == 0
    assert said.errors[1].startswith("warning: image: its ENTRYPOINT (./migrate.sh) comes before")


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_an_image_that_migrates_by_itself_is_refused(
    lightgate: Callable[..., Said], written: Callable[..., Path], command: str
) -> None:
    line = 'python manage.py migrate; exec "$@"'
    image = {"architecture": "amd64", "config": {"Entrypoint": ["sh", "-c", line, "--"]}}

    said = lightgate(command, written(GUIDE), "--image-config", written(image, "image.json"))

    assert (said.code, said.output) == (1, "")
    assert said.errors[-2].startswith("error: image: its ENTRYPOINT (sh -c 'python manage.py")


def test_the_stage_of_a_container_without_a_command_needs_no_image(
    lightgate: Callable[..., Said], written: Callable[..., Path]
) -> None:
    document = spec_document(database={"instance": "crops-db"})
    del document["containers"]["migrate"]["command"]
    image = f"nginx@sha256:{'7' * 64}"
    document["containers"]["proxy"] = {"image": image}

    said = lightgate("plan", written(document), "--json")

    assert said.errors == [
        f"note: containers.proxy.image: proxy runs {image}, whatever image is pushed."
    ]
    assert "--verbosity=2" in json.loads(said.output)["containers"]["migrate"]["command"]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"{", "the configuration of the image cannot be read"),
        (b"[" * 100_000, "the configuration of the image cannot be read"),
        (b"\xff\xfe", "the configuration of the image cannot be read"),
        (b"[]", "the configuration of the image cannot be read"),
        (b'[{"Config": 7}]', "the configuration of the image cannot be read"),
        (
            b'{"config": {"Cmd": ["\\ud800"]}}',
            "the configuration of the image cannot be read",
        ),
        (
            b'[{"Architecture": "arm64", "Config": {}}]',
            "the image is built for arm64, and Lightsail runs amd64 only. Build it with docker "
            "build --platform linux/amd64.",
        ),
    ],
)
def test_an_image_that_cannot_be_used_is_one_line(
    lightgate: Callable[..., Said], written: Callable[..., Path], image: bytes, reason: str
) -> None:
    path = written(image, "image.json")

    said = lightgate("plan", written(GUIDE), "--image-config", path)

    assert said == Said(1, "", [f"error: {path}: {reason}", TRY_AGAIN])


def test_an_image_without_a_command_is_refused(
    lightgate: Callable[..., Said], written: Callable[..., Path]
) -> None:
    path = written({"architecture": "amd64", "config": {}}, "image.json")

    said = lightgate("plan", written(GUIDE), "--image-config", path)

    assert (said.code, said.output) == (1, "")
    assert said.errors[-2:] == [
        "error: containers.web.command: is missing, and the pushed image has no CMD; give one of "
        "the two",
        TRY_AGAIN,
    ]


def wrong() -> Json:
    document: Json = spec_document(stage="prod", pollSeconds=0)
    document["containers"]["web"]["dependson"] = document["containers"]["web"].pop("dependsOn")
    return document


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_every_problem_is_reported_at_once_with_its_path(
    lightgate: Callable[..., Said], written: Callable[..., Path], command: str
) -> None:
    said = lightgate(command, written(wrong()))

    assert (said.code, said.output) == (1, "")
    assert said.errors == [
        'error: stage: "prod" is not valid; allowed is development, staging or production (did you '
        "mean production?)",
        "error: containers.web.dependson: is not a known key (did you mean dependsOn?); allowed is "
        "image, command, before, then, environment, secrets, ports, dependsOn, healthCheck, "
        "timeoutSeconds, pendingCommand, afterFailure, manage, fixtures or python",
        "error: pollSeconds: 0 is out of range; allowed is 1 to 300",
        "Correct these 3 problems and run the command again.",
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_valid_spec_is_called_valid_and_nothing_is_printed(
    lightgate: Callable[..., Said], written: Callable[..., Path], name: str
) -> None:
    path = written(EXAMPLES[name])

    said = lightgate("validate", path)

    assert (said.code, said.output) == (0, "")
    assert said.errors[-1] == f"ok: {path} is valid"


def test_the_spec_may_come_from_standard_input(lightgate: Callable[..., Said]) -> None:
    text = json.dumps(EXAMPLES["full"]).encode()

    assert lightgate("validate", "-", stdin=text) == (0, "", ["ok: standard input is valid"])
    assert (
        json.loads(lightgate("plan", "-", "--json", stdin=text).output)["serviceName"]
        == "crops-backend"
    )
    assert lightgate("validate", "-", stdin=b"").code == 1


def assert_wrong_call(said: Said, command: str, error: str) -> None:
    assert (said.code, said.output) == (2, "")
    assert said.errors[0].startswith(f"Usage: lightgate {command} [OPTIONS] SPEC")
    assert said.errors[-1] == f"Error: {error}"


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_file_that_cannot_be_read_is_named(
    lightgate: Callable[..., Said], tmp_path: Path, command: str
) -> None:
    missing = tmp_path / "missing.json"

    assert_wrong_call(
        lightgate(command, missing),
        command,
        f"Invalid value for 'SPEC': '{missing}': No such file or directory",
    )
    assert_wrong_call(
        lightgate(command, tmp_path),
        command,
        f"Invalid value for 'SPEC': '{tmp_path}': Is a directory",
    )


def test_an_image_file_that_cannot_be_read_is_named(
    lightgate: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    missing = tmp_path / "image.json"

    said = lightgate("plan", written(GUIDE), "--image-config", missing)

    assert_wrong_call(
        said,
        "plan",
        f"Invalid value for '--image-config': '{missing}': No such file or directory",
    )


def test_a_file_that_breaks_while_it_is_read_is_one_line(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(StandardInput, "read", break_off)

    assert lightgate("validate", "-") == (
        2, "", ["error: standard input: Input/output error"]
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["validate"],
        ["plan"],
        ["check"],
        ["status", "a", "b"],
        ["status", "--local", "--region", "us-east-1"],
        ["history"],
        ["history", "crops", "--most", "0"],
        ["show"],
        ["explain", "crops"],
        ["logs"],
        ["check", __file__, "--json", "--github"],
        ["check", __file__, "--allow", "additive"],
        ["deploy", "x.json"],
        ["validate", "a.json", "b.json"],
        ["plan", "-", "--image-config", "-"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_gets_the_usage(lightgate: Callable[..., Said], arguments: list[str]) -> None:
    said = lightgate(*arguments)

    assert said.code == 2
    assert bool(said.output) is ("--json" in arguments)
    assert said.errors[0].startswith("Usage: lightgate")
    assert said.errors[-1].startswith("Error: ")


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["--help"], "lightgate explain crops-backend v3"),
        (["validate", "-h"], "containers-with-migrations.json"),
        (["plan", "-h"], "containers-with-migrations.json"),
        (["check", "-h"], "lightgate check manage.py"),
        (["status", "-h"], "lightgate status crops-backend"),
        (["history", "-h"], "lightgate history crops-backend --most 200"),
        (["show", "-h"], "lightgate show 20261129t091001z"),
        (["explain", "-h"], "lightgate explain crops-backend v3"),
        (["logs", "-h"], "lightgate logs v3"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_help_has_an_example_and_all_exit_codes(
    lightgate: Callable[..., Said], arguments: list[str], example: str
) -> None:
    said = lightgate(*arguments)

    assert (said.code, said.errors) == (0, [])
    assert example in said.output
    assert re.findall(r"^    (\d)  \w", said.output, re.MULTILINE) == ["0", "1", "2"]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), **options.pop("environment", {})}
    return subprocess.run(
        [sys.executable, "-m", "lightgate_cli", *arguments],
        env=environment,
        check=False,
        **{"stderr": subprocess.PIPE, **options},
    )


def test_help_names_the_command_and_not_the_module() -> None:
    assert run("--help", stdout=subprocess.PIPE).stdout.startswith(b"Usage: lightgate [OPTIONS]")


def on_a_terminal(*arguments: str, **environment: str) -> bytes:
    """What a terminal shows of the messages."""
    terminal, end = pty.openpty()
    try:
        run(*arguments, environment=environment, stdout=subprocess.DEVNULL, stderr=end)
        return os.read(terminal, 65536)
    finally:
        os.close(end)
        os.close(terminal)


def test_messages_have_color_on_a_terminal_only(written: Callable[..., Path]) -> None:
    spec = str(written(EXAMPLES["full"]))

    assert on_a_terminal("validate", spec).startswith(b"\x1b[32m\x1b[1mok\x1b[0m: ")
    assert on_a_terminal("validate", spec, NO_COLOR="1").startswith(b"ok: ")
    assert run("validate", spec).stderr.startswith(b"ok: ")


def test_the_plan_is_json_in_utf_8_whatever_the_terminal_speaks(
    written: Callable[..., Path],
) -> None:
    document = spec_document(environment={"GREETING": "Grüße 🌾"})

    ran = run(
        "plan",
        str(written(document)),
        "--json",
        environment={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        stdout=subprocess.PIPE,
    )

    assert ran.returncode == 0
    environment = json.loads(ran.stdout)["containers"]["web"]["environment"]
    assert environment["GREETING"] == "Grüße 🌾"


def test_a_reader_that_has_seen_enough_is_no_error(written: Callable[..., Path]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = run("plan", str(written(EXAMPLES["full"])), stdout=writer)
    finally:
        os.close(writer)

    assert (ran.returncode, ran.stderr) == (0, b"")
