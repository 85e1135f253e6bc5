"""The exceptions that end what the supervisor is doing."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.child import Child

# What reading a document of another form may raise.
MALFORMED = (LookupError, TypeError, ValueError, RecursionError, AttributeError)


class Stopped(Exception):  # noqa: N818
    """The container has got a signal that stops it."""


class Failed(Exception):  # noqa: N818
    """The dependents cannot start any more; `code` is our exit code, if the supervisor exits."""

    def __init__(
        self,
        cause: str,
        error: str,
        code: int,
        child: Child | None = None,
        **more: Any,  # noqa: ANN401
    ) -> None:
        self.cause, self.error, self.code, self.child = cause, error, code, child
        self.more = more


def refusal(cause: str, why: str) -> Failed:
    return Failed(cause, why, 1, database="unchanged")


def stopped(number: int, child: Child | None = None) -> Failed:
    why = "stopped by " + signal.Signals(number).name
    return Failed("signal", why, 128 + number, child, detail="stopped")
