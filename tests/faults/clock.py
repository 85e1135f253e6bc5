"""The time of day, which passes only where somebody waits."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine

BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
# So often those who act while others wait are asked.
_STEP = timedelta(seconds=5)
# What a call of AWS takes, so that no two moments are the same.
_CALL = timedelta(milliseconds=40)


class TimeIsUp(BaseException):
    """A function has reached its time limit. No code of ours can catch this, as with Lambda."""


class VirtualClock:
    """All of this process reads this clock, also the simulated services.

    `deadline` ends the function that runs, by the clock of everybody else. `skew` is by how much
    the functions' clock is ahead of that. A call of AWS takes `call_takes`.
    """

    def __init__(self) -> None:
        self.deadline: datetime | None = None
        self.skew = timedelta()
        self.call_takes = _CALL
        self._ahead = timedelta()
        self._watchers: list[Callable[[], None]] = []
        self._is_watched = False
        self._traveller = time_machine.travel(BEGINNING, tick=False).start()
        time.sleep = self.sleep  # type: ignore[assignment]

    def now(self) -> datetime:
        """The time outside the functions."""
        return datetime.now(UTC)

    @contextmanager
    def of_functions(self) -> Iterator[None]:
        """Let all who look at the clock see the functions' one."""
        with self._ahead_by(self.skew):
            yield

    @contextmanager
    def of_services(self) -> Iterator[None]:
        """Let all who look at the clock see that of AWS again, while a function waits for it."""
        with self._ahead_by(-self.skew):
            yield

    @contextmanager
    def _ahead_by(self, duration: timedelta) -> Iterator[None]:
        self._traveller.shift(duration)
        self._ahead += duration
        try:
            yield
        finally:
            self._traveller.shift(-duration)
            self._ahead -= duration

    def watch(self, watcher: Callable[[], None]) -> None:
        self._watchers.append(watcher)

    def call(self) -> None:
        """Let the time pass that a call of AWS takes."""
        self._pass(self.call_takes)

    def sleep(self, seconds: float) -> None:
        end = self.now() + timedelta(seconds=seconds)
        while self.now() < end:
            if not self._is_watched:
                self._tell()
            self._pass(min(_STEP, end - self.now()))

    def _pass(self, duration: timedelta) -> None:
        if self.deadline is not None and self.now() - self._ahead + duration >= self.deadline:
            self._traveller.move_to(self.deadline + self._ahead)
            self.deadline = None
            raise TimeIsUp
        self._traveller.shift(duration)

    def _tell(self) -> None:
        self._is_watched = True
        try:
            for watcher in list(self._watchers):
                watcher()
        finally:
            self._is_watched = False
