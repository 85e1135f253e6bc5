"""The stages of releases as bars: where each one begins, and how long it is, in percent."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from lightgate.records.release_record import ReadableRecord, ReleaseStage, StageName
from lightgate.records.wording import seconds, time_of_day
from lightgate_report.pages import Band, Bar, Gantt, StageRow

TITLES = {
    StageName.ADMISSION: "Admission",
    StageName.SNAPSHOT: "Snapshot",
    StageName.NODE: "Node start",
    StageName.PERMIT: "Permit",
    StageName.MIGRATION: "Migration",
    StageName.ACTIVATION: "Activation",
    StageName.HEALTH: "Health checks",
    StageName.ROLLBACK: "Rollback",
}
# A stage of a second must be seen beside one of an hour.
_LEAST_WIDTH = 0.5


def length_of(record: ReadableRecord, now: datetime) -> timedelta:
    """From the start of the release to its end, to the end of its last stage, or until now."""
    ends = [stage.ended_at or stage.started_at for stage in record.stages]
    end = max([record.ended_at or now, *ends])
    return max(end - record.started_at, timedelta(seconds=1))


def bars_of(record: ReadableRecord, whole: timedelta, now: datetime) -> Sequence[Bar]:
    """The stages on an axis of this length. Those that overlap have different lanes."""
    free: list[datetime] = []
    bars = []
    for stage in record.stages:
        begin, end = stage.started_at, _end(stage, record, now)
        lane = next((index for index, at in enumerate(free) if at <= begin), len(free))
        free[lane : lane + 1] = [end]
        left, width = _place(begin, end, record.started_at, whole)
        text = f"{TITLES[stage.name]}: {seconds(end - begin)}"
        bars.append(Bar(stage=stage.name.value, left=left, width=width, lane=lane, text=text))
    return bars


def gantt_of(record: ReadableRecord, now: datetime) -> Gantt | None:
    """The stages of one release, one row each; None if none is on record."""
    if not record.stages:
        return None
    begin, whole = record.started_at, length_of(record, now)
    rows = []
    for stage in record.stages:
        end = _end(stage, record, now)
        left, width = _place(stage.started_at, end, begin, whole)
        took = seconds(end - stage.started_at) if stage.ended_at is not None else "end not seen"
        rows.append(
            StageRow(
                stage=stage.name.value,
                title=TITLES[stage.name],
                left=left,
                width=width,
                began=time_of_day(stage.started_at),
                took=took,
                reason=stage.reason,
            )
        )
    return Gantt(
        rows=rows,
        begins=time_of_day(begin),
        ends=time_of_day(begin + whole),
        band=_band(record, whole),
    )


def _band(record: ReadableRecord, whole: timedelta) -> Band | None:
    """Where the node started during the snapshot."""
    snapshot = _first(record, StageName.SNAPSHOT)
    node = _first(record, StageName.NODE)
    if snapshot is None or node is None:
        return None
    if snapshot.ended_at is None or node.ended_at is None:
        return None
    begin = max(snapshot.started_at, node.started_at)
    end = min(snapshot.ended_at, node.ended_at)
    if end <= begin:
        return None
    left, width = _place(begin, end, record.started_at, whole)
    overlap = seconds(end - begin)
    saved = f" This saved {seconds(record.saved)}." if record.saved else ""
    text = f"The node started during the snapshot, with an overlap of {overlap}.{saved}"
    return Band(left=left, width=width, text=text)


def _first(record: ReadableRecord, name: StageName) -> ReleaseStage | None:
    return next((stage for stage in record.stages if stage.name is name), None)


def _end(stage: ReleaseStage, record: ReadableRecord, now: datetime) -> datetime:
    """Without an end on record, the stage is drawn to the end of the release, or until now."""
    return max(stage.ended_at or record.ended_at or now, stage.started_at)


def _place(begin: datetime, end: datetime, zero: datetime, whole: timedelta) -> tuple[float, float]:
    left = min(max((begin - zero) / whole, 0.0) * 100, 100 - _LEAST_WIDTH)
    width = max((end - begin) / whole * 100, _LEAST_WIDTH)
    return round(left, 2), round(min(width, 100 - left), 2)
