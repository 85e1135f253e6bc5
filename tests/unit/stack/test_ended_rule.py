"""Which ends of executions the rule of the template sends to CleanUp."""

import pytest
from moto.events.models import EventPattern

from tests.support.builders import Json, deployed
from tests.unit.release.test_request import event
from tests.unit.stack.test_state_machine import template

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:lightgate-release"


def rule() -> Json:
    ended: Json = template()["CleanUpFunction"]["Properties"]["Events"]["ExecutionEnded"]
    pattern: Json = deployed(ended["Properties"]["Pattern"], ReleaseStateMachine=MACHINE)
    return pattern


def passes(origin: Json | None = None, **detail: str) -> bool:
    ended = event("execution-ended") | (origin or {})
    ended["detail"] |= detail
    return bool(EventPattern(None, rule()).matches_event(ended))


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
def test_an_execution_that_ended_other_than_well_is_cleaned_up_after(status: str) -> None:
    assert passes(status=status)


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"])
def test_one_that_goes_on_or_ended_well_is_not(status: str) -> None:
    assert not passes(status=status)


def test_the_executions_of_another_machine_are_nobody_s_here() -> None:
    assert not passes(stateMachineArn=f"{MACHINE}-of-somebody-else")


@pytest.mark.parametrize(
    "origin", [{"account": "999999999999"}, {"region": "eu-central-1"}], ids=["account", "region"]
)
def test_the_executions_of_another_account_or_region_are_not(origin: Json) -> None:
    assert not passes(origin, status="ABORTED")
