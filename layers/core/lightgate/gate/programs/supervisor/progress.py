"""The progress of Django's `migrate`, as its output shows it."""

from __future__ import annotations

import re


def read_progress(line: str) -> tuple[str | None, bool, float | None]:
    """A migration that begins in this line, whether one ends in it, and its seconds.

    Django prints `  Applying crops.0003_price...` and later ` OK` behind it, or on a line of its
    own if the migration itself has printed something.
    """
    begun = re.match(r"  Applying (\S+?)\.\.\.", line)
    end = r"(?:  Applying \S+?\.\.\.)? (?:OK|FAKED)(?: \((\d+\.\d+)s\))?"
    ended = re.fullmatch(end, line)
    seconds = float(ended[1]) if ended and ended[1] else None
    return (begun[1][:200] if begun else None), ended is not None, seconds
