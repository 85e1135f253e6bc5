"""Two stacks cannot have a resource of one name, as on AWS."""

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.cloud import sam
from local.cloud.errors import LocalCloudError
from tests.local.conftest import Account

SAMCONFIG = Path(__file__).parent / "stack" / "samconfig.toml"


def schedule(name: Any) -> dict[str, Any]:
    target = {
        "Arn": "arn:aws:lambda:us-east-1:000000000000:function:missing",
        "RoleArn": "arn:aws:iam::000000000000:role/missing",
    }
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "Name": name,
            "ScheduleExpression": "rate(1 hour)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": target,
        },
    }


def machine(name: Any) -> dict[str, Any]:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": name,
            "RoleArn": "arn:aws:iam::000000000000:role/missing",
            "DefinitionString": json.dumps(definition),
        },
    }


def group(name: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}


class Deployments:
    """Stacks of one resource, with names that no other test uses."""

    def __init__(self, account: Account, folder: Path) -> None:
        self.account, self.folder = account, folder
        self.suffix = uuid4().hex[:8]
        shutil.copy(SAMCONFIG, folder)

    def deploy(self, stack: str, resource: dict[str, Any], **more: Any) -> None:
        template = self.folder / "template.json"
        template.write_text(json.dumps({"Resources": {"Thing": resource}, **more}))
        name = f"{stack}-{self.suffix}"
        sam.deploy(self.folder, template, name, self.account.url, self.account.logs)


@pytest.fixture
def stacks(account: Account, tmp_path: Path) -> Deployments:
    return Deployments(account, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("resource", [schedule, machine, group])
def test_a_second_stack_with_the_same_name_is_refused_and_changes_nothing(
    stacks: Deployments, resource: Any
) -> None:
    name = f"fixed-{stacks.suffix}"
    stacks.deploy("one", resource(name))

    with pytest.raises(LocalCloudError, match=f"with identifier '{name}' already exists"):
        stacks.deploy("two", resource({"Fn::Sub": name}))

    cloudformation = stacks.account.client("cloudformation")
    found = cloudformation.describe_stacks(StackName=f"one-{stacks.suffix}")["Stacks"]
    assert found[0]["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.slow
def test_names_with_the_name_of_the_stack_do_not_collide(stacks: Deployments) -> None:
    stacks.deploy("one", schedule({"Fn::Sub": "${AWS::StackName}-look"}))
    stacks.deploy("two", schedule({"Fn::Sub": "${AWS::StackName}-look"}))

    scheduler = stacks.account.client("scheduler")
    names = {found["Name"] for found in scheduler.list_schedules()["Schedules"]}
    assert {f"one-{stacks.suffix}-look", f"two-{stacks.suffix}-look"} <= names


@pytest.mark.slow
def test_an_update_to_a_name_of_another_stack_is_refused(stacks: Deployments) -> None:
    name = f"fixed-{stacks.suffix}"
    stacks.deploy("one", schedule(name))
    stacks.deploy("two", schedule(f"other-{stacks.suffix}"))

    with pytest.raises(LocalCloudError, match=f"with identifier '{name}' already exists"):
        stacks.deploy("two", schedule(name))


@pytest.mark.slow
def test_a_stack_keeps_its_names_when_it_is_updated(stacks: Deployments) -> None:
    resource = schedule(f"fixed-{stacks.suffix}")
    stacks.deploy("one", resource)

    resource["Properties"]["ScheduleExpression"] = "rate(2 hours)"
    stacks.deploy("one", resource)


@pytest.mark.slow
def test_a_name_is_free_again_when_its_stack_is_gone(stacks: Deployments) -> None:
    stacks.deploy("one", schedule(f"fixed-{stacks.suffix}"))
    cloudformation = stacks.account.client("cloudformation")
    cloudformation.delete_stack(StackName=f"one-{stacks.suffix}")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=f"one-{stacks.suffix}", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )

    stacks.deploy("two", schedule(f"fixed-{stacks.suffix}"))


@pytest.mark.slow
def test_a_name_that_a_parameter_gives_is_refused_as_well(stacks: Deployments) -> None:
    name = f"given-{stacks.suffix}"
    parameters = {"Parameters": {"Name": {"Type": "String", "Default": name}}}
    stacks.deploy("one", schedule({"Ref": "Name"}), **parameters)

    with pytest.raises(LocalCloudError, match=f"with identifier '{name}' already exists"):
        stacks.deploy("two", schedule({"Ref": "Name"}), **parameters)
