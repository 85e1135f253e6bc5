"""The message at the end of a rehearsal. It is never the end of a release."""

from collections.abc import Iterable

from lightgate.codec import encode
from lightgate.notifications.email import one_line, table
from lightgate.notifications.formats import MessageEvent, notice_forms, subject_line
from lightgate.notifications.shorten import LONGEST_TEXT, short
from lightgate.records.console_links import Console, console_links
from lightgate.records.recorded_outcome import EndStatus, Publication
from lightgate.records.rehearsal_words import rehearsal_lines
from lightgate.records.release_record import ReadableRecord
from lightgate.records.wording import called
from lightgate.spec.database_kinds import DatabaseKind

# Not the words of a release: a filter for FAILED releases must not let rehearsals pass.
_REHEARSED = "REHEARSED"
NOT_REHEARSED = "NOT_REHEARSED"
_UNTOUCHED = "production is untouched"
_MOST_REASONS = 10


def rehearsal_notice(record: ReadableRecord, console: Console) -> Publication:
    """The publication for the record of a rehearsal that has ended."""
    found, name, stage = record.rehearsal, called(record.tag, record.digest), record.stage or ""
    is_good = record.status == EndStatus.SUCCEEDED
    status = _REHEARSED if is_good else NOT_REHEARSED
    title = subject_line(stage, record.app, status, f"{name} {record.status}, {_UNTOUCHED}")
    head = f"The rehearsal of {name} for {record.app} {_ENDS[record.status]}: {_UNTOUCHED}."
    told = _lines([record.summary or "", *record.reasons])
    facts = _lines(rehearsal_lines(found)) if found is not None else []
    warnings = _lines(record.warnings)
    tag = f"--tag {record.tag}" if record.tag else f"--digest {record.digest}"
    steps = [f"lightgate release {record.app} {tag}"] if is_good else []
    steps += [f"lightgate show {record.release}"]
    rows = [
        *(("Rehearsal", fact) for fact in facts),
        *(("Warning", warning) for warning in warnings),
        *(("Next", step) for step in steps),
    ]
    links = console_links(
        console,
        execution=record.execution or "",
        release=record.release,
        begin=record.started_at,
        end=record.ended_at,
        snapshot=(found.snapshot, DatabaseKind.INSTANCE)
        if found is not None and found.snapshot and found.snapshot_at is not None
        else None,
    )
    document = {
        "event": MessageEvent.REHEARSAL_FINISHED,
        "messageId": f"lightgate-{record.app}-{record.release}-rehearsal",
        "kind": record.kind.value,
        "app": record.app,
        "stage": stage,
        "release": record.release,
        "tag": record.tag,
        "status": status,
        "result": record.status,
        "text": " ".join([head, *told]),
        "code": record.failure_code,
        "reasons": _lines(record.reasons),
        "warnings": warnings,
        "nextSteps": steps,
        "repository": record.repository,
        "digest": record.digest,
        "rehearsal": encode(found) if found is not None else None,
        "reason": record.reason,
        "startedAt": encode(record.started_at),
        "endedAt": encode(record.ended_at),
        "execution": record.execution,
    }
    return Publication(
        app=record.app,
        stage=stage,
        status=status,
        subject=title,
        message=notice_forms(
            title,
            ["\n".join([head, *told]), "\n".join(table(rows))],
            [head, *told, *facts, *warnings],
            document,
            links,
        ),
    )


_ENDS = {
    EndStatus.SUCCEEDED.value: "succeeded",
    EndStatus.FAILED.value: "failed",
    EndStatus.REFUSED.value: "was refused",
}


def _lines(texts: Iterable[str]) -> list[str]:
    return [short(one_line(text), LONGEST_TEXT) for text in list(texts)[:_MOST_REASONS] if text]
