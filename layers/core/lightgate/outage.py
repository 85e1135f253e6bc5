"""Outages: how long AWS may refuse its calls, and the time that no time limit counts.

The state machine tries a step again while AWS throttles its calls or answers them with errors.
Time passes meanwhile. A time limit that counted it would fail a release because of the outage.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

# Each step before RecordOutcome is tried again for longer (statemachine/release.asl.json).
LONGEST_OUTAGE = timedelta(minutes=5)
_MOST = 3 * LONGEST_OUTAGE
# Starting a function takes some seconds. A check that comes later was tried before.
_USUAL_DELAY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The checks of one thing so far.

    `last_at` is when the last one ended; None before the first. `outage` is the time in which AWS
    kept Lightgate from a check that was due. Time limits leave it out, up to 15 minutes in all: a
    release must end even if AWS never answers.
    """

    last_at: datetime | None = None
    outage: timedelta = timedelta()

    def resumed(self, now: datetime, *, pause: timedelta) -> Self:
        """The same when the next check begins, which was due after the pause."""
        if self.last_at is None:
            return self
        late = now - self.last_at - pause
        return self.delayed(late) if late > _USUAL_DELAY else self

    def missed(self, now: datetime) -> Self:
        """The same when a check begins that cannot read all that it needs."""
        return self if self.last_at is None else self.delayed(now - self.last_at)

    def delayed(self, delay: timedelta) -> Self:
        return replace(self, outage=min(self.outage + delay, _MOST))

    def ended(self, now: datetime) -> Self:
        return replace(self, last_at=now)
