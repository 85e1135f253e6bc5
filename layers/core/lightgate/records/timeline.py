"""What happened in a release, in the order of time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.gate.log_lines import moment_of
from lightgate.records.release_evidence import Evidence
from lightgate.records.release_record import (
    RELEASING,
    MigrationStatus,
    ReadableRecord,
    RecordedMigration,
    RecordKind,
    StageName,
    StartedBy,
)
from lightgate.records.wording import seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`what` is the stage, or what else has happened."""

    at: datetime
    what: str
    text: str


def timeline(record: ReadableRecord, evidence: Evidence | None = None) -> Sequence[Event]:
    """The events of the release, as far as its record has them, the oldest first.

    The evidence has the moments of its migrations. Without it they follow from their durations.
    """
    moments = _moments(evidence) if evidence is not None else {}
    found = [Event(at=record.started_at, what="started", text=started_by(record))]
    for stage in record.stages:
        begin, end = stage.started_at, stage.ended_at
        match stage.name:
            case StageName.ADMISSION:
                if stage.reason:
                    found.append(Event(at=end or begin, what="admission", text=stage.reason))
            case StageName.SNAPSHOT:
                found.append(Event(at=begin, what="snapshot", text="started"))
                if end is not None:
                    text = f"{stage.reason or 'ended'} after {seconds(end - begin)}"
                    found.append(Event(at=end, what="snapshot", text=text))
                elif stage.reason:
                    found.append(Event(at=begin, what="snapshot", text=stage.reason))
            case StageName.NODE:
                found.append(Event(at=begin, what="deployment", text=stage.reason or "created"))
                if end is not None:
                    found += [Event(at=end, what="plan", text=each) for each in _plan(record)]
            case StageName.MIGRATION:
                found += _migrations(record, begin, end, moments)
            case StageName.ROLLBACK:
                found.append(Event(at=begin, what="rollback", text="started"))
                if end is not None:
                    found.append(Event(at=end, what="rollback", text=stage.reason or "ended"))
            case _:
                at = end or begin
                found.append(Event(at=at, what=stage.name.value, text=stage.reason or "ended"))
    if record.ended_at is not None and record.status != RELEASING:
        found.append(Event(at=record.ended_at, what="ended", text=record.status))
    first, *others = found
    return [first, *sorted(others, key=_place)]


# Two events of one check have moments of their own, and not in the order of cause and effect: the
# permit needs the snapshot. A person sees whole seconds.
_ORDER = (
    *("admission", "snapshot", "deployment", "plan", "permit", "migration", "activation"),
    *("health", "rollback"),
)


def _place(event: Event) -> tuple[bool, datetime, int, datetime]:
    rank = _ORDER.index(event.what) if event.what in _ORDER else len(_ORDER)
    return event.what == "ended", event.at.replace(microsecond=0), rank, event.at


def started_by(record: ReadableRecord) -> str:
    """Who or what has started the release, in a sentence's middle."""
    image = f"{record.repository}:{record.tag}" if record.tag else record.repository
    who = record.who or "a person"
    match record.started_by:
        case StartedBy.PUSH:
            return f"by push of {image}"
        case StartedBy.RECONCILE:
            return f"by push of {image}, whose event never came"
        case StartedBy.RELEASE:
            return f"to roll back {record.caused_by}"
    if record.kind is RecordKind.ROLLBACK:
        to = "" if record.rollback_to is None else f" to version {record.rollback_to}"
        return f"by {who}: rollback{to}"
    if record.kind is RecordKind.COMMAND:
        return f"by {who}: {' '.join(record.command or ())}"
    return f"by {who}"


def _plan(record: ReadableRecord) -> Sequence[str]:
    """The planned migrations, each with its class and the operations that decide it."""
    if not record.migrations:
        return ["nothing pending"] if record.kind is RecordKind.IMAGE else []
    longest = max(len(one.name) for one in record.migrations)
    lines = [_planned(one, longest) for one in record.migrations]
    return [*lines, f"{record.unlisted} more"] if record.unlisted else lines


def _planned(one: RecordedMigration, longest: int) -> str:
    effect = one.effect.value if one.effect is not None else "unknown"
    return f"{one.name:<{longest}}  {effect:<10}  {', '.join(one.operations)}".rstrip()


def _moments(evidence: Evidence) -> Mapping[str, datetime]:
    """When each migration was applied or failed, by the clock of its gate."""
    found: dict[str, datetime] = {}
    for events in evidence.gates.values():
        for event in events:
            name, told = event.get("migration"), moment_of(event.get("at"))
            if event.get("event") in ("applied", "failed") and name is not None and told:
                found.setdefault(name, datetime.fromisoformat(told))
    return found


def _migrations(
    record: ReadableRecord,
    begin: datetime,
    end: datetime | None,
    moments: Mapping[str, datetime],
) -> Iterator[Event]:
    at = begin
    for one in record.migrations:
        at = moments.get(one.name, at + timedelta(seconds=one.seconds or 0))
        length = f", {one.seconds:.1f} s" if one.seconds is not None else ""
        match one.status:
            case MigrationStatus.APPLIED:
                yield Event(at=at, what="migration", text=f"{one.name} applied{length}")
            case MigrationStatus.REVERSED:
                told = f"{one.name} applied{length}, and reversed by the rollback"
                yield Event(at=at, what="migration", text=told)
            case MigrationStatus.RECORDED:
                told = f"{one.name} recorded without being run"
                yield Event(at=at, what="migration", text=told)
            case MigrationStatus.FAILED:
                why = f": {record.evidence_line}" if record.evidence_line else ""
                yield Event(at=at, what="migration", text=f"{one.name} FAILED{why}")
            case MigrationStatus.UNKNOWN:
                yield Event(at=end or at, what="migration", text=f"{one.name}: outcome unknown")


def applied(record: ReadableRecord) -> str:
    """How many of the planned migrations were applied, such as `1 of 2`, or `reversed`.

    Only a release that made a deployment can know that there are none.
    """
    if record.kind is RecordKind.COMMAND or (record.version is None and not record.migrations):
        return "-"
    total = len(record.migrations) + record.unlisted
    if any(one.status is MigrationStatus.UNKNOWN for one in record.migrations):
        return f"? of {total}"
    if any(one.status is MigrationStatus.REVERSED for one in record.migrations):
        return "reversed"
    done = sum(one.status is MigrationStatus.APPLIED for one in record.migrations)
    if not total:
        return "none"
    return str(done) if done == total else f"{done} of {total}"
