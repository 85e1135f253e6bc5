"""Times as the events and the table have them."""

from __future__ import annotations

import time
from time import monotonic


def utc() -> str:
    return time.strftime("%FT%TZ", time.gmtime())


def since(began: float) -> float:
    return round(monotonic() - began, 3)
