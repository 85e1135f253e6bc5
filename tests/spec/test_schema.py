"""The JSON Schema says what the parser says, as far as a schema can."""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from lightgate.app_spec.presets import USUAL_MANAGE
from lightgate.app_spec.spec import DEFAULT_TIMEOUT_SECONDS
from lightgate.compiler import USUAL_PYTHON
from lightgate.documents import Fields, Node
from lightgate.errors import SpecError
from lightgate.spec_parser.parser import LONGEST_SPEC_BYTES
from tests.spec.examples import EXAMPLES, FULL, ROOT, Json
from tests.support.wrong_specs import WRONG_SPECS, WrongSpec
from tests.unit.builders import parse, spec_document
from tests.unit.strategies import FOREIGN, valid_specs

SCHEMA: Json = json.loads(
    (ROOT / "layers/core/lightgate/spec_parser/schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)

ACROSS = "it is about two places of the spec at once"
ANOTHER_VALUE = "which value is right depends on another one"
CASE = "a pattern is about case, and a header's name is not"
BEYOND_A_SCHEMA = {
    "after-failure-where-nobody-waits": ACROSS,
    "command-lone-surrogate": "no pattern can name half of a character",
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


def test_every_key_has_a_title_a_description_and_an_example_that_fits() -> None:
    for path, schema in subschemas(SCHEMA):
        for name, key in schema.get("properties", {}).items():
            if path.rpartition("/")[2] in ("then", "else"):
                continue
            whole = {**resolved(key), **key}
            assert whole["title"], (path, name)
            assert whole["description"].endswith("."), (path, name)
            shown = [*key.get("examples", []), *([key["default"]] if "default" in key else [])]
            for example in shown:
                VALIDATOR.evolve(schema=key).validate(example)


def test_what_stands_in_for_a_missing_key_is_said_where_it_is_no_json_default() -> None:
    keys = ("timeoutSeconds", "manage", "python")
    described = {key: schema_at(f"containers.web.{key}")["description"] for key in keys}

    assert f"it is {DEFAULT_TIMEOUT_SECONDS}." in described["timeoutSeconds"]
    assert f"the stage it is `{' '.join(USUAL_MANAGE)}`." in described["manage"]
    assert f"it is `{USUAL_PYTHON}`." in described["python"]
    assert f"at most {LONGEST_SPEC_BYTES} bytes" in SCHEMA["description"]


def resolved(schema: Json) -> Json:
    """The schema that a reference points to, or itself."""
    found: Json = SCHEMA["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    return found


def schema_at(path: str) -> Json:
    """What the schema says of a place in a spec, such as `containers.web.dependsOn[0]`."""
    schema = SCHEMA
    for step in re.findall(r"[^.\[\]]+", path):
        schema = resolved(schema)
        if step.isdigit() and "items" in schema:
            schema = schema["items"]
        else:
            known = schema.get("properties", {})
            schema = known[step] if step in known else schema["additionalProperties"]
    return {**resolved(schema), **schema}


def everything() -> Json:
    """A document with each key of a spec, so that the parser visits all of its rules."""
    document = deepcopy(FULL)
    document |= {"unprotected": False, "pollSeconds": 10, "deploymentTimeoutSeconds": 3600}
    document["platformPatienceSeconds"] = 900
    document["database"] |= {"timeoutSeconds": 3600, "backup": "always"}
    document["database"] |= {"cluster": "crops-cluster", "lightsail": "crops-database"}
    document["migrations"] = {
        "policy": "block", "lockTimeoutSeconds": 0, "requireLock": False,
        "databaseTimeoutSeconds": 5,
    }  # fmt: skip
    document["publicEndpoint"]["healthCheck"] |= {
        "intervalSeconds": 5, "timeoutSeconds": 2, "healthyThreshold": 2, "unhealthyThreshold": 2,
    }  # fmt: skip
    document["verification"] = {
        "watchSeconds": 0, "path": "/", "successCodes": "200", "expectText": "x",
        "expectHeader": {"name": "X", "value": "x"}, "latencySeconds": 1, "answersNeeded": 1,
        "failuresInARow": 1,
        "write": {
            "method": "PUT", "path": "/", "headers": {"X": "x"}, "body": "x", "successCodes": "200"
        },
    }  # fmt: skip
    web = document["containers"]["web"]
    web |= {"image": FOREIGN, "environment": {}, "secrets": {}, "manage": ["x"], "fixtures": ["x"]}
    web |= {"pendingCommand": ["x"], "afterFailure": "hold"}
    web |= {"python": "python3", "healthCheck": {"command": ["x"], "startPeriod": 1}}
    return document


class Visits:
    """What the parser expects at each place of a document that it reads."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[set[str], set[str]]] = {}
        self.ranges: dict[str, tuple[int, int]] = {}
        self.options: dict[str, tuple[str, ...]] = {}
        self.strings: dict[str, tuple[str | None, int]] = {}

    def watch(self, document: Json) -> None:
        original = {name: getattr(Node, name) for name in ("fields", "integer", "choice", "string")}

        def fields(node: Node, *, required: Any = (), optional: Any = ()) -> Fields:
            self.keys[node.path] = set(required), set(required) | set(optional)
            found: Fields = original["fields"](node, required=required, optional=optional)
            return found

        def integer(node: Node, lowest: int, highest: int, **more: int) -> int:
            self.ranges[node.path] = lowest, highest
            return int(original["integer"](node, lowest, highest, **more))

        def choice(node: Node, *options: str) -> str:
            self.options[node.path] = options
            return str(original["choice"](node, *options))

        def string(
            node: Node, pattern: str | None = None, allowed: str = "", longest: int = 4096
        ) -> str:
            self.strings[node.path] = pattern, longest
            return str(original["string"](node, pattern, allowed, longest))

        with (
            patch.multiple(Node, fields=fields, integer=integer, choice=choice, string=string),
            pytest.raises(SpecError),
        ):
            parse(document)


@pytest.fixture(scope="module")
def visits() -> Visits:
    seen = Visits()
    seen.watch(everything())
    return seen


def test_the_schema_has_the_keys_of_the_parser_at_every_level(visits: Visits) -> None:
    # The defaults of an object that is left out are read from one that has no place.
    places = {path: keys for path, keys in visits.keys.items() if not path.endswith('""')}
    assert len({frozenset(allowed) for _, allowed in places.values()}) == 11
    for path, (required, allowed) in places.items():
        schema = schema_at(path)
        assert set(schema["properties"]) == allowed, path
        assert set(schema.get("required", [])) == required, path
        assert schema["additionalProperties"] is False, path


def test_the_document_of_this_test_has_every_key(visits: Visits) -> None:
    """Otherwise a rule would go unseen."""
    reached = {re.sub(r"^containers\.\w+", "container", path) for path in visits.ranges}
    numbers = [schema for _, schema in subschemas(SCHEMA) if schema.get("type") == "integer"]
    assert len(reached) == len(numbers)


def test_the_schema_has_the_ranges_of_the_parser(visits: Visits) -> None:
    for path, (lowest, highest) in visits.ranges.items():
        schema = schema_at(path)
        assert (schema["minimum"], schema["maximum"]) == (lowest, highest), path


def test_the_schema_has_the_choices_of_the_parser(visits: Visits) -> None:
    assert visits.options
    for path, options in visits.options.items():
        assert schema_at(path)["enum"] == list(options), path


def test_the_schema_has_the_lengths_and_patterns_of_the_parser(visits: Visits) -> None:
    # Those of names stand under `propertyNames`, and three say more than the parser's pattern.
    says_more = re.compile(r"tags|successCodes|image|fixtures|^containers\.\w+$")
    for path, (pattern, longest) in visits.strings.items():
        if re.fullmatch(r"containers\.\w+", path):
            continue
        schema = schema_at(path)
        assert (schema["minLength"], schema["maxLength"]) == (1, longest), path
        if pattern is not None and not says_more.search(path):
            bare = schema["pattern"].removeprefix("^").removesuffix("$")
            assert bare in (pattern, f"(?:{pattern})"), path


def defaults(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for name, key in schema.get("properties", {}).items():
        whole = {**resolved(key), **key}
        if "default" in whole:
            yield (*path, name), whole["default"]
        yield from defaults(resolved(key), (*path, name))


@pytest.mark.parametrize(
    ("path", "default"),
    [
        *defaults(SCHEMA),
        *((("containers", "web", *p), d) for p, d in defaults(SCHEMA["$defs"]["container"])),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_a_default_in_the_schema_is_what_the_parser_takes(
    path: tuple[str, ...], default: object
) -> None:
    without = spec_document(database={"instance": "crops-db"}, migrations={})
    without["verification"] = {"write": {"path": "/"}}
    without["containers"]["web"] |= {"dependsOn": [], "ports": {}}
    without["containers"]["web"].pop(path[-1], None)
    without["containers"] = {"web": without["containers"]["web"]}
    without["publicEndpoint"]["healthCheck"] = {}
    if "healthCheck" in path and path[0] == "containers":
        without["containers"]["web"]["healthCheck"] = {"command": ["true"]}
    given_explicitly = deepcopy(without)
    owner = given_explicitly
    for step in path[:-1]:
        owner = owner[step]
    owner[path[-1]] = default

    assert parse(given_explicitly) == parse(without)
