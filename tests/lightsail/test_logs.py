"""GetContainerLog: paging, window, lag, filter patterns, and what a process writes as lines."""

from datetime import UTC, datetime, timedelta

import pytest

from local.lightsail.errors import ApiError
from local.lightsail.filter_pattern import compile_pattern
from local.lightsail.logs import LineCollector, LogQuery, LogStream
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


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("", ["anything"], []),
        ("ERROR", ["an ERROR"], ["an error"]),
        ("-ERROR", ["fine"], ["an ERROR"]),
        ("ERROR Exception", ["Exception: ERROR"], ["ERROR"]),
        ("?ERROR ?Exception", ["ERROR", "Exception"], ["fine"]),
        ("ERROR -retry", ["ERROR"], ["ERROR retry"]),
        ('"[deployment:3] Took"', ["[deployment:3] Took too long"], ["[deployment:2] Took"]),
        (r'"\"lightgate\": 1"', ['{"lightgate": 1}'], ["lightgate: 1"]),
        ("%v[0-9]+%", ["v12"], ["vx"]),
    ],
)
def test_filter_patterns_are_those_of_cloudwatch(
    pattern: str, yes: list[str], no: list[str]
) -> None:
    matches = compile_pattern(pattern)
    assert all(map(matches, yes))
    assert not any(map(matches, no))


LINE = '{"lightgate": 1, "event": "applied", "ok": true, "why": null, "steps": [{"n": 2.5}]}'


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.lightgate = 1 }",
        '{ $.event = "applied" }',
        "{ $.event = appl* }",
        '{ $.event != "failed" && $.lightgate >= 1 }',
        "{ ($.lightgate = 2) || ($.steps[0].n < 3 && $.ok IS TRUE) }",
        "{ $.why IS NULL }",
        "{ $.absent NOT EXISTS }",
    ],
)
def test_a_json_pattern_selects_by_members(pattern: str) -> None:
    matches = compile_pattern(pattern)
    assert matches(LINE)
    assert not matches("[deployment:1] Creating your deployment")


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.lightgate = 2 }",
        '{ $.lightgate = "1" }',
        "{ $.ok = 1 }",
        '{ $.event != "applied" }',
        '{ $.absent != "x" }',
        "{ $.steps[7].n = 2.5 }",
        "{ $.lightgate = 1 && $.ok IS FALSE }",
    ],
)
def test_a_json_pattern_leaves_out_what_does_not_fit(pattern: str) -> None:
    assert not compile_pattern(pattern)(LINE)


BROKEN = [
    *(
        '"open',
        "%[%",
        "%(a)%",
        "%ä%",
        "%a% %b% %c%",
        "x" * 2000,
        "[a, b]",
        "{",
        "{ }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
    ),
    *("{ ($.a = 1 }", "{ $.a = 1 $.b = 2 }", "{ $.a < x }", "{ $.a IS MISSING }", "{ a = 1 }"),
    "{ " + "(" * 500 + "$.a = 1" + ")" * 500 + " }",
]


@pytest.mark.parametrize("pattern", BROKEN)
def test_a_broken_filter_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ApiError):
        compile_pattern(pattern)


def collected(*pieces: bytes, seconds: float = 0) -> list[str]:
    lines: list[str] = []
    now = 0.0

    def clock() -> float:
        return now

    collector = LineCollector(lines.append, clock)
    for piece in pieces:
        now += seconds
        collector.feed(piece)
    return lines


def test_output_becomes_lines_whatever_the_pieces() -> None:
    assert collected(b"one\ntw", b"o\r\n\n", b"three", b"") == ["one", "two", "three"]
    assert collected(b"caf\xc3", b"\xa9\n", b"\xff\n") == ["café", "\ufffd"]


def test_a_line_without_end_is_cut() -> None:
    lines = collected(*[b"x" * 65536] * 8, b"")
    assert sum(map(len, lines)) == 8 * 65536
    assert len(lines) > 1


def test_a_flood_is_dropped_and_reported_and_let_through_again() -> None:
    flood = [(b"spam" * 16_000 + b"\n")] * 200
    lines = collected(*flood, seconds=0.001)
    assert 60 < len(lines) < 80
    lines = collected(*flood, *[b"calm\n"] * 3, seconds=0.001)
    assert "bytes dropped: the container wrote too fast" in "".join(lines)
    assert lines[-1] == "calm"
