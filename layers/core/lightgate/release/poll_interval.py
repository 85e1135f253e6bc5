"""How long the state machine waits before it checks something again.

Each check costs three transitions and a call. So Lightgate waits once until shortly before the time
that earlier releases of the app have taken, and then checks in short steps. Without earlier
releases the steps grow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

# A node that waits for its permit costs the release time, so its snapshot is checked more often.
_SHORTEST = timedelta(seconds=3)
# Without earlier releases a step is half of the time so far, up to this many usual steps.
_GROWTH = 2
_LONGEST, _LONGEST_IF_URGENT = 4, 2
# With them the doubtful time has this many steps, and none is longer than this part of a usual one.
_STEPS, _PART, _MANY = 4, 0.6, 30
# How much of a time is never taken for certain: the next release may be faster or slower.
_DOUBT = 10
# How long before its first check something may have happened, as a part of the time until then.
_UNSEEN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """How long something took: it was not over `after` this time, and was over `by` that time."""

    after: timedelta
    by: timedelta

    @classmethod
    def between(cls, began: datetime, not_yet: datetime | None, over: datetime) -> Self:
        """`not_yet` is the last check that did not find it over; None if there was none."""
        by = max(timedelta(), over - began)
        after = max(timedelta(), not_yet - began) if not_yet is not None else timedelta()
        return cls(after=min(after, by), by=by)

    def says_less_than(self, other: "Observed") -> bool:
        """Whether the other one is more exact, and does not contradict."""
        return self != other and self.after <= other.after and other.by <= self.by

    @property
    def earliest(self) -> timedelta:
        """If the first check found it over, it may have been over for some time."""
        return min(max(self.after, self.by * (1 - 1 / _UNSEEN)), self.by)


def until_next_check(
    elapsed: timedelta,
    earlier: Sequence[Observed],
    usual: timedelta,
    *,
    is_urgent: bool = False,
) -> timedelta:
    """How long to wait for something that has begun this long ago, and is not over.

    `earlier` is how long it took in earlier releases, `usual` is `pollSeconds`. If it `is_urgent`,
    every second until the next check makes the release longer.
    """
    longest = usual * (_LONGEST_IF_URGENT if is_urgent else _LONGEST)
    shortest = min(usual, max(_SHORTEST, usual / 3))
    if not earlier:
        return min(max(elapsed / _GROWTH, shortest if is_urgent else usual), longest)
    exact = [one for one in earlier if not any(one.says_less_than(other) for other in earlier)]
    first, last = min(one.earliest for one in exact), max(one.by for one in exact)
    spread = max(last - first, last / _DOUBT)
    # An execution has room for as many checks as `usual` makes, and for a hundred more.
    most = usual * _PART if spread < usual * _MANY else usual
    step = max(shortest, min(spread / _STEPS, most))
    # A rough observation is no sign that the next time may be shorter; a varied past is.
    varied = max(last - min(one.by for one in exact), last / _DOUBT)
    begin = first - varied / 2
    if elapsed + step < begin:
        return begin - elapsed
    late = elapsed - last - spread
    return min(max(late / _GROWTH, step), longest)


def wait_seconds(pause: timedelta) -> int:
    """The pause as Step Functions takes it: whole seconds, and never less than the pause.

    A Wait state that reads any other number, 90.0 for one, ends the execution with
    States.Runtime, which no Catch sees.
    """
    return math.ceil(pause.total_seconds())
