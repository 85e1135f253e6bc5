"""Which watched tags have changed since the last check, and since when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.codec import decode, encode
from lightgate.image.tags import TaggedImage
from lightgate.release.tag_changes import TagCheck, WatchedTags, changes, check, dealt_with

START = datetime(2026, 11, 16, 1, 54, 34, tzinfo=UTC)
WATCH = WatchedTags(
    stack="one", repository="crops", patterns=("latest", "v*"), spec_version=3, spec_stored_at=START
)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def digest(name: str) -> str:
    return f"sha256:{name * 64}"


def image(name: str, *tags: str, pushed: float = -60) -> TaggedImage:
    return TaggedImage(digest=digest(name), tags=tags, pushed_at=at(pushed))


def found(checked: TagCheck, *images: TaggedImage) -> list[list[tuple[str, str, datetime]]]:
    """Tag, image and earliest time of each change, the newest first."""
    return [
        [(one.image.tag, one.image.digest[7], one.image.pushed_at) for one in group]
        for group in changes(checked, images)
    ]


def first(*images: TaggedImage, watch: WatchedTags = WATCH) -> TagCheck:
    return check(None, watch, images, at(0))


def test_at_first_sight_nothing_has_changed() -> None:
    images = image("a", "v1", pushed=-1), image("b", "latest", pushed=9)

    assert found(first(*images), *images) == []


def test_a_new_image_was_pushed_when_ecr_says_so() -> None:
    images = image("a", "v1"), image("b", "v2", pushed=3)

    second = check(first(images[0]), WATCH, images, at(15))

    assert found(second, *images) == [[("v2", "b", at(3))]]


@pytest.mark.parametrize("before", [("v1",), ("v1", "latest")])
def test_a_tag_on_an_older_image_was_put_there_after_the_last_check(before: tuple[str]) -> None:
    last = first(image("a", *before), image("b"))
    images = image("a", "v1"), image("b", "latest")

    assert found(check(last, WATCH, images, at(15)), *images) == [[("latest", "b", at(0))]]


def test_a_change_is_found_until_it_is_dealt_with() -> None:
    images = image("a", "v1"), image("b", "v2")
    later = check(first(images[0]), WATCH, images, at(15))
    for minutes in (30, 45):
        later = check(later, WATCH, images, at(minutes))
        assert found(later, *images) == [[("v2", "b", at(0))]]

    later = check(dealt_with(later, ["v2"]), WATCH, images, at(60))

    assert found(later, *images) == []


def test_what_is_dealt_with_for_another_image_is_left() -> None:
    images = image("a", "v1"), image("b", "v2")
    second = check(first(images[0]), WATCH, images, at(15))

    assert dealt_with(second, ["v2", "v9"], digest("c")) == second
    assert found(dealt_with(second, ["v2"], digest("b")), *images) == []


def test_changes_are_in_the_order_of_their_earliest_times_and_then_of_their_images() -> None:
    last = first(image("a"), image("b"), image("c"))
    images = (
        image("a", "v1", pushed=-50),
        image("b", "v2", pushed=-70),
        image("d", "v3", pushed=4),
        image("c", "v4", pushed=-50),
    )

    assert found(check(last, WATCH, images, at(15)), *images) == [
        [("v3", "d", at(4))],
        [("v4", "c", at(0)), ("v1", "a", at(0))],
        [("v2", "b", at(0))],
    ]


OTHERS = [
    replace(WATCH, stack="another"),
    replace(WATCH, repository="elsewhere"),
    replace(WATCH, patterns=("*",)),
]


@pytest.mark.parametrize("before", [None, *OTHERS[:2]])
def test_a_newly_watched_tag_has_not_changed(before: WatchedTags | None) -> None:
    last = first(image("a", "v1"), watch=before) if before else None
    images = image("a", "v2", pushed=-9), image("b", "v1", pushed=9)

    assert found(check(last, WATCH, images, at(15)), *images) == []


@pytest.mark.parametrize(("pushed", "is_missed"), [(4, False), (5, False), (5.01, True), (9, True)])
def test_a_newly_watched_tag_is_missed_only_if_pushed_after_the_spec(
    pushed: float, is_missed: bool
) -> None:
    images = image("a", "main", pushed=pushed), image("b", "beta")
    watch = OTHERS[2]

    second = check(first(), watch, images, at(15), missed_since=at(5))

    assert found(second, *images) == ([[("main", "a", at(pushed))]] if is_missed else [])


def test_a_tag_of_lightgate_is_no_push() -> None:
    images = [image("b", "lightgate-0123456789ab", pushed=3)]

    assert found(check(first(watch=OTHERS[2]), OTHERS[2], images, at(15)), *images) == []


@pytest.mark.parametrize(("days", "is_new"), [(6, False), (8, True)])
def test_a_tag_that_is_missing_for_a_while_is_not_new_again(days: float, is_new: bool) -> None:
    one = image("a", "v1")
    gone = check(first(one), WATCH, [], at(15))
    gone = check(gone, WATCH, [], at(15 + days * 24 * 60))

    back = check(gone, WATCH, [one], at(30 + days * 24 * 60))

    assert bool(found(back, one)) is is_new


NAMES = ("v1", "v2", "latest")
MOVES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from("abc"), st.booleans(), st.booleans()),
    max_size=12,
)


@given(MOVES)
def test_whatever_moves_between_two_checks_is_found_once_and_no_earlier_than_it_was(
    moves: list[tuple[str, str, bool, bool]],
) -> None:
    """Each move may be followed by a check, and that by somebody who deals with all."""
    tags: dict[str, str] = {}
    moved: dict[str, float] = {}
    seen: dict[str, str] = {}
    pending: set[str] = set()
    last = first()
    for minutes, (name, image_name, is_checked, is_dealt_with) in enumerate(moves, 1):
        if tags.get(name) != image_name:
            tags[name], moved[name] = image_name, minutes
        if not is_checked:
            continue
        images = [image(one, *(tag for tag in tags if tags[tag] == one)) for one in "abc"]
        last = check(decode(TagCheck, encode(last)), WATCH, images, at(minutes + 0.5))
        pending |= {tag for tag in tags if seen.get(tag) != tags[tag]}
        seen = dict(tags)
        listed = [one for group in changes(last, images) for one in group]
        assert {one.image.tag for one in listed} == pending
        assert all(one.image.pushed_at <= at(moved[one.image.tag]) for one in listed)
        if is_dealt_with:
            last = dealt_with(last, pending)
            pending = set()
