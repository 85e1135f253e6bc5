"""A node that is launched again long after its release, when nothing of Lightgate is left.

The tests go on with the one app in the order of this file.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from local.cloud import account
from local.cloud.cloud import STACK, LocalCloud
from local.demo import crops
from tests.e2e.by_hand import begin, end
from tests.e2e.conftest import Ready, started
from tests.e2e.gate_lines import gate_lines
from tests.e2e.pushing import wait_until
from tests.e2e.schema import schema
from tests.support import local_cloud

# A stack of its own, and minutes for which a gate tries to read its channel. On every run the gate
# is tested in tests/gate, without a stack.
pytestmark = pytest.mark.slow

SOON = timedelta(seconds=60)
# How long a gate tries to read its channel, in real seconds.
REACH = timedelta(seconds=120)
RESTORED = """
    ALTER TABLE harvests_harvest DROP COLUMN season;
    DELETE FROM django_migrations WHERE app = 'harvests' AND name >= '0003';
"""


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    """v2 has been released and serves, and the stack is gone with all that it had in the bucket."""
    with started() as ready:
        cloud = ready.cloud
        local_cloud.set_switches(cloud, crops.APP, log_lag=0)
        account.put_app(cloud.client("ssm"), crops.APP, crops.spec())
        first = end(ready, begin(ready, "v2"))
        assert first.status == "SUCCEEDED", first.message["text"]
        remove(cloud)
        yield ready


def remove(cloud: LocalCloud) -> None:
    """Delete the stack, and what it keeps when it is deleted."""
    s3, cloudformation = cloud.client("s3"), cloud.client("cloudformation")
    for bucket in mailboxes(cloud):
        for found in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            s3.delete_object(Bucket=bucket, Key=found["Key"])
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    for bucket in mailboxes(cloud):
        s3.delete_bucket(Bucket=bucket)
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert cloud.client("stepfunctions").list_state_machines()["stateMachines"] == []


def mailboxes(cloud: LocalCloud) -> list[str]:
    names = [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    return [name for name in names if "mailbox" in name.lower()]


def events(ready: Ready, since: datetime) -> set[str]:
    return {line["event"] for line in gate_lines(ready, since)}


def serving(url: str) -> str | None:
    """The release that answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.headers["X-Release"])
    except urllib.error.URLError:
        return None


def test_a_node_with_nothing_pending_serves_again(ready: Ready) -> None:
    lost_at = datetime.now(UTC)

    local_cloud.lose_node(ready.cloud, crops.APP)
    wait_until(lambda: "succeeded" in events(ready, lost_at), SOON)
    wait_until(lambda: serving(ready.url) == "v2", SOON)

    assert "waiting" not in events(ready, lost_at), "it asks nobody"


def test_a_node_that_finds_something_pending_applies_nothing_and_stays_shut(ready: Ready) -> None:
    with psycopg.connect(ready.cloud.database.url) as connection:
        connection.execute(RESTORED)
    restored, lost_at = schema(ready), datetime.now(UTC)

    local_cloud.lose_node(ready.cloud, crops.APP)
    answers = []

    def has_failed() -> bool:
        answers.append(serving(ready.url))
        time.sleep(1)
        return "failed" in events(ready, lost_at)

    wait_until(has_failed, REACH + SOON)

    [failed, *_] = [line for line in gate_lines(ready, lost_at) if line["event"] == "failed"]
    # The classifier is gone as well, so the gate has no plan for which it could need a permit.
    assert failed["cause"] == "mailbox"
    assert f"out of reach for {REACH.seconds} s: 403 AccessDenied" in failed["error"]
    assert not {"permitted", "applying", "succeeded"} & events(ready, lost_at)
    assert set(answers[1:]) == {None}
    assert schema(ready) == restored
