"""The commands that start something, on the local cloud, with a stand-in for docker.

The tests go on with one app in the order of this file.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightgate_cli.main import main
from local.cloud import account
from local.cloud.announcement import announced
from tests.cli.calls import Said
from tests.e2e import pushing
from tests.e2e.conftest import Ready, started

APP, STAGING, OTHER = "parsnips", "parsnips-staging", "turnips"
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """A cloud of its own, which announces itself. `docker` is the stand-in."""
    place = tmp_path_factory.mktemp("docker")
    program = place / "docker"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.e2e.docker_stand_in "$@"\n')
    program.chmod(0o755)
    with started() as ready, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("STAND_IN", str(place))
        patch.setenv("PATH", f"{place}:{os.environ['PATH']}")
        own = [_ROOT, _ROOT / "cli", _ROOT / "layers" / "core"]
        paths = [*map(str, own), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        for app in (APP, STAGING):
            account.create_container_service(ready.cloud.client("lightsail"), app)
        pushing.furnish(ready, OTHER)
        account.create_repository(ready.cloud.client("ecr"), APP)
        for app in (APP, STAGING):
            account.let_lightsail_pull(
                ready.cloud.client("ecr"), ready.cloud.client("lightsail"), APP, app
            )
            # The period is in real seconds.
            changed = {
                "repository": APP,
                "tags": ["latest", "v*"] if app == APP else ["build-*"],
                "verification": {"watchSeconds": 1},
            }
            account.put_app(ready.cloud.client("ssm"), app, pushing.spec(app) | changed)
        with announced(ready.cloud.endpoint, "lightgate"):
            yield ready


@pytest.fixture
def lightgate(
    cloud: Ready, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    assert cloud

    def call(command: str, *arguments: object) -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        # Before the others, as `--` of `run` ends the options.
        words = [command, "--local", *map(str, arguments)]
        with pytest.raises(SystemExit) as end:
            main(words, prog_name="lightgate")
        output, errors = capfdbinary.readouterr()
        code = end.value.code
        assert isinstance(code, int)
        return Said(code, output.decode(), errors.decode().splitlines())

    return call


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch\n")
        (folder / "name.txt").write_text(name)
        return folder

    return make


def test_a_push_is_built_pushed_and_followed_to_its_end(
    lightgate: Callable[..., Said], project: Callable[[str], Path]
) -> None:
    said = lightgate("push", APP, project("v1"), "--tag", "v1")

    assert said.code == 0, said
    lines = said.output.splitlines()
    assert re.search(r"  admission      took \d:\d\d: 2\d{7}t\d{6}z-", said.output), said
    assert re.search(r"  activation     took \d:\d\d\n", said.output), said
    assert any(line.startswith("SUCCEEDED: Release v1 of parsnips is live.") for line in lines)
    stand_in = Path(os.environ["STAND_IN"])
    calls = [json.loads(line) for line in (stand_in / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == ["build", "image", "login", "push"]
    password = (stand_in / "login").read_text().split()[1]
    assert password not in (stand_in / "calls").read_text() + said.output + "".join(said.errors)


def test_a_push_that_the_spec_ignores_is_told_before_anything_is_built(
    lightgate: Callable[..., Said], project: Callable[[str], Path]
) -> None:
    said = lightgate("push", APP, project("x"), "--tag", "nightly")

    assert said == Said(
        1,
        "",
        [
            "error: The spec of parsnips ignores the tag nightly: it watches latest, v*.",
            "Push a watched tag, or add nightly to tags in the spec.",
        ],
    )


def test_an_image_that_is_live_is_not_pushed_again(
    cloud: Ready, lightgate: Callable[..., Said], project: Callable[[str], Path]
) -> None:
    host = cloud.cloud.endpoint.removeprefix("http://")

    said = lightgate("push", APP, "--image", f"{host}/{APP}:v1", "--tag", "v1.1")

    assert said.code == 1
    assert said.errors[0] == (
        "error: This image is live already: v1, version 1. Nothing was pushed."
    )
    assert said.errors[1].startswith(
        "To release it again, for a changed spec or secret: lightgate release --local parsnips "
    )
    assert project


def test_a_folder_without_a_dockerfile_is_dockers_error(
    lightgate: Callable[..., Said], tmp_path: Path
) -> None:
    said = lightgate("push", APP, tmp_path)

    assert said.code == 2
    assert said.errors[-2:] == [
        "error: docker build failed with exit code 1.",
        "What docker printed above says why. Nothing was released.",
    ]


def test_a_paused_app_keeps_its_push_until_it_is_resumed(
    cloud: Ready, lightgate: Callable[..., Said], project: Callable[[str], Path]
) -> None:
    paused = lightgate("pause", APP, "--reason", "import until noon")
    again = lightgate("pause", APP, "--reason", "another", "--json")
    pushed = lightgate("push", APP, project("v2"), "--tag", "v2", "--json")

    assert paused.code == again.code == 0
    assert paused.output.startswith("parsnips is paused since 20")
    assert ": import until noon\nTo resume: lightgate resume --local parsnips\n" in paused.output
    assert json.loads(again.output)["pause"]["reason"] == "import until noon"
    assert json.loads(again.output)["isNew"] is False
    assert pushed.code == 1
    verdict = json.loads(pushed.output)
    assert verdict["status"] == "QUEUED"
    assert "paused the app at" in verdict["text"]
    assert verdict["nextSteps"] == ["To start it: lightgate resume --local parsnips"]
    assert any(": import until noon" in line for line in pushed.errors)

    by_hand = lightgate("release", APP, "--tag", "v1", "--follow", "--reason", "once more")
    assert by_hand.code == 0, by_hand
    assert pushing.turn(cloud, APP)["waiting"] is not None

    resumed = lightgate("resume", APP, "--follow")
    assert resumed.code == 0, resumed
    assert "SUCCEEDED: Release v2 of parsnips is live." in resumed.output
    assert lightgate("resume", APP).output.splitlines() == [
        "parsnips releases pushes. It was not paused.",
        "No push waits.",
    ]


@pytest.mark.slow
def test_a_release_that_waits_is_followed_behind_the_one_in_progress(
    lightgate: Callable[..., Said],
) -> None:
    first = json.loads(lightgate("release", APP, "--tag", "v1", "--json").output)
    said = lightgate("release", APP, "--tag", "v2", "--follow")

    assert first["request"]["startedBy"].startswith("arn:aws:")
    assert said.code == 0, said
    assert "SUCCEEDED: Release v2 of parsnips is live." in said.output
    shown = lightgate("show", first["execution"], "--follow")
    assert "of parsnips" in shown.output


@pytest.mark.slow
def test_a_rollback_goes_to_the_tag_and_to_the_version_before(
    lightgate: Callable[..., Said],
) -> None:
    to_tag = lightgate("rollback", APP, "--to", "v1", "--follow", "--reason", "orders are lost")
    assert to_tag.code == 0, to_tag
    assert "SUCCEEDED: The rollback of parsnips to version" in to_tag.output

    back = lightgate("rollback", APP, "--follow", "--json")
    assert back.code == 0, back
    assert json.loads(back.output)["status"] == "SUCCEEDED"


def test_a_rollback_to_what_is_no_version_is_refused_at_once(
    lightgate: Callable[..., Said],
) -> None:
    said = lightgate("rollback", APP, "--to", "v99")

    assert said.code == 1
    assert said.errors[0].startswith("error: v99 is no tag and no number of a version")


@pytest.mark.slow
def test_an_interrupted_command_leaves_the_release_running(cloud: Ready) -> None:
    words = ["release", APP, "--local", "--tag", "v2", "--follow"]
    call = [sys.executable, "-m", "lightgate_cli", *words]
    with subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT
    ) as running:
        assert running.stdout is not None
        while "admission      took" not in running.stdout.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)

    assert running.returncode == 130
    told = re.search(
        r"The release goes on. To follow it again:\n  (lightgate show --local \S+ --follow)\n",
        errors,
    )
    assert told is not None, errors
    words = told[1].split()[1:]
    again = subprocess.run(
        [sys.executable, "-m", "lightgate_cli", *words],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        check=False,
        timeout=300,
    )
    assert again.returncode == 0, again
    assert "SUCCEEDED: Release v2 of parsnips is live." in again.stdout
    assert cloud


@pytest.mark.slow
def test_a_command_prints_what_it_has_printed(lightgate: Callable[..., Said]) -> None:
    said = lightgate("run", APP, "--follow", "--", "python", "-c", "print('forty', 2)")

    assert said.code == 0, said
    assert "  forty 2\n" in said.output


@pytest.mark.slow
def test_a_command_that_fails_is_a_failure(lightgate: Callable[..., Said]) -> None:
    said = lightgate("run", APP, "--image", "v1", "--follow", "--", "python", "-c", "1 / 0")

    assert said.code == 1
    assert "ZeroDivisionError" in said.output


@pytest.mark.slow
def test_the_live_image_is_promoted_to_an_app_with_the_same_repository(
    lightgate: Callable[..., Said],
) -> None:
    said = lightgate("promote", APP, STAGING, "--follow")

    assert said.code == 0, said
    assert "is live." in said.output


def test_for_another_repository_the_commands_that_copy_the_image_are_printed(
    cloud: Ready, lightgate: Callable[..., Said]
) -> None:
    said = lightgate("promote", APP, OTHER)

    host = cloud.cloud.endpoint.removeprefix("http://")
    assert said.code == 1
    assert said.errors[0].startswith("error: parsnips uses the repository parsnips, and turnips ")
    login, pull, tag, push, follow = said.output.splitlines()
    assert login.endswith(f"| docker login --username AWS --password-stdin {host}")
    assert pull.startswith(f"docker pull {host}/parsnips@sha256:")
    assert tag.split()[-1] == push.split()[-1] == f"{host}/turnips:v2"
    assert follow == "lightgate explain --local turnips v2"


def test_a_refused_release_says_why_and_what_to_do(
    lightgate: Callable[..., Said],
) -> None:
    said = lightgate("release", APP, "--tag", "v99", "--follow")

    assert said.code == 1
    assert "REFUSED: " in said.output
    assert re.search(r"^Reason +the repository \S+ has no image v99\.$", said.output, re.MULTILINE)


@pytest.mark.slow
def test_an_image_that_docker_has_is_pushed_as_it_is(
    lightgate: Callable[..., Said], project: Callable[[str], Path]
) -> None:
    build = ["docker", "build", "--platform", "linux/amd64", "--tag", "parsnips:ci"]
    subprocess.run([*build, str(project("v3"))], check=True)

    said = lightgate("push", APP, "--image", "parsnips:ci", "--tag", "v3", "--json")

    assert said.code == 0, said
    assert json.loads(said.output)["text"] == "Release v3 of parsnips is live."
    [again] = [lightgate("push", APP, "--image", "parsnips:ci", "--tag", "latest")]
    assert again.errors[0].startswith("error: This image is live already: v3, version ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("release", "nobody"), "error: There is no app nobody: "),
        (("pause", "nobody", "--reason", "x"), "error: There is no app nobody: "),
        (("rollback", "nobody"), "error: There is no app nobody: "),
        (("run", OTHER, "--", "ls"), "error: No version of turnips is live."),
        (("promote", OTHER, STAGING), "error: No version of turnips is live."),
        (("release", APP, "--tag", "a b"), 'error: tag: "a b" is not valid; '),
        (("push", APP, "--tag", "a b"), "error: a b is no image tag: "),
    ],
)
def test_a_wrong_call_ends_in_one_clear_message(
    lightgate: Callable[..., Said], arguments: tuple[str, ...], error: str
) -> None:
    said = lightgate(*arguments)

    assert said.code in (1, 2)
    assert said.errors[0].startswith(error), said
