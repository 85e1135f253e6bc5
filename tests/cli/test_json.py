"""With --json every command prints one document, whatever happens: an answer or a failure."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest

from lightgate_cli import next_command, validate
from lightgate_cli.errors import CommandError, InterruptedFollowing, Problem
from lightgate_cli.main import main
from lightgate_cli.options import APP_NAME
from local.tools import command_schema
from tests.cli.calls import Said
from tests.cli.test_schema import assert_valid
from tests.support.spec_examples import EXAMPLES

SOURCES = Path(__file__).parent / "sources"


def commands() -> dict[str, click.Command]:
    with click.Context(main) as context:
        found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def arguments(command: click.Command, file: Path) -> Iterator[str]:
    """The fewest words with which the call is not wrong."""
    for each in command.params:
        if not each.required:
            continue
        needs_a_file = isinstance(each.type, click.File | click.Path)
        word = str(file) if needs_a_file else "crops" if each.type is APP_NAME else "v1"
        yield from [each.opts[0], word] if isinstance(each, click.Option) else [word]


def failure(said: Said) -> Any:
    found = json.loads(said.output)
    assert_valid("failure", found)
    assert said.code != 0
    assert {"app", "status", "live", "answer"}.isdisjoint(found)
    return found


@pytest.mark.parametrize("name", commands())
def test_every_command_has_the_option_and_its_answer_is_documented(name: str) -> None:
    option = next(each for each in commands()[name].params if "--json" in each.opts)

    assert option.name == "as_json"
    assert name in command_schema.schema()["$defs"]


def test_the_schema_has_no_command_that_does_not_exist() -> None:
    known = {f"{name}{more}" for name in commands() for more in ("", "-app", "-follow")}

    assert {*command_schema.ANSWERS} - known == {"failure"}


@pytest.mark.parametrize("name", commands())
def test_a_wrong_call_of_any_command_is_a_failure(
    lightgate: Callable[..., Said], name: str
) -> None:
    said = lightgate(name, "--no-such-option", "--json")

    found = failure(said)
    assert (said.code, found["error"]) == (2, "usage")
    assert found["reasons"][0].startswith("No such option")
    assert said.errors[0].startswith(f"Usage: lightgate {name} ")


@pytest.mark.parametrize("name", next_command.CONNECTED)
def test_any_command_that_finds_no_cloud_is_a_failure(
    lightgate: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    written: Callable[..., Path],
    tmp_path: Path,
    name: str,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nothing"))
    words = list(arguments(commands()[name], written(EXAMPLES["full"])))
    if name == "init":
        words = ["--from-service", "crops", "--output", "-"]

    said = lightgate(name, "--local", "--json", *words)

    found = failure(said)
    assert (said.code, found["error"]) == (2, "no-local-cloud"), said
    assert found["reasons"] == ["No local cloud is running."]
    assert found["hint"] == "Start one with make local in a checkout."
    assert said.errors == ["error: No local cloud is running.", found["hint"]]


@pytest.mark.parametrize(
    "words",
    [["--json"], ["nonsense", "--json"], ["--nonsense", "status", "--json"]],
    ids=["no command", "no such command", "no such option before it"],
)
def test_a_call_of_no_command_is_a_failure(
    lightgate: Callable[..., Said], words: Sequence[str]
) -> None:
    assert failure(lightgate(*words))["error"] == "usage"


def test_a_refusal_has_its_code_and_each_problem(
    lightgate: Callable[..., Said], written: Callable[..., Path]
) -> None:
    wrong = written({"serviceName": 7})

    found = failure(lightgate("plan", wrong, "--json"))

    assert (found["error"], found["refusal"]) == ("refused", "spec")
    assert len(found["reasons"]) > 1
    assert json.loads(lightgate("validate", wrong, "--json").output)["problems"] == found["reasons"]


def test_a_file_that_cannot_be_written_is_a_failure(
    lightgate: Callable[..., Said], tmp_path: Path
) -> None:
    target = tmp_path / "none" / "lightgate.json"

    said = lightgate(
        *("init", SOURCES / "rails.json", "--repository", "orchard", "--json"),
        *("--lightsail-database", "orchard-db", "--output", target),
    )

    found = failure(said)
    assert (said.code, found["error"]) == (2, "file")
    assert found["reasons"][0].endswith(": No such file or directory")


@pytest.mark.parametrize(
    ("error", "code", "problem", "hint"),
    [
        (KeyboardInterrupt(), 130, "interrupted", None),
        (
            InterruptedFollowing("It runs:", "lightgate show x"),
            130,
            "interrupted",
            "lightgate show x",
        ),
        (click.Abort(), 130, "interrupted", None),
        (CommandError(Problem.NOT_FOUND, "No.", hint="Yes."), 1, "not-found", "Yes."),
        (FileNotFoundError(2, "No such file", "x"), 2, "file", None),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_ends_a_command_is_a_failure(
    lightgate: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    written: Callable[..., Path],
    error: BaseException,
    code: int,
    problem: str,
    hint: str | None,
) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(validate, "_validation", fail)

    said = lightgate("validate", written(EXAMPLES["full"]), "--json")

    found = failure(said)
    assert (said.code, found["error"], found.get("hint")) == (code, problem, hint)
    if isinstance(error, InterruptedFollowing):
        assert said.errors == ["", "It runs:", "  lightgate show x"]


def test_the_words_of_a_command_are_not_options_of_run(lightgate: Callable[..., Said]) -> None:
    said = lightgate("run", "--no-such-option", "crops", "--", "ls", "--json")

    assert (said.code, said.output) == (2, "")


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_plan_is_valid(
    lightgate: Callable[..., Said], written: Callable[..., Path], name: str
) -> None:
    assert_valid("plan", json.loads(lightgate("plan", written(EXAMPLES[name]), "--json").output))


@pytest.mark.parametrize("target", ["-", "lightgate.json"])
def test_a_new_spec_comes_with_its_notes_and_the_next_commands(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str
) -> None:
    monkeypatch.chdir(tmp_path)

    said = lightgate(
        *("init", SOURCES / "compose-fastapi-with-prestart.yml", "--service", "farm", "--json"),
        *("--repository", "farm", "--database", "farm-db", "--output", target),
    )

    found = json.loads(said.output)
    assert_valid("init", found)
    assert said.code == 0
    assert found["app"] == found["spec"]["serviceName"] == "farm"
    assert found["notes"] != []
    assert found["secretCommands"] != []
    assert found["nextSteps"][1:] == ["lightgate doctor farm", "lightgate release farm --follow"]
    if target == "-":
        assert found["file"] is None
    else:
        assert json.loads((tmp_path / target).read_text("utf-8")) == found["spec"]


def test_the_docs_have_each_kind_of_failure_with_its_exit_code() -> None:
    page = (command_schema.SCHEMA.parent / "command-line.md").read_text("utf-8")
    section = page.partition("### Failures")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| (\d+) \| ", section, re.MULTILINE)
    documented = {kind: int(code) for kinds, code in rows for kind in re.findall("`(.*?)`", kinds)}

    assert documented == {each.value: each.exit_code for each in Problem}
