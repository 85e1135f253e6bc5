"""The lock in DynamoDB: races, lost answers, and the records written with it."""

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lightgate.aws.dynamodb_locks import Locks
from lightgate.aws.dynamodb_releases import Releases, Write
from lightgate.release.lock import Lock, LockAnswer, LockRequest, LockStatus, Pause
from lightgate.release.lock_rules import abandon_lock, acquire_lock, release_lock
from lightgate.release.pause import pause_app
from tests.component import table
from tests.component.cloud import Cloud
from tests.component.lock_requests import APP, START, arn, lock_request, release_of
from tests.support.builders import IMAGE, admission

ADMITTED = admission(IMAGE)

PAUSE = Pause(by="arn:aws:iam::123456789012:user/ada", reason="a big import", at=START)
WRITE = "dynamodb.TransactWriteItems"


class App:
    """The lock of one app, and its records."""

    def __init__(self, cloud: Cloud) -> None:
        made = table.create(cloud)
        self.locks, self.records = Locks(made), Releases(made)

    def ask(
        self, asked: LockRequest, *, meanwhile: Callable[[], object] = lambda: None
    ) -> LockAnswer:
        """The answer to the request if `meanwhile` happens after the lock was read."""
        events = [meanwhile]

        def rule(lock: Lock) -> tuple[Lock, LockAnswer]:
            if events:
                events.pop()()
            return acquire_lock(lock, asked)

        return self.locks.change(
            APP, rule, lambda answer: self.records.following(APP, asked, answer, ADMITTED)
        )

    def change(self, rule: Callable[[Lock], Lock]) -> None:
        self.locks.change(APP, lambda lock: (rule(lock), None))

    @property
    def lock(self) -> Lock:
        return self.locks.read(APP)

    def status(self, name: str) -> str | None:
        found = self.records.find(APP, release_of(name))
        return found and (found.status or "in progress")


@pytest.fixture
def app(cloud: Cloud) -> App:
    return App(cloud)


def test_an_app_without_releases_has_a_free_lock(app: App) -> None:
    assert app.lock == Lock()

    assert app.ask(lock_request("one")).status is LockStatus.PROCEED


def test_a_lock_is_read_as_it_was_written(app: App) -> None:
    app.ask(lock_request("one"))
    app.change(lambda lock: abandon_lock(lock, arn("one")))
    app.ask(lock_request("two", "B", 1))
    app.ask(lock_request("three", "C", 2))

    lock = app.lock

    asked = [lock_request("one"), lock_request("two", "B", 1), lock_request("three", "C", 2)]
    expected, _ = acquire_lock(Lock(), asked[0])
    expected = abandon_lock(expected, arn("one"))
    for one in asked[1:]:
        expected, _ = acquire_lock(expected, one)
    assert lock == expected


def test_a_pause_is_read_as_it_was_written(app: App) -> None:
    app.change(lambda lock: pause_app(lock, PAUSE)[0])
    app.ask(lock_request("one"))

    assert app.lock.paused == PAUSE
    assert app.status("one") == "QUEUED"


def test_a_lock_of_a_version_without_pauses_is_not_paused(cloud: Cloud, app: App) -> None:
    app.ask(lock_request("one"))
    items = cloud.client("dynamodb").scan(TableName=table.NAME)["Items"]
    [item] = [item for item in items if item["item"]["S"] == "lock"]
    document = json.loads(item["lock"]["S"])
    assert document.pop("paused") is None
    old = {**item, "lock": {"S": json.dumps(document)}}
    cloud.client("dynamodb").put_item(TableName=table.NAME, Item=old)

    assert app.lock.paused is None
    assert app.lock.holder is not None


def test_a_pause_and_a_push_at_the_same_moment_have_one_order(app: App) -> None:
    late = app.ask(
        lock_request("one"),
        meanwhile=lambda: app.change(lambda lock: pause_app(lock, PAUSE)[0]),
    )

    assert late.status is LockStatus.QUEUED
    assert app.lock.holder is None
    assert app.lock.waiting is not None


def test_two_concurrent_requests_have_one_winner(app: App) -> None:
    answers = [LockStatus.LOST]

    late = app.ask(
        lock_request("one", "A", 0),
        meanwhile=lambda: answers.append(app.ask(lock_request("two", "B", 1)).status),
    )

    assert answers[1:] == [LockStatus.PROCEED]
    assert late.status is LockStatus.SUPERSEDED
    assert app.lock.holder is not None
    assert app.lock.holder.execution == arn("two")
    assert (app.status("one"), app.status("two")) == ("SUPERSEDED", "in progress")


def test_a_request_during_the_release_of_the_lock_gets_it(app: App) -> None:
    app.ask(lock_request("one"))

    answer = app.ask(
        lock_request("two", "B", 1),
        meanwhile=lambda: app.change(lambda lock: release_lock(lock, arn("one"))),
    )

    assert answer.status is LockStatus.PROCEED
    assert app.lock.waiting is None


def test_a_request_repeated_after_a_lost_answer_gets_the_same_answer(
    cloud: Cloud, app: App
) -> None:
    for asked in (
        lock_request("one"),
        lock_request("two", "B", 1),
        lock_request("three", "B", 2),
        lock_request("four", "A"),
    ):
        cloud.faults.lose_answer(WRITE)
        with pytest.raises(ReadTimeoutError):
            app.ask(asked)
        written, status = app.lock, app.status(asked.execution.rpartition(":")[2])

        again = app.ask(asked)

        assert app.lock == written
        assert (again.status if again.holder is None else "in progress") == status
    assert [app.status(name) for name in ("one", "two", "three", "four")] == [
        *("in progress", "QUEUED", "DUPLICATE", "SUPERSEDED")
    ]


def test_a_newer_push_supersedes_the_waiting_release_in_one_transaction(
    cloud: Cloud, app: App
) -> None:
    app.ask(lock_request("one"))
    app.ask(lock_request("two", "B", 1))

    app.ask(lock_request("three", "C", 2))

    assert (app.status("two"), app.status("three")) == ("SUPERSEDED", "QUEUED")
    items = cloud.client("dynamodb").scan(TableName=table.NAME)["Items"]
    [by] = [item["supersededBy"]["S"] for item in items if "supersededBy" in item]
    assert by == release_of("three")


def test_every_image_that_was_ever_asked_for_is_known(app: App) -> None:
    app.ask(lock_request("one"))
    app.ask(lock_request("two", "B", 1))
    app.ask(lock_request("three", "C", -1))

    known = [app.records.release_of_image(APP, digest) for digest in "ABCD"]
    assert known == [release_of("one"), release_of("two"), release_of("three"), None]


def test_a_write_that_fails_changes_nothing_and_passes(cloud: Cloud, app: App) -> None:
    cloud.faults.refuse(WRITE, "InternalServerError")

    with pytest.raises(ClientError, match="InternalServerError"):
        app.ask(lock_request("one"))

    assert app.lock == Lock()
    assert app.status("one") is None


def test_a_lock_that_changes_at_every_read_is_an_error(app: App) -> None:
    def restless(lock: Lock) -> tuple[Lock, None]:
        app.change(lambda seen: Lock(fence=seen.fence + 1))
        return Lock(fence=lock.fence + 1), None

    with pytest.raises(RuntimeError, match="has changed 20 times"):
        app.locks.change(APP, restless)


def test_an_unchanged_lock_is_not_written(cloud: Cloud, app: App) -> None:
    app.ask(lock_request("one"))
    cloud.faults.refuse(WRITE, "InternalServerError")

    app.change(lambda lock: release_lock(lock, arn("somebody-else")))

    assert app.lock.holder is not None


def test_a_failed_condition_applies_the_rule_again(app: App) -> None:
    """The answer depends on the lock of another app, which changes meanwhile."""
    seen: list[int] = []

    def rule(lock: Lock) -> tuple[Lock, Write]:
        other, unchanged = app.locks.unchanged("other")
        seen.append(other.fence)
        if len(seen) == 1:
            app.locks.change("other", lambda _: (Lock(fence=1), None))
        return Lock(fence=lock.fence + 1), unchanged

    app.locks.change(APP, rule, conditions=lambda unchanged: [unchanged])

    assert seen == [0, 1]
    assert app.lock.fence == 1
