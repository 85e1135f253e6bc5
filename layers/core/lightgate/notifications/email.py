"""The final message as an e-mail: the outcome, the live version, the next steps, the facts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import sentence
from lightgate.migrations.compatibility import Verdict
from lightgate.notifications.report import Report, Snapshot
from lightgate.outcome.outcome import Outcome
from lightgate.records.console_links import ConsoleLinks
from lightgate.records.rehearsal_words import prediction_lines
from lightgate.release.lightgate_command import (
    how_to_start,
    resume_command,
    ways_to_start,
)
from lightgate.release.release import ReleaseKind

_MOST_NAMES = 20
_WIDTH = 11
_ENDS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.ROLLED_BACK: "failed",
    Outcome.FAILED: "failed",
    Outcome.REFUSED: "was refused",
    Outcome.SUPERSEDED: "was superseded by a newer release",
}
_ROLLBACK = {
    Verdict.SAFE: "Safe: the previous version works on the new schema.",
    Verdict.ONE_WAY: "Not safe: the previous version may fail on the new schema.",
    Verdict.UNKNOWN: (
        "Not safe: whether the previous version works with the database could not be determined."
    ),
}
# The plan of a release that has applied nothing.
_PLAN = {
    Verdict.ONE_WAY: "Once these migrations are applied, the previous version may fail.",
    Verdict.UNKNOWN: (
        "Whether the previous version works once these migrations are applied could not be "
        "determined."
    ),
}

# After these, subscribers may want the database as it was before.
_DAMAGED = (Outcome.FAILED, Outcome.ROLLED_BACK)


def text(report: Report) -> str:
    """The message as an e-mail."""
    paragraphs = [
        [headline(report), *opening(report)],
        table(cause(report)),
        table(_next(report)),
        table([*_database(report), *_rehearsal(report), *_rollback(report), *_pushes(report)]),
        table(("Warning", warning) for warning in report.warnings),
        *_printed(report),
        *_about_the_database(report),
        table([*_details(report), *links(report.links)]),
    ]
    return "\n\n".join("\n".join(map(one_line, lines)) for lines in paragraphs if lines) + "\n"


def subject_words(report: Report) -> str:
    """The release by its short name, and what is live now."""
    match report.kind:
        case ReleaseKind.IMAGE if report.conclusion.outcome is Outcome.SUCCEEDED:
            return f"{report.name} is live{_but(report)}"
        case ReleaseKind.IMAGE:
            what = report.name
        case ReleaseKind.ROLLBACK:
            what = "rollback"
        case ReleaseKind.COMMAND:
            what = "command"
    if report.is_down:
        return f"{what}, no version is live"
    live = report.live
    return what if live is None else f"{what}, {live.short} {_is_live(report)}"


def headline(report: Report) -> str:
    """The outcome, and the version that is live now."""
    outcome = report.conclusion.outcome
    if report.kind is ReleaseKind.IMAGE and outcome is Outcome.SUCCEEDED:
        return f"Release {report.name} of {report.app} is live{_but(report)}."
    if report.is_down:
        live = ", and no version is live"
    else:
        live = f", and {report.live.full} {_is_live(report)}" if report.live is not None else ""
    return f"{_subject(report)} {_ENDS[outcome]}{live}.{_then(report)}"


def _but(report: Report) -> str:
    return ", but its snapshot failed" if report.lacks_its_snapshot else ""


def _then(report: Report) -> str:
    match report.conclusion.outcome:
        case Outcome.FAILED:
            return " Manual action required."
        case Outcome.REFUSED if report.version is None:
            return " Nothing was applied and nothing was deployed."
    return ""


def _subject(report: Report) -> str:
    match report.kind:
        case ReleaseKind.IMAGE:
            return f"Release {report.name} of {report.app}"
        case ReleaseKind.ROLLBACK:
            to = "" if report.rollback_to is None else f" to version {report.rollback_to}"
            return f"The rollback of {report.app}{to}"
        case ReleaseKind.COMMAND:
            return f"The command on {report.app}"


def _is_live(report: Report) -> str:
    live, own = report.live, report.version
    if report.kind is ReleaseKind.COMMAND or live is None or own is None or live.version < own:
        return "is still live"
    # Any other version after that of the release is a deployment that somebody else made, or that
    # failed.
    is_back = live.version > own and report.conclusion.outcome is Outcome.ROLLED_BACK
    return "is live again" if is_back else "is live"


def opening(report: Report) -> Sequence[str]:
    """The reasons, without one that the cause repeats, and the health of the live version."""
    reasons = [
        reason for reason in report.conclusion.reasons if not _repeats(report.failure, reason)
    ]
    health = f"Version {report.version} is healthy: {report.watched}"
    return [*reasons, health] if report.watched is not None else reasons


def _repeats(failure: Diagnosis | None, reason: str) -> bool:
    """Whether the evidence of the cause is the same text as the end of the reason.

    The whole reason, or all after its colon: a line of a log that ends as a sentence of
    Lightgate's own does must not hide it.
    """
    # The result of the health checks may be that of two versions, and both count.
    if failure is None or failure.kind in (FailureClass.UNKNOWN, FailureClass.WATCH_FAILED):
        return False
    if not failure.evidence:
        return False
    evidence = sentence(failure.evidence)
    return reason == evidence or reason.endswith(f": {evidence}")


def _is_known(failure: Diagnosis) -> bool:
    return failure.kind is not FailureClass.UNKNOWN


def cause(report: Report) -> Sequence[tuple[str, str]]:
    failure = report.failure
    if failure is None:
        return []
    told = " ".join(opening(report))
    is_news = failure.evidence and failure.evidence not in told
    # The reasons tell the health checks of this version already.
    is_told = failure.kind is FailureClass.WATCH_FAILED and not is_news
    return [
        *([] if is_told else [("Cause", failure.what)]),
        *([("Evidence", failure.evidence)] if is_news and failure.evidence else []),
        ("Runbook", f"docs/runbook.md, section {failure.kind.value}"),
    ]


def next_steps(report: Report) -> Sequence[str]:
    """What to do, the first step first; nothing general where the cause is known."""
    failure, steps = report.failure, report.conclusion.next_steps
    if failure is None:
        return steps
    if _is_not_run(failure):
        return [failure.next_action]
    if failure.kind is FailureClass.MIGRATION_REFUSED and not _is_damaged(report):
        return [failure.next_action]
    live = report.live
    if failure.kind is FailureClass.PLATFORM_BUSY and live and live.version == report.version:
        # The version is live, so the same release need not start again.
        return steps
    if _is_known(failure) and report.conclusion.is_general_advice:
        return [failure.next_action]
    return [failure.next_action, *(step for step in steps if step != failure.next_action)]


def _next(report: Report) -> Iterator[tuple[str, str]]:
    return (("Next", step) for step in next_steps(report))


def facts(report: Report) -> Sequence[tuple[str, str]]:
    return [
        *_database(report),
        *_rehearsal(report),
        *_rollback(report),
        *_pushes(report),
        *_details(report),
    ]


def _database(report: Report) -> Iterator[tuple[str, str]]:
    applied = [migration.name for migration in report.evidence.migrations]
    if applied:
        stay = " and not reversed by a rollback" if _is_damaged(report) else ""
        if report.reversed:
            stay = " and reversed"
        more = report.evidence.unlisted
        yield "Database", f"{_count(applied, more)} applied{stay}: {_listed(applied, more)}"
    if faked := report.evidence.faked:
        yield "Database", f"{_count(faked, 0)} recorded without being run: {_listed(faked, 0)}"
    if report.not_applied:
        is_known = report.applied_nothing or report.evidence.has_undone_the_rest
        how = "not applied" if is_known else "not known to be applied"
        names, more = report.not_applied, report.unlisted
        yield "Database", f"{_count(names, more)} {how}: {_listed(names, more)}"
    if report.snapshot is not None:
        began = "command" if report.kind is ReleaseKind.COMMAND else "first migration"
        yield _restore_point(report.snapshot, began)
    if report.no_restore_point is not None:
        yield "Database", f"No restore point: {report.no_restore_point}"


def _count(names: Sequence[str], unlisted: int) -> str:
    count = len(names) + unlisted
    return f"{count} migration{'s' if count > 1 else ''}"


def _rollback(report: Report) -> Iterator[tuple[str, str]]:
    """Whether a rollback is safe, and why not, unless the reasons say so already."""
    judgement = report.judgement
    verdicts = _PLAN if report.applied_nothing else _ROLLBACK
    if judgement is None or judgement.verdict not in verdicts or not _is_open(report):
        return
    yield "Rollback", verdicts[judgement.verdict]
    yield from (("Rollback", each) for each in judgement.restrictions)
    if not judgement.verdict.allows_rollback:
        told = report.conclusion.reasons
        yield from (("Rollback", reason) for reason in judgement.reasons if reason not in told)


def _rehearsal(report: Report) -> Iterator[tuple[str, str]]:
    """What the rehearsal of the image had predicted, beside what happened."""
    if report.prediction is not None:
        yield from (("Rehearsal", line) for line in prediction_lines(report.prediction))


def _pushes(report: Report) -> Iterator[tuple[str, str]]:
    """Whether pushes wait, and how to start the one that waits."""
    paused = report.paused
    if paused is None:
        return
    yield "Pushes", f"Paused since {_moment(paused.at)} by {paused.by}: {sentence(paused.reason)}"
    start = f"Release {paused.waiting} waits. To start it" if paused.waiting else "To resume"
    yield "Pushes", f"{start}: {resume_command(report.execution, report.app)}"


def _is_open(report: Report) -> bool:
    """Whether a rollback, or another try, may still follow."""
    if report.applied_nothing:
        return True
    live, own = report.live, report.version
    is_back = _is_damaged(report) and live is not None and live.version != own
    return report.previous_version is not None and not is_back


def _details(report: Report) -> Iterator[tuple[str, str]]:
    yield "Release", report.release
    if report.reason:
        yield "Reason", report.reason
    if report.command:
        yield "Command", " ".join(report.command)
    if report.repository and report.digest:
        index = f", pushed in the index {report.pushed_digest}" if report.pushed_digest else ""
        yield "Image", f"{report.repository}@{report.digest}{index}"
    if report.version is not None:
        yield "Deployment", f"version {report.version}"
    took = _span(report.ended_at - report.started_at)
    saved = report.saved
    if saved >= timedelta(seconds=1):
        took += f" ({_span(saved)} saved by starting the node during the snapshot)"
    yield "Duration", took


def links(found: ConsoleLinks) -> Sequence[tuple[str, str]]:
    rows = [
        ("Page", found.page),
        ("Execution", found.execution),
        ("Log", found.log),
        ("Snapshot", found.snapshot),
    ]
    return [(label, address) for label, address in rows if address is not None]


def _is_damaged(report: Report) -> bool:
    return report.conclusion.outcome in _DAMAGED


def may_need_a_restore(report: Report) -> bool:
    """Whether the release failed and may have changed the database."""
    return _is_damaged(report) and not report.applied_nothing and not _is_not_run(report.failure)


def _is_not_run(failure: Diagnosis | None) -> bool:
    return failure is not None and failure.kind is FailureClass.COMMAND_NOT_RUN


def table(rows: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> Sequence[str]:
    """One line for each value, with the label in front of the first of its kind."""
    lines = []
    for label, values in groupby(rows, key=lambda row: row[0]):
        for number, (_, value) in enumerate(values):
            lines.append(f"{'' if number else label:<{_WIDTH}}{value}")
    return lines


def _section(title: str, lines: Sequence[str]) -> Sequence[str]:
    return [title, *(f"  {line}" for line in lines)] if lines else []


def _printed(report: Report) -> Sequence[Sequence[str]]:
    """The output of a container that failed, or of a command."""
    failure = report.evidence.failure
    if failure is not None and report.conclusion.outcome is not Outcome.SUCCEEDED:
        return [_section(f"Last lines of {failure.container}:", failure.last_lines)]
    printed = report.evidence.last_lines if report.kind is ReleaseKind.COMMAND else ()
    return [_section("Last lines of the command:", printed)]


def _about_the_database(report: Report) -> Sequence[Sequence[str]]:
    """How to reverse the migrations, and how to restore the database."""
    if not may_need_a_restore(report):
        return [_first_to_restore(report)]
    told = " ".join(report.conclusion.next_steps)
    reversing = [
        line
        for request in report.take_back
        if how_to_start(report.execution, request) not in told
        for line in ways_to_start(report.execution, request)
    ]
    why_not = report.why_not_back
    snapshot = report.snapshot
    restore, point = (snapshot.restore, snapshot.point_the_app) if snapshot else ((), ())
    return [
        _section(
            "To reverse the applied migrations, one after the other:",
            reversing,
        ),
        [f"No command reverses just the applied migrations: {why_not}."]
        if why_not and why_not not in told
        else [],
        _section("To restore the database to a new instance:", restore),
        _section(
            "To point the app to the new instance, once you have checked its data, in the same "
            "shell:",
            point,
        ),
    ]


def _first_to_restore(report: Report) -> Sequence[str]:
    """Damage may be found long after a success; the message on record has all commands."""
    snapshot = report.snapshot
    is_success = report.conclusion.outcome is Outcome.SUCCEEDED
    if snapshot is None or snapshot.age is None or not is_success or report.applied_nothing:
        return []
    title = "To restore the database to a new instance, start with (docs/runbook.md has the rest):"
    return _section(title, snapshot.restore[:1])


def one_line(text: str) -> str:
    """What others wrote must not look like a line of ours."""
    return "".join(c if c.isprintable() else " " for c in text)


def _listed(names: Sequence[str], unlisted: int) -> str:
    shown = names[:_MOST_NAMES]
    more = len(names) + unlisted - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def _restore_point(snapshot: Snapshot, began: str) -> tuple[str, str]:
    is_there, moment = snapshot.available_at is not None, _moment(snapshot.restores_to)
    old = f", {_span(snapshot.age)} before the {began} could start" if snapshot.age else ""
    if snapshot.id is None:
        reaches = f"up to {moment}{old}" if is_there else "not available"
        return "Backup", f"continuous backup, {reaches}"
    if is_there:
        of = f"database as of {moment}{old}" if moment else _available(snapshot.available_at)
        return "Snapshot", f"{snapshot.id} ({of})"
    if snapshot.status is None:
        return "Snapshot", f"{snapshot.id} (unknown whether it was created)"
    if snapshot.status == SnapshotStatus.FAILED:
        return "Snapshot", f"{snapshot.id} (failed: {snapshot.detail}; it cannot be restored)"
    return "Snapshot", f"{snapshot.id} (not available at the last check: {snapshot.detail})"


def _available(at: datetime | None) -> str:
    return f"available since {_moment(at)}"


def _span(time: timedelta) -> str:
    seconds = max(0, round(time.total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"


def _moment(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else None
