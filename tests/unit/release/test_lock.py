"""The rules of the deployment lock, one after the other."""

from dataclasses import replace

import pytest

from lightgate.errors import RefusedError
from lightgate.release.lock import HeldLock, Lock, LockAnswer, LockRequest, LockStatus
from lightgate.release.lock_rules import (
    abandon_lock,
    acquire_lock,
    begin_creating,
    end_creating,
    next_to_start,
    objection,
    release_lock,
    whole_seconds,
)
from tests.component.lock_requests import START, arn, lock_request, release_of

PROCEED, QUEUED = LockStatus.PROCEED, LockStatus.QUEUED
DUPLICATE, SUPERSEDED = LockStatus.DUPLICATE, LockStatus.SUPERSEDED


def after(*requests: LockRequest) -> tuple[Lock, list[LockAnswer]]:
    """The lock after all of these requests, and their answers."""
    lock, answers = Lock(), []
    for each in requests:
        lock, answer = acquire_lock(lock, each)
        answers.append(answer)
    return lock, answers


def statuses(*requests: LockRequest) -> list[LockStatus]:
    return [answer.status for answer in after(*requests)[1]]


def held(lock: Lock) -> HeldLock:
    assert lock.holder is not None
    return HeldLock(execution=lock.holder.execution, fence=lock.holder.fence)


def following(lock: Lock, **changes: object) -> LockRequest:
    """The claim of the execution that is started for what waits."""
    waiting = next_to_start(lock)
    assert waiting is not None
    return replace(lock_request(waiting.name, waiting.digest), at=waiting.at, **changes)


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([lock_request("1", "A"), lock_request("2", "B", 1)], [PROCEED, QUEUED]),
        ([lock_request("1", "A"), lock_request("2", "B", -1)], [PROCEED, SUPERSEDED]),
        ([lock_request("1", "A"), lock_request("2", "B", 0)], [PROCEED, QUEUED]),
        ([lock_request("1", "A"), lock_request("2", "A", 1)], [PROCEED, DUPLICATE]),
        ([lock_request("1", "A"), lock_request("2", "A", -1)], [PROCEED, DUPLICATE]),
        ([lock_request("1", "A"), lock_request("2", "A", 1, pushed=False)], [PROCEED, QUEUED]),
        ([lock_request("1", "A", live_fingerprint="A")], [DUPLICATE]),
        ([lock_request("1", "A", live_fingerprint="B")], [PROCEED]),
        ([lock_request("1", "A", live_fingerprint="A", pushed=False)], [PROCEED]),
        ([lock_request("1", "A", tag_moved_to="B")], [SUPERSEDED]),
        (
            [lock_request("1", "A"), lock_request("2", "B", 1), lock_request("3", "B", 2)],
            [PROCEED, QUEUED, DUPLICATE],
        ),
        (
            [lock_request("1", "A"), lock_request("2", "B", 1), lock_request("3", "A", 2)],
            [PROCEED, QUEUED, QUEUED],
        ),
        (
            [lock_request("1", "A"), lock_request("2", "B", 9), lock_request("3", "C", 5)],
            [PROCEED, QUEUED, SUPERSEDED],
        ),
        (
            [lock_request("1", "A"), lock_request("2", "B", 1, live_fingerprint="B")],
            [PROCEED, QUEUED],
        ),
        (
            [lock_request("1", "A"), lock_request("2", "A", 9), lock_request("3", "B", 5)],
            [PROCEED, DUPLICATE, SUPERSEDED],
        ),
        (
            [
                lock_request("1", "A"),
                lock_request("2", "B", 1),
                lock_request("3", "B", 9),
                lock_request("4", "C", 5),
            ],
            [PROCEED, QUEUED, DUPLICATE, SUPERSEDED],
        ),
    ],
)
def test_only_the_newest_push_during_a_release_follows_it(
    requests: list[LockRequest], expected: list[LockStatus]
) -> None:
    assert statuses(*requests) == expected


def test_the_newest_push_displaces_what_waits() -> None:
    lock, answers = after(
        lock_request("1", "A"), lock_request("2", "B", 1), lock_request("3", "C", 2)
    )

    assert answers[2].displaced is not None
    assert answers[2].displaced.release == release_of("2")
    assert lock.waiting is not None
    assert lock.waiting.release == release_of("3")


def test_the_waiting_release_starts_under_its_new_name() -> None:
    lock, _ = after(lock_request("1", "A"), lock_request("2", "B", 1))
    assert next_to_start(lock) is None
    lock = release_lock(lock, arn("1"))

    lock, answer = acquire_lock(lock, following(lock))

    assert (answer.status, lock.waiting) == (PROCEED, None)
    assert answer.begun is not None
    assert answer.begun.release == release_of("2")
    assert lock.fence == 2


@pytest.mark.parametrize(
    ("at", "changes", "status"),
    [
        (-1, {}, DUPLICATE),
        (-1, {"fingerprint": None}, DUPLICATE),
        (0, {}, PROCEED),
        (-1, {"pushed": False}, PROCEED),
    ],
)
def test_a_push_is_answered_by_the_release_of_its_image_that_began_after_it(
    at: int, changes: dict[str, object], status: LockStatus
) -> None:
    lock, _ = after(lock_request("1", "A"))

    lock, answer = acquire_lock(release_lock(lock, arn("1")), lock_request("2", "A", at, **changes))

    assert answer.status is status
    if status is DUPLICATE:
        assert answer.reason == f"Release {release_of('1')} of this image started after the push."


def test_a_late_push_is_not_answered_by_a_release_that_was_only_queued() -> None:
    lock, _ = after(lock_request("1", "H", -9), lock_request("2", "A", -1))
    lock = release_lock(lock, arn("1"))
    lock, given_up = acquire_lock(lock, replace(following(lock), tag_moved_to="B"))

    _, answer = acquire_lock(lock, lock_request("3", "A", -1))

    assert given_up.status is SUPERSEDED
    assert answer.status is PROCEED


def test_a_late_push_is_not_answered_by_a_rollback_to_its_image() -> None:
    """A rollback uses the spec of that version, and a push that of today."""
    lock, _ = after(lock_request("1", "A", 5, can_be_superseded=False, pushed=False))

    _, answer = acquire_lock(release_lock(lock, arn("1")), lock_request("2", "A", -1))

    assert answer.status is PROCEED


def test_a_waiting_release_is_no_duplicate_of_itself() -> None:
    lock, _ = after(lock_request("1", "A", -5), lock_request("2", "B", -1))
    lock = release_lock(lock, arn("1"))

    _, answer = acquire_lock(lock, following(lock))

    assert answer.status is PROCEED


@pytest.mark.parametrize(
    ("at", "status"), [(2, SUPERSEDED), (1, SUPERSEDED)], ids=["a newer one", "one as new"]
)
def test_what_was_started_finds_one_that_came_before_it(at: int, status: LockStatus) -> None:
    lock, _ = after(lock_request("1", "A"), lock_request("2", "B", 1))
    lock = release_lock(lock, arn("1"))
    started = following(lock)
    lock, newer = acquire_lock(lock, lock_request("3", "C", at))

    lock, answer = acquire_lock(lock, started)

    assert newer.displaced is not None
    expected = status if at > 1 else QUEUED
    assert answer.status is expected


def test_a_release_is_superseded_if_its_tag_has_moved_on() -> None:
    lock, _ = after(lock_request("1", "A"), lock_request("2", "B", 1))
    lock = release_lock(lock, arn("1"))

    lock, answer = acquire_lock(lock, following(lock, tag_moved_to="C"))

    assert (answer.status, lock.waiting, lock.holder) == (SUPERSEDED, None, None)


def test_a_push_of_the_live_image_clears_the_queue() -> None:
    lock, _ = after(lock_request("1", "A"), lock_request("2", "B", 1))
    lock = release_lock(lock, arn("1"))

    lock, answer = acquire_lock(lock, lock_request("3", "A", 2, live_fingerprint="A"))

    assert (answer.status, lock.waiting) == (DUPLICATE, None)
    assert answer.displaced is not None


@pytest.mark.parametrize(
    "asked", [lock_request("1"), lock_request("2", "B", 1), lock_request("4", "C", -5)]
)
def test_a_repeated_request_gets_the_same_answer(asked: LockRequest) -> None:
    lock, _ = after(lock_request("1", "A"), lock_request("2", "B", 1), lock_request("4", "C", -5))
    once = acquire_lock(lock, asked)

    again = acquire_lock(once[0], asked)

    assert again == once


def test_a_release_can_be_superseded_until_its_deployment_is_created() -> None:
    lock, _ = after(lock_request("1", "A"))
    assert objection(lock, held(lock)) is None
    waited_for, _ = acquire_lock(lock, lock_request("2", "B", 1))

    why_not = objection(waited_for, held(lock))
    assert why_not is not None
    assert why_not.status is SUPERSEDED
    assert release_of("2") in why_not.reason
    created, start = begin_creating(lock, held(lock))
    created, _ = acquire_lock(created, lock_request("2", "B", 1))
    assert start.objection is None
    assert objection(created, held(lock)) is None


def test_a_concurrent_creation_and_newer_push_have_one_winner() -> None:
    lock, _ = after(lock_request("1", "A"))
    waited_for, _ = acquire_lock(lock, lock_request("2", "B", 1))

    unchanged, start = begin_creating(waited_for, held(lock))

    assert start.objection is not None
    assert unchanged == waited_for


def test_a_release_can_be_superseded_again_after_a_refused_create_call() -> None:
    lock, _ = after(lock_request("1", "A"))
    creating, first = begin_creating(lock, held(lock))
    _, second = begin_creating(creating, held(lock))

    assert (first.again, second.again) == (False, True)
    assert end_creating(creating, held(lock)) == lock


def test_an_older_fence_is_no_proof() -> None:
    lock, _ = after(lock_request("1", "A"))
    older = replace(held(lock), fence=0)

    why_not = objection(lock, older)

    assert why_not is not None
    assert why_not.status is LockStatus.LOST
    assert begin_creating(lock, older)[0] == lock
    assert end_creating(lock, older) == lock


def test_after_an_abandoned_release_the_next_one_takes_over_and_the_one_after_does_not() -> None:
    lock = abandon_lock(after(lock_request("1", "A"))[0], arn("1"))
    lock, answer = acquire_lock(lock, lock_request("2", "B", 1))
    assert answer.status is LockStatus.TAKEN_OVER
    assert answer.holder is not None
    assert answer.holder.after == release_of("1")
    lock, _ = begin_creating(lock, held(lock))

    lock, answer = acquire_lock(release_lock(lock, arn("2")), lock_request("3", "C", 2))

    assert answer.status is PROCEED


@pytest.mark.parametrize("leave", [release_lock, abandon_lock])
def test_an_abandoned_release_stays_noted_until_the_next_one_has_waited(leave: object) -> None:
    lock = abandon_lock(after(lock_request("1", "A"))[0], arn("1"))
    lock, _ = acquire_lock(lock, lock_request("2", "B", 1))

    left = leave(lock, arn("2"))  # type: ignore[operator]

    assert left.abandoned == release_of("1")


@pytest.mark.parametrize("leave", [release_lock, abandon_lock])
def test_an_execution_that_ends_in_the_queue_leaves_it(leave: object) -> None:
    lock = release_lock(after(lock_request("1", "A"), lock_request("2", "B", 1))[0], arn("1"))
    started = following(lock)

    left = leave(lock, started.execution)  # type: ignore[operator]

    assert next_to_start(left) is None


@pytest.mark.parametrize(
    "ahead",
    [
        after(lock_request("1", "A"))[0],
        release_lock(after(lock_request("1", "A"), lock_request("2", "B", 1))[0], arn("1")),
    ],
    ids=["under way", "waiting"],
)
def test_a_persons_rollback_is_refused_if_it_would_have_to_wait(
    ahead: Lock,
) -> None:
    with pytest.raises(RefusedError, match=r"^Release \S+-of-\d is in progress or about"):
        acquire_lock(ahead, lock_request("3", "A", 2, pushed=False, can_be_superseded=False))


def test_a_persons_rollback_is_not_superseded_by_a_push() -> None:
    lock, answers = after(
        lock_request("1", "A", can_be_superseded=False), lock_request("2", "B", 1)
    )

    assert [answer.status for answer in answers] == [PROCEED, QUEUED]
    assert objection(lock, held(lock)) is None


def test_a_command_does_not_request_a_release_of_its_image() -> None:
    command = replace(lock_request("1", at=5, pushed=False, can_be_superseded=False), digest=None)
    lock, _ = after(command)

    lock, answer = acquire_lock(release_lock(lock, arn("1")), lock_request("2", "A", 1))

    assert answer.status is PROCEED


def test_a_push_that_is_older_than_a_rollback_is_superseded_by_it() -> None:
    lock, _ = after(lock_request("1", "A", 5, pushed=False, can_be_superseded=False))

    assert acquire_lock(lock, lock_request("2", "B", 1))[1].status is SUPERSEDED


def test_pushes_are_compared_in_whole_seconds() -> None:
    assert whole_seconds(START.replace(microsecond=999_999)) == START
