"""Which secrets the functions may read, as the template has it."""

import re
from typing import Any

from tests.support.template import read_template

TEMPLATE = read_template()
RESOURCES: Any = TEMPLATE["Resources"]
READS = ("secretsmanager:GetSecretValue", "ssm:GetParameter")
TAGGED = {"Null": {"aws:ResourceTag/lightgate:app": "false"}}
OF_RDS = {"StringEquals": {"aws:ResourceTag/aws:secretsmanager:owningService": "rds"}}


READERS = {"Deploy", "RollBack", "RunRehearsal"}


def statements() -> dict[str, list[Any]]:
    """The statements of each function that let it read values."""
    return {
        name.removesuffix("Function"): [
            one
            for one in resource["Properties"]["Policies"][0]["Statement"]
            if one["Action"] in READS
        ]
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def place(statement: Any) -> str:
    """The last part of the resource: what its name begins with."""
    return str(statement["Resource"]["Fn::Sub"].partition("${AWS::AccountId}:")[2])


def test_only_steps_that_create_a_deployment_read_secrets() -> None:
    readers = {
        name
        for name, found in statements().items()
        if any(place(one) != "parameter/${AWS::StackName}/apps/*" for one in found)
    }

    assert readers == READERS


def test_a_secret_is_read_by_its_tag_its_prefix_or_its_database_only() -> None:
    for name in READERS:
        found = {place(one): one.get("Condition") for one in statements()[name]}

        assert found == {
            "parameter/${AWS::StackName}/apps/*": None,
            "secret:*": TAGGED,
            "parameter/*": TAGGED,
            "secret:${SecretPrefix}*": None,
            "parameter/${SecretPrefix}*": None,
            "secret:rds!*": OF_RDS,
        }


def test_the_prefix_is_never_empty_and_ends_in_a_slash() -> None:
    """Otherwise the statements without a condition would be for all secrets."""
    pattern = TEMPLATE["Parameters"]["SecretPrefix"]["AllowedPattern"]

    assert re.fullmatch(pattern, TEMPLATE["Parameters"]["SecretPrefix"]["Default"])
    for wrong in ("", "/", "crops", "*/", "/crops/", "a//"):
        assert not re.fullmatch(pattern, wrong), wrong
