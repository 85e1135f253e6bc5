"""What a pause changes in the rules of the deployment lock."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lightgate.errors import RefusedError
from lightgate.release.lock import HeldLock, Lock, LockAnswer, LockRequest, LockStatus, Pause
from lightgate.release.lock_rules import (
    abandon_lock,
    acquire_lock,
    next_to_start,
    objection,
    release_lock,
)
from lightgate.release.pause import pause_app, resume_app
from tests.component.lock_requests import START, arn, lock_request, release_of

PAUSE = Pause(by="arn:aws:iam::123456789012:user/ada", reason="Maintenance until noon", at=START)
PROCEED, QUEUED = LockStatus.PROCEED, LockStatus.QUEUED
DUPLICATE, SUPERSEDED = LockStatus.DUPLICATE, LockStatus.SUPERSEDED


def paused(lock: Lock) -> Lock:
    return pause_app(lock, PAUSE)[0]


def resumed(lock: Lock) -> Lock:
    return resume_app(lock)[0]


def asked(lock: Lock, *requests: LockRequest) -> tuple[Lock, list[LockAnswer]]:
    answers = []
    for each in requests:
        lock, answer = acquire_lock(lock, each)
        answers.append(answer)
    return lock, answers


def by_hand(name: str, digest: str = "A", at: float = 0, **changes: object) -> LockRequest:
    return lock_request(name, digest, at, pushed=False, **changes)


def started(lock: Lock) -> LockRequest:
    """The request of the execution that is started for what waits."""
    waiting = next_to_start(lock)
    assert waiting is not None
    pushed = waiting.pushed
    return replace(lock_request(waiting.name, waiting.digest or "", pushed=pushed), at=waiting.at)


def held(lock: Lock) -> HeldLock:
    assert lock.holder is not None
    return HeldLock(execution=lock.holder.execution, fence=lock.holder.fence)


ROLLBACK = by_hand("back", "A", 9, can_be_superseded=False, fingerprint=None)
COMMAND = by_hand("run", "A", 9, can_be_superseded=False, fingerprint=None)
COMMAND = replace(COMMAND, digest=None)
OTHER_IMAGE = by_hand("other", "C", 9)
BY_HAND = pytest.mark.parametrize(
    "request_by_hand", [ROLLBACK, COMMAND, OTHER_IMAGE], ids=["rollback", "command", "release"]
)


def test_the_newest_push_waits_while_the_app_is_paused() -> None:
    lock, [one, two] = asked(paused(Lock()), lock_request("1", "A"), lock_request("2", "B", 1))

    assert (one.status, two.status) == (QUEUED, QUEUED)
    assert lock.holder is None
    assert next_to_start(lock) is None
    assert lock.waiting is not None
    assert lock.waiting.release == release_of("2")
    assert two.displaced is not None
    assert two.displaced.release == release_of("1")


def test_a_push_that_waits_says_who_paused_the_app_why_and_when() -> None:
    _, [answer] = asked(paused(Lock()), lock_request("1"))

    assert answer.reason == (
        "arn:aws:iam::123456789012:user/ada paused the app at 2026-11-16 01:54:34 UTC: "
        "Maintenance until noon. This release starts when the app is resumed."
    )


def test_a_push_behind_a_running_release_does_not_start_once_that_has_ended() -> None:
    lock, _ = asked(Lock(), lock_request("1", "A"), lock_request("2", "B", 1))

    lock = release_lock(paused(lock), arn("1"))

    assert next_to_start(lock) is None
    assert next_to_start(resumed(lock)) is not None


def test_a_running_release_ends_before_a_pause_and_is_not_superseded_by_what_waits() -> None:
    lock, _ = asked(Lock(), lock_request("1", "A"))
    lock, [answer] = asked(paused(lock), lock_request("2", "B", 1))

    assert answer.status is QUEUED
    assert objection(lock, held(lock)) is None
    why_not = objection(resumed(lock), held(lock))
    assert why_not is not None
    assert why_not.status is SUPERSEDED


def test_resume_starts_what_waits() -> None:
    lock, _ = asked(paused(Lock()), lock_request("1", "A"))

    lock, answer = resume_app(lock)

    assert answer.pause == PAUSE
    assert answer.next is not None
    assert answer.next.release == release_of("1")
    lock, [begun] = asked(lock, started(lock))
    assert begun.status is PROCEED
    assert begun.begun is not None
    assert (lock.waiting, lock.paused) == (None, None)


def test_a_release_that_starts_as_the_app_is_paused_again_waits_again() -> None:
    lock, _ = asked(paused(Lock()), lock_request("1", "A"))
    lock = resumed(lock)
    request = started(lock)

    lock, [answer] = asked(paused(lock), request)

    assert answer.status is QUEUED
    assert answer.begun is not None
    assert lock.waiting is not None
    assert lock.waiting.release == request.release
    assert next_to_start(resumed(lock)) is not None


@BY_HAND
def test_a_release_by_hand_runs_and_leaves_the_push_waiting(request_by_hand: LockRequest) -> None:
    lock, _ = asked(paused(Lock()), lock_request("1", "B"))

    lock, [answer] = asked(lock, request_by_hand)

    assert (answer.status, answer.displaced) == (PROCEED, None)
    assert objection(lock, held(lock)) is None
    assert next_to_start(release_lock(lock, request_by_hand.execution)) is None
    lock = release_lock(resumed(lock), request_by_hand.execution)
    lock, [begun] = asked(lock, started(lock))
    assert (begun.status, lock.waiting) == (PROCEED, None)


@BY_HAND
def test_a_release_by_hand_runs_to_its_end_also_if_the_app_is_resumed_meanwhile(
    request_by_hand: LockRequest,
) -> None:
    lock, _ = asked(paused(Lock()), lock_request("1", "B"), request_by_hand)

    assert objection(resumed(lock), held(lock)) is None


def test_a_release_by_hand_of_the_image_that_waits_takes_its_place() -> None:
    lock, [_, answer] = asked(paused(Lock()), lock_request("1", "B"), by_hand("2", "B", 1))

    assert answer.status is PROCEED
    assert answer.displaced is not None
    assert answer.displaced.release == release_of("1")
    assert lock.waiting is None


@BY_HAND
def test_a_release_by_hand_is_refused_if_it_would_take_the_place_of_the_push_that_waits(
    request_by_hand: LockRequest,
) -> None:
    lock, _ = asked(Lock(), lock_request("1", "A"))
    lock, _ = asked(paused(lock), lock_request("2", "B", 1))

    with pytest.raises(RefusedError, match=rf"^Release {release_of('1')} is in progress"):
        acquire_lock(lock, request_by_hand)


def test_a_release_by_hand_that_waits_starts_although_the_app_is_paused() -> None:
    lock, [_, answer] = asked(Lock(), lock_request("1", "A"), by_hand("2", "B", 1))

    lock = release_lock(paused(lock), arn("1"))

    assert answer.status is QUEUED
    lock, [begun] = asked(lock, started(lock))
    assert begun.status is PROCEED


def test_a_release_by_hand_waits_behind_a_running_one_of_a_paused_app() -> None:
    lock, _ = asked(Lock(), lock_request("1", "A"))

    lock, [answer] = asked(paused(lock), by_hand("2", "B", 1))

    assert answer.status is QUEUED
    assert answer.reason.startswith(f"Release {release_of('1')} is in progress; ")
    assert next_to_start(release_lock(lock, arn("1"))) is not None


@pytest.mark.parametrize(
    ("late", "status"),
    [
        (lock_request("2", "B", 5), DUPLICATE),
        (lock_request("2", "C", -1), SUPERSEDED),
        (lock_request("2", "L", 5, live_fingerprint="L"), QUEUED),
    ],
    ids=["the image that waits", "an older push", "the live image"],
)
def test_pushes_are_compared_with_the_one_that_waits(late: LockRequest, status: LockStatus) -> None:
    lock, [_, answer] = asked(paused(Lock()), lock_request("1", "B"), late)

    assert answer.status is status
    assert lock.waiting is not None
    assert lock.waiting.release == release_of("2" if status is QUEUED else "1")


def test_a_push_of_the_live_image_does_not_wait() -> None:
    _, [answer] = asked(paused(Lock()), lock_request("1", "A", live_fingerprint="A"))

    assert answer.status is DUPLICATE


@pytest.mark.parametrize(
    "request_again", [lock_request("1"), lock_request("2", "B", 1), by_hand("3", "C", 2)]
)
def test_a_repeated_request_of_a_paused_app_gets_the_same_answer(
    request_again: LockRequest,
) -> None:
    lock, _ = asked(paused(Lock()), lock_request("1"), lock_request("2", "B", 1))
    once = acquire_lock(lock, request_again)

    assert acquire_lock(once[0], request_again) == once


def test_the_first_pause_counts_and_a_repeated_one_changes_nothing() -> None:
    lock = paused(Lock())
    later = replace(PAUSE, by="bob", at=START + timedelta(hours=1))

    assert pause_app(lock, PAUSE) == (lock, PAUSE)
    assert pause_app(lock, later) == (lock, PAUSE)


def test_a_repeated_resume_names_what_waits_until_that_has_started() -> None:
    lock, _ = asked(paused(Lock()), lock_request("1"))
    lock, once = resume_app(lock)

    lock, again = resume_app(lock)

    assert (again.pause, again.next) == (None, once.next)
    lock, _ = asked(lock, started(lock))
    assert resume_app(lock)[1].next is None


def test_resume_names_the_release_behind_which_the_push_waits() -> None:
    lock, _ = asked(Lock(), lock_request("1"))
    lock, _ = asked(paused(lock), lock_request("2", "B", 1))

    answer = resume_app(lock)[1]

    assert (answer.next, answer.behind) == (None, release_of("1"))
    assert resume_app(release_lock(lock, arn("1")))[1].behind is None


def test_resume_says_that_the_push_that_waits_is_rehearsed_before_it_starts() -> None:
    lock, _ = asked(paused(Lock()), lock_request("1", needs_rehearsal=True))

    answer = resume_app(lock)[1]

    assert (answer.next, answer.behind, answer.is_rehearsed) == (None, None, True)
    lock, _ = asked(paused(Lock()), lock_request("1"))
    assert not resume_app(lock)[1].is_rehearsed


def test_a_pause_is_no_abandoned_release_and_outlives_one() -> None:
    lock, _ = asked(paused(Lock()), by_hand("1", "A"))

    lock = abandon_lock(lock, arn("1"))

    assert lock.paused == PAUSE
    assert paused(Lock()).abandoned is None
    assert asked(lock, by_hand("2", "B", 1))[1][0].status is LockStatus.TAKEN_OVER
