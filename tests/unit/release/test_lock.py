"""Whose turn it is: the rules, one after the other."""

from dataclasses import replace

import pytest

from lightgate.errors import RefusedError
from lightgate.release.lock import (
    Claim,
    ClaimAnswer,
    ClaimStatus,
    HeldLock,
    Lock,
    abandon_lock,
    begin_creating,
    claim_lock,
    end_creating,
    next_to_start,
    objection,
    release_lock,
    whole_seconds,
)
from tests.component.claims import START, arn, claim, release_of

PROCEED, QUEUED = ClaimStatus.PROCEED, ClaimStatus.QUEUED
DUPLICATE, SUPERSEDED = ClaimStatus.DUPLICATE, ClaimStatus.SUPERSEDED


def after(*claims: Claim) -> tuple[Lock, list[ClaimAnswer]]:
    """The turn after all of them have asked, and what they were told."""
    lock, answers = Lock(), []
    for each in claims:
        lock, answer = claim_lock(lock, each)
        answers.append(answer)
    return lock, answers


def statuses(*claims: Claim) -> list[ClaimStatus]:
    return [answer.status for answer in after(*claims)[1]]


def holding(lock: Lock) -> HeldLock:
    assert lock.holder is not None
    return HeldLock(execution=lock.holder.execution, fence=lock.holder.fence)


def following(lock: Lock, **changes: object) -> Claim:
    """The claim of the execution that is started for what waits."""
    waiting = next_to_start(lock)
    assert waiting is not None
    return replace(claim(waiting.name, waiting.digest), at=waiting.at, **changes)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([claim("1", "A"), claim("2", "B", 1)], [PROCEED, QUEUED]),
        ([claim("1", "A"), claim("2", "B", -1)], [PROCEED, SUPERSEDED]),
        ([claim("1", "A"), claim("2", "B", 0)], [PROCEED, QUEUED]),
        ([claim("1", "A"), claim("2", "A", 1)], [PROCEED, DUPLICATE]),
        ([claim("1", "A"), claim("2", "A", -1)], [PROCEED, DUPLICATE]),
        ([claim("1", "A"), claim("2", "A", 1, pushed=False)], [PROCEED, QUEUED]),
        ([claim("1", "A", serving="A")], [DUPLICATE]),
        ([claim("1", "A", serving="B")], [PROCEED]),
        ([claim("1", "A", serving="A", pushed=False)], [PROCEED]),
        ([claim("1", "A", moved_to="B")], [SUPERSEDED]),
        ([claim("1", "A"), claim("2", "B", 1), claim("3", "B", 2)], [PROCEED, QUEUED, DUPLICATE]),
        ([claim("1", "A"), claim("2", "B", 1), claim("3", "A", 2)], [PROCEED, QUEUED, QUEUED]),
        ([claim("1", "A"), claim("2", "B", 9), claim("3", "C", 5)], [PROCEED, QUEUED, SUPERSEDED]),
        ([claim("1", "A"), claim("2", "B", 1, serving="B")], [PROCEED, QUEUED]),
        (
            [claim("1", "A"), claim("2", "A", 9), claim("3", "B", 5)],
            [PROCEED, DUPLICATE, SUPERSEDED],
        ),
        (
            [claim("1", "A"), claim("2", "B", 1), claim("3", "B", 9), claim("4", "C", 5)],
            [PROCEED, QUEUED, DUPLICATE, SUPERSEDED],
        ),
    ],
)
def test_what_becomes_of_pushes_that_come_while_one_is_released(
    claims: list[Claim], expected: list[ClaimStatus]
) -> None:
    assert statuses(*claims) == expected


def test_the_newest_push_displaces_what_waits() -> None:
    lock, answers = after(claim("1", "A"), claim("2", "B", 1), claim("3", "C", 2))

    assert answers[2].displaced is not None
    assert answers[2].displaced.release == release_of("2")
    assert lock.waiting is not None
    assert lock.waiting.release == release_of("3")


def test_what_waits_is_started_and_goes_on_under_its_new_name() -> None:
    lock, _ = after(claim("1", "A"), claim("2", "B", 1))
    assert next_to_start(lock) is None
    lock = release_lock(lock, arn("1"))

    lock, answer = claim_lock(lock, following(lock))

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
    at: int, changes: dict[str, object], status: ClaimStatus
) -> None:
    lock, _ = after(claim("1", "A"))

    lock, answer = claim_lock(release_lock(lock, arn("1")), claim("2", "A", at, **changes))

    assert answer.status is status
    if status is DUPLICATE:
        assert answer.reason == f"Release {release_of('1')} of this image started after the push."


def test_a_late_push_is_not_answered_by_a_release_that_was_only_queued() -> None:
    lock, _ = after(claim("1", "H", -9), claim("2", "A", -1))
    lock = release_lock(lock, arn("1"))
    lock, given_up = claim_lock(lock, replace(following(lock), moved_to="B"))

    _, answer = claim_lock(lock, claim("3", "A", -1))

    assert given_up.status is SUPERSEDED
    assert answer.status is PROCEED


def test_a_late_push_is_not_answered_by_a_rollback_to_its_image() -> None:
    """A rollback uses the spec of that version, and a push that of today."""
    lock, _ = after(claim("1", "A", 5, gives_way=False, pushed=False))

    _, answer = claim_lock(release_lock(lock, arn("1")), claim("2", "A", -1))

    assert answer.status is PROCEED


def test_what_waits_is_no_duplicate_of_its_own_place_in_the_queue() -> None:
    lock, _ = after(claim("1", "A", -5), claim("2", "B", -1))
    lock = release_lock(lock, arn("1"))

    _, answer = claim_lock(lock, following(lock))

    assert answer.status is PROCEED


@pytest.mark.parametrize(
    ("at", "status"), [(2, SUPERSEDED), (1, SUPERSEDED)], ids=["a newer one", "one as new"]
)
def test_what_was_started_finds_one_that_came_before_it(at: int, status: ClaimStatus) -> None:
    lock, _ = after(claim("1", "A"), claim("2", "B", 1))
    lock = release_lock(lock, arn("1"))
    started = following(lock)
    lock, newer = claim_lock(lock, claim("3", "C", at))

    lock, answer = claim_lock(lock, started)

    assert newer.displaced is not None
    expected = status if at > 1 else QUEUED
    assert answer.status is expected


def test_what_was_started_is_needed_no_more_if_its_tag_has_moved_on() -> None:
    lock, _ = after(claim("1", "A"), claim("2", "B", 1))
    lock = release_lock(lock, arn("1"))

    lock, answer = claim_lock(lock, following(lock, moved_to="C"))

    assert (answer.status, lock.waiting, lock.holder) == (SUPERSEDED, None, None)


def test_a_push_of_what_serves_clears_what_waits_for_nobody() -> None:
    lock, _ = after(claim("1", "A"), claim("2", "B", 1))
    lock = release_lock(lock, arn("1"))

    lock, answer = claim_lock(lock, claim("3", "A", 2, serving="A"))

    assert (answer.status, lock.waiting) == (DUPLICATE, None)
    assert answer.displaced is not None


@pytest.mark.parametrize("asked", [claim("1"), claim("2", "B", 1), claim("4", "C", -5)])
def test_who_asks_again_is_told_the_same(asked: Claim) -> None:
    lock, _ = after(claim("1", "A"), claim("2", "B", 1), claim("4", "C", -5))
    once = claim_lock(lock, asked)

    again = claim_lock(once[0], asked)

    assert again == once


def test_a_release_gives_way_until_its_deployment_is_created() -> None:
    lock, _ = after(claim("1", "A"))
    assert objection(lock, holding(lock)) is None
    waited_for, _ = claim_lock(lock, claim("2", "B", 1))

    why_not = objection(waited_for, holding(lock))
    assert why_not is not None
    assert why_not.status is SUPERSEDED
    assert release_of("2") in why_not.reason
    created, start = begin_creating(lock, holding(lock))
    created, _ = claim_lock(created, claim("2", "B", 1))
    assert start.objection is None
    assert objection(created, holding(lock)) is None


def test_of_a_creation_and_a_newer_push_at_once_one_wins() -> None:
    lock, _ = after(claim("1", "A"))
    waited_for, _ = claim_lock(lock, claim("2", "B", 1))

    unchanged, start = begin_creating(waited_for, holding(lock))

    assert start.objection is not None
    assert unchanged == waited_for


def test_a_creation_that_was_refused_for_certain_lets_the_release_give_way_again() -> None:
    lock, _ = after(claim("1", "A"))
    creating, first = begin_creating(lock, holding(lock))
    _, second = begin_creating(creating, holding(lock))

    assert (first.again, second.again) == (False, True)
    assert end_creating(creating, holding(lock)) == lock


def test_an_older_fence_is_no_proof() -> None:
    lock, _ = after(claim("1", "A"))
    older = replace(holding(lock), fence=0)

    why_not = objection(lock, older)

    assert why_not is not None
    assert why_not.status is ClaimStatus.LOST
    assert begin_creating(lock, older)[0] == lock
    assert end_creating(lock, older) == lock


def test_after_an_abandoned_release_the_next_one_takes_over_and_the_one_after_does_not() -> None:
    lock = abandon_lock(after(claim("1", "A"))[0], arn("1"))
    lock, answer = claim_lock(lock, claim("2", "B", 1))
    assert answer.status is ClaimStatus.TAKEN_OVER
    assert answer.holder is not None
    assert answer.holder.after == release_of("1")
    lock, _ = begin_creating(lock, holding(lock))

    lock, answer = claim_lock(release_lock(lock, arn("2")), claim("3", "C", 2))

    assert answer.status is PROCEED


@pytest.mark.parametrize("leave", [release_lock, abandon_lock])
def test_what_was_abandoned_stays_so_until_somebody_has_outwaited_it(leave: object) -> None:
    lock = abandon_lock(after(claim("1", "A"))[0], arn("1"))
    lock, _ = claim_lock(lock, claim("2", "B", 1))

    left = leave(lock, arn("2"))  # type: ignore[operator]

    assert left.abandoned == release_of("1")


@pytest.mark.parametrize("leave", [release_lock, abandon_lock])
def test_an_execution_that_ends_before_its_turn_is_waited_for_no_more(leave: object) -> None:
    lock = release_lock(after(claim("1", "A"), claim("2", "B", 1))[0], arn("1"))
    started = following(lock)

    left = leave(lock, started.execution)  # type: ignore[operator]

    assert next_to_start(left) is None


@pytest.mark.parametrize(
    "ahead",
    [
        after(claim("1", "A"))[0],
        release_lock(after(claim("1", "A"), claim("2", "B", 1))[0], arn("1")),
    ],
    ids=["under way", "waiting"],
)
def test_what_a_person_wants_now_or_not_at_all_is_refused_while_it_would_have_to_wait(
    ahead: Lock,
) -> None:
    with pytest.raises(RefusedError, match=r"^Release \S+-of-\d is in progress or about"):
        claim_lock(ahead, claim("3", "A", 2, pushed=False, gives_way=False))


def test_what_a_person_wants_now_does_not_give_way_to_a_push() -> None:
    lock, answers = after(claim("1", "A", gives_way=False), claim("2", "B", 1))

    assert [answer.status for answer in answers] == [PROCEED, QUEUED]
    assert objection(lock, holding(lock)) is None


def test_a_command_is_no_wish_for_its_image() -> None:
    command = replace(claim("1", at=5, pushed=False, gives_way=False), digest=None)
    lock, _ = after(command)

    lock, answer = claim_lock(release_lock(lock, arn("1")), claim("2", "A", 1))

    assert answer.status is PROCEED


def test_a_push_that_is_older_than_a_rollback_is_superseded_by_it() -> None:
    lock, _ = after(claim("1", "A", 5, pushed=False, gives_way=False))

    assert claim_lock(lock, claim("2", "B", 1))[1].status is SUPERSEDED


def test_pushes_are_told_apart_by_whole_seconds() -> None:
    assert whole_seconds(START.replace(microsecond=999_999)) == START
