"""Each definition of the state machine calls published versions of its functions.

CloudFormation publishes a version if its resource is new or replaced: if its logical id or its
description differs. Lambda refuses to publish one if the function has not changed.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.support.builders import Json
from tests.support.template import read_template
from tests.unit.stack.transformed import transformed

LONGEST_DESCRIPTION = 256
LONGEST_LAYER = 9_999_999
MACHINES = ("ReleaseStateMachine", "RehearsalStateMachine")


def steps() -> list[str]:
    """The functions that the state machines call."""
    return [name for machine in MACHINES for name in steps_of(machine)]


def steps_of(machine: str) -> list[str]:
    substitutions = read_template()["Resources"][machine]["Properties"]["DefinitionSubstitutions"]
    return [name.removesuffix("Arn") for name in substitutions if name.endswith("FunctionArn")]


def unversioned() -> list[str]:
    return [
        name
        for name, resource in read_template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function" and name not in steps()
    ]


def versions(resources: Json) -> dict[str, tuple[str, Json]]:
    """The version of each function: its logical id and its resource."""
    return {
        resource["Properties"]["FunctionName"]["Ref"]: (logical_id, resource)
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Version"
    }


def published(change: Callable[[Json], None]) -> set[str]:
    """The functions of which the changed template publishes a new version."""
    changed = deepcopy(read_template())
    change(changed)
    before, after = versions(transformed()), versions(transformed(changed))
    return {
        name
        for name, (logical_id, resource) in after.items()
        if before[name][0] != logical_id or before[name][1]["Properties"] != resource["Properties"]
    }


def references(value: Any) -> Iterator[str]:
    """The names in `Ref` and `Fn::Sub` of a value."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::Sub": [str(text), dict(own)]}:
            yield from (name for name in names_in(text) if name not in own)
            yield from references(own)
        case {"Fn::Sub": str(text)}:
            yield from names_in(text)
        case dict():
            for each in value.values():
                yield from references(each)
        case list():
            for each in value:
                yield from references(each)


def names_in(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("${")[1:]]


@pytest.mark.parametrize("machine", MACHINES)
def test_the_state_machine_calls_a_published_version_of_each_function(machine: str) -> None:
    resources = transformed()
    substitutions = resources[machine]["Properties"]["DefinitionSubstitutions"]

    for name in steps_of(machine):
        logical_id, _ = versions(resources)[name]
        assert substitutions[f"{name}Arn"] == {"Ref": logical_id}


def test_no_update_deletes_a_version() -> None:
    """Neither one whose resource is replaced, nor one whose resource left the template."""
    for _, resource in versions(transformed()).values():
        assert resource["UpdateReplacePolicy"] == "Retain"
        assert resource["DeletionPolicy"] == "Retain"


def test_functions_that_events_call_have_no_versions() -> None:
    assert versions(transformed()).keys() == set(steps())
    assert unversioned() == [
        *("ReceivePushFunction", "CleanUpFunction", "ReconcileFunction", "ShowPageFunction")
    ]


def change_property(name: str, **properties: object) -> Callable[[Json], None]:
    def change(template: Json) -> None:
        template["Resources"][name]["Properties"] |= properties

    return change


def change_setting(template: Json) -> None:
    template["Globals"]["Function"]["Environment"]["Variables"]["LIGHTGATE_NEW"] = "1"


@pytest.mark.parametrize(
    ("change", "functions"),
    [
        (change_property("DeployFunction", CodeUri="functions/other"), {"DeployFunction"}),
        (change_property("DeployFunction", Timeout=80), {"DeployFunction"}),
        (change_setting, set(steps())),
        (change_property("CoreLayer", ContentUri="layers/other"), set(steps())),
        (change_property("ReleaseTable", Tags=[]), set()),
    ],
    ids=["code", "a property", "the environment", "the layer", "another resource"],
)
def test_a_change_publishes_versions_of_those_functions_that_it_changes(
    change: Callable[[Json], None], functions: set[str]
) -> None:
    assert published(change) == functions


@pytest.mark.parametrize("name", steps())
def test_a_parameter_publishes_a_version_of_a_function_if_and_only_if_the_function_has_it(
    name: str,
) -> None:
    resources, parameters = transformed(), read_template()["Parameters"]
    function = resources[name]["Properties"]
    _, version = versions(resources)[name]

    described = set(references(version["Properties"]["Description"]))

    [layer] = references(function["Layers"])
    assert described - {layer} == set(references(function)) & parameters.keys()
    assert layer in described


@pytest.mark.parametrize("name", steps())
def test_the_description_of_a_version_is_never_too_long(name: str) -> None:
    _, version = versions(transformed())[name]
    text, own = version["Properties"]["Description"]["Fn::Sub"]
    assert own.keys() == {"Layer"}

    longest = text.replace("${Layer}", str(LONGEST_LAYER))
    for parameter, described in read_template()["Parameters"].items():
        allowed = described.get("AllowedValues", [described.get("MaxValue", "")])
        size = described.get("MaxLength") or max(len(str(value)) for value in allowed)
        longest = longest.replace(f"${{{parameter}}}", "x" * size if size else "too long" * 99)

    assert "${" not in longest
    assert len(longest) <= LONGEST_DESCRIPTION


@pytest.mark.parametrize("machine", MACHINES)
def test_the_role_of_the_state_machine_may_call_every_version_of_its_functions(
    machine: str,
) -> None:
    """Running executions use the role as it is now, and call older versions."""
    statements = [
        statement
        for policy in transformed()[f"{machine}Role"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
    ]

    allowed = [json.dumps(resource) for each in statements for resource in each["Resource"]]
    assert sorted(allowed) == sorted(
        json.dumps({"Fn::Sub": f"${{{n}.Arn}}:*"}) for n in steps_of(machine)
    )
