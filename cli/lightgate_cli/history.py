"""`lightgate history`: the releases of an app."""

import re
from datetime import datetime

import click
from rich.text import Text

from lightgate.records.release_record import RELEASING, ReadableRecord, RecordKind, StartedBy
from lightgate.records.timeline import applied
from lightgate.records.wording import called, clock, day_and_time
from lightgate_cli import output, terminal
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import APP_NAME, connected, json_option
from lightgate_cli.reading.gather import History, no_such_app, read_history

HEAD = ("WHEN", "TAG", "STATUS", "MIGRATIONS", "SNAPSHOT", "TOOK", "STARTED BY")


@click.command(
    epilog="""\b
    Examples:
      lightgate history crops-backend
      lightgate history crops-backend --most 200
      lightgate history crops-backend --json | jq -r '.[] | select(.status == "FAILED").release'

    \b
    Exit codes:
      0  the releases were read
      1  there is no such app
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="APP")
@click.option(
    "--most",
    type=click.IntRange(1, 200),
    default=20,
    show_default=True,
    help="How many releases, the newest first.",
)
@json_option
@connected
def history(connection: Connection, app: str, most: int, as_json: bool) -> None:
    """Show the releases of APP, the newest first.

    Also those that run, wait, were refused or superseded. The live one is marked.
    """
    found = read_history(app, most, connection)
    if found is None:
        raise no_such_app(app, connection)
    records = found.records
    if as_json:
        print_json(records)
        return
    if not records:
        terminal.tell(f"{app} has no release on record.")
        return
    output.print_lines(lines(found, connection.now(), width=output.width()))
    if found.live_unread:
        terminal.tell(f"It is unknown which version is live. {found.live_unread}")
    for sentence in found.unread:
        terminal.tell(sentence)


def lines(found: History, now: datetime, *, width: int | None) -> list[Text]:
    rows = [
        (
            day_and_time(one.started_at),
            called(one.tag, one.digest),
            _status(one, found.live),
            applied(one),
            _snapshot(one),
            _took(one, now),
            _started_by(one),
        )
        for one in found.records
    ]
    return output.table(HEAD, rows, width=width, shrink=(6, 1))


def _status(record: ReadableRecord, live: str | None) -> Text:
    word = output.word(record.status)
    return Text.assemble(word, " live") if record.release == live else word


def _snapshot(record: ReadableRecord) -> str:
    if record.snapshot is None:
        return "-" if record.version is None else "no"
    if record.snapshot.id is None:
        return "backup"
    return "yes" if record.snapshot.available_at is not None else "not ready"


def _took(record: ReadableRecord, now: datetime) -> str:
    if record.status == RELEASING:
        return clock(now - record.started_at)
    return clock(record.ended_at - record.started_at) if record.ended_at is not None else "-"


def _started_by(record: ReadableRecord) -> str:
    if record.started_by is StartedBy.RELEASE:
        return "rollback"
    if record.started_by is not StartedBy.PERSON:
        return record.started_by.value
    who = re.split("[/:]", record.who or "person")[-1]
    match record.kind:
        case RecordKind.ROLLBACK:
            return f"{who}, rollback"
        case RecordKind.COMMAND:
            return f"{who}, command"
        case RecordKind.REHEARSAL:
            return f"{who}, rehearsal"
    return who
