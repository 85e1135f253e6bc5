"""What is told of a rehearsal's durations, locks and tables."""

import json
from typing import Any

import pytest

from lightgate.codec import decode, encode
from lightgate.migrations.measured import Measured, Waits, read_measured

WHO = {"lightgate": 1, "release": "r1", "container": "migrate"}
TOLD = {
    "migrations": [["crops.0002_index", 1.5], ["crops.0003_type", None]],
    "locks": [
        ["crops.0002_index", "crops_crop", "ShareLock", 1.25, 1.5, 2],
        ["crops.0003_type", "crops_crop", "AccessExclusiveLock", 0.75, 0.75, 1],
        ["crops.0003_type", "crops_farm", "RowExclusiveLock", 9.5, 9.5, 1],
        [None, "crops_farm", "ShareUpdateExclusiveLock", 9.5, 9.5, 1],
    ],
    "tables": [["crops_crop", 2_000_000, True, 7], ["crops_farm", None, False, None]],
    "unread": ["crops_farm"],
    "upperBound": True,
    "sampleSeconds": 0.031,
    "omitted": 3,
}


def read(told: Any, event: str = "succeeded") -> Measured | None:
    line = json.dumps({**WHO, "event": event, "measured": told})
    return read_measured("r1", "migrate", [line])


@pytest.mark.parametrize("event", ["succeeded", "failed"])
def test_locks_are_told_with_what_would_have_waited(event: str) -> None:
    found = read(TOLD, event)

    assert found is not None
    assert found.locks is not None
    assert [one.waits for one in found.locks] == [
        Waits.WRITES,
        Waits.READS_AND_WRITES,
        Waits.SAME_ROWS,
        Waits.NOTHING,
    ]
    first = found.locks[0]
    assert (first.seconds, first.total_seconds, first.times) == (1.25, 1.5, 2)
    assert [(one.name, one.seconds) for one in found.migrations] == [
        ("crops.0002_index", 1.5),
        ("crops.0003_type", None),
    ]
    assert (found.unread, found.is_upper_bound, found.omitted) == (("crops_farm",), True, 3)


def test_the_longest_lock_is_one_for_which_a_whole_table_waits() -> None:
    found = read(TOLD)

    assert found is not None
    assert found.longest_lock is not None
    assert (found.longest_lock.table, found.longest_lock.seconds) == ("crops_crop", 1.25)


def test_what_was_not_measured_is_not_taken_for_nothing() -> None:
    found = read({**TOLD, "locks": None, "tables": None})

    assert found is not None
    assert (found.locks, found.tables, found.longest_lock) == (None, None, None)
    nothing = read({**TOLD, "locks": []})
    assert nothing is not None
    assert nothing.locks == ()


def test_it_travels_through_the_state_machine() -> None:
    found = read(TOLD)

    assert found is not None
    assert decode(Measured, encode(found)) == found


def test_the_last_run_counts() -> None:
    lines = [
        json.dumps({**WHO, "event": "failed", "measured": TOLD}),
        json.dumps({**WHO, "event": "succeeded", "measured": {**TOLD, "locks": []}}),
        json.dumps({**WHO, "event": "failed"}),
        json.dumps({**WHO, "release": "r2", "event": "failed", "measured": TOLD}),
    ]

    found = read_measured("r1", "migrate", lines)
    assert found is not None
    assert found.locks == ()


@pytest.mark.parametrize("told", [None, 5, "x", []])
def test_what_is_no_measurement_is_left_out(told: Any) -> None:
    assert read(told) is None


@pytest.mark.parametrize("told", [5, ["x"], [[]], [[None] * 6], [["a"] * 6], [[{}, -1]]])
def test_broken_parts_are_left_out(told: Any) -> None:
    found = read(dict.fromkeys(TOLD, told))

    assert found is not None
    assert (found.migrations, found.locks or (), found.tables or ()) == ((), (), ())
    assert (found.sample_seconds, found.omitted) == ((5.0, 5) if told == 5 else (None, 0))
    assert found.is_upper_bound
