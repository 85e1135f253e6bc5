"""How long the parts of recent releases of an app took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.release.poll_interval import Observed
from lightgate.spec.time_limits import USUAL_NODE_START

# More releases than these say nothing of the next one: databases grow.
RECENT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long the same took in recent releases of the app, the latest last.

    `unfinished` is the longest time after which a snapshot was still not there when its release
    ended. `seen_snapshots` and `seen_node_starts` say between which checks each of them was over,
    `seen_ends` the time from an open gate to the end of the deployment.
    """

    snapshots: Sequence[timedelta] = ()
    node_starts: Sequence[timedelta] = ()
    unfinished: timedelta | None = None
    seen_snapshots: Sequence[Observed] = ()
    seen_node_starts: Sequence[Observed] = ()
    seen_ends: Sequence[Observed] = ()

    @property
    def is_outgrown(self) -> bool:
        """Whether the last snapshot was not finished in time, and longer than all finished ones.

        Its whole duration is unknown.
        """
        longest = max(self.snapshots, default=timedelta())
        return self.unfinished is not None and self.unfinished >= longest

    @property
    def snapshot(self) -> timedelta | None:
        """How long a snapshot is expected to take: as long as the longest recent one."""
        return None if self.is_outgrown else max(self.snapshots, default=None)

    @property
    def node_start(self) -> timedelta | None:
        """The time from the creation of a deployment until the plan of its gate is known.

        The shortest of the recent ones: a node that is there before its restore point waits.
        """
        return min(self.node_starts, default=None)

    @property
    def slowest_node_start(self) -> timedelta:
        """The longest recent start. It leaves a gate the least time to wait for its permit."""
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

    Without overlap the deployment would have been created at `available_at`, and its gate would
    have been ready later by the time of its start. If nothing is pending, no gate waits for the
    restore point; if that is not available `now`, at least the time until now was saved.
    `available_at` is None if no snapshot was taken: then no time was saved.
    """
    if available_at is None:
        return timedelta()
    end = min(ready_at, available_at) if was_pending else min(available_at, now)
    return max(timedelta(), end - created_at)
