"""Read the snapshot of a release once more when the release ends."""

from dataclasses import replace

from lightgate.aws.clients import reaching
from lightgate.backup.progress import look_up_snapshot, seen_at
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.errors import UnreachableError
from lightgate.runtime import Runtime
from lightgate.state import DeploymentProgress, Facts


def with_restore_point(facts: Facts, runtime: Runtime) -> Facts:
    """The facts with the snapshot as it is now, if it was still being made at the last check.

    A release with nothing pending does not wait for its snapshot. If AWS does not answer, the last
    check stands.
    """
    order = facts.admitted.database if facts.admitted is not None else None
    found = facts.restore_point
    if order is None or found is None or found.id is None:
        return facts
    if found.status is not SnapshotStatus.CREATING:
        return facts
    # The outcome must not wait long for it.
    points = runtime.restore_points(order.kind, attempts=2, seconds=5)
    order, now = replace(order, snapshot=found.id), runtime.now()
    try:
        with reaching("the database service"):
            state = look_up_snapshot(points, order, found.begun_at, now)
    except UnreachableError as error:
        runtime.logger.warning("the snapshot could not be read", why=str(error))
        return facts
    seen = seen_at(
        now,
        state,
        order,
        asked_at=found.asked_at,
        begun_at=found.begun_at,
        missing_at=found.missing_at,
    ).checked(found.checks)
    deployment = facts.state.deployment
    if isinstance(deployment, DeploymentProgress):
        changed = replace(facts.state, deployment=replace(deployment, snapshot=seen))
    else:
        changed = replace(facts.state, snapshot=seen)
    return replace(facts, state=changed)
