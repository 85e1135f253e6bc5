"""Container logs: one stream per service and container name, over all deployments.

The behaviour is that of docs/lightsail.md, "Container logs": events come oldest first, in small
pages, and become readable late. They are kept for four days, and each stream has a size limit.
"""

import base64
import binascii
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.lightsail.errors import invalid_input
from local.lightsail.node.output_lines import LINE_COST
from local.lightsail.service.log_filter import Pattern
from local.lightsail.switches import Switches

RETENTION = timedelta(days=4)
MAX_STREAM_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line. `number` counts the lines of the stream."""

    number: int
    created_at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class LogQuery:
    """The parameters of GetContainerLog."""

    start: datetime | None
    end: datetime | None
    pattern: Pattern
    page_token: str | None


class LogStream:
    def __init__(self) -> None:
        self._events: deque[LogEvent] = deque()
        self._bytes = 0
        self._next = 0

    def append(self, message: str, now: datetime) -> LogEvent:
        """Add a line; drop the oldest ones if there are too many or they are four days old."""
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
        """Return one page, the oldest event first, and the token of the next page."""
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
            if event.created_at > min(readable_until, query.end or readable_until):
                break
            if not query.pattern(event.message):
                continue
            if is_read:
                repeated.append(event)
                continue
            if len(page) == switches.log_page_size:
                return [*repeated, *page], _token(page[-1].number, start)
            page.append(event)
        has_token = switches.log_end == "same-token"
        token = _token(page[-1].number if page else after, start) if has_token else None
        return [*repeated, *page] if page else [], token


class LogStore:
    """All streams; it calls `on_event` for each new line and `on_forget` for a deleted service."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._streams: dict[tuple[str, str], LogStream] = {}
        self.on_event: Callable[[str, str, LogEvent], None] = lambda *_: None
        self.on_forget: Callable[[str], None] = lambda _: None

    def append(self, service: str, container: str, message: str) -> None:
        stream = self._streams.setdefault((service, container), LogStream())
        self.on_event(service, container, stream.append(message, self._clock()))

    def restore(self, service: str, container: str, message: str, created_at: datetime) -> None:
        """Add a line that was written before the emulator was started."""
        self._streams.setdefault((service, container), LogStream()).append(message, created_at)

    def stream(self, service: str, container: str) -> LogStream | None:
        return self._streams.get((service, container))

    def forget(self, service: str) -> None:
        for key in [key for key in self._streams if key[0] == service]:
            del self._streams[key]
        self.on_forget(service)


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
