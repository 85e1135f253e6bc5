"""Which pin tags may be removed."""

from datetime import UTC, datetime

import pytest

from lightgate.image.old_pins import old_pins
from lightgate.image.tags import TaggedImage
from lightgate.names import pin_tag

OLD, OLDER, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
HOME = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops"


def image(digest: str, *tags: str, day: int = 1) -> TaggedImage:
    pushed_at = datetime(2026, 3, day, tzinfo=UTC)
    return TaggedImage(digest=digest, tags=(pin_tag(digest), *tags), pushed_at=pushed_at)


def test_a_pin_that_no_service_lists_may_go() -> None:
    assert old_pins([image(OLD, "v1")], [f"{HOME}:{pin_tag(OTHER)}"], ["latest"]) == [
        image(OLD, "v1")
    ]


def test_the_oldest_come_first() -> None:
    images = [image(OLD, "v2", day=5), image(OLDER, "v1", day=4)]

    assert [one.digest for one in old_pins(images, [], [])] == [OLDER, OLD]


def test_a_pin_that_a_service_lists_stays() -> None:
    assert old_pins([image(OLD, "v1")], [f"{HOME}:{pin_tag(OLD)}"], []) == []


def test_a_pin_that_a_service_lists_for_another_repository_stays_as_well() -> None:
    assert old_pins([image(OLD, "v1")], [f"other:{pin_tag(OLD)}"], []) == []


@pytest.mark.parametrize("moving", [[], ["latest"], ["latest", "staging"]])
def test_the_last_tag_of_an_image_stays(moving: list[str]) -> None:
    """ECR would delete the image. A tag that the next push takes away is none."""
    assert old_pins([image(OLD, *moving)], [], moving) == []


def test_a_tag_beside_a_moving_one_keeps_the_image() -> None:
    assert old_pins([image(OLD, "latest", "v1")], [], ["latest"]) == [image(OLD, "latest", "v1")]


@pytest.mark.parametrize("tag", ["v1", "lightgate-mine", pin_tag(OTHER)])
def test_a_tag_that_is_not_the_pin_of_its_image_stays(tag: str) -> None:
    named = TaggedImage(digest=OLD, tags=(tag, "v2"), pushed_at=datetime(2026, 3, 1, tzinfo=UTC))

    assert old_pins([named], [], []) == []
