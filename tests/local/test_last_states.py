"""The state machine's own calls of SNS and DynamoDB, carried out by the local engine."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lightgate.aws.dynamodb_releases import Releases
from lightgate.records.recorded_outcome import EndStatus, RecordedOutcome
from lightgate.records.release_record import ReadableRecord, RecordKind
from local.cloud.sns_inbox import Inbox
from tests.component import table
from tests.local.conftest import SOON, Account, RunFrom
from tests.support.state_machine import DASHBOARD_PAGE, EXECUTION_PAGES

ERROR = {"Error": "States.Timeout", "Cause": "it took too long"}
type Json = dict[str, Any]


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
            kind=RecordKind.IMAGE,
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
