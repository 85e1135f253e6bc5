"""What a release costs and how long it takes, by the same figures as docs/benchmarks.md.

The world has its own clock, so they are the same on every machine. They count what the waits of
Lightgate add; what a real Lightsail takes besides is not known here.
"""

from collections.abc import Mapping

import pytest

from benchmarks.releases import WATCH, Measured, measure

# The most states and calls of each release.
GOALS = {"first": (80, 30), "second": (70, 25), "nothing pending": (50, 18)}


@pytest.fixture(
    scope="module",
    params=["always", pytest.param("when-pending", marks=pytest.mark.slow)],
)
def measured(request: pytest.FixtureRequest) -> Mapping[str, Measured]:
    return {one.name: one for one in measure([request.param])}


def test_a_release_stays_within_its_states_and_calls(measured: Mapping[str, Measured]) -> None:
    for name, (states, calls) in GOALS.items():
        if (measured[name].mode, name) != ("when-pending", "first"):
            assert measured[name].transitions <= states, name
            assert measured[name].calls.total() <= calls, name


def test_a_new_version_is_live_a_few_seconds_after_it_could_be(
    measured: Mapping[str, Measured],
) -> None:
    assert measured["second"].late <= 10
    assert measured["nothing pending"].live <= 0.35 * measured["first"].without_overlap


def test_an_outcome_follows_the_watch_period_within_seconds(
    measured: Mapping[str, Measured],
) -> None:
    for one in measured.values():
        assert one.total - one.live <= WATCH + 20


def test_the_versions_of_a_service_are_not_read_by_each_poll(
    measured: Mapping[str, Measured],
) -> None:
    for one in measured.values():
        assert one.lists <= 2
