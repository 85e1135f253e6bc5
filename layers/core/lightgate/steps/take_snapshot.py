"""TakeSnapshot: start the snapshot of the release, or check its continuous backup."""

from datetime import datetime, timedelta

from lightgate.backup.deploy_timing import why_no_point_in_time
from lightgate.backup.progress import SnapshotProgress, begin_restore_point
from lightgate.errors import RefusalCode, RefusedError
from lightgate.operations.assess_restore_point import assess_restore_point
from lightgate.outage import Checks
from lightgate.runtime import Runtime
from lightgate.spec.database_kinds import BackupMode
from lightgate.state import State, Stop


def take_snapshot(state: State, runtime: Runtime) -> SnapshotProgress | Stop:
    """The state of the restore point, or why the release must not go on.

    Idempotent: the name of the snapshot follows from the release.
    """
    admitted = state.admitted
    release, order = admitted.release, admitted.database
    if order is None:
        raise LookupError("the app has no database")
    checks = _checks(state, runtime.now())
    if (objection := runtime.objection(release.app, admitted.lock)) is not None:
        return objection
    try:
        found = begin_restore_point(runtime.restore_points(order.kind), order, release)
        now = runtime.now()
        # Without a gate that needs a permit, nothing checks the backup again later.
        is_final = order.mode is BackupMode.POINT_IN_TIME and not release.asking_gates
        if is_final and (why := why_no_point_in_time(found, now)) is not None:
            raise RefusedError(why, code=RefusalCode.SNAPSHOT)
    except RefusedError as error:
        return Stop.refused(error)
    return assess_restore_point(
        found,
        order,
        admitted,
        runtime,
        asked_at=admitted.admitted_at,
        begun_at=now,
        now=now,
        checks=checks,
    )


def _checks(state: State, now: datetime) -> Checks:
    """The checks so far: since the database was found busy, or since the release was admitted."""
    before = state.snapshot
    if isinstance(before, SnapshotProgress):
        return before.checks.resumed(now, pause=timedelta(seconds=before.poll_seconds))
    return Checks(last_at=state.admitted.admitted_at).resumed(now, pause=timedelta())
