"""CheckSnapshot: check whether the deployment may be created before or with its snapshot."""

from datetime import timedelta

from lightgate.backup.progress import (
    SnapshotProgress,
    expected_timings,
    look_up_snapshot,
    progress,
    shortest_wait_limit,
)
from lightgate.errors import RefusedError
from lightgate.runtime import Runtime
from lightgate.state import State, Stop


def check_snapshot(state: State, runtime: Runtime) -> SnapshotProgress | Stop:
    """The state of the snapshot, or why the release must not go on. Changes nothing."""
    admitted, before = state.admitted, state.snapshot
    release, order = admitted.release, admitted.database
    if order is None or not isinstance(before, SnapshotProgress):
        raise LookupError("no restore point was begun")
    if (objection := runtime.objection(release.app, admitted.lock)) is not None:
        return objection
    now, poll = runtime.now(), timedelta(seconds=admitted.poll_seconds)
    checks = before.checks.resumed(now, pause=poll)
    found = look_up_snapshot(runtime.restore_points(order.kind), order, before.begun_at, now)
    try:
        seen = progress(
            found,
            order,
            expected_timings(release, admitted.history),
            asked_at=before.asked_at,
            begun_at=before.begun_at,
            now=now,
            wait_limit=shortest_wait_limit(release, poll),
            outage=checks.outage,
        )
    except RefusedError as error:
        return Stop.refused(error)
    return seen.checked(checks.ended(runtime.now()))
