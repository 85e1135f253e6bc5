"""A clock that only the test moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

_STEP = timedelta(seconds=3)


class Clock:
    """The time of day plus all that was waited for, without waiting.

    It goes by the real time because the simulated services stamp what they make with it.
    """

    def __init__(self) -> None:
        self._passed = timedelta()
        self._watchers: list[Callable[[], None]] = []
        self._is_watched = False

    def now(self) -> datetime:
        return datetime.now(UTC) + self._passed

    @property
    def waited(self) -> timedelta:
        """What was waited for so far: the same on every machine."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        end = self._passed + timedelta(seconds=seconds)
        while self._watchers and not self._is_watched and self._passed < end:
            self._tell()
            self._passed = min(end, self._passed + _STEP)
        self._passed = max(self._passed, end)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Let somebody act while others wait: called every few seconds of what is waited for."""
        self._watchers.append(watcher)

    def replace_sleep(self, patch: pytest.MonkeyPatch, *modules: str) -> None:
        """Let `time.sleep` in each of these modules move this clock instead."""
        for module in modules:
            patch.setattr(f"{module}.time", _OnlySleep(self.sleep))

    def _tell(self) -> None:
        self._is_watched = True
        try:
            for watcher in self._watchers:
                watcher()
        finally:
            self._is_watched = False


class _OnlySleep:
    def __init__(self, sleep: Callable[[float], None]) -> None:
        self.sleep = sleep
