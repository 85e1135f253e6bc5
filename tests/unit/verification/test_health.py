"""When a version that became active has passed its watch period, and when it has failed."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.codec import decode, encode
from lightgate.deployment.status import Service
from lightgate.outage import Checks
from lightgate.spec.health_rules import HealthRules, check_interval, most_checks
from lightgate.verification.health import (
    WatchProgress,
    WatchStatus,
    add_check,
    judge_watch,
    probes_of,
    problem_of,
    summary,
)
from tests.support.builders import STARTED, deployment, seconds, service
from tests.support.watch_period import READ, RULES, WRITE, good

LIVE = service(current=deployment(8), deployments=[deployment(8), deployment(7, "INACTIVE")])
OTHER = service(current=deployment(9), deployments=[deployment(9), deployment(8, "INACTIVE")])
LAGGING = service(current=deployment(7), deployments=[deployment(7)])
BEGUN = WatchProgress(began_at=STARTED)
POLL = 10


def check(
    seen: WatchProgress,
    *,
    problem: str | None = None,
    shown: Service = LIVE,
    rules: HealthRules = RULES,
    **more: Any,
) -> WatchProgress:
    """One more check of version 8."""
    changes: dict[str, Any] = {"problems": {"read": problem}, **more}
    return add_check(seen, rules, shown, version=8, marker=None, at=seen.began_at, **changes)


def watched(rounds: Iterable[bool], rules: HealthRules = RULES) -> list[WatchStatus]:
    """The state of the watch period after each check, one every ten seconds."""
    seen, found = BEGUN, []
    for index, is_good in enumerate(rounds, start=1):
        seen = check(seen, problem=None if is_good else "GET / returned 500", rules=rules)
        found.append(judge_watch(seen, rules, STARTED + seconds(POLL * index)))
    return found


def ending(pattern: str, rules: HealthRules = RULES) -> tuple[WatchStatus, int]:
    """The end of a watch period with passed `+` and failed `-` checks, and their number."""
    found = watched([mark == "+" for mark in pattern], rules)
    index = next((i for i, s in enumerate(found) if s is not WatchStatus.WATCHING), len(found) - 1)
    return found[index], index + 1


@pytest.mark.parametrize(
    ("pattern", "status", "rounds"),
    [
        ("+" * 20, WatchStatus.GOOD, 12),
        ("---", WatchStatus.FAILED, 3),
        ("+++++---+++", WatchStatus.FAILED, 8),
        ("--++++++++++++", WatchStatus.GOOD, 12),
        ("+++++-++++++", WatchStatus.GOOD, 12),
        ("++++++++++--+++", WatchStatus.GOOD, 15),
        ("-+-+--+", WatchStatus.FAILED, 6),
        ("+-" * 12, WatchStatus.FAILED, 8),
        ("+++--" * 4, WatchStatus.FAILED, 10),
        ("++++++++++-+-+-+-+-+-+", WatchStatus.FAILED, 17),
        ("++++-++++-++--", WatchStatus.FAILED, 14),
        ("+++++++++++-++-++-", WatchStatus.FAILED, 18),
        ("+" * 11, WatchStatus.WATCHING, 11),
    ],
)
def test_the_order_of_passed_and_failed_checks_decides(
    pattern: str, status: WatchStatus, rounds: int
) -> None:
    assert ending(pattern) == (status, rounds)


LONG = replace(RULES, period=seconds(3600))


@pytest.mark.parametrize(
    ("pattern", "rules", "status", "rounds"),
    [
        # It was healthy for so long that all its failed checks are few, and is unhealthy now.
        ("+" * 300 + "--+" * 30, LONG, WatchStatus.FAILED, 305),
        ("--+" * 200, LONG, WatchStatus.FAILED, 5),
        # Three scattered failed checks are forgotten at the end.
        (("--+" + "+" * 27) * 20, LONG, WatchStatus.GOOD, 360),
        ("-" * 9 + "+" * 60, replace(LONG, failures_in_a_row=10), WatchStatus.WATCHING, 69),
        ("-+" * 30, replace(LONG, failures_in_a_row=10), WatchStatus.FAILED, 21),
        ("+" * 200 + "-" + "+" * 200, replace(LONG, failures_in_a_row=1), WatchStatus.FAILED, 201),
    ],
)
def test_the_last_checks_of_a_long_watch_period_decide(
    pattern: str, rules: HealthRules, status: WatchStatus, rounds: int
) -> None:
    assert ending(pattern, rules) == (status, rounds)


def test_checks_that_are_far_apart_are_waited_for() -> None:
    seen = BEGUN
    for index in range(1, 4):
        now = STARTED + seconds(300 * index)
        assert judge_watch(seen, RULES, now) is WatchStatus.WATCHING
        seen = check(seen)

    assert judge_watch(seen, RULES, now) is WatchStatus.GOOD


def test_one_slow_answer_fails_nothing_and_slowness_does() -> None:
    slow = problem_of(READ, good(took=seconds(6)))

    assert slow == "GET /healthz took 6.0 s (at most 5 s are allowed)"
    assert ending("++++-+++++++")[0] is WatchStatus.GOOD
    assert ending("++++---+++++")[0] is WatchStatus.FAILED


def test_a_version_that_served_before_needs_only_its_answers_in_a_row() -> None:
    assert ending("+++", RULES.at_once()) == (WatchStatus.GOOD, 3)
    assert ending("-+++++", RULES.at_once()) == (WatchStatus.GOOD, 5)
    assert ending("---", RULES.at_once()) == (WatchStatus.FAILED, 3)


@pytest.mark.parametrize("allowed", [2, 3, 5, 10])
def test_without_a_period_allowed_failed_checks_fail_nothing(allowed: int) -> None:
    rules = replace(RULES.at_once(), failures_in_a_row=allowed)
    bad = allowed - 1

    assert ending("-" * bad + "+" * 60, rules) == (WatchStatus.GOOD, max(5 * bad, bad + 3))


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_good_comes_only_after_the_period_and_enough_passed_checks_in_a_row(
    rounds: list[bool],
) -> None:
    for index, status in enumerate(watched(rounds), start=1):
        if status is WatchStatus.GOOD:
            assert index * POLL >= 120
            assert all(rounds[index - 3 : index])
            assert rounds[:index][-15:].count(False) <= min(index, 15) * 0.2
        if status is WatchStatus.WATCHING:
            assert index * POLL < 180


def test_a_write_is_asked_for_until_it_was_good_once() -> None:
    rules = replace(RULES.at_once(), write=WRITE)

    refused = check(BEGUN, rules=rules, problems={"read": None, "write": "POST / returned 500"})
    written = check(refused, rules=rules, problems={"read": None, "write": None})

    assert list(probes_of(refused, rules)) == ["read", "write"]
    assert list(probes_of(written, rules)) == ["read"]
    assert (refused.bad_in_a_row, written.bad_in_a_row) == (1, 0)


def test_without_a_good_write_nothing_is_good() -> None:
    rules = replace(RULES, write=WRITE)

    assert ending("+" * 20, rules) == (WatchStatus.FAILED, 18)


@pytest.mark.parametrize(
    "shown",
    [OTHER, service(current=deployment(9)), service(current=deployment(8, release="another"))],
)
def test_a_replaced_version_has_neither_passed_nor_failed(shown: Service) -> None:
    seen = check(BEGUN, problem="no answer", shown=shown)

    assert judge_watch(seen, RULES, STARTED) is WatchStatus.REPLACED
    assert summary(seen) == (
        "0 of 0 health checks passed. Last failure: Another deployment has taken its place."
    )


@pytest.mark.parametrize("state", ["ACTIVATING", "FAILED"])
def test_only_an_active_version_takes_the_place_of_another(state: str) -> None:
    later = deployment(9, state)
    shown = service(current=later, deployments=[later, deployment(8)])

    assert judge_watch(check(BEGUN, shown=shown), RULES, STARTED) is WatchStatus.WATCHING


def test_a_read_that_lags_behind_replaces_nothing() -> None:
    seen = check(BEGUN, shown=LAGGING)

    assert (judge_watch(seen, RULES, STARTED), seen.good_in_a_row) == (WatchStatus.WATCHING, 1)


PRIVATE = replace(RULES, read=None)


def test_without_a_public_url_being_current_and_active_is_good() -> None:
    live = check(BEGUN, rules=PRIVATE, problems={})
    gone = check(BEGUN, rules=PRIVATE, shown=service(), problems={})

    assert (live.good_in_a_row, gone.bad_in_a_row) == (1, 1)
    assert gone.problem == "The service does not show version 8 as live"


@pytest.mark.parametrize(
    ("restarts", "status"),
    [
        ([0, 1, 1, 1, 1], WatchStatus.WATCHING),
        ([0, 0, 2, 2], WatchStatus.WATCHING),
        ([0, 0, 2, 2, 2], WatchStatus.FAILED),
        ([2, None, 2], WatchStatus.FAILED),
    ],
)
def test_an_app_that_is_started_again_and_again_fails_and_a_replaced_node_does_not(
    restarts: list[int | None], status: WatchStatus
) -> None:
    seen = BEGUN
    for count in restarts:
        seen = check(seen, rules=PRIVATE, problems={}, restarts=count)

    assert judge_watch(seen, PRIVATE, STARTED + seconds(50)) is status


def test_the_watch_progress_survives_json_and_stays_small() -> None:
    seen = BEGUN
    for _ in range(500):
        seen = check(seen, problem="x\x1b" * 900, slowest=timedelta(seconds=1.5), restarts=9)
    document = json.dumps(encode(seen))

    assert decode(WatchProgress, json.loads(document)) == seen
    assert len(document) < 25_000
    assert "\x1b" not in summary(seen)


def crashing(every: float, period: int) -> WatchStatus:
    """How the watch ends of an app without URL that is started again every so many seconds."""
    rules = replace(PRIVATE, period=seconds(period))
    seen, status, at = BEGUN, WatchStatus.WATCHING, timedelta()
    while status is WatchStatus.WATCHING:
        count = int(at.total_seconds() / every)
        seen = check(seen, rules=rules, problems={}, restarts=count)
        status = judge_watch(seen, rules, STARTED + at)
        at += check_interval(rules)
    return status


@pytest.mark.parametrize("period", [60, 120, 300, 900])
@pytest.mark.parametrize("times", [2, 2.5, 3, 4, 7, 20])
def test_an_app_that_is_started_again_repeatedly_fails_whatever_its_rhythm(
    times: float, period: int
) -> None:
    assert crashing(period / times, period) is WatchStatus.FAILED


@pytest.mark.parametrize("period", [60, 120, 300, 900])
def test_an_app_that_is_started_again_once_is_good(period: int) -> None:
    assert crashing(period * 0.7, period) is WatchStatus.GOOD


@pytest.mark.parametrize(
    ("period", "expected"),
    [(0, 5), (30, 5), (60, 5), (120, 10), (300, 25), (301, 25), (360, 30), (3600, 30)],
)
def test_the_pause_is_a_twelfth_of_the_period_within_bounds(period: int, expected: int) -> None:
    assert check_interval(replace(RULES, period=seconds(period))) == seconds(expected)


@given(
    st.integers(0, 3600),
    st.integers(1, 10),
    st.integers(1, 10),
    st.lists(st.booleans(), min_size=200, max_size=200),
)
def test_no_watch_period_takes_more_checks_than_planned(
    period: int, needed: int, failures: int, rounds: list[bool]
) -> None:
    rules = replace(
        RULES, period=seconds(period), answers_needed=needed, failures_in_a_row=failures
    )
    seen, status, now = BEGUN, WatchStatus.WATCHING, STARTED
    for is_good in rounds:
        seen = check(seen, problem=None if is_good else "GET / returned 500", rules=rules)
        if (status := judge_watch(seen, rules, now)) is not WatchStatus.WATCHING:
            break
        now += check_interval(rules)

    assert status is not WatchStatus.WATCHING
    assert seen.total <= most_checks(rules)


def test_a_watch_period_counts_no_outage() -> None:
    seen = BEGUN
    for _ in range(3):
        seen = check(seen)
    checked = replace(seen, checks=Checks(last_at=STARTED, outage=seconds(300)))

    assert judge_watch(seen, RULES, STARTED + seconds(120)) is WatchStatus.GOOD
    assert judge_watch(checked, RULES, STARTED + seconds(419)) is WatchStatus.WATCHING
    assert judge_watch(checked, RULES, STARTED + seconds(420)) is WatchStatus.GOOD


def test_a_version_that_does_not_get_good_fails_an_outage_later() -> None:
    seen = BEGUN
    for index in range(40):
        seen = check(seen, problem="GET / returned 500" if index % 5 == 4 else None)
    assert judge_watch(seen, RULES, STARTED + seconds(180)) is WatchStatus.FAILED

    later = replace(seen, checks=Checks(last_at=STARTED, outage=seconds(300)))

    assert judge_watch(later, RULES, STARTED + seconds(479)) is WatchStatus.WATCHING
    assert judge_watch(later, RULES, STARTED + seconds(480)) is WatchStatus.FAILED
