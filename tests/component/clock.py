"""A clock that only the test moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest


class Clock:
    """The time of day plus all that was waited for, without waiting.

    It goes by the real time because the simulated services stamp what they make with it.
    """

    def __init__(self) -> None:
        self._passed = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)

    def replace_sleep(self, patch: pytest.MonkeyPatch, *modules: str) -> None:
        """Let `time.sleep` in each of these modules move this clock instead."""
        for module in modules:
            patch.setattr(f"{module}.time", _OnlySleep(self.sleep))


class _OnlySleep:
    def __init__(self, sleep: Callable[[float], None]) -> None:
        self.sleep = sleep
