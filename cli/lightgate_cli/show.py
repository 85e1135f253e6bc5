"""`lightgate show`: all that is on record of one release."""

from collections.abc import Sequence

import click
from rich.text import Text

from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.rehearsal_words import prediction_lines, rehearsal_lines
from lightgate.records.release_record import RELEASING, MigrationStatus, ReadableRecord, RecordKind
from lightgate.records.timeline import applied, timeline
from lightgate.records.wording import called, clock, moment, seconds, short_id, time_of_day
from lightgate_cli import output
from lightgate_cli.acting.carry_out import follow_to_the_end
from lightgate_cli.acting.following import execution_of
from lightgate_cli.acting.rehearsing import follow_rehearsal
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import app_option, connected, follow_option, json_option
from lightgate_cli.reading.app_status import ABANDONED
from lightgate_cli.reading.release_facts import ReleaseFacts, read_release

_BAD = (EndStatus.FAILED, EndStatus.ROLLED_BACK, EndStatus.REFUSED, ABANDONED)
_NOTHING_RAN = (EndStatus.QUEUED, EndStatus.DUPLICATE, EndStatus.SUPERSEDED)
_KINDS = {
    RecordKind.IMAGE: "",
    RecordKind.ROLLBACK: "Rollback to ",
    RecordKind.COMMAND: "Command with ",
    RecordKind.REHEARSAL: "Rehearsal of ",
}
_FAILED = 1
_TIMELINE = 23


@click.command(
    epilog="""\b
    Examples:
      lightgate show 20261129t091001z
      lightgate show v3
      lightgate show v4 --follow
      lightgate show v3 --app crops-backend --json | jq .record.migrations

    \b
    Exit codes:
      0  the release succeeded, or has not failed
      1  it failed, was refused or rolled back, or there is no such release
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("release")
@app_option
@follow_option
@json_option
@connected
def show(
    connection: Connection, release: str, app: str | None, is_followed: bool, as_json: bool
) -> None:
    """Show what happened in RELEASE, and what to do now.

    RELEASE is its id, the beginning of it, its tag, its digest or the ARN of its execution. A tag
    or a digest means its newest release.
    """
    if is_followed:
        followed = execution_of(release, app, connection)
        if connection.has_rehearsal(followed.execution):
            follow_rehearsal(followed, connection, as_json=as_json)
            return
        follow_to_the_end(followed, connection, as_json=as_json)
        return
    facts = read_release(release, app, connection)
    if as_json:
        print_json(facts)
    else:
        output.print_lines(lines(facts, width=output.width()))
    if facts.record.status in _BAD:
        click.get_current_context().exit(_FAILED)


def lines(facts: ReleaseFacts, *, width: int | None) -> list[Text]:
    """Verdict, cause, next step, timeline and facts, in this order."""
    record = facts.record
    shown = [_verdict(facts)]

    def add(label: str, texts: Sequence[str]) -> None:
        for index, text in enumerate(filter(None, texts)):
            shown.extend(output.labelled("" if index else label, text, width=width))

    if record.summary:
        shown += output.labelled("", record.summary, width=width, column=0)
    add("Cause", [record.cause or "", record.evidence_line or ""])
    if not record.cause and record.status != EndStatus.SUCCEEDED:
        add("Reason", list(record.reasons))
    add("Next", [*record.next_steps, *_other_releases(record)])
    add("Warning", list(record.warnings))
    shown.append(Text())
    for event in timeline(record, facts.evidence):
        begin = f"{time_of_day(event.at)}  {event.what}"
        shown += output.labelled(begin, event.text, width=width, column=_TIMELINE)
    shown.append(Text())
    if record.rehearsal is not None:
        add("Rehearsal", list(rehearsal_lines(record.rehearsal)))
    if record.prediction is not None:
        add("Rehearsal", list(prediction_lines(record.prediction)))
    add("Database", _database(record))
    add("Rollback", _rollback(record))
    add("Live", [_live(record)])
    add("Health", [_health(record)])
    add("Cost", [_cost(record)])
    add("Release", [record.release])
    add("Image", [f"{record.repository}@{record.digest}" if record.digest else ""])
    add("Execution", [record.execution or ""])
    add("Evidence", [facts.evidence_address or ""])
    add("Unknown", list(facts.unread))
    return shown


def _other_releases(record: ReadableRecord) -> list[str]:
    """The commands that show what became of the push, or what has caused the release."""
    others = filter(None, (record.begun_as, record.superseded_by, record.caused_by))
    return [f"lightgate show {short_id(other)}" for other in others]


def _verdict(facts: ReleaseFacts) -> Text:
    record = facts.record
    name = f"{_KINDS[record.kind]}{called(record.tag, record.digest)}"
    line = Text(f"{name} of {record.app}: ").append_text(output.word(record.status))
    if record.status == RELEASING:
        return line.append(f", {_progress(facts)}")
    if record.ended_at is not None and record.status not in _NOTHING_RAN:
        line.append(f" in {seconds(record.ended_at - record.started_at)}")
    return line.append(f" ({record.failure_code})" if record.failure_code else "")


def _progress(facts: ReleaseFacts) -> str:
    running = facts.progress
    whole = f"{clock(facts.now - facts.record.started_at)} since its start"
    if running is None or running.stage is None:
        return whole
    expected = f" of ~{clock(running.expected)}" if running.expected is not None else ""
    return f"{running.stage}: {clock(running.elapsed(facts.now))}{expected}, {whole}"


def _database(record: ReadableRecord) -> list[str]:
    found = []
    if record.migrations:
        is_unknown = any(one.status is MigrationStatus.UNKNOWN for one in record.migrations)
        told = "it is unknown which migrations were applied"
        found.append(told if is_unknown else f"{applied(record)} migrations applied")
    snapshot = record.snapshot
    if snapshot is not None:
        at = snapshot.restores_to
        as_of = f", database as of {moment(at)}" if at is not None else ""
        found.append(f"snapshot {snapshot.id or 'of the continuous backup'}{as_of}")
    elif record.no_snapshot:
        found.append(f"no snapshot: {record.no_snapshot}")
    return found


def _rollback(record: ReadableRecord) -> list[str]:
    judged = record.rollback
    if judged is None:
        return []
    if judged.verdict.allows_rollback:
        return ["safe", *judged.restrictions]
    return ["not safe", *judged.reasons]


def _live(record: ReadableRecord) -> str:
    if record.is_down:
        return "nothing was live when the release ended"
    live = record.live
    if live is None:
        return ""
    return f"{called(live.tag, live.digest)}, version {live.version}, when the release ended"


def _health(record: ReadableRecord) -> str:
    health = record.health
    if health is None or not health.checks:
        return ""
    passed = f"{health.checks - health.failed} of {health.checks} checks passed"
    return f"{passed}: {health.problem}" if health.problem else passed


def _cost(record: ReadableRecord) -> str:
    return f"${record.cost.dollars:.4f} ({record.cost.priced})" if record.cost is not None else ""
