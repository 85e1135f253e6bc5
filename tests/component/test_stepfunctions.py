import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from lightgate.aws.stepfunctions import Executions
from tests.component.cloud import ACCOUNT, REGION, Cloud

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


@pytest.fixture
def nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An execution that was started stays where it is."""
    monkeypatch.setattr(ExecutionWorker, "start", lambda _: None)


def stopped(machine: str, name: str) -> str:
    """The ARN of an execution that has ended."""
    arn = machine.replace(":stateMachine:", ":execution:") + f":{name}"
    execution = next(
        each
        for each in stepfunctions_parser_backends[ACCOUNT][REGION]
        .describe_state_machine(machine)
        .executions
        if each.execution_arn == arn
    )
    execution.exec_status = ExecutionStatus.ABORTED
    return arn


@pytest.mark.usefixtures("nothing_goes_on")
def test_an_execution_that_has_ended_says_how_and_what_it_was_for(
    machine: str, executions: Executions
) -> None:
    executions.start("crops-1", REQUEST)

    ended = executions.ended(stopped(machine, "crops-1"))

    assert ended is not None
    assert (ended.status, ended.arn) == ("ABORTED", executions.arn("crops-1"))
    assert ended.started_at is not None
    assert json.loads(ended.input or "") == REQUEST


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
@pytest.mark.usefixtures("nothing_goes_on")
def test_an_execution_that_may_still_act_has_not_ended(
    cloud: Cloud, machine: str, executions: Executions, status: str
) -> None:
    executions.start("crops-1", REQUEST)
    arn = stopped(machine, "crops-1")
    cloud.faults.change_answers(
        "stepfunctions.DescribeExecution", lambda answer: answer.update(status=status)
    )

    assert executions.ended(arn) is None


def test_an_unknown_execution_is_gone(executions: Executions) -> None:
    ended = executions.ended(executions.arn("of-last-year"))

    assert ended is not None
    assert (ended.status, ended.started_at, ended.input) == ("GONE", None, None)


def test_that_it_cannot_be_found_out_is_no_end(cloud: Cloud, executions: Executions) -> None:
    cloud.faults.refuse("stepfunctions.DescribeExecution", "ThrottlingException")

    with pytest.raises(ClientError, match="ThrottlingException"):
        executions.ended(executions.arn("crops-1"))
