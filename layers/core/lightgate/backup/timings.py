"""How long the parts of recent releases of an app took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.spec.time_limits import USUAL_NODE_START

# More releases than these say nothing of the next one: databases grow.
RECENT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long the same took in recent releases of the app, the latest last.

    `unfinished` is the longest time after which a snapshot was still not there when its release
    ended.
    """

    snapshots: Sequence[timedelta] = ()
    node_starts: Sequence[timedelta] = ()
    unfinished: timedelta | None = None

    @property
    def is_outgrown(self) -> bool:
        """Whether a snapshot took longer than any that was there in time.

        How long nobody knows then, but it is long.
        """
        longest = max(self.snapshots, default=timedelta())
        return self.unfinished is not None and self.unfinished >= longest

    @property
    def snapshot(self) -> timedelta | None:
        """What a snapshot has to be expected to take: the longest of the recent ones."""
        return None if self.is_outgrown else max(self.snapshots, default=None)

    @property
    def node_start(self) -> timedelta | None:
        """The time from the creation of a deployment until the plan of its gate is known.

        The shortest of the recent ones: a node that is there before its restore point waits.
        """
        return min(self.node_starts, default=None)

    @property
    def slowest_node_start(self) -> timedelta:
        """The same where it is the time of a hold that it takes away."""
        return max(self.node_starts, default=USUAL_NODE_START)


def time_saved(
    *,
    created_at: datetime,
    ready_at: datetime,
    available_at: datetime | None,
    was_pending: bool,
    now: datetime,
) -> timedelta:
    """How much sooner the release was done than if each step had waited for the one before.

    In sequence the deployment would have been created at `available_at`, and its gate ready as
    much later as it took. With nothing pending no restore point is waited for; if it is not
    there even `now`, at least the time until now was saved. `available_at` is None where no
    snapshot was taken at all: then nothing was waited for, and nothing is claimed.
    """
    if available_at is None:
        return timedelta()
    end = min(ready_at, available_at) if was_pending else min(available_at, now)
    return max(timedelta(), end - created_at)
