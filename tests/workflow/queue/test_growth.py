"""Many apps that release at once: the cost of a release, and the limit that comes first."""

from collections.abc import Mapping

import pytest

from benchmarks.crowd import Used
from benchmarks.growth import LIMIT, measure, ratio
from benchmarks.limits import LIMITS, MOST_APPS, Limit


def used(**changes: object) -> Used:
    """A release that begins with three calls of ECR in its second second."""
    facts: dict[str, object] = {
        "apps": 1,
        "transitions": 60,
        "calls": 20,
        "environments": 9,
        "dollars": 0.002,
        "seconds": 300.0,
        "entered": {0: 60},
        "running": {0: 1},
        "requests": {"ecr.PutImage": {2: 3}},
        **changes,
    }
    return Used(**facts)  # type: ignore[arg-type]


def limit(trace: Mapping[int, float], **changes: float) -> Limit:
    given = {"rate": 10.0, "burst": 10.0, **changes}
    return Limit(name="", trace=lambda *_: trace, answer="", **given)


@pytest.mark.slow
def test_a_release_costs_hardly_more_while_nine_others_run() -> None:
    one, ten = measure(1), measure(10)

    assert ratio(ten, one) <= LIMIT


def test_the_ratio_is_that_of_the_figure_that_has_grown_most() -> None:
    one = used()

    assert ratio(used(apps=2, transitions=120, calls=40, dollars=0.005), one) == 1.25
    more = used(apps=2, transitions=120, calls=40, dollars=0.004, requests={"a": {0: 9}})
    assert ratio(more, one) == 1.5


def test_nobody_waits_below_the_rate_of_a_limit() -> None:
    assert limit({0: 1}).delay(used(), 600) == 0
    assert limit({0: 1}).delay(used(), 1200) > 50


def test_a_burst_is_served_from_a_full_bucket() -> None:
    assert limit({0: 1}, burst=700).delay(used(), 1200) < 10


@pytest.mark.parametrize("rate", [1.0, 10.0, 100.0])
def test_the_first_number_of_apps_that_waits_is_the_smallest(rate: float) -> None:
    found = limit({0: 1, 30: 2}, rate=rate, burst=rate)
    first = found.first(used())

    assert first is not None
    assert found.delay(used(), first) >= 1
    assert found.delay(used(), first - 1) < 1


def test_a_limit_that_no_release_comes_near_is_never_first() -> None:
    assert limit({}).first(used()) is None


def test_fifty_apps_wait_for_no_limit() -> None:
    assert [each.name for each in LIMITS if each.delay(used(), 50) > 0] == []


def test_the_reading_of_specs_grows_faster_than_the_number_of_apps() -> None:
    [reading] = [each for each in LIMITS if each.name.startswith("SSM")]

    assert reading.delay(used(), MOST_APPS) > 10 * reading.delay(used(), MOST_APPS // 10) > 0
