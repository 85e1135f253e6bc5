"""RecordRehearsal: decide how the rehearsal has ended, and record it once."""

from datetime import timedelta

from lightgate.notifications.rehearsal_notice import rehearsal_notice
from lightgate.operations.queue_rehearsal import end_queue_rehearsal
from lightgate.records.recorded_outcome import EndStatus
from lightgate.rehearsal.record import ended_record
from lightgate.rehearsal.rehearsal_state import RehearsalEnd, RehearsalState
from lightgate.release.lock import execution_name_of
from lightgate.runtime import Runtime


def record_rehearsal(state: RehearsalState, runtime: Runtime) -> RehearsalEnd:
    """The end on record. Idempotent: the first one stands."""
    now = runtime.now()
    record = ended_record(state, now)
    if record.app:
        expires_at = now + timedelta(days=runtime.settings.record_days)
        record = runtime.rehearsals.end(record, expires_at)
        end_queue_rehearsal(record.app, execution_name_of(state.execution), runtime)
    runtime.logger.info("the rehearsal has ended", rehearsal=record.release, status=record.status)
    return RehearsalEnd(
        status=EndStatus(record.status),
        cause=record.summary or record.status,
        notice=rehearsal_notice(record, runtime.settings.console)
        if record.app and record.stage
        else None,
    )
