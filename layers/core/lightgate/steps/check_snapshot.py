"""CheckSnapshot: check whether the deployment may be created before or with its snapshot."""

from datetime import timedelta

from lightgate.backup.progress import SnapshotProgress, look_up_snapshot
from lightgate.operations.assess_restore_point import assess_restore_point
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
    now, pause = runtime.now(), timedelta(seconds=before.poll_seconds)
    checks = before.checks.resumed(now, pause=pause)
    found = look_up_snapshot(runtime.restore_points(order.kind), order, before.begun_at, now)
    return assess_restore_point(
        found,
        order,
        admitted,
        runtime,
        asked_at=before.asked_at,
        begun_at=before.begun_at,
        missing_at=before.missing_at,
        now=now,
        checks=checks,
    )
