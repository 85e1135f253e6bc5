"""`lightgate status`: the live version of each app, and its release in progress."""

from collections.abc import Sequence
from datetime import datetime

import click
from rich.text import Text

from lightgate.records.wording import called, clock, moment, roughly, short_digest, short_id
from lightgate_cli import output, terminal
from lightgate_cli.connection import Connection
from lightgate_cli.json_output import print_json
from lightgate_cli.options import APP_NAME, connected, json_option
from lightgate_cli.reading.app_status import (
    AppStatus,
    Health,
    InProgress,
    LastRelease,
    RunningRehearsal,
    app_status,
)
from lightgate_cli.reading.gather import all_apps, no_such_app, one_app

_HEAD = ("APP", "LIVE", "SINCE", "HEALTH", "IN PROGRESS", "LAST RELEASE")
_PROGRESS = _HEAD.index("IN PROGRESS")
_NONE = "-"


@click.command(
    epilog="""\b
    Examples:
      lightgate status
      lightgate status crops-backend
      lightgate status crops-backend --json | jq -r .live.tag
      lightgate status --local

    \b
    Exit codes:
      0  the status was read, whatever it is
      1  there is no such app
      2  the call is wrong, or AWS cannot be reached
    """
)
@click.argument("app", type=APP_NAME, metavar="[APP]", required=False)
@json_option
@connected
def status(connection: Connection, app: str | None, as_json: bool) -> None:
    """Show what is live, since when, and what is in progress.

    Without APP: one line for each app. Lightsail says which version is live, and the command
    checks the public URL once. Everything else is from the records of the releases.
    """
    if app is not None:
        facts = one_app(app, connection)
        if facts is None:
            raise no_such_app(app, connection)
        found = app_status(facts)
        if as_json:
            print_json(found)
            return
        output.print_lines(block(found, width=output.width()))
        return
    apps = all_apps(connection)
    statuses = [app_status(each) for each in apps]
    if as_json:
        print_json(statuses)
        return
    if not apps:
        terminal.tell(f"There is no app yet below {connection.apps_path}.")
        return
    now = connection.now()
    output.print_lines(lines(statuses, now, width=output.width()))
    for each in statuses:
        for sentence in each.unread:
            terminal.tell(f"{each.app}: {sentence}")


def lines(statuses: Sequence[AppStatus], now: datetime, *, width: int | None) -> list[Text]:
    """The table of all apps.

    On a terminal that is too narrow for it, what is in progress stands below the line of its app.
    """
    rows: list[Sequence[str | Text]] = [
        (
            each.app,
            _live_name(each),
            _since(each, now),
            _NONE if each.health is Health.NOTHING_LIVE else output.word(each.health),
            _progress(each),
            _last(each.last, now),
        )
        for each in statuses
    ]
    whole = output.table(_HEAD, rows, width=None)
    if width is None or max(line.cell_len for line in whole) <= width:
        return whole
    without = [(*row[:_PROGRESS], *row[_PROGRESS + 1 :]) for row in rows]
    names = (*_HEAD[:_PROGRESS], *_HEAD[_PROGRESS + 1 :])
    head, *narrow = output.table(names, without, width=width, shrink=(0, 4, 1))
    found = [head]
    for line, row in zip(narrow, rows, strict=True):
        found.append(line)
        if row[_PROGRESS]:
            below = Text(f"  {row[_PROGRESS]}", style="blue")
            below.truncate(width, overflow="ellipsis")
            found.append(below)
    return found


def block(found: AppStatus, *, width: int | None) -> list[Text]:
    """All about one app."""
    stage = f" ({found.stage})" if found.stage else ""
    facts: list[tuple[str, str | Text]] = [("Live", _live_line(found))]
    if found.health_detail:
        facts.append(("", found.health_detail))
    if found.live is not None and found.live.digest:
        image = f"{found.repository}@sha256:{short_digest(found.live.digest)}"
        facts.append(("Image", image))
    if found.database or found.latest_migration:
        facts.append(("Database", _database(found)))
    if found.snapshot is not None:
        facts.append(("Snapshot", _snapshot(found)))
    facts.append(("Rollback", rollback_line(found)))
    facts.append(("In progress", in_progress_line(found.in_progress)))
    facts.append(("Waiting", waiting_line(found)))
    facts.append(("Pushes", pushes_line(found)))
    if found.rehearsal is not None:
        facts.append(("Rehearsal", f"{_rehearsal(found.rehearsal)} ({found.rehearsal.release})"))
    if found.last is not None:
        facts += [
            ("Last", _last_line(found.last)),
            ("", f"lightgate show {short_id(found.last.release)}"),
        ]
    facts += [("Unknown", sentence) for sentence in found.unread]
    shown = [Text(f"{found.app}{stage}  {found.url or ''}".rstrip(), style="bold")]
    for label, text in facts:
        shown += output.labelled(label, text, width=width)
    return shown


def _live_name(found: AppStatus) -> str:
    live = found.live
    if live is None:
        return _NONE
    mark = "?" if live.from_record else ""
    return (called(live.tag, live.digest) if live.tag or live.digest else f"#{live.version}") + mark


def _since(found: AppStatus, now: datetime) -> str:
    live = found.live
    return roughly(now - live.since) if live is not None and live.since is not None else _NONE


def _live_line(found: AppStatus) -> Text:
    live = found.live
    if live is None:
        return Text("nothing" if not found.unread else "unknown")
    name = f"{called(live.tag, live.digest)}, " if live.tag or live.digest else ""
    since = f", since {moment(live.since)}" if live.since is not None else ""
    source = ", by the record of the last release" if live.from_record else ""
    line = Text(f"{name}version {live.version}{since}{source}, ")
    return line.append_text(output.word(found.health))


def _database(found: AppStatus) -> str:
    migration = found.latest_migration
    told = f"latest migration {migration}" if migration else "no migration on record"
    return ", ".join(filter(None, (found.database, told)))


def _snapshot(found: AppStatus) -> str:
    snapshot = found.snapshot
    if snapshot is None:
        return ""
    at = snapshot.restores_to or snapshot.available_at
    when = f"{moment(at)}, " if at is not None else ""
    name = snapshot.id or "continuous backup"
    return f"{name} ({when}before {snapshot.tag or snapshot.release})"


def rollback_line(found: AppStatus) -> str:
    answer = found.rollback
    if answer is None:
        if found.is_rollback_known:
            return "no earlier version to roll back to"
        is_running = found.in_progress is not None
        return "unknown while a release is in progress" if is_running else "unknown"
    version = f"version {answer.version}"
    to = f"to {answer.tag} ({version})" if answer.tag is not None else f"to {version}"
    if answer.is_safe:
        return f"{to}: safe"
    return " ".join([f"{to}: not safe.", *answer.reasons[:1]])


def _progress(found: AppStatus) -> str:
    running = found.in_progress
    if running is not None:
        return _in_progress(running)
    if found.paused is not None:
        return "paused"
    waiting = found.waiting
    if waiting is not None:
        what = "rehearsing" if waiting.rehearsal is not None else "waiting"
        return f"{called(waiting.tag, waiting.digest)}: {what}"
    return f"rehearsal of {_rehearsal(found.rehearsal)}" if found.rehearsal else ""


def _rehearsal(running: RunningRehearsal) -> str:
    return f"{called(running.tag, running.digest)}, {clock(running.elapsed)} since its start"


def _in_progress(running: InProgress) -> str:
    name = called(running.tag, running.digest)
    if running.is_abandoned:
        return f"{name}: abandoned"
    if running.stage is None or running.stage_elapsed is None:
        return f"{name}: {clock(running.elapsed)}"
    expected = f" of ~{clock(running.stage_expected)}" if running.stage_expected else ""
    return f"{name}: {running.stage}, {clock(running.stage_elapsed)}{expected}"


def in_progress_line(running: InProgress | None) -> str:
    if running is None:
        return "nothing"
    if running.is_abandoned:
        return (
            f"{_in_progress(running)}: its execution has ended without an outcome. Reconcile ends "
            "it within 15 minutes."
        )
    return f"{_in_progress(running)}, {clock(running.elapsed)} since its start ({running.release})"


def waiting_line(found: AppStatus) -> str:
    waiting = found.waiting
    if waiting is None:
        return "nothing"
    name = called(waiting.tag, waiting.digest)
    if waiting.behind is not None:
        ahead = found.in_progress
        other = called(ahead.tag, ahead.digest) if ahead is not None else waiting.behind
        return f"{name} starts after {other} ({waiting.release})"
    if found.paused is not None:
        why = "until pushes are resumed"
    elif waiting.rehearsal is not None:
        why = "rehearsing, released if the rehearsal succeeds"
    elif waiting.is_rehearsed:
        why = "about to be rehearsed"
    else:
        why = "about to start"
    return f"{name}, {why} ({waiting.release})"


def pushes_line(found: AppStatus) -> str:
    paused = found.paused
    if paused is None:
        return "on"
    return f"paused by {paused.by} since {moment(paused.at)}: {paused.reason}"


def _last(last: LastRelease | None, now: datetime) -> Text:
    if last is None:
        return Text(_NONE)
    line = Text(f"{called(last.tag, last.digest)} ").append_text(output.word(last.status))
    return line.append(f" {roughly(now - last.at)} ago")


def _last_line(last: LastRelease) -> Text:
    line = Text(f"{called(last.tag, last.digest)} ").append_text(output.word(last.status))
    line.append(f" at {moment(last.at)}")
    return line.append(f": {last.cause}") if last.cause else line
