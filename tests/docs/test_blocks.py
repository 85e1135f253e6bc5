"""JSON, YAML and Python in the docs are what the page says that they are."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import get_session
from botocore.validate import ParamValidator
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from lightgate.release.request import parse_request
from lightgate_cli.main import main
from local.tools.command_schema import schema
from tests.docs.pages import Code, all_code
from tests.docs.shell import documents_of
from tests.support.builders import spec_document

CODE = all_code()
DOCUMENTS = [
    *(code for code in CODE if code.language == "json"),
    *(
        Code("json", text, code.place)
        for code in CODE
        if code.language == "sh"
        for text in documents_of(code.text)
        if text.lstrip().startswith(("{", "["))
    ),
]
STATEMENT = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
DEPLOY = "CreateContainerServiceDeployment"
LIFECYCLE_RULE = {"rulePriority", "description", "selection", "action"}


@cache
def actions_of(service: str) -> set[str]:
    known = json.loads((files("cfnlint") / "data/AdditionalSpecs/Policies.json").read_text("utf-8"))
    return {*known[service]["Actions"]} if service in known else set()


def unknown_actions(policy: dict[str, Any]) -> list[str]:
    """The actions that IAM does not know."""
    statements = policy.get("Statement", [policy])
    named = [
        action
        for statement in statements
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    ]
    return [
        action
        for action in named
        for service, _, name in [action.partition(":")]
        if name.lower() not in actions_of(service)
    ]


def problem_of(document: Any, folder: Path) -> str:
    """Why nothing takes this document, or nothing."""
    keys = {*document}
    if "Statement" in keys or ("Effect" in keys and keys <= STATEMENT):
        return ", ".join(unknown_actions(document))
    if "app" in keys:
        digest = {"digest": f"sha256:{'7' * 64}"} if "digest" in document else {}
        return "" if parse_request(document | digest) else "no request"
    if "error" in keys:  # what a command prints with --json
        problems = Draft202012Validator(schema() | {"$ref": "#/$defs/failure"})
        return ", ".join(one.message for one in problems.iter_errors(document))
    if keys <= LIFECYCLE_RULE:
        return "" if document["action"] == {"type": "expire"} else "no action of ECR"
    if "serviceName" in keys and "repository" not in keys:  # the request that `plan` shows
        shape = get_session().get_service_model("lightsail").operation_model(DEPLOY).input_shape
        return ParamValidator().validate(document, shape).generate_report()
    if "containers" not in keys and keys & {"command", "before", "then", "dependsOn"}:
        migrate = spec_document()["containers"]["migrate"] | document
        document = {"containers": spec_document()["containers"] | {"migrate": migrate}}
    spec = document if "serviceName" in keys else spec_document(**document)
    file = folder / "spec.json"
    file.write_text(json.dumps(spec), "utf-8")
    result = CliRunner().invoke(main, ["validate", str(file)])
    return result.output if result.exit_code else ""


@pytest.mark.parametrize("code", DOCUMENTS, ids=lambda code: code.place)
def test_every_json_document_is_valid(code: Code, tmp_path: Path) -> None:
    assert problem_of(json.loads(code.text), tmp_path) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        spec_document(tag="latest"),
        {"environment": {"DEBUG": 1}},
        {"command": "migrate"},
        {"nobody": "knows"},
        {"schemaVersion": 1, "error": "nobody-knows", "reasons": []},
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:PushImage"}]},
        {"Effect": "Allow", "Action": ["ecr:PutImage", "docker:Push"], "Resource": "*"},
    ],
)
def test_a_wrong_document_has_a_problem(wrong: dict[str, Any], tmp_path: Path) -> None:
    assert problem_of(wrong, tmp_path) != ""


@pytest.mark.parametrize(
    "code", [code for code in CODE if code.language == "python"], ids=lambda code: code.place
)
def test_every_python_block_is_python(code: Code) -> None:
    compile(code.text, code.place, "exec")


@pytest.mark.parametrize(
    "code", [code for code in CODE if code.language == "yaml"], ids=lambda code: code.place
)
def test_every_yaml_block_is_yaml(code: Code) -> None:
    assert isinstance(yaml.safe_load(code.text), dict)
