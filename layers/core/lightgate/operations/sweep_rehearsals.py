"""Remove what rehearsals have left behind, and record those whose executions were stopped.

A rehearsal removes its instance and its service itself. This is for one that was stopped, or whose
removal failed. Only what has the name and the tags of a rehearsal of this stack is touched.
"""

from collections.abc import Iterable
from datetime import timedelta

from lightgate.aws.stepfunctions import GONE
from lightgate.aws.temporary import Temporary
from lightgate.errors import UnreachableError
from lightgate.notifications.rehearsal_notice import rehearsal_notice
from lightgate.operations.queue_rehearsal import end_queue_rehearsal
from lightgate.operations.remove_temporary import remove_temporary
from lightgate.records.release_record import RELEASING, ReadableRecord
from lightgate.rehearsal.record import stopped_record
from lightgate.rehearsal.rehearsal_state import LONGEST_REHEARSAL
from lightgate.release.lock import execution_name_of
from lightgate.runtime import Runtime

# Step Functions may not know an execution yet that has just begun.
_KNOWN_AFTER = timedelta(hours=1)


def sweep_rehearsals(apps: Iterable[str], runtime: Runtime) -> None:
    """Idempotent. The next run of Reconcile tries again to delete what is left after this one.

    The message of a stopped rehearsal is sent once, by best effort, after everything is deleted.

    Raises:
        UnreachableError: AWS has refused a call.
    """
    services, databases = runtime.temporary_services, runtime.temporary_databases
    found = {one.name: one for one in (*services.all(), *databases.all())}
    for one in found.values():
        if _is_left(one, runtime):
            left = remove_temporary(one.name, runtime)
            runtime.logger.warning(
                "a rehearsal left something behind", temporary=one.name, left=left
            )
    for app in apps:
        _record_stopped(app, runtime)


def _is_left(one: Temporary, runtime: Runtime) -> bool:
    """Whether no execution uses it any more. An unknown age is no reason to delete it."""
    age = runtime.now() - one.created_at if one.created_at is not None else timedelta()
    if age > LONGEST_REHEARSAL:
        return True
    status = _ended(runtime.executions.rehearsal_arn(one.execution), runtime)
    return status is not None and (status != GONE or age > _KNOWN_AFTER)


def _ended(execution: str, runtime: Runtime) -> str | None:
    ended = runtime.executions.ended(execution)
    return None if ended is None else ended.status


def _record_stopped(app: str, runtime: Runtime) -> None:
    now = runtime.now()
    for record in runtime.rehearsals.history(app):
        if record.status != RELEASING or record.execution is None:
            continue
        status = _ended(record.execution, runtime)
        if status is None or (status == GONE and now - record.started_at < _KNOWN_AFTER):
            continue
        expires_at = now + timedelta(days=runtime.settings.record_days)
        stopped = stopped_record(record, status, now)
        is_first = runtime.rehearsals.end(stopped, expires_at) == stopped
        end_queue_rehearsal(app, execution_name_of(record.execution), runtime)
        if is_first:
            _publish(stopped, runtime)


def _publish(stopped: ReadableRecord, runtime: Runtime) -> None:
    try:
        runtime.topic.publish(rehearsal_notice(stopped, runtime.settings.console))
    except UnreachableError:
        runtime.logger.warning("the message of a rehearsal was not sent", rehearsal=stopped.release)
