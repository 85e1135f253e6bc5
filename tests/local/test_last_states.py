"""The state machine's own calls of SNS and DynamoDB, carried out by the local engine."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from lightgate.aws.dynamodb import Table
from lightgate.aws.dynamodb_releases import Releases
from lightgate.records.outcome import EndStatus, RecordedOutcome
from local.cloud import executions
from local.cloud.sns_inbox import Inbox
from tests.workflow.release_machine import DEFINITION

SOON = timedelta(seconds=20)
ERROR = {"Error": "States.Timeout", "Cause": "it took too long"}
type Json = dict[str, Any]
type Connect = Callable[[str], Any]


def run_from(start: str, state: Json, topic: str, client: Connect) -> executions.Execution:
    """Run the real definition from this state on, with what has come to it."""
    definition = json.loads(DEFINITION.read_text().replace("${TopicArn}", topic)) | {
        "StartAt": start
    }
    text = json.dumps(definition).replace("${TableName}", "releases")
    machine = client("stepfunctions").create_state_machine(
        name=f"from-{start.rstrip('?')}-{abs(hash(json.dumps(state)))}",
        definition=text,
        roleArn=_role(client),
    )["stateMachineArn"]
    arn = executions.start(client("stepfunctions"), machine, state)
    return executions.wait_for_end(client("stepfunctions"), arn, within=SOON)


def _role(client: Connect) -> str:
    """A role that may do everything: the engine does not enforce a state machine's own."""
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
    name = f"release-{uuid4().hex[:8]}"
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    arn: str = role["Role"]["Arn"]
    return arn


@pytest.fixture
def topic(client: Connect, request: pytest.FixtureRequest) -> str:
    name = f"topic-{abs(hash(request.node.name))}"
    arn: str = client("sns").create_topic(Name=name)["TopicArn"]
    return arn


@pytest.fixture
def inbox(client: Connect, topic: str) -> Inbox:
    return Inbox(client("sns"), client("sqs"), topic, topic.rpartition(":")[2])


@pytest.mark.parametrize(
    ("known", "app", "stage"),
    [
        ({"admission": {"app": "crops", "stage": "staging"}}, "crops", "staging"),
        ({"request": {"app": "crops"}}, "crops", "unknown"),
        ({"request": {"app": 7}}, "unknown", "unknown"),
        ({"request": []}, "unknown", "unknown"),
    ],
)
def test_an_undetermined_outcome_reaches_a_queue_as_json(
    client: Connect, topic: str, inbox: Inbox, known: Json, app: str, stage: str
) -> None:
    state = {"execution": "arn:of:it", "startedAt": "2026-11-16T01:54:34Z", "error": ERROR}

    ended = run_from("IsReleaseNamed?", state | known, topic, client)

    assert (ended.status, ended.error) == ("FAILED", "Undetermined")
    [message] = inbox.receive(1, SOON)
    content = json.loads(message.text)
    assert (content["app"], content["status"], content["stage"]) == (app, "FAILED", stage)
    assert content["error"] == "States.Timeout"
    assert "arn:of:it" in content["text"]


def test_a_message_that_was_sent_is_no_longer_owed(
    client: Connect, topic: str, inbox: Inbox
) -> None:
    client("dynamodb").create_table(
        TableName="releases",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "app", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "app", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
    )
    records = Releases(Table(client("dynamodb"), "releases"))
    for release in ("r1", "r2"):
        outcome = RecordedOutcome(app="crops", release=release, status=EndStatus.REFUSED, cause="x")
        records.record_outcome(outcome, execution=f"arn:{release}", digest=None, owes_message=True)
    settlement = {
        "app": "crops",
        "stage": "production",
        "release": "r1",
        "status": "REFUSED",
        "subject": "refused",
        "message": json.dumps({"default": "refused"}),
        "publish": True,
    }

    ended = run_from(
        "IsMessageOwed?",
        {"outcome": settlement, "end": {"status": "REFUSED", "cause": "it is refused"}},
        topic,
        client,
    )

    assert (ended.status, ended.error) == ("FAILED", "REFUSED")
    [message] = inbox.receive(1, SOON)
    assert message.text == "refused"
    assert list(records.owed_messages()) == [("crops", "r2")]
