"""The page of all apps, or of one: what is live, and the recent releases with their stages."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime, timedelta

from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.release_record import RELEASING, ReadableRecord, StageName
from lightgate.records.timeline import started_by
from lightgate.records.wording import called, clock, day_and_time, moment, roughly, seconds
from lightgate.release.lock import Lock
from lightgate_report.charts import TITLES, bars_of, length_of
from lightgate_report.pages import AppRow, LastRelease, Opener, OverviewPage, ReleaseRow
from lightgate_report.tones import word_of

_NEVER_RAN = (EndStatus.QUEUED, EndStatus.DUPLICATE, EndStatus.SUPERSEDED)


def overview_page(
    apps: Sequence[AppRow],
    history: Sequence[ReadableRecord],
    now: datetime,
    *,
    title: str = "Apps",
    live: Set[str] = frozenset(),
    notes: Sequence[str] = (),
) -> OverviewPage:
    """`live` are the ids of the releases that are live."""
    newest = sorted(history, key=lambda record: record.started_at, reverse=True)
    ran = [length_of(record, now) for record in newest if record.stages]
    whole = max(ran, default=timedelta(seconds=1))
    seen = {stage.name for record in newest for stage in record.stages}
    return OverviewPage(
        title=title,
        made=moment(now),
        apps=apps,
        releases=[_row(record, whole, now, is_live=record.release in live) for record in newest],
        scale=seconds(whole),
        stages=[(name.value, TITLES[name]) for name in StageName if name in seen],
        notes=notes,
    )


def app_row(app: str, history: Sequence[ReadableRecord], lock: Lock, now: datetime) -> AppRow:
    """The row of an app by its records alone, the newest first: Lightsail is not asked."""
    newest = history[0] if history else None
    shown = next((record for record in history if record.live or record.is_down), None)
    live = shown.live if shown is not None else None
    name = "unknown" if shown is None else "nothing"
    if live is not None:
        name = f"{called(live.tag, live.digest)}, version {live.version}"
    ended = next((each for each in history if _has_run(each, lock)), None)
    return AppRow(
        app=app,
        live=name,
        stage=newest.stage if newest is not None else None,
        since=_since(history, now),
        health=None,
        notes=list(_notes(lock, now)),
        last=last_release(ended, now) if ended is not None else None,
    )


def live_release(history: Sequence[ReadableRecord]) -> str | None:
    """The release whose version was live at the end of the newest release that says so."""
    shown = next((record for record in history if record.live or record.is_down), None)
    version = shown.live.version if shown is not None and shown.live is not None else None
    if version is None:
        return None
    return next((each.release for each in history if each.version == version), None)


def last_release(record: ReadableRecord, now: datetime) -> LastRelease:
    is_good = record.status == EndStatus.SUCCEEDED
    return LastRelease(
        opener=_opener(record),
        status=word_of(record.status),
        when=f"{roughly(now - (record.ended_at or record.started_at))} ago",
        cause=None if is_good else record.cause or record.summary,
    )


def _has_run(record: ReadableRecord, lock: Lock) -> bool:
    is_holder = lock.holder is not None and lock.holder.release == record.release
    return not (
        is_holder or record.status == RELEASING or record.status in _NEVER_RAN or record.caused_by
    )


def _since(history: Sequence[ReadableRecord], now: datetime) -> str | None:
    """Since when the live version is live, by the stages of its release."""
    release = live_release(history)
    for record in history:
        for stage in record.stages if record.release == release else ():
            if stage.name is StageName.ACTIVATION and stage.ended_at is not None:
                return f"for {roughly(now - stage.ended_at)}"
    return None


def _notes(lock: Lock, now: datetime) -> Iterator[str]:
    holder, waiting = lock.holder, lock.waiting
    if holder is not None:
        since = roughly(now - holder.at)
        yield f"In progress: {called(None, holder.digest)}, since {since} ({holder.release})"
    if waiting is not None:
        tag = waiting.request.get("pushedTag")
        yield f"Waiting: {called(tag, waiting.digest)} ({waiting.release})"
    if lock.paused is not None:
        yield lock.paused.shown


def _row(record: ReadableRecord, whole: timedelta, now: datetime, *, is_live: bool) -> ReleaseRow:
    bars = bars_of(record, whole, now)
    has_run = record.status not in _NEVER_RAN
    return ReleaseRow(
        opener=_opener(record),
        status=word_of(record.status),
        started=day_and_time(record.started_at),
        took=clock(length_of(record, now)) if has_run else None,
        started_by=started_by(record),
        is_live=is_live,
        bars=bars,
        lanes=1 + max((bar.lane for bar in bars), default=0),
        durations=", ".join(bar.text for bar in bars),
    )


def _opener(record: ReadableRecord) -> Opener:
    text = called(record.tag, record.digest)
    return Opener(app=record.app, release=record.release, text=text)
