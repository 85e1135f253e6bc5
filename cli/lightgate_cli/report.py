"""`lightgate report`: the page of all apps, of one app or of one release, as one HTML file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from lightgate.records.release_record import ReadableRecord
from lightgate.records.wording import called, clock, roughly
from lightgate_cli import terminal
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import app_option, connected, json_option
from lightgate_cli.reading.app_facts import AppFacts
from lightgate_cli.reading.app_status import AppStatus, app_status, with_status
from lightgate_cli.reading.gather import all_apps, one_app
from lightgate_cli.reading.release_facts import ReleaseFacts, read_release
from lightgate_cli.status import in_progress_line, pushes_line, rollback_line, waiting_line
from lightgate_report.overview_page import last_release, overview_page
from lightgate_report.pages import AppRow, OverviewPage, ReleasePage
from lightgate_report.release_page import release_page
from lightgate_report.render import Frame, render_document
from lightgate_report.surroundings import Surroundings
from lightgate_report.tones import word_of

_MOST_RELEASES = 30
_LOG_GROUP = "LogGroupName"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """The answer of `lightgate report`: the file of the page, and the title of the page."""

    schema_version: int = 1
    file: str
    title: str


@click.command(
    epilog="""\b
    Examples:
      lightgate report --html apps.html
      lightgate report crops-backend --html crops.html
      lightgate report v3 --html v3.html
      lightgate report 20261129t091001z --html - > release.html

    \b
    Exit codes:
      0  the page was written
      1  there is no such app or release
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("what", metavar="[APP|RELEASE]", required=False)
@click.option(
    "--html",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    required=True,
    help="The file to write, or - for standard output.",
)
@app_option
@json_option
@connected
def report(
    connection: Connection, what: str | None, file: str, app: str | None, as_json: bool
) -> None:
    """Write a page about all apps, about APP or about RELEASE.

    The page is one HTML file without anything to load. It has light and dark colors, and needs no
    JavaScript. RELEASE is its id, the beginning of it, its tag or its digest.
    """
    if file == "-" and as_json:
        raise click.UsageError("--html - and --json exclude each other.")
    page = _page(what, app, connection)
    html = render_document(page, Frame())
    if file == "-":
        click.echo(html.encode())
        return
    # A device or a pipe is written to, and not replaced.
    is_special = Path(file).exists() and not Path(file).is_file()
    with click.open_file(file, "w", encoding="utf-8", atomic=not is_special) as opened:
        opened.write(html)
    if as_json:
        print_json(WrittenReport(file=file, title=page.title))
    else:
        terminal.tell(f"The page is in {file}.")


def _page(what: str | None, app: str | None, connection: Connection) -> OverviewPage | ReleasePage:
    """Raises CommandError: there is no such app or release, or several."""
    if what is None:
        return overview_of(all_apps(connection), connection.now(), title="Apps")
    facts = one_app(what, connection) if app is None else None
    if facts is not None:
        return overview_of([facts], connection.now(), title=what)
    return page_of(read_release(what, app, connection), connection)


def overview_of(apps: Sequence[AppFacts], now: datetime, *, title: str) -> OverviewPage:
    """The page of these apps, with their newest releases."""
    statuses = [app_status(each) for each in apps]
    history = [
        with_status(record, each.lock, has_ended=each.has_ended)
        for each in apps
        for record in (*each.history, *each.rehearsals)
    ]
    newest = sorted(history, key=lambda record: record.started_at, reverse=True)
    live = {each.live.release for each in statuses if each.live and each.live.release}
    rows = [_row(status, facts.history, now) for status, facts in zip(statuses, apps, strict=True)]
    return overview_page(rows, newest[:_MOST_RELEASES], now, title=title, live=live)


def page_of(facts: ReleaseFacts, connection: Connection) -> ReleasePage:
    record = facts.record
    own = connection.releases.find(record.app, record.release)
    admitted = own.admission if own is not None else None
    return release_page(
        record,
        facts.evidence,
        Surroundings.of(admitted, connection.outputs.get(_LOG_GROUP)),
        facts.now,
        progress=_progress(facts),
        unread=facts.unread,
    )


def _progress(facts: ReleaseFacts) -> str | None:
    running = facts.progress
    if running is None or running.stage is None:
        return None
    expected = f" of ~{clock(running.expected)}" if running.expected is not None else ""
    return f"{running.stage}, {clock(running.elapsed(facts.now))}{expected}"


def _row(status: AppStatus, history: Sequence[ReadableRecord], now: datetime) -> AppRow:
    live = status.live
    name = "unknown" if status.unread else "nothing"
    if live is not None:
        name = f"{called(live.tag, live.digest)}, version {live.version}"
    last = status.last.release if status.last is not None else None
    record = next((each for each in history if each.release == last), None)
    return AppRow(
        app=status.app,
        stage=status.stage,
        url=status.url,
        live=name,
        since=f"for {roughly(now - live.since)}" if live is not None and live.since else None,
        health=word_of(status.health.value),
        health_detail=status.health_detail,
        rollback=rollback_line(status),
        notes=list(_notes(status)),
        last=last_release(record, now) if record is not None else None,
    )


def _notes(status: AppStatus) -> Iterator[str]:
    if status.live is not None and status.live.from_record:
        yield "The live version is read from the record of the last release."
    if status.in_progress is not None:
        yield f"In progress: {in_progress_line(status.in_progress)}"
    if status.waiting is not None:
        yield f"Waiting: {waiting_line(status)}"
    if status.paused is not None:
        yield f"Pushes: {pushes_line(status)}"
    yield from status.unread
