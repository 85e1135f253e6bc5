"""The message as people read it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.migrations.compatibility import Verdict
from lightgate.notifications.report import Report, Snapshot
from lightgate.outcome.outcome import Outcome
from lightgate.release.release import Kind

_MOST_NAMES = 20
_HEADLINES = {
    Kind.IMAGE: {
        Outcome.SUCCEEDED: "release {id} is live",
        Outcome.ROLLED_BACK: "release {id} was rolled back",
        Outcome.FAILED: "release {id} has failed: manual action required",
        Outcome.REFUSED: "release {id} was refused",
        Outcome.SUPERSEDED: "release {id} was superseded by a newer one",
    },
    Kind.ROLLBACK: {
        Outcome.SUCCEEDED: "rollback {id} is live",
        Outcome.ROLLED_BACK: "rollback {id} has failed, and what served before serves",
        Outcome.FAILED: "rollback {id} has failed: manual action required",
        Outcome.REFUSED: "rollback {id} was refused",
        Outcome.SUPERSEDED: "rollback {id} was superseded by a newer release",
    },
    Kind.COMMAND: {
        Outcome.SUCCEEDED: "command {id} has ended well",
        Outcome.ROLLED_BACK: "command {id} has failed, and what served before serves",
        Outcome.FAILED: "command {id} has failed: manual action required",
        Outcome.REFUSED: "command {id} was refused",
        Outcome.SUPERSEDED: "command {id} was superseded by a newer release",
    },
}
_WAYS_BACK = {
    Verdict.NONE: "not affected by this release. Nothing was pending",
    Verdict.SAFE: "not affected by this release. The previous version works on its schema",
    Verdict.ONE_WAY: (
        "not safe once this release is applied. The previous version may not work on its schema"
    ),
    Verdict.UNKNOWN: (
        "unknown. Whether the previous version works with the database could not be determined"
    ),
}
# Of a plan of which nothing is applied: what it would mean.
_PLANS = {
    Verdict.SAFE: "the previous version can read and write on its schema",
    Verdict.ONE_WAY: "the previous version may not be able to work on its schema",
    Verdict.UNKNOWN: "whether the previous version can work with it could not be determined",
}

# After these somebody may want the database as it was before.
_DAMAGED = (Outcome.FAILED, Outcome.ROLLED_BACK)


def text(report: Report) -> str:
    """The message as people read it in an e-mail."""
    conclusion = report.conclusion
    paragraphs = [
        [f"{one_line(report.app)}: {_headline(report)}."],
        [one_line(reason) for reason in conclusion.reasons],
        [f"{label}: {one_line(value)}" for label, value in cause(report)],
        _section("What to do:", conclusion.next_steps),
        [f"{label}: {one_line(value)}" for label, value in facts(report)],
        _section(_why_not_safe(report), _against_going_back(report)),
        *_printed(report),
        _section("Warnings:", report.warnings),
        *_about_the_database(report),
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines) + "\n"


def _headline(report: Report) -> str:
    return _HEADLINES[report.kind][report.conclusion.outcome].format(id=report.release)


def _section(title: str, lines: Sequence[str]) -> Sequence[str]:
    return [title, *(f"  {one_line(line)}" for line in lines)] if lines else []


def cause(report: Report) -> Sequence[tuple[str, str]]:
    failure = report.failure
    if failure is None:
        return []
    evidence = [("Evidence", failure.evidence)] if failure.evidence else []
    return [
        (f"Cause ({failure.kind.value})", failure.what),
        *evidence,
        ("Do first", failure.next_action),
    ]


def _why_not_safe(report: Report) -> str:
    if report.applied_nothing:
        return "Why this plan may break the previous version once it is applied:"
    return "Why a rollback may not work:"


def _way_back(report: Report, verdict: Verdict) -> str:
    if report.applied_nothing and verdict in _PLANS:
        plan = f"Once its plan is applied: {_PLANS[verdict]}"
        return f"not affected by this release, which has applied nothing. {plan} ({verdict.value})"
    return f"{_WAYS_BACK[verdict]} ({verdict.value})"


def _against_going_back(report: Report) -> Sequence[str]:
    """Where a version was kept because of them, the reasons are told there."""
    judgement = report.judgement
    if judgement is None or judgement.verdict.allows_rollback:
        return []
    return [reason for reason in judgement.reasons if reason not in report.conclusion.reasons]


def _printed(report: Report) -> Sequence[Sequence[str]]:
    """What a command has printed; of one that did well only where a person wanted to see it."""
    failure = report.evidence.failure
    if failure is not None and report.conclusion.outcome is not Outcome.SUCCEEDED:
        return [_section(f"Last lines of {failure.container}:", failure.last_lines)]
    printed = report.evidence.last_lines if report.kind is Kind.COMMAND else ()
    return [_section("The command's last lines:", printed)]


def is_damaged(report: Report) -> bool:
    return report.conclusion.outcome in _DAMAGED


def _about_the_database(report: Report) -> Sequence[Sequence[str]]:
    """How to have it as it was, for whom nothing less will do."""
    if not is_damaged(report):
        return [_first_to_restore(report)]
    said = " ".join(report.conclusion.next_steps)
    back = [execution for execution in report.take_back if execution not in said]
    why_not = report.why_not_back
    snapshot = report.snapshot
    restore, point = (snapshot.restore, snapshot.point_the_app) if snapshot else ((), ())
    return [
        _section(
            "To take back just what was applied, start an execution with, in this order:", back
        ),
        [f"No command takes back just what was applied: {one_line(why_not)}."]
        if why_not and why_not not in said
        else [],
        _section("To restore the database to a new instance, should you need it:", restore),
        _section(
            "To point the app to it, once you have checked its data, in the same shell:",
            point,
        ),
    ]


def _first_to_restore(report: Report) -> Sequence[str]:
    """After a success somebody may find out later; the message in the table has the rest."""
    snapshot = report.snapshot
    if snapshot is None or snapshot.age is None:
        return []
    title = "To restore the database to a new instance, begin with (docs/runbook.md has the rest):"
    return _section(title, snapshot.restore[:1])


def one_line(text: str) -> str:
    """What others wrote must not look like a line of ours."""
    return "".join(c if c.isprintable() else " " for c in text)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    rest = [f"and {more} more"] if more > 0 else []
    return ", ".join([*names[:_MOST_NAMES], *rest])


def facts(report: Report) -> Sequence[tuple[str, str]]:
    facts = []
    if report.repository and report.digest:
        index = f", pushed in the index {report.pushed_digest}" if report.pushed_digest else ""
        facts.append(("Image", f"{report.repository}@{report.digest}{index}"))
    if report.reason:
        facts.append(("Started by", report.reason))
    if report.version is not None:
        facts.append(("Deployment", f"version {report.version}"))
    if report.watched is not None:
        facts.append(("Watched", report.watched))
    if names := [migration.name for migration in report.evidence.migrations]:
        facts.append(("Migrations applied", _listed(names)))
    if report.not_applied:
        facts.append(("Not known to be applied", _listed(report.not_applied)))
    if report.judgement is not None:
        facts.append(("Rollback safety", _way_back(report, report.judgement.verdict)))
    if report.snapshot is not None:
        facts.append(_restore_point(report.snapshot))
    if report.no_restore_point is not None:
        facts.append(("Restore point", f"none: {report.no_restore_point}"))
    took = f"{(report.ended_at - report.started_at).total_seconds():.0f} seconds"
    saved = report.saved
    if saved >= timedelta(seconds=1):
        took += f", {saved.total_seconds():.0f} saved by starting the node during the snapshot"
    facts.append(("Took", took))
    facts.append(("Execution", report.execution))
    return facts


def _restore_point(snapshot: Snapshot) -> tuple[str, str]:
    is_there, moment = snapshot.available_at is not None, _moment(snapshot.restores_to)
    old = f", {_span(snapshot.age)} before anything was applied" if snapshot.age else ""
    if snapshot.id is None:
        reaches = f"reaches up to {moment}{old}" if is_there else "is not there"
        return "Restore point", f"the continuous backup, which {reaches}"
    if is_there:
        of = f", with the database as it was at {moment}{old}" if moment else ""
        return "Snapshot", f"{snapshot.id}, available since {_moment(snapshot.available_at)}{of}"
    if snapshot.status is None:
        return "Snapshot", f"{snapshot.id}, if it was begun; whether it is there is not known"
    if snapshot.status == SnapshotStatus.FAILED:
        return "Snapshot", f"{snapshot.id}, failed ({snapshot.detail}): it cannot be restored from"
    return "Snapshot", f"{snapshot.id}, pending when last looked at ({snapshot.detail})"


def _span(time: timedelta) -> str:
    seconds = max(0, round(time.total_seconds()))
    return f"{seconds} seconds" if seconds < 120 else f"{seconds // 60} minutes"


def _moment(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else None
