"""Container logs: one stream per service and container name, over all deployments.

The contract is lightsail-facts.md, section 5: oldest first, small pages, lines that become readable
late, four days kept. A flood is bounded in rate and in size, without ever blocking its writer.
"""

import base64
import binascii
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.lightsail.errors import invalid_input
from local.lightsail.filter_pattern import Pattern
from local.lightsail.switches import Switches

RETENTION = timedelta(days=4)
MAX_STREAM_BYTES = 16 * 1024 * 1024
MAX_LINE_BYTES = 256 * 1024
BYTES_PER_SECOND = 1024 * 1024
BURST_BYTES = 4 * 1024 * 1024
LINE_COST = 100
"""What a line costs besides its bytes: a flood of empty lines is a flood too."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line; ``number`` counts the stream's lines and never repeats."""

    number: int
    created_at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What GetContainerLog is asked."""

    start: datetime | None
    end: datetime | None
    pattern: Pattern
    page_token: str | None


class LogStream:
    """The log of one container name."""

    def __init__(self) -> None:
        self._events: deque[LogEvent] = deque()
        self._bytes = 0
        self._next = 0

    def append(self, message: str, now: datetime) -> LogEvent:
        """Add a line; the oldest make room when there are too many, or are four days old."""
        event = LogEvent(self._next, now, message)
        self._next += 1
        self._events.append(event)
        self._bytes += _size(event)
        oldest = now - RETENTION
        while self._bytes > MAX_STREAM_BYTES or self._events[0].created_at < oldest:
            self._bytes -= _size(self._events.popleft())
        return event

    def read(
        self, query: LogQuery, switches: Switches, now: datetime
    ) -> tuple[list[LogEvent], str | None]:
        """Return one page, oldest first, and the token of the next if there is more."""
        after, start = _read_token(query.page_token)
        if start is None:
            # Fixed on the first page, so that the window does not slide from page to page.
            start = query.start or now - timedelta(seconds=switches.log_default_window)
        readable_until = now - timedelta(seconds=switches.seconds(switches.log_lag))
        oldest = max(start, now - RETENTION)
        page: list[LogEvent] = []
        repeated: deque[LogEvent] = deque(maxlen=switches.log_overlap)
        for event in self._events:
            is_read = event.number <= after
            if event.created_at < oldest or (is_read and not switches.log_overlap):
                continue
            if event.created_at > readable_until:
                break
            if query.end is not None and event.created_at > query.end:
                break
            if not query.pattern(event.message):
                continue
            if is_read:
                repeated.append(event)
                continue
            if len(page) == switches.log_page_size:
                return [*repeated, *page], _token(page[-1].number, start)
            page.append(event)
        last = _token(page[-1].number if page else after, start)
        return [
            *repeated,
            *page,
        ] if page else [], last if switches.log_end == "same-token" else None


class LogStore:
    """All the streams, and who is told of each new line."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._streams: dict[tuple[str, str], LogStream] = {}
        self.on_event: Callable[[str, str, LogEvent], None] = lambda *_: None
        self.on_forget: Callable[[str], None] = lambda _: None

    def append(self, service: str, container: str, message: str) -> None:
        """Add one line to a container's log."""
        stream = self._streams.setdefault((service, container), LogStream())
        self.on_event(service, container, stream.append(message, self._clock()))

    def restore(self, service: str, container: str, message: str, created_at: datetime) -> None:
        """Add a line of an earlier life of the server."""
        self._streams.setdefault((service, container), LogStream()).append(message, created_at)

    def stream(self, service: str, container: str) -> LogStream | None:
        """Return a container's log, if it ever ran."""
        return self._streams.get((service, container))

    def forget(self, service: str) -> None:
        """Drop the logs of a deleted service."""
        for key in [key for key in self._streams if key[0] == service]:
            del self._streams[key]
        self.on_forget(service)


class LineCollector:
    """Takes the raw output of one process in pieces and yields lines, within a rate."""

    def __init__(self, emit: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        self._emit = emit
        self._monotonic = monotonic
        self._rest = b""
        self._allowance = float(BURST_BYTES)
        self._last = monotonic()
        self._dropped = 0

    def feed(self, piece: bytes) -> None:
        """Take a piece of output; an empty one is its end."""
        now = self._monotonic()
        refill = (now - self._last) * BYTES_PER_SECOND
        self._last = now
        self._allowance = min(BURST_BYTES, self._allowance + refill)
        cost = len(piece) + LINE_COST * piece.count(b"\n")
        if cost > self._allowance:
            self._dropped += len(piece)
            # What was cut off in the middle ends where the flood is let through again.
            self._rest = b""
            return
        self._allowance -= cost
        if self._dropped:
            self._say_dropped()
            piece = piece.partition(b"\n")[2]
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._say(line)
        if not piece or len(self._rest) >= MAX_LINE_BYTES:
            self._say(self._rest)
            self._rest = b""

    def _say(self, line: bytes) -> None:
        """Emit a line, in several events where it is longer than one may be."""
        for start in range(0, len(line), MAX_LINE_BYTES):
            text = line[start : start + MAX_LINE_BYTES].decode(errors="replace").rstrip("\r")
            if text:  # CloudWatch Logs has no empty events
                self._emit(text)

    def _say_dropped(self) -> None:
        self._emit(f"[log] {self._dropped} bytes dropped: the container wrote too fast")
        self._dropped = 0


def _size(event: LogEvent) -> int:
    return len(event.message) + LINE_COST


def _token(number: int, start: datetime) -> str:
    return base64.urlsafe_b64encode(json.dumps([number, start.timestamp()]).encode()).decode()


def _read_token(token: str | None) -> tuple[int, datetime | None]:
    if token is None:
        return -1, None
    try:
        number, start = json.loads(base64.urlsafe_b64decode(token))
        return int(number), datetime.fromtimestamp(start, UTC)
    except (ValueError, TypeError, OverflowError, OSError, binascii.Error):
        raise invalid_input("The page token is not valid.") from None
