"""What a gate is not permitted, on the deployed stack: the schema stays as it was.

The tests go from the version that serves to the next in the order of this file.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from lightgate.migrations.permit import Permit, VoidCause
from local.cloud import account
from local.cloud.cloud import LocalCloud
from local.cloud.sns_inbox import NOT_EARLY, Inbox
from local.demo import crops
from tests.e2e.by_hand import RELEASE, begin, end
from tests.e2e.conftest import Ready
from tests.e2e.farm import Farm
from tests.e2e.pushing import wait_until
from tests.e2e.schema import schema

# A stack of its own and four releases. What is decided is tested on every run in tests/workflow.
pytestmark = pytest.mark.slow

# Ten seconds in which a gate holds, at the speed of this cloud.
SNAPSHOT = timedelta(minutes=10)


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    """v2 serves, and what may break it is blocked. A snapshot is taken only of what is pending."""
    with LocalCloud(snapshot_seconds=SNAPSHOT.total_seconds()) as cloud:
        stack = cloud.deploy()
        url = crops.furnish(cloud.client, cloud.database)
        spec = crops.spec() | {"migrations": {"policy": "block"}}
        spec["database"]["backup"] = "when-pending"
        account.put_app(cloud.client("ssm"), crops.APP, spec)
        inbox = Inbox(
            cloud.client("sns"), cloud.client("sqs"), stack.topic_arn, "people", NOT_EARLY
        )
        ready = Ready(cloud=cloud, stack=stack, inbox=inbox, url=url)
        first = end(ready, begin(ready, "v2"))
        assert first.status == "SUCCEEDED", first.message["text"]
        yield ready


class Mailbox:
    """The bucket as its owner sees it."""

    def __init__(self, ready: Ready) -> None:
        self._s3 = ready.cloud.client("s3")
        names = [bucket["Name"] for bucket in self._s3.list_buckets()["Buckets"]]
        [self._bucket] = [name for name in names if "mailbox" in name.lower()]
        self._before = set(self._keys())

    def is_told_a_plan(self) -> bool:
        return any(key.endswith("/plan.json") for key in self._new())

    def void(self) -> None:
        """Withdraw the permit, as does whoever takes over a release."""
        [key] = [key for key in self._new() if key.endswith("/permit.json")]
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        permit = Permit.from_text(body.decode())
        assert permit is not None
        voided = permit.voided(VoidCause.STOPPED, "somebody has withdrawn it").to_text().encode()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=voided)

    def empty(self) -> None:
        for key in self._new():
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _keys(self) -> list[str]:
        found = self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", [])
        return [each["Key"] for each in found]

    def _new(self) -> set[str]:
        return set(self._keys()) - self._before


@pytest.mark.parametrize("interfere", [Mailbox.void, Mailbox.empty])
def test_a_gate_whose_permit_is_withdrawn_or_deleted_while_it_holds_applies_nothing(
    ready: Ready, interfere: Callable[[Mailbox], None]
) -> None:
    before, version, mailbox = schema(ready), Farm(ready).version, Mailbox(ready)

    arn = begin(ready, "default-only", allowDestructive=True)
    wait_until(mailbox.is_told_a_plan, RELEASE)
    interfere(mailbox)
    ended = end(ready, arn)

    assert ended.status in {"REFUSED", "ROLLED_BACK"}, ended.message["text"]
    assert ended.message["gate"]["migrations"] == []
    assert (schema(ready), Farm(ready).version) == (before, version)


def test_a_plan_that_drops_a_column_is_refused_with_its_operation_and_nothing_is_applied(
    ready: Ready,
) -> None:
    before, version = schema(ready), Farm(ready).version

    refused = end(ready, begin(ready, "one-way"))

    assert (refused.status, refused.execution.error) == ("REFUSED", "REFUSED")
    assert "harvests.0005_no_season: RemoveField harvest.season" in refused.message["text"]
    assert refused.message["snapshot"] is None
    assert (schema(ready), Farm(ready).version) == (before, version)


def test_what_the_policy_has_refused_can_be_released_by_hand(ready: Ready) -> None:
    allowed = end(ready, begin(ready, "one-way", allowDestructive=True))

    assert allowed.status == "SUCCEEDED", allowed.message["text"]
    columns = {(table, column) for table, column, *_ in schema(ready)[0]}
    assert ("harvests_harvest", "crop") in columns
    assert ("harvests_harvest", "season") not in columns
