"""The engine publishes versions, and deletes state machines, as CloudFormation and Lambda do."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import WaiterError

from tests.local.conftest import Account
from tests.support import local_cloud

type Json = dict[str, Any]
QUICKLY = {"Delay": 1, "MaxAttempts": 60}


class Stack:
    """A stack of one template, which the test changes."""

    def __init__(self, account: Account, **resources: Json) -> None:
        self._cloudformation = account.client("cloudformation")
        self._name = f"engine-{uuid4().hex[:8]}"
        self._cloudformation.create_stack(StackName=self._name, TemplateBody=_text(resources))
        self._wait("stack_create_complete")

    def update(self, **resources: Json) -> None:
        self._cloudformation.update_stack(StackName=self._name, TemplateBody=_text(resources))
        self._wait("stack_update_complete")

    def delete(self) -> None:
        self._cloudformation.delete_stack(StackName=self._name)
        self._wait("stack_delete_complete")

    def id_of(self, resource: str) -> str:
        found = self._cloudformation.describe_stack_resource(
            StackName=self._name, LogicalResourceId=resource
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def reasons(self) -> list[str]:
        events = self._cloudformation.describe_stack_events(StackName=self._name)["StackEvents"]
        return [each["ResourceStatusReason"] for each in events if "ResourceStatusReason" in each]

    def _wait(self, state: str) -> None:
        waiter = self._cloudformation.get_waiter(state)
        waiter.wait(StackName=self._name, WaiterConfig=QUICKLY)


def _text(resources: Mapping[str, Json]) -> str:
    return json.dumps({"Resources": resources})


def function(role: str, setting: str) -> Json:
    properties = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": role,
        "Code": {"ZipFile": "def handler(event, context):\n    return {}\n"},
        "Environment": {"Variables": {"SETTING": setting}},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def version(description: str, **attributes: str) -> Json:
    properties = {"FunctionName": {"Ref": "Function"}, "Description": description}
    return {"Type": "AWS::Lambda::Version", "Properties": properties, **attributes}


@pytest.fixture
def stack(account: Account, role: str) -> Iterator[Stack]:
    stack = Stack(account, Function=function(role, "one"), Version=version("one"))
    yield stack
    stack.delete()


def test_a_version_is_replaced_and_its_predecessor_deleted(
    account: Account, stack: Stack, role: str
) -> None:
    name = stack.id_of("Function")

    stack.update(Function=function(role, "two"), Version=version("two"))

    listed = account.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "2"]


def test_a_version_that_the_template_retains_stays_as_it_was(
    account: Account, stack: Stack, role: str
) -> None:
    name = stack.id_of("Function")

    stack.update(
        Function=function(role, "two"), Version=version("two", UpdateReplacePolicy="Retain")
    )

    listed = account.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "1", "2"]
    settings = [each["Environment"]["Variables"]["SETTING"] for each in listed]
    assert settings == ["two", "one", "two"]


def test_no_version_is_published_of_a_function_that_is_again_what_it_was(
    stack: Stack, role: str
) -> None:
    stack.update(Function=function(role, "two"), Version=version("one"))

    with pytest.raises(WaiterError):
        stack.update(Function=function(role, "one"), Version=version("two"))

    assert any("A version for this Lambda function exists ( 1 )" in why for why in stack.reasons())


def test_the_executions_of_a_deleted_state_machine_end(account: Account, role: str) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 60000, "Next": "End"}, "End": {"Type": "Succeed"}}
    definition = {"StartAt": "Wait", "States": states}
    stack = Stack(
        account,
        Machine={
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"Definition": definition, "RoleArn": role},
        },
    )
    stepfunctions = account.client("stepfunctions")
    arn = local_cloud.start(stepfunctions, stack.id_of("Machine"), {})

    stack.delete()

    ended = local_cloud.wait_for_end(stepfunctions, arn, within=timedelta(seconds=5))
    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
    assert ended.cause.endswith("has been deleted.")


def test_a_failed_update_leaves_a_version_that_stops_its_repetition(
    account: Account, role: str
) -> None:
    """The runbook says what to do then."""
    kept = {"UpdateReplacePolicy": "Retain", "DeletionPolicy": "Retain"}
    stack = Stack(account, Function=function(role, "one"), Version1=version("one", **kept))
    new = {"Function": function(role, "two"), "Version2": version("two", **kept)}
    broken = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"MessageRetentionPeriod": 1},
        "DependsOn": "Version2",
    }

    for resources in ({**new, "Broken": broken}, new):
        with pytest.raises(WaiterError):
            stack.update(**resources)
    assert any("A version for this Lambda function exists ( 2 )" in why for why in stack.reasons())

    name = stack.id_of("Function")
    account.client("lambda").delete_function(FunctionName=name, Qualifier="2")
    stack.update(**new)
    assert stack.id_of("Version2").endswith(":3")
    stack.delete()
