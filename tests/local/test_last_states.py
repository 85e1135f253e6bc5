"""The state machine's own calls of SNS and DynamoDB, carried out by the local engine."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from lightgate.aws.dynamodb_releases import Releases
from lightgate.records.recorded_outcome import EndStatus, RecordedOutcome
from lightgate.records.release_record import ReadableRecord
from lightgate.release.release import ReleaseKind
from local.cloud import executions
from local.cloud.sns_inbox import Inbox
from tests.component import table
from tests.local.conftest import Account
from tests.support import local_cloud
from tests.support.state_machine import DASHBOARD_PAGE, EXECUTION_PAGES, with_pages
from tests.workflow.release_machine import DEFINITION

SOON = timedelta(seconds=20)
ERROR = {"Error": "States.Timeout", "Cause": "it took too long"}
type Json = dict[str, Any]
type Connect = Callable[[str], Any]


type RunFrom = Callable[[str, Json], executions.Execution]


@pytest.fixture
def run_from(client: Connect, topic: str, role: str) -> RunFrom:
    """Run the real definition from this state on, with what has come to it."""

    def run(start: str, state: Json) -> executions.Execution:
        definition = DEFINITION.read_text().replace("${TopicArn}", topic)
        text = with_pages(definition.replace("${TableName}", table.NAME))
        machine = client("stepfunctions").create_state_machine(
            name=f"from-{uuid4().hex}",
            definition=json.dumps({**json.loads(text), "StartAt": start}),
            roleArn=role,
        )["stateMachineArn"]
        arn = local_cloud.start(client("stepfunctions"), machine, state)
        return local_cloud.wait_for_end(client("stepfunctions"), arn, within=SOON)

    return run


@pytest.fixture
def topic(client: Connect) -> str:
    arn: str = client("sns").create_topic(Name=f"topic-{uuid4().hex}")["TopicArn"]
    return arn


@pytest.fixture
def inbox(client: Connect, topic: str) -> Inbox:
    return Inbox(client("sns"), client("sqs"), topic, topic.rpartition(":")[2])


@pytest.mark.representatives(1)
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
    run_from: RunFrom, inbox: Inbox, known: Json, app: str, stage: str
) -> None:
    state = {"execution": "arn:of:it", "startedAt": "2026-11-16T01:54:34Z", "error": ERROR}

    ended = run_from("IsReleaseNamed?", state | known)

    assert (ended.status, ended.error) == ("FAILED", "Undetermined")
    [message] = inbox.receive(1, SOON)
    content = json.loads(message.text)
    assert (content["app"], content["status"], content["stage"]) == (app, "FAILED", stage)
    assert content["error"] == "States.Timeout"
    assert content["links"] == {
        "page": DASHBOARD_PAGE,
        "execution": f"{EXECUTION_PAGES}arn:of:it",
        "log": None,
        "snapshot": None,
    }
    assert content["links"]["execution"] in content["text"]


def test_a_message_that_was_sent_is_no_longer_owed(
    account: Account, run_from: RunFrom, inbox: Inbox
) -> None:
    records = Releases(table.create(account))
    for release in ("r1", "r2"):
        outcome = RecordedOutcome(app="crops", release=release, status=EndStatus.REFUSED, cause="x")
        record = ReadableRecord(
            app="crops",
            release=release,
            kind=ReleaseKind.IMAGE,
            status=EndStatus.REFUSED,
            started_at=datetime(2026, 11, 16, tzinfo=UTC),
            execution=f"arn:{release}",
        )
        records.record_outcome(
            outcome, record, rollback=None, digest=None, owes_message=True, expires_at=None
        )
    settlement = {
        "app": "crops",
        "stage": "production",
        "release": "r1",
        "status": "REFUSED",
        "subject": "refused",
        "message": json.dumps({"default": "refused"}),
        "publish": True,
    }
    end = {"status": "REFUSED", "cause": "it is refused"}

    ended = run_from("IsMessageOwed?", {"outcome": settlement, "end": end})

    assert (ended.status, ended.error) == ("FAILED", "REFUSED")
    [message] = inbox.receive(1, SOON)
    assert message.text == "refused"
    assert list(records.owed_messages()) == [("crops", "r2")]
