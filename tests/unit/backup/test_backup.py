"""How long restore points take, when they begin, and what their overlap has saved."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.backup.backup import starts_before_the_deployment
from lightgate.backup.timings import Timings, time_saved
from lightgate.codec import decode, encode
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.time_limits import WaitLimit

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = st.integers(min_value=0, max_value=3600)


def seconds(*numbers: float) -> list[timedelta]:
    return [timedelta(seconds=number) for number in numbers]


def test_a_forecast_is_careful() -> None:
    history = Timings(snapshots=seconds(100, 180, 150), node_starts=seconds(90, 70, 95))

    assert history.snapshot == timedelta(seconds=180)
    assert history.node_start == timedelta(seconds=70)


def test_without_releases_before_there_is_no_forecast() -> None:
    assert (Timings().snapshot, Timings().node_start) == (None, None)


def test_a_history_comes_back_as_it_was() -> None:
    for unfinished in (None, timedelta(seconds=9)):
        history = Timings(snapshots=seconds(1, 2.5), node_starts=seconds(3), unfinished=unfinished)

        assert encode(decode(Timings, encode(history))) == encode(history)


@pytest.mark.parametrize(
    ("took", "unfinished", "expected"),
    [((), 200, None), ((100,), 200, None), ((200,), 200, None), ((201,), 200, 201)],
)
def test_an_unfinished_snapshot_longer_than_all_others_has_no_expected_time(
    took: tuple[int, ...], unfinished: int, expected: int | None
) -> None:
    history = Timings(snapshots=seconds(*took), unfinished=timedelta(seconds=unfinished))

    assert history.snapshot == (None if expected is None else timedelta(seconds=expected))
    assert history.is_outgrown is (expected is None)


@pytest.mark.parametrize(
    ("mode", "took", "first"),
    [
        (BackupMode.ALWAYS, (), True),
        (BackupMode.POINT_IN_TIME, (), True),
        (BackupMode.NONE, (10,), False),
        (BackupMode.WHEN_PENDING, (), False),
        (BackupMode.WHEN_PENDING, (299,), False),
        (BackupMode.WHEN_PENDING, (300,), True),
    ],
)
def test_when_pending_begins_first_only_if_no_gate_could_wait_for_it(
    mode: BackupMode, took: tuple[int, ...], first: bool
) -> None:
    [platform_patience, limit, look, node] = seconds(900, 475, 10, 100)
    history = Timings(snapshots=seconds(*took), node_starts=[node, node / 2])
    wait_limit = WaitLimit(platform_patience=platform_patience, limit=limit, poll=look)

    assert wait_limit.left(node) == timedelta(seconds=300)
    assert starts_before_the_deployment(mode, history, wait_limit) is first


def test_when_pending_begins_first_once_no_gate_could_wait_long_enough() -> None:
    history = Timings(unfinished=timedelta(seconds=1))
    wait_limit = WaitLimit(
        platform_patience=timedelta(hours=1), limit=timedelta(), poll=timedelta(seconds=10)
    )

    assert starts_before_the_deployment(BackupMode.WHEN_PENDING, history, wait_limit)


@given(created=SECONDS, node=SECONDS, available=SECONDS)
def test_the_time_saved_is_the_difference_to_no_overlap(
    created: int, node: int, available: int
) -> None:
    ready = created + node
    in_sequence = max(created, available) + node
    saved = time_saved(
        created_at=T0 + timedelta(seconds=created),
        ready_at=T0 + timedelta(seconds=ready),
        available_at=T0 + timedelta(seconds=available),
        was_pending=True,
        now=T0 + timedelta(hours=3),
    )

    sooner = in_sequence - max(ready, available if available > created else ready)
    assert saved == timedelta(seconds=sooner)


@pytest.mark.parametrize(
    ("available", "pending", "saved"),
    [(180, True, 80), (180, False, 170), (None, False, 0), (5, True, 0), (5, False, 0)],
)
def test_with_nothing_pending_no_restore_point_is_waited_for(
    available: int | None, pending: bool, saved: float
) -> None:
    at = None if available is None else T0 + timedelta(seconds=available)

    assert timedelta(seconds=saved) == time_saved(
        created_at=T0 + timedelta(seconds=10),
        ready_at=T0 + timedelta(seconds=90),
        available_at=at,
        was_pending=pending,
        now=T0 + timedelta(hours=1),
    )


def test_no_more_is_claimed_than_the_time_that_has_passed() -> None:
    saved = time_saved(
        created_at=T0,
        ready_at=T0 + timedelta(seconds=90),
        available_at=T0 + timedelta(seconds=500),
        was_pending=False,
        now=T0 + timedelta(seconds=120),
    )

    assert saved == timedelta(seconds=120)
