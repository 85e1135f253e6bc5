"""How long a gate may hold."""

from datetime import timedelta

import pytest

from lightgate.release.lock import LONGEST_STEP
from lightgate.spec.time_limits import (
    GRACE_SECONDS,
    SIGNED_BEFORE,
    SIGNED_FOR,
    WaitLimit,
    longest_limit,
)
from tests.support.builders import seconds


def hold(platform_patience: timedelta, limit: int, look: int = 10) -> WaitLimit:
    return WaitLimit(platform_patience=platform_patience, limit=seconds(limit), poll=seconds(look))


@pytest.mark.parametrize(
    ("platform_patience", "limit", "longest"),
    [
        (seconds(900), 610, seconds(290)),
        (seconds(900), 310, seconds(590)),
        (timedelta(hours=12), 310, timedelta(minutes=58)),
        (timedelta(hours=12), 12 * 3600 - 600, seconds(600)),
    ],
)
def test_a_gate_waits_within_the_platform_patience_and_while_its_urls_are_valid(
    platform_patience: timedelta, limit: int, longest: timedelta
) -> None:
    assert hold(platform_patience, limit).longest == longest


def test_the_urls_outlive_every_wait_by_the_time_of_deploy() -> None:
    longest = hold(timedelta(hours=12), 10).longest

    assert longest + LONGEST_STEP < SIGNED_FOR
    assert longest + SIGNED_BEFORE == SIGNED_FOR


def test_the_time_left_for_a_restore_point_excludes_one_poll() -> None:
    assert hold(seconds(900), 610).left(seconds(90)) == seconds(290 - 90 - 10 - 15)


@pytest.mark.parametrize("look", [1, 10, 60, 300])
def test_the_longest_limit_leaves_a_usual_node_the_time_to_start(look: int) -> None:
    limit = longest_limit(seconds(900), seconds(look))

    fits = hold(seconds(900), int(limit.total_seconds()) + GRACE_SECONDS, look)
    assert fits.left(seconds(120)) == seconds(0)
