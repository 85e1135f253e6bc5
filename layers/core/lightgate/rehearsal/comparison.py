"""Compare a rehearsal with the release of the same image, after the release has ended."""

from collections.abc import Mapping

from lightgate.records.prediction import PredictedMigration, Prediction
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.release_record import ReadableRecord


def predicted(
    rehearsal: ReadableRecord, applied: Mapping[str, float | None], failed: str | None
) -> Prediction | None:
    """The times of the rehearsal beside those of the release; None if they share no migration.

    `applied` has the seconds of each one that the release has applied.
    """
    if rehearsal.ended_at is None:
        return None
    measured = rehearsal.rehearsal.measured if rehearsal.rehearsal is not None else None
    known = {one.name: one.seconds for one in measured.migrations} if measured is not None else {}
    known = {one.name: one.seconds for one in rehearsal.migrations} | known
    shared = [name for name in known if name in applied or name == failed]
    if not shared and rehearsal.status == EndStatus.SUCCEEDED:
        return None
    lock = measured.longest_lock if measured is not None else None
    return Prediction(
        rehearsal=rehearsal.release,
        status=rehearsal.status,
        summary=rehearsal.summary or rehearsal.status,
        ended_at=rehearsal.ended_at,
        migrations=tuple(
            PredictedMigration(name=name, rehearsed_seconds=known[name], seconds=applied.get(name))
            for name in shared
        ),
        lock=lock,
        lock_at_most=applied.get(lock.migration or "") if lock is not None else None,
        is_upper_bound=measured is not None and measured.is_upper_bound,
    )
