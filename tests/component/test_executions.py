import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lightgate.aws.executions import Executions
from tests.component.cloud import ACCOUNT, Cloud

REQUEST = {"app": "crops", "digest": "sha256:0"}
PASSING: dict[str, Any] = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}


@pytest.fixture
def machine(cloud: Cloud) -> str:
    arn: str = cloud.client("stepfunctions").create_state_machine(
        name="release",
        definition=json.dumps(PASSING),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/release",
    )["stateMachineArn"]
    return arn


@pytest.fixture
def executions(cloud: Cloud, machine: str) -> Executions:
    return Executions(cloud.client("stepfunctions"), machine)


def names(cloud: Cloud, machine: str) -> list[str]:
    found = cloud.client("stepfunctions").list_executions(stateMachineArn=machine)
    return [execution["name"] for execution in found["executions"]]


def test_an_execution_gets_the_request_as_its_input(
    cloud: Cloud, machine: str, executions: Executions
) -> None:
    assert executions.start("crops-1", REQUEST) is True

    arn = machine.replace(":stateMachine:", ":execution:") + ":crops-1"
    started = cloud.client("stepfunctions").describe_execution(executionArn=arn)
    assert json.loads(started["input"]) == REQUEST


def test_a_name_that_was_used_before_starts_nothing(
    cloud: Cloud, machine: str, executions: Executions
) -> None:
    executions.start("crops-1", REQUEST)

    assert executions.start("crops-1", {"app": "another"}) is False
    assert executions.start("crops-2", REQUEST) is True
    assert sorted(names(cloud, machine)) == ["crops-1", "crops-2"]


def test_any_other_error_passes(cloud: Cloud, executions: Executions) -> None:
    cloud.faults.refuse("stepfunctions.StartExecution", "ExecutionLimitExceeded")

    with pytest.raises(ClientError, match="ExecutionLimitExceeded"):
        executions.start("crops-1", REQUEST)
