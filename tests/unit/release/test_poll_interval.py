"""When something is checked again."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from lightgate.release.poll_interval import Observed, until_next_check, wait_seconds
from tests.support.builders import STARTED

USUAL = timedelta(seconds=10)

type Policy = Callable[[timedelta, Sequence[Observed]], timedelta]


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def took(after: float, by: float) -> Observed:
    return Observed(after=seconds(after), by=seconds(by))


def checks(policy: Policy, duration: float, earlier: Sequence[Observed]) -> list[float]:
    """The times of all checks up to the first one that finds it over."""
    times = [0.0]
    while times[-1] < duration:
        times.append(times[-1] + wait_seconds(policy(seconds(times[-1]), earlier)))
    return times[1:]


def learning(elapsed: timedelta, earlier: Sequence[Observed]) -> timedelta:
    return until_next_check(elapsed, earlier, USUAL)


def fixed(elapsed: timedelta, earlier: Sequence[Observed]) -> timedelta:  # noqa: ARG001
    return USUAL


def releases(policy: Policy, durations: Sequence[float]) -> tuple[float, int]:
    """The lag after the end and the number of checks, over releases that know the last five."""
    earlier: list[Observed] = []
    lag, count = 0.0, 0
    for duration in durations:
        times = [0.0, *checks(policy, duration, earlier[-5:])]
        lag, count = lag + times[-1] - duration, count + len(times) - 1
        earlier.append(took(times[-2], times[-1]))
    return lag, count


@pytest.mark.parametrize("usual", [60, 90, 180, 600])
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_noisy_releases_need_fewer_checks_and_lag_less_than_with_fixed_intervals(
    usual: float, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same in each run
    durations = [chance.gauss(usual, usual / 20) for _ in range(100)]

    lag, count = releases(learning, durations)
    fixed_lag, fixed_count = releases(fixed, durations)

    assert lag < fixed_lag
    assert count < 0.7 * fixed_count


def test_what_takes_as_long_as_before_is_checked_a_few_times_around_its_end() -> None:
    earlier = [took(170, 176), took(178, 184), took(174, 179)]

    assert checks(learning, 180, earlier) == [161, 166, 171, 176, 181]


def test_without_earlier_releases_the_steps_grow() -> None:
    assert checks(learning, 180, []) == [10, 20, 30, 45, 68, 102, 142, 182]
    assert checks(learning, 1800, [])[-1] < 1800 + 4 * USUAL.total_seconds()


def test_what_takes_longer_than_ever_is_checked_ever_less_often() -> None:
    times = checks(learning, 1000, [took(90, 95)])

    assert len(times) < 35
    assert times[-1] <= 1000 + 4 * USUAL.total_seconds()


@pytest.mark.parametrize("first", [0, 60, 3600])
@pytest.mark.parametrize("last", [60, 3600, 40_000])
def test_an_execution_has_room_for_all_checks(first: float, last: float) -> None:
    earlier = [took(min(first, last), min(first, last)), took(last, last)]

    assert len(checks(learning, 43_200, earlier)) <= 43_200 / 10 + 100


def test_what_becomes_faster_is_checked_earlier_from_release_to_release() -> None:
    lag, count = releases(learning, [600.0, *[60.0] * 20])

    assert (lag / 21, count / 21) < (60, 8)


def test_a_coarse_observation_counts_only_until_there_is_a_finer_one() -> None:
    coarse, fine = took(102, 182), took(178, 180)

    assert learning(seconds(0), [coarse, fine]) == learning(seconds(0), [fine])
    assert learning(seconds(0), [coarse]) < learning(seconds(0), [fine])


@pytest.mark.parametrize("usual", [1, 3, 10, 60, 300])
@pytest.mark.parametrize("earlier", [(), (took(0, 0),), (took(0, 4),), (took(90, 95),)])
@pytest.mark.parametrize("is_urgent", [False, True])
def test_a_pause_is_never_too_short_or_too_long_once_the_end_is_near(
    usual: int, earlier: Sequence[Observed], is_urgent: bool
) -> None:
    for elapsed in range(0, 4000, 7):
        pause = until_next_check(seconds(elapsed), earlier, seconds(usual), is_urgent=is_urgent)
        assert pause >= min(seconds(3), seconds(usual))
        if elapsed >= 95:
            assert pause <= seconds(4 * usual)


def test_an_observation_lies_between_two_checks() -> None:
    began = STARTED
    began = STARTED
    assert Observed.between(began, None, began + seconds(9)) == took(0, 9)
    assert Observed.between(began, began + seconds(5), began + seconds(9)) == took(5, 9)
    assert Observed.between(began, began - seconds(5), began + seconds(9)) == took(0, 9)
    assert Observed.between(began, None, began - seconds(9)) == took(0, 0)
