"""The page of one release, made of its record and its evidence."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.rehearsal_words import prediction_lines, rehearsal_lines
from lightgate.records.release_evidence import Evidence
from lightgate.records.release_record import (
    RELEASING,
    ReadableRecord,
    RecordedHealth,
    RecordedMigration,
    RecordedSnapshot,
    RecordKind,
)
from lightgate.records.timeline import applied, started_by
from lightgate.records.wording import called, moment, seconds, time_of_day
from lightgate.release.start_command import start_command
from lightgate.verification.health import HealthSample
from lightgate_report.charts import gantt_of
from lightgate_report.pages import (
    Fact,
    Fold,
    HealthRow,
    MigrationRow,
    ReleasePage,
    Step,
    Tone,
    Word,
)
from lightgate_report.surroundings import Surroundings, links_of
from lightgate_report.tones import migration_word, rollback_word, word_of

_MOST_LINES = 500
# The parts of an event of a gate that say of which release and gate it is.
_COMMON = ("lightgate", "release", "container")
_COMMANDS = ("lightgate ", "aws ", "docker ")
_NOTHING_RAN = (EndStatus.QUEUED, EndStatus.DUPLICATE, EndStatus.SUPERSEDED)
_KINDS = {
    RecordKind.IMAGE: "",
    RecordKind.ROLLBACK: "Rollback to ",
    RecordKind.COMMAND: "Command with ",
    RecordKind.REHEARSAL: "Rehearsal of ",
}


def release_page(
    record: ReadableRecord,
    evidence: Evidence | None,
    around: Surroundings,
    now: datetime,
    *,
    progress: str | None = None,
    unread: Sequence[str] = (),
) -> ReleasePage:
    """`evidence` is None if there is none, or if it could not be read: then `unread` says why.

    `progress` is how far a running release is.
    """
    name = f"{_KINDS[record.kind]}{called(record.tag, record.digest)}"
    judged = record.rollback
    return ReleasePage(
        title=f"{name} of {record.app}: {record.status}",
        name=name,
        app=record.app,
        status=word_of(record.status),
        summary=record.summary or f"{name} of {record.app} is {record.status}.",
        begun=_begun(record, progress),
        cause=record.cause,
        evidence_line=record.evidence_line,
        reasons=[each for each in record.reasons if each not in (record.summary, record.cause)],
        steps=[_step(each) for each in record.next_steps],
        warnings=record.warnings,
        gantt=gantt_of(record, now),
        migrations=[_migration(each) for each in record.migrations],
        unlisted=record.unlisted,
        rollback=rollback_word(judged) if judged is not None else None,
        rollback_reasons=[*judged.reasons, *judged.restrictions] if judged is not None else (),
        reversing=[start_command(record.execution or "", each) for each in record.take_back],
        facts=list(_facts(record)),
        links=links_of(record, around),
        health=_samples(evidence.health) if evidence is not None else (),
        rollback_health=_samples(evidence.rollback_health) if evidence is not None else (),
        decisions=_decisions(evidence),
        gates=_gates(evidence),
        logs=_logs(evidence),
        unread=[*unread, *_unread(evidence)],
    )


def _begun(record: ReadableRecord, progress: str | None) -> str:
    """How long the release took, and who or what has started it."""
    begin = f"Started {moment(record.started_at)} {started_by(record)}."
    if record.status == RELEASING:
        return f"{begin} In progress{f': {progress}' if progress else ''}."
    if record.ended_at is None or record.status in _NOTHING_RAN:
        return begin
    return f"{begin} It took {seconds(record.ended_at - record.started_at)}."


def _step(text: str) -> Step:
    return Step(text=text, is_command=text.startswith(_COMMANDS))


def _migration(one: RecordedMigration) -> MigrationRow:
    return MigrationRow(
        name=one.name,
        status=migration_word(one.status),
        effect=one.effect.value if one.effect is not None else "unknown",
        operations=", ".join(one.operations),
        took=f"{one.seconds:.1f} s" if one.seconds is not None else None,
    )


def _facts(record: ReadableRecord) -> Iterator[Fact]:
    told: Mapping[str, Sequence[str | None]] = {
        "Failure": [record.failure_code],
        "Reason given": [record.reason],
        "Command": [" ".join(record.command) if record.command else None],
        "Rolls back": [record.caused_by],
        "Superseded by": [record.superseded_by],
        "Began as": [record.begun_as],
        "Live at the end": [_live(record)],
        "Previous version": [_version(record.previous_version)],
        "Version": [_version(record.version)],
        "Health": list(_health(record.health)),
        "Migrations": [f"{applied(record)} applied" if record.migrations else None],
        "Rehearsal": [
            *(rehearsal_lines(record.rehearsal) if record.rehearsal else ()),
            *(prediction_lines(record.prediction) if record.prediction else ()),
        ],
        "Snapshot": list(_snapshot(record.snapshot)),
        "No snapshot": [record.no_snapshot],
        "Time saved": [seconds(record.saved) if record.saved else None],
        "Cost": [_cost(record)],
        "Image": [f"{record.repository}@{record.digest}" if record.digest else None],
        "Pushed index": [record.pushed_digest],
        "Stage": [record.stage],
        "Spec version": [_version(record.spec_version)],
        "Started": [moment(record.started_at)],
        "Started by": [f"{record.started_by.value}{f', {record.who}' if record.who else ''}"],
        "Ended": [moment(record.ended_at) if record.ended_at is not None else None],
        "Release": [record.release],
        "Execution": [record.execution],
        "Evidence": [record.evidence],
    }
    for label, texts in told.items():
        if known := [text for text in texts if text]:
            yield Fact(label=label, texts=known)


def _version(number: int | None) -> str | None:
    return None if number is None else str(number)


def _live(record: ReadableRecord) -> str | None:
    if record.is_down:
        return "nothing was live"
    live = record.live
    if live is None:
        return None
    return f"{called(live.tag, live.digest)}, version {live.version} ({live.digest})"


def _health(health: RecordedHealth | None) -> Iterator[str]:
    if health is None:
        return
    version = f"version {health.version}: " if health.version is not None else ""
    passed = f"{health.checks - health.failed} of {health.checks} checks passed"
    slowest = f"; the slowest took {health.slowest.total_seconds():.1f} s" if health.slowest else ""
    yield f"{version}{health.status}, {passed}{slowest}"
    if health.problem:
        yield health.problem


def _snapshot(snapshot: RecordedSnapshot | None) -> Iterator[str]:
    if snapshot is None:
        return
    status = f": {snapshot.status}" if snapshot.status else ""
    yield f"{snapshot.id or 'continuous backup'}{status}"
    if snapshot.detail:
        yield snapshot.detail
    if snapshot.restores_to is not None:
        yield f"database as of {moment(snapshot.restores_to)}"
    if snapshot.available_at is not None:
        yield f"available since {moment(snapshot.available_at)}"


def _cost(record: ReadableRecord) -> str | None:
    cost = record.cost
    if cost is None:
        return None
    return (
        f"${cost.dollars:.4f} ({cost.priced}): {cost.transitions} transitions, {cost.calls} calls, "
        f"{cost.milliseconds} ms"
    )


def _samples(samples: Sequence[HealthSample]) -> Sequence[HealthRow]:
    return [
        HealthRow(
            at=time_of_day(each.at),
            took=f"{each.took.total_seconds():.2f} s",
            result=Word(text="passed", tone=Tone.GOOD)
            if each.problem is None
            else Word(text=each.problem, tone=Tone.BAD),
        )
        for each in samples
    ]


def _decisions(evidence: Evidence | None) -> Sequence[Fact]:
    return [
        Fact(
            label=f"{time_of_day(each.at)} {each.what}" if each.at else each.what,
            texts=[each.reason],
        )
        for each in (evidence.decisions if evidence is not None else ())
    ]


def _gates(evidence: Evidence | None) -> Sequence[Fold]:
    gates: Mapping[str, Sequence[Any]] = evidence.gates if evidence is not None else {}
    return [
        _fold(
            f"Events of the gate {gate}",
            [_event(event) for event in events],
        )
        for gate, events in gates.items()
    ]


def _event(event: object) -> str:
    """What the gate has said, without what all of its events have in common."""
    if isinstance(event, dict):
        event = {key: each for key, each in event.items() if key not in _COMMON}
    return json.dumps(event, ensure_ascii=False)


def _logs(evidence: Evidence | None) -> Sequence[Fold]:
    logs: Mapping[str, Sequence[str]] = evidence.logs if evidence is not None else {}
    return [_fold(f"Log of {container}", lines) for container, lines in logs.items()]


def _fold(title: str, lines: Sequence[str]) -> Fold:
    """The last lines: the end of a log shows how it ended."""
    return Fold(title=title, lines=lines[-_MOST_LINES:], omitted=max(0, len(lines) - _MOST_LINES))


def _unread(evidence: Evidence | None) -> Sequence[str]:
    return [f"Not read: {each}." for each in (evidence.unread if evidence is not None else ())]
