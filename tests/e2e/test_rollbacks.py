"""A version that does not do its work, and the way back to the one before: gone, or closed.

The tests go from the version that serves to the next in the order of this file.
"""

import dataclasses
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from local.cloud.sns_inbox import Inbox
from local.demo import crops
from tests.e2e.conftest import Ready
from tests.e2e.farm import LONG_WATCH, Farm, taking_back, with_v2
from tests.e2e.pushing import wait_until


@pytest.fixture(scope="module")
def farm(ready: Ready) -> Farm:
    client = ready.cloud.client
    inbox = Inbox(client("sns"), client("sqs"), ready.stack.topic_arn, "who-goes-back")
    return with_v2(dataclasses.replace(ready, inbox=inbox))


def test_a_version_that_fails_in_its_watch_period_is_taken_back_by_itself(farm: Farm) -> None:
    before = farm.state
    farm.specify(watch=LONG_WATCH)

    ended = farm.release("fails-later")

    message = ended.message
    assert (ended.status, ended.execution.error) == ("ROLLED_BACK", "ROLLED_BACK")
    assert message["failure"]["kind"] == "watch-failed"
    assert "GET / returned 500 (expected 200)" in message["failure"]["evidence"]
    assert message["judgement"] == {"verdict": "NONE", "reasons": []}
    assert "Version 2 became active and was unhealthy: " in message["text"]
    assert "Version 1 is live again as version 3.\nIt is healthy: " in message["text"]
    assert (farm.version, farm.state.schema) == (3, before.schema)
    assert (farm.read().status, farm.read().release) == (200, "v2")
    assert (farm.write().status, farm.write().release) == (201, "v2")


def test_a_version_whose_migration_closed_the_way_back_is_kept_and_people_choose(
    farm: Farm,
) -> None:
    farm.specify(watch=LONG_WATCH)

    ended = farm.release("one-way-fails-later")

    message, version = ended.message, farm.version
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED")
    assert message["failure"]["kind"] == "watch-failed"
    assert "GET / returned 500 (expected 200)" in message["failure"]["evidence"]
    assert message["judgement"]["verdict"] == "ONE_WAY"
    [reason] = message["judgement"]["reasons"]
    assert reason.startswith("harvests.0005_no_season: RemoveField harvest.season: ")
    assert version == message["version"] == message["previousVersion"] + 1
    assert "season" not in farm.columns()
    # It is left as it is, and so is the database. Each of its processes fails once asked enough.
    wait_until(lambda: farm.read().status == 500, timedelta(seconds=20))
    text = message["text"]
    assert reason in text
    assert f"To keep version {version}: correct the cause and push again." in text
    assert "Before a rollback, reverse the migrations" in text
    assert taking_back("one-way-fails-later") in text
    assert f"--input '{json.dumps(way_back(message))}'" in text
    assert f"--db-snapshot-identifier {message['snapshot']['id']}" in text


def way_back(message: Mapping[str, Any]) -> Mapping[str, Any]:
    previous = message["previousVersion"]
    return {"app": crops.APP, "rollbackTo": previous}
