"""What happened in a release, in an order that a person can follow."""

from datetime import UTC, datetime, timedelta

from lightgate.records.release_record import ReadableRecord, RecordKind, ReleaseStage, StageName
from lightgate.records.timeline import timeline

BEGIN = datetime(2026, 11, 29, 9, 10, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def stage(name: StageName, begin: float, end: float, reason: str) -> ReleaseStage:
    return ReleaseStage(name=name, started_at=at(begin), ended_at=at(end), reason=reason)


def test_within_one_second_the_cause_stands_before_the_effect() -> None:
    record = ReadableRecord(
        app="crops",
        release="20261129t091001z-7849e651-b597",
        kind=RecordKind.COMMAND,
        status="SUCCEEDED",
        started_at=BEGIN,
        ended_at=at(9.5),
        stages=[
            stage(StageName.PERMIT, 1, 5.774, "granted"),
            stage(StageName.SNAPSHOT, 1.1, 5.789, "available"),
            stage(StageName.NODE, 1.2, 4, "version 6 created"),
            stage(StageName.HEALTH, 8, 9.6, "3 of 3 health checks passed."),
        ],
    )

    assert [event.what for event in timeline(record)] == [
        *("started", "snapshot", "deployment", "snapshot", "permit", "health", "ended"),
    ]
