"""The JSON of each command is valid by docs/command-line.schema.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lightgate.codec import encode
from lightgate_cli.reading.app_status import app_status
from lightgate_cli.reading.explaining import explain_push
from lightgate_cli.reading.release_facts import LogSource, ReleaseLogs
from local.tools import command_schema
from tests.cli.calls import Said
from tests.cli.test_explain import CASES
from tests.cli.test_release_texts import of_each_kind, shown
from tests.cli.test_status import named
from tests.support.spec_examples import EXAMPLES

SCHEMA = json.loads(command_schema.SCHEMA.read_text("utf-8"))


def assert_valid(answer: str, document: object) -> None:
    text = json.loads(json.dumps(encode(document)))
    schema = {**SCHEMA, "$ref": f"#/$defs/{answer}"}
    problems = Draft202012Validator(schema).iter_errors(text)
    assert [f"{one.json_path}: {one.message}" for one in problems] == []


def test_the_schema_is_that_of_the_answers() -> None:
    assert command_schema.main(["--check"]) == 0, "run make docs"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", named())
def test_each_status_is_valid(name: str) -> None:
    assert_valid("status-app", app_status(named()[name]))


def test_the_status_of_all_apps_is_valid() -> None:
    assert_valid("status", [app_status(each) for each in named().values()])


def test_a_history_is_valid() -> None:
    assert_valid("history", of_each_kind())


@pytest.mark.parametrize("name", shown())
def test_each_release_is_valid(name: str) -> None:
    assert_valid("show", shown()[name])


@pytest.mark.parametrize("name", CASES)
def test_each_explanation_is_valid(name: str) -> None:
    assert_valid("explain", explain_push(CASES[name][0]))


def test_logs_are_valid() -> None:
    found: Any = ReleaseLogs(
        app="crops",
        release="20261129t091001z-7849e651-b597",
        source=LogSource.EVIDENCE,
        containers={"web": ["a line"], "migrate": []},
        unread=["the log of worker"],
    )

    assert_valid("logs", found)


@pytest.mark.parametrize("name", ["full", "wrong"])
def test_each_validation_is_valid(
    lightgate: Callable[..., Said], written: Callable[..., Path], name: str
) -> None:
    document = EXAMPLES["full"] if name == "full" else {"serviceName": 7}

    said = lightgate("validate", written(document), "--json")

    found = json.loads(said.output)
    assert_valid("validate", found)
    assert (said.code, found["isValid"]) == ((0, True) if name == "full" else (1, False))
    assert bool(found["problems"]) is not found["isValid"]
    assert said.errors == []


def test_a_document_of_another_kind_is_not_valid() -> None:
    with pytest.raises(AssertionError):
        assert_valid("explain", app_status(named()["new"]))
