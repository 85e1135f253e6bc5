"""An end to work that a request can make endless: the search for an expression in long lines."""

import contextlib
import signal
from collections.abc import Iterator


class TookTooLongError(Exception):
    """The work was cut off."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Cut the block off after so many seconds. Works in the main thread only.

    The block runs in the event loop, which cannot interrupt it; Python's search for an expression
    looks for signals now and then, so an alarm can.
    """

    def cut_off(*_: object) -> None:
        raise TookTooLongError

    before = signal.signal(signal.SIGALRM, cut_off)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
