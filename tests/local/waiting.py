"""Waiting for what must come, with a limit instead of a guess."""

import time
from collections.abc import Callable


def eventually[T](look: Callable[[], T], within: float = 10) -> T:
    """The first truthy answer of `look`; fails the test when none comes in time."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing within {within} s"
        time.sleep(0.05)
    return found
