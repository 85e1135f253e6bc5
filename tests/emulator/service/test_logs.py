"""GetContainerLog: paging, the default window, and lines that become readable late."""

from datetime import UTC, datetime, timedelta

import pytest

from local.lightsail.errors import ApiError
from local.lightsail.service.log_filter import compile_pattern
from local.lightsail.service.logs import LogQuery, LogStream
from local.lightsail.switches import Switches

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SWITCHES = Switches(log_page_size=10, log_lag=0)


def query(
    pattern: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    token: str | None = None,
) -> LogQuery:
    return LogQuery(start, end, compile_pattern(pattern), token)


def stream_of(count: int, step: timedelta = timedelta(seconds=1)) -> LogStream:
    stream = LogStream()
    for number in range(count):
        stream.append(f"line {number}", NOW + number * step)
    return stream


def test_pages_are_small_oldest_first_and_the_last_has_no_token() -> None:
    stream, later = stream_of(25), NOW + timedelta(minutes=1)
    messages, token, pages = [], None, 0
    while True:
        events, token = stream.read(query(token=token), SWITCHES, later)
        messages += [event.message for event in events]
        pages += 1
        if token is None:
            break
    assert messages == [f"line {number}" for number in range(25)]
    assert pages == 3


def test_a_page_may_repeat_the_end_of_the_one_before() -> None:
    stream, later = stream_of(25), NOW + timedelta(minutes=1)
    switches = Switches(log_page_size=10, log_lag=0, log_overlap=2)
    first, token = stream.read(query(), switches, later)
    second, token = stream.read(query(token=token), switches, later)
    third, token = stream.read(query(token=token), switches, later)
    numbers = [[event.number for event in page] for page in (first, second, third)]
    assert numbers == [[*range(10)], [*range(8, 20)], [*range(18, 25)]]
    assert token is None


def test_the_last_token_may_give_itself_again_until_there_is_more() -> None:
    stream, later = stream_of(3), NOW + timedelta(minutes=1)
    switches = Switches(log_lag=0, log_overlap=2, log_end="same-token")
    found, last = stream.read(query(start=NOW), switches, later)
    assert len(found) == 3
    assert stream.read(query(token=last), switches, later) == ([], last)
    stream.append("more", later)
    found, token = stream.read(query(token=last), switches, later)
    assert found[-1].message == "more"
    assert token != last


def test_without_a_start_time_only_the_default_window_is_read() -> None:
    stream = stream_of(4, timedelta(minutes=30))
    events, _ = stream.read(query(), SWITCHES, NOW + timedelta(minutes=91))
    assert [event.message for event in events] == ["line 2", "line 3"]
    events, _ = stream.read(query(start=NOW), SWITCHES, NOW + timedelta(minutes=91))
    assert len(events) == 4


def test_start_and_end_bound_what_is_read() -> None:
    events, _ = stream_of(5).read(
        query(start=NOW + timedelta(seconds=1), end=NOW + timedelta(seconds=2)),
        SWITCHES,
        NOW + timedelta(minutes=1),
    )
    assert [event.message for event in events] == ["line 1", "line 2"]


def test_lines_can_be_read_only_after_the_lag_divided_by_the_speed() -> None:
    slow = Switches(log_lag=100, speed=10)
    stream = stream_of(1)
    assert stream.read(query(), slow, NOW + timedelta(seconds=9))[0] == []
    assert len(stream.read(query(), slow, NOW + timedelta(seconds=10))[0]) == 1


def test_lines_are_kept_for_four_days() -> None:
    stream = stream_of(1)
    later = NOW + timedelta(days=4, seconds=1)
    stream.append("new", later)
    events, _ = stream.read(query(start=NOW), SWITCHES, later)
    assert [event.message for event in events] == ["new"]


@pytest.mark.parametrize("token", ["", "nonsense", "e30=", "WzEsIDFlNDAwXQ=="])
def test_a_broken_page_token_is_refused(token: str) -> None:
    with pytest.raises(ApiError, match="page token"):
        stream_of(1).read(query(token=token), SWITCHES, NOW)
