"""Which time counts as an outage, and how it travels from check to check."""

import json
from datetime import timedelta

import pytest

from lightgate.codec import decode, encode
from lightgate.outage import LONGEST_OUTAGE, Checks
from tests.support.builders import STARTED, seconds

POLL = seconds(60)


@pytest.mark.parametrize(
    ("late", "outage"), [(-50, 0), (0, 0), (3, 0), (10, 0), (11, 11), (300, 300), (350, 350)]
)
def test_a_check_that_comes_much_later_than_it_was_due_was_kept_back(
    late: float, outage: float
) -> None:
    checks = Checks(last_at=STARTED).resumed(STARTED + POLL + seconds(late), pause=POLL)

    assert checks.outage == seconds(outage)


def test_the_first_check_was_kept_back_by_nothing() -> None:
    assert Checks().resumed(STARTED, pause=POLL).outage == timedelta()
    assert Checks().missed(STARTED).outage == timedelta()


def test_a_check_that_could_not_read_all_leaves_the_time_since_the_last_one_out() -> None:
    checks = Checks(last_at=STARTED)
    for minute in (1, 2, 3):
        at = STARTED + minute * POLL
        checks = checks.missed(at).ended(at)

    assert checks.outage == 3 * POLL


def test_outages_add_up_to_a_limit() -> None:
    checks = Checks(last_at=STARTED)
    found = []
    for count in range(1, 6):
        at = STARTED + count * (POLL + LONGEST_OUTAGE)
        checks = checks.resumed(at, pause=POLL).ended(at)
        found.append(checks.outage / LONGEST_OUTAGE)

    assert found == [1, 2, 3, 3, 3]


def test_checks_survive_the_state_machine() -> None:
    checks = Checks(last_at=STARTED, outage=seconds(301.5))

    assert decode(Checks, json.loads(json.dumps(encode(checks)))) == checks
