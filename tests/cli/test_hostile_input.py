"""Whatever is typed ends in one message, and never reaches AWS as an odd name."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from lightgate_cli.main import main
from lightgate_cli.options import APP_NAME
from tests.cli.calls import Said

EXAMPLE = Path(__file__).parents[2] / "examples/specs/full.json"
ODD = ["", " ", "a b", "../x", "a/b", "#owed-messages", "A", "a\n", "\x1b[31mx", "ä", "x" * 41]
APPS = {"app", "source", "target"}


def arguments() -> list[tuple[str, list[str]]]:
    """Each command that takes an app, with an odd name in each place of one."""
    found = []
    with click.Context(main) as context:
        for name in main.list_commands(context):
            command = main.get_command(context, name)
            assert command is not None
            places = [each for each in command.params if each.name in APPS]
            if places and name not in ("report", "init"):
                found.append((name, [str(each.name) for each in places if each.type is APP_NAME]))
                assert len(places) == len(found[-1][1]), name
    return found


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("name", "places"), arguments())
def test_an_odd_name_of_an_app_is_a_wrong_call(
    lightgate: Callable[..., Said], name: str, places: list[str], odd: str
) -> None:
    words = {
        "show": ["--app", odd, "v1"],
        "logs": ["--app", odd, "v1"],
        "pause": ["--reason", "x", "--", odd],
        "run": ["--", odd, "ls"],
    }.get(name, ["--", *([odd] * len(places)), *(["v1"] if name == "explain" else [])])

    said = lightgate(name, *words)

    assert (said.code, said.output) == (2, "")
    assert "Invalid value for" in " ".join(said.errors)


@pytest.mark.parametrize("pushed", ["", "a b", "sha256:abc", "x" * 129, "\x1b[31m"])
def test_what_is_neither_a_tag_nor_a_digest_is_a_wrong_call(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, pushed: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")

    said = lightgate("explain", "crops", "--region", "us-east-1", "--", pushed)

    assert (said.code, said.output) == (2, "")
    assert said.errors[-1].endswith("it is neither a tag nor a digest")


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lightgate_cli", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command, env=environment, stderr=subprocess.PIPE, text=True, check=False, **options
    )


def test_a_closed_or_full_standard_output_is_no_traceback(written: Callable[..., Path]) -> None:
    spec = written({"serviceName": 7})

    closed = run("plan", str(EXAMPLE), preexec_fn=lambda: os.close(1))
    with Path("/dev/full").open("w") as full:
        refused = run("validate", "--json", str(spec), stdout=full)

    assert "Traceback" not in closed.stderr + refused.stderr
    assert closed.returncode == 0
    assert refused.returncode == 2
    assert refused.stderr == "error: standard output: No space left on device\n"
