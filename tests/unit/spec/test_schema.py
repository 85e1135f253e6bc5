"""The JSON Schema says what the parser says, as far as a schema can."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from lightgate.deployment.compiler import USUAL_PYTHON
from lightgate.json_reader import Node, Problems
from lightgate.spec.key_reader import Key, definition, is_required, keys_of, read_object
from lightgate.spec.keys import DEFAULT_TIMEOUT_SECONDS, AppSpec, Dependency
from lightgate.spec.parser import LONGEST_SPEC_BYTES
from lightgate.spec.presets import USUAL_MANAGE
from local.tools.spec_schema import objects_in
from tests.support.builders import parse
from tests.support.spec_examples import EXAMPLES, ROOT, Json
from tests.support.strategies import valid_specs
from tests.support.wrong_specs import WRONG_SPECS, WrongSpec

SCHEMA: Json = json.loads((ROOT / "docs/spec.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

ACROSS = "it is about two places of the spec at once"
ANOTHER_VALUE = "which value is right depends on another one"
COMMAND = "no pattern says what a command does"
CASE = "a pattern is about case, and a header's name is not"
BEYOND_A_SCHEMA = {
    "after-failure-where-nobody-waits": ACROSS,
    "private-database-without-a-database": ACROSS,
    "before-that-fails-if-something-is-pending": COMMAND,
    "before-that-migrates": COMMAND,
    "before-where-nobody-waits": ACROSS,
    "command-lone-surrogate": "no pattern can name half of a character",
    "command-of-manage-in-one-word-with-its-options": COMMAND,
    "command-one-word-with-spaces": COMMAND,
    "command-operator-before-a-server": COMMAND,
    "command-operator-in-a-list": COMMAND,
    "command-redirection-in-a-list": COMMAND,
    "command-that-begins-with-a-variable": COMMAND,
    "command-that-begins-with-cmd": COMMAND,
    "health-check-cmd-shell-in-words": COMMAND,
    "health-check-cmd-shell-without-a-line": COMMAND,
    "health-check-cmd-without-a-program": COMMAND,
    "health-check-none": COMMAND,
    "pending-command-that-begins-with-cmd-shell": COMMAND,
    "command-that-begins-with-a-word-of-the-shell": COMMAND,
    "command-that-migrates-outside-the-gate": COMMAND,
    "command-that-only-a-shell-fills-in": COMMAND,
    "command-variable-beside-migrate": COMMAND,
    "command-variable-in-a-list": COMMAND,
    "command-without-a-plan-where-the-policy-blocks": COMMAND,
    "cycle-of-three": ACROSS,
    "cycle-of-two": ACROSS,
    "depends-on-healthy-and-success": ACROSS,
    "depends-on-healthy-without-check": ACROSS,
    "depends-on-itself": ACROSS,
    "depends-on-twice": ACROSS,
    "depends-on-unknown": ACROSS,
    "endpoint-codes-backwards": "which of two numbers is lower",
    "endpoint-guarded-by-one-of-two": ACROSS,
    "endpoint-must-end": ACROSS,
    "endpoint-not-guarded": ACROSS,
    "endpoint-not-guarded-by-complete": ACROSS,
    "endpoint-port-of-another-container": ACROSS,
    "endpoint-port-tcp": ACROSS,
    "endpoint-unknown-container": ACROSS,
    "endpoint-waited-for-until-it-ends-without-a-command": ACROSS,
    "environment-and-secrets": ACROSS,
    "environment-and-secrets-of-a-container": ACROSS,
    "fixtures-beside-a-command": ACROSS,
    "fixtures-in-production": ACROSS,
    "fixtures-of-a-foreign-image": ACROSS,
    "image-of-another-service": ANOTHER_VALUE,
    "images-none-is-the-pushed-one": ACROSS,
    "manage-beside-a-longer-command": COMMAND,
    "manage-beside-a-script": COMMAND,
    "manage-of-another-call": COMMAND,
    "manage-of-a-foreign-image": ACROSS,
    "manage-where-nobody-waits": ACROSS,
    "migrate-of-the-stage-waited-for-with-complete": ACROSS,
    "pending-command-of-django": ACROSS,
    "poll-seconds-default-too-short": ANOTHER_VALUE,
    "poll-seconds-too-short": ANOTHER_VALUE,
    "poll-seconds-too-short-for-a-long-watch": ANOTHER_VALUE,
    "ports-shared-by-two": ACROSS,
    "python-and-command-missing-where-a-foreign-image-is-waited-for": ACROSS,
    "python-missing-where-a-foreign-image-waits": ACROSS,
    "python-without-a-gate": ACROSS,
    "several-rules": ACROSS,
    "then-beside-another-command": ACROSS,
    "then-with-an-operator": COMMAND,
    "timeout-beyond-the-patience": ACROSS,
    "timeout-exponent": "a schema takes 3e2 for a whole number",
    "verification-write-codes-backwards": "which of two numbers is lower",
    "verification-write-header-of-lightgate": CASE,
    "verification-write-header-twice": CASE,
}


def document_of(case: WrongSpec) -> Any:
    """The document, or None where the text itself is wrong: no JSON, too large, a key twice."""
    if any(re.match(r"the spec: (is not|has)|.*: stands twice", each) for each in case.problems):
        return None
    return json.loads(case.text)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_fits_the_schema(name: str) -> None:
    VALIDATOR.validate(EXAMPLES[name])


@given(valid_specs())
def test_every_valid_spec_fits_the_schema(document: Json) -> None:
    VALIDATOR.validate(document)


@pytest.mark.parametrize("case", WRONG_SPECS, ids=lambda case: case.name)
def test_a_wrong_spec_does_not_fit_the_schema_unless_it_is_listed(case: WrongSpec) -> None:
    document = document_of(case)

    fits = document is not None and VALIDATOR.is_valid(document)

    assert fits == (case.name in BEYOND_A_SCHEMA)


def test_every_example_in_the_schema_is_a_valid_spec() -> None:
    assert SCHEMA["examples"]
    for example in SCHEMA["examples"]:
        VALIDATOR.validate(example)
        parse(example)


def subschemas(schema: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            if key not in ("examples", "default"):
                yield from subschemas(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from subschemas(value, f"{path}/{index}")


def test_every_key_has_a_description_and_an_example_that_fits() -> None:
    for path, schema in subschemas(SCHEMA):
        for name, key in schema.get("properties", {}).items():
            if path.rpartition("/")[2] in ("then", "else"):
                continue
            whole = {**resolved(key), **key}
            assert whole["description"].endswith("."), (path, name)
            shown = [*key.get("examples", []), *([key["default"]] if "default" in key else [])]
            for example in shown:
                VALIDATOR.evolve(schema=key).validate(example)


OBJECTS = [AppSpec, *objects_in(AppSpec)]


@pytest.mark.parametrize("of", OBJECTS, ids=lambda of: of.__name__)
def test_a_default_and_an_example_are_values_that_the_key_takes(of: type) -> None:
    for key, _ in keys_of(of):
        for value in values_in(SCHEMA if of is AppSpec else SCHEMA["$defs"][definition(of)], key):
            problems = Problems()
            key.kind.read(Node(value, key.name, problems))
            assert not problems.lines


def values_in(schema: Json, key: Key) -> list[Any]:
    found = schema["properties"][key.name]
    return [*found.get("examples", []), *([found["default"]] if "default" in found else [])]


@pytest.mark.parametrize("of", OBJECTS, ids=lambda of: of.__name__)
def test_a_default_in_the_schema_is_what_a_spec_has_without_the_key(of: type) -> None:
    required = {key.name: key.example for key, field in keys_of(of) if is_required(field)}
    required |= {"condition": "START"} if of is Dependency else {}
    required |= {"containers": {"web": {}}} if of is AppSpec else {}
    schema = SCHEMA if of is AppSpec else SCHEMA["$defs"][definition(of)]
    assert set(schema.get("required", ())) == set(required)
    defaults = {
        name: key["default"] for name, key in schema["properties"].items() if "default" in key
    }

    without, given = (
        read_object(of, Node(document, "", Problems()))
        for document in (required, required | defaults)
    )

    assert without == given


def test_what_stands_in_for_a_missing_key_is_said_where_it_is_no_json_default() -> None:
    keys = ("timeoutSeconds", "manage", "python")
    container = SCHEMA["$defs"]["container"]["properties"]
    described = {key: container[key]["description"] for key in keys}

    assert f"it is {DEFAULT_TIMEOUT_SECONDS}." in described["timeoutSeconds"]
    assert f"the stage it is `{' '.join(USUAL_MANAGE)}`." in described["manage"]
    assert f"it is `{USUAL_PYTHON}`." in described["python"]
    assert f"at most {LONGEST_SPEC_BYTES} bytes" in SCHEMA["description"]


def resolved(schema: Json) -> Json:
    """The schema that a reference points to, or itself."""
    found: Json = SCHEMA["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    return found
