"""PruneSnapshots: delete the restore points that the spec says are no longer wanted."""

from collections.abc import Mapping, Sequence

from lightgate.errors import NotDeletedError, RefusedError, UnreachableError
from lightgate.notifications.pruning import not_pruned
from lightgate.operations.metrics import snapshots_not_pruned
from lightgate.runtime import Runtime
from lightgate.spec.keys import Database
from lightgate.spec.parser import parse_spec
from lightgate.state import Pruned, State


def prune_snapshots(state: State, runtime: Runtime) -> Pruned:
    """The identifiers of the deleted snapshots; none unless `keepSnapshots` is given.

    The spec of today counts: after a rollback, the spec of the version that is back may name
    another database, or keep fewer. Trouble is logged, counted and published, and never makes the
    release a failure: the next one tries again.
    """
    release = state.admitted.release
    database = None
    deleted: Sequence[str] = ()
    failed: Mapping[str, str] = {}
    reasons: Sequence[str] = ()
    try:
        database = parse_spec(runtime.apps.read(release.app).text).database
        deleted = _pruned(release.app, database, runtime)
    except NotDeletedError as error:
        deleted, failed = error.deleted, error.failed
    except RefusedError as error:
        reasons = error.reasons
    except UnreachableError as error:
        reasons = [f"{error}."]
    runtime.logger.info("old snapshots are deleted", snapshots=deleted)
    if failed or reasons:
        runtime.logger.error("old snapshots stay", failed=failed, reasons=reasons)
        snapshots_not_pruned(release.app, max(len(failed), 1), runtime)
        notice = not_pruned(
            release,
            database,
            failed,
            reasons,
            execution=state.execution,
            console=runtime.settings.console,
        )
        runtime.topic.publish(notice)
    return Pruned(deleted=tuple(deleted), failed=failed, reasons=tuple(reasons))


def _pruned(app: str, database: Database | None, runtime: Runtime) -> Sequence[str]:
    if database is None:
        return ()
    points = runtime.restore_points(database.kind)
    return points.prune(app, database.name, database.keep_snapshots)
