"""The final message of a release, for people and for machines.

One SNS publication carries all forms (`MessageStructure: json`): text for e-mail, one
JSON object for queues and functions, and the schema of Amazon Q Developer for chat.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lightgate.gate_log import Evidence
from lightgate.outcome import Conclusion, Outcome
from lightgate.release import Kind
from lightgate.snapshot import SnapshotStatus
from lightgate.symptoms import Diagnosis
from lightgate.verdict import Judgement, Verdict

# SNS: fewer than 100 ASCII characters, no line break.
_LONGEST_SUBJECT = 99
# SNS takes 256 KB, and so does the state machine, in which the message is escaped once more.
_LARGEST_MESSAGE_BYTES = 64 * 1024
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class _Limits:
    """How much is left of what is too large: items of a list, and characters of a text.

    A step is longer, as an execution that is cut off in the middle helps nobody.
    """

    items: int
    text: int
    step: int


_SHORTENINGS = (_Limits(5, 200, 1000), _Limits(3, 100, 500), _Limits(1, 50, 200))

_HEADLINES = {
    Kind.IMAGE: {
        Outcome.SUCCEEDED: "release {id} is live",
        Outcome.ROLLED_BACK: "release {id} was rolled back",
        Outcome.FAILED: "release {id} has failed and needs a person",
        Outcome.REFUSED: "release {id} was refused",
        Outcome.SUPERSEDED: "release {id} gave way to a newer one",
    },
    Kind.ROLLBACK: {
        Outcome.SUCCEEDED: "rollback {id} is live",
        Outcome.ROLLED_BACK: "rollback {id} has failed, and what served before serves",
        Outcome.FAILED: "rollback {id} has failed and needs a person",
        Outcome.REFUSED: "rollback {id} was refused",
        Outcome.SUPERSEDED: "rollback {id} gave way to a newer release",
    },
    Kind.COMMAND: {
        Outcome.SUCCEEDED: "command {id} has ended well",
        Outcome.ROLLED_BACK: "command {id} has failed, and what served before serves",
        Outcome.FAILED: "command {id} has failed and needs a person",
        Outcome.REFUSED: "command {id} was refused",
        Outcome.SUPERSEDED: "command {id} gave way to a newer release",
    },
}
_WAYS_BACK = {
    Verdict.NONE: "open. Nothing was to be applied, so the version before can run on the database",
    Verdict.SAFE: "open. The version before can read and write on the schema of this one",
    Verdict.ONE_WAY: (
        "closed once this is applied. The version before may not be able to work on the schema "
        "of this one"
    ),
    Verdict.UNKNOWN: (
        "not known. Nobody can tell whether the version before can work with the database now"
    ),
}

# After these somebody may want the database as it was before.
_DAMAGED = (Outcome.FAILED, Outcome.ROLLED_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The restore point of a release: a snapshot, or a moment of a continuous backup.

    `id` is None for the latter. `status` is that of the last look, with the database service's
    own word in `detail`; it is None if nobody has told of one. `available_at` is None until the
    service has said so. `restore` are the commands that bring that database back, beside the one
    that is there.
    """

    id: str | None
    available_at: str | None
    status: str | None = None
    detail: str = ""
    restores_to: str | None = None
    restore: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known of an ended release.

    `failure` says why it failed, `judgement` what it means for the version before, and `watched`
    what its watch period has shown. `not_applied` was pending and is not known to be applied,
    `take_back` are the executions that take back what is.
    """

    app: str
    stage: str
    release: str
    repository: str | None
    digest: str | None
    reason: str | None
    warnings: Sequence[str]
    execution: str
    started_at: datetime
    ended_at: datetime
    snapshot: Snapshot | None
    version: int | None
    previous_version: int | None
    evidence: Evidence
    conclusion: Conclusion
    saved_seconds: float = 0
    kind: Kind = Kind.IMAGE
    failure: Diagnosis | None = None
    judgement: Judgement | None = None
    watched: str | None = None
    not_applied: Sequence[str] = ()
    take_back: Sequence[str] = ()


def subject(report: Report) -> str:
    text = f"[{report.stage}] {report.app} {report.conclusion.outcome.value} {report.release}"
    return _one_line(text).encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]


def text(report: Report) -> str:
    """The message as people read it in an e-mail."""
    conclusion = report.conclusion
    paragraphs = [
        [f"{_one_line(report.app)}: {_headline(report)}."],
        conclusion.reasons,
        [f"{label}: {value}" for label, value in _cause(report)],
        _section("What to do:", conclusion.next_steps),
        [f"{label}: {value}" for label, value in _facts(report)],
        _section("Why going back may not work:", _against_going_back(report)),
        *_printed(report),
        _section("Warnings:", report.warnings),
        *_about_the_database(report),
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines) + "\n"


def _headline(report: Report) -> str:
    return _HEADLINES[report.kind][report.conclusion.outcome].format(id=report.release)


def _section(title: str, lines: Sequence[str]) -> Sequence[str]:
    return [title, *(f"  {line}" for line in lines)] if lines else []


def _cause(report: Report) -> Sequence[tuple[str, str]]:
    failure = report.failure
    if failure is None:
        return []
    evidence = [("Evidence", _one_line(failure.evidence))] if failure.evidence else []
    return [
        (f"Cause ({failure.kind.value})", failure.what),
        *evidence,
        ("Do first", failure.next_action),
    ]


def _against_going_back(report: Report) -> Sequence[str]:
    """Where a version was kept because of them, the reasons are told there."""
    judgement = report.judgement
    if judgement is None or judgement.verdict.lets_go_back:
        return []
    return [reason for reason in judgement.reasons if reason not in report.conclusion.reasons]


def _printed(report: Report) -> Sequence[Sequence[str]]:
    """What a command has printed; of one that did well only where a person wanted to see it."""
    failure = report.evidence.failure
    if failure is not None and report.conclusion.outcome is not Outcome.SUCCEEDED:
        return [_section(f"Last lines of {failure.container}:", failure.last_lines)]
    printed = report.evidence.last_lines if report.kind is Kind.COMMAND else ()
    return [_section("The command's last lines:", printed)]


def _about_the_database(report: Report) -> Sequence[Sequence[str]]:
    """How to have it as it was, for whom nothing less will do."""
    if report.conclusion.outcome not in _DAMAGED:
        return []
    said = " ".join(report.conclusion.next_steps)
    back = [execution for execution in report.take_back if execution not in said]
    restore = report.snapshot.restore if report.snapshot else ()
    return [
        _section("To take back what was applied, where it can be, start an execution with:", back),
        _section("To get the database of before as a new one, should you need it:", restore),
    ]


def machine(report: Report) -> dict[str, Any]:
    """The message as a JSON object; `messageId` is the same however often it is sent."""
    return {
        "messageId": f"lightgate-{report.app}-{report.release}",
        "kind": report.kind.value,
        "app": report.app,
        "stage": report.stage,
        "release": report.release,
        "status": report.conclusion.outcome.value,
        "text": text(report),
        "reasons": list(report.conclusion.reasons),
        "failure": report.failure and report.failure.to_json(),
        "judgement": report.judgement and report.judgement.to_json(),
        "watched": report.watched,
        "warnings": list(report.warnings),
        "nextSteps": list(report.conclusion.next_steps),
        "repository": report.repository,
        "digest": report.digest,
        "reason": report.reason,
        "version": report.version,
        "previousVersion": report.previous_version,
        "snapshot": report.snapshot
        and {
            "id": report.snapshot.id,
            "status": report.snapshot.status,
            "availableAt": report.snapshot.available_at,
            "restoresTo": report.snapshot.restores_to,
            "restore": list(report.snapshot.restore),
        },
        "savedSeconds": report.saved_seconds,
        "gate": report.evidence.to_json(),
        "notApplied": list(report.not_applied),
        "takeBack": list(report.take_back),
        "startedAt": report.started_at.isoformat(),
        "endedAt": report.ended_at.isoformat(),
        "execution": report.execution,
    }


def sns_message(report: Report) -> str:
    """The `Message` of a publication with `MessageStructure: json`.

    Every HTTPS subscriber gets the chat form (measured-facts.md, "AWS limits"). What is
    too large is shortened in all forms.
    """
    message = _all_forms(report)
    for limits in _SHORTENINGS:
        if len(message.encode()) <= _LARGEST_MESSAGE_BYTES:
            break
        message = _all_forms(_shortened(report, limits))
    return message


def _shortened(report: Report, limits: _Limits) -> Report:
    evidence, conclusion, judgement = report.evidence, report.conclusion, report.judgement
    failure, diagnosis = evidence.failure, report.failure
    return replace(
        report,
        reason=report.reason and _short(report.reason, limits.text),
        warnings=_few(report.warnings, limits),
        evidence=replace(
            evidence,
            migrations=evidence.migrations[: limits.items],
            last_lines=_last(evidence.last_lines, limits),
            failure=failure
            and replace(
                failure,
                error=_short(failure.error, limits.text),
                last_lines=_last(failure.last_lines, limits),
            ),
        ),
        conclusion=replace(
            conclusion,
            reasons=_few(conclusion.reasons, limits),
            next_steps=[_short(step, limits.step) for step in conclusion.next_steps],
        ),
        failure=diagnosis
        and replace(
            diagnosis,
            what=_short(diagnosis.what, limits.text),
            evidence=diagnosis.evidence and _short(diagnosis.evidence, limits.text),
            next_action=_short(diagnosis.next_action, limits.step),
        ),
        judgement=judgement and replace(judgement, reasons=_few(judgement.reasons, limits)),
        not_applied=report.not_applied[: limits.items],
        take_back=[
            _short(execution, limits.step) for execution in report.take_back[: limits.items]
        ],
    )


def _few(reasons: Sequence[str], limits: _Limits) -> list[str]:
    few = [_short(reason, limits.text) for reason in reasons[: limits.items]]
    more = len(reasons) - len(few)
    return [*few, f"There are {more} more reasons."] if more else few


def _last(lines: Sequence[str], limits: _Limits) -> list[str]:
    return [_short(line, limits.text) for line in lines[-limits.items :]]


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _all_forms(report: Report) -> str:
    readable, structured = text(report), json.dumps(machine(report), ensure_ascii=False)
    return json.dumps(
        {
            "default": readable,
            "email": readable,
            "sqs": structured,
            "lambda": structured,
            "http": structured,
            "https": json.dumps(_chat(report), ensure_ascii=False),
        },
        ensure_ascii=False,
    )


def _chat(report: Report) -> Mapping[str, Any]:
    conclusion = report.conclusion
    return {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": subject(report),
            "description": _without_mentions(
                "\n".join(
                    [
                        *conclusion.reasons,
                        *(f"*{label}*: {value}" for label, value in _cause(report)),
                        *(f"*{label}*: {value}" for label, value in _facts(report)),
                        *(f"*Warning*: {warning}" for warning in report.warnings),
                    ]
                )
            ),
            "nextSteps": list(conclusion.next_steps),
        },
    }


def _without_mentions(markdown: str) -> str:
    """A database's error text must not be able to call a whole channel, as `<!channel>` does."""
    return markdown.replace("<", "(").replace(">", ")")


def _one_line(text: str) -> str:
    """What others wrote must not look like a line of ours."""
    return "".join(c if c.isprintable() else " " for c in text)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    rest = [f"and {more} more"] if more > 0 else []
    return ", ".join([*names[:_MOST_NAMES], *rest])


def _facts(report: Report) -> Sequence[tuple[str, str]]:
    facts = []
    if report.repository and report.digest:
        facts.append(("Image", f"{report.repository}@{report.digest}"))
    if report.reason:
        facts.append(("Started by", _one_line(report.reason)))
    if report.version is not None:
        facts.append(("Deployment", f"version {report.version}"))
    if report.watched is not None:
        facts.append(("Watched", report.watched))
    if names := [migration.name for migration in report.evidence.migrations]:
        facts.append(("Migrations applied", _listed(names)))
    if report.not_applied:
        facts.append(("Not known to be applied", _listed(report.not_applied)))
    if report.judgement is not None:
        verdict = report.judgement.verdict
        facts.append(("Way back", f"{_WAYS_BACK[verdict]} ({verdict.value})"))
    if report.snapshot is not None:
        facts.append(_restore_point(report.snapshot))
    took = f"{(report.ended_at - report.started_at).total_seconds():.0f} seconds"
    saved = report.saved_seconds
    facts.append(("Took", took + (f", {saved:.0f} less than in sequence" if saved >= 1 else "")))
    facts.append(("Execution", report.execution))
    return facts


def _restore_point(snapshot: Snapshot) -> tuple[str, str]:
    since = _moment(snapshot.available_at)
    if snapshot.id is None:
        reaches = f"reaches up to {_moment(snapshot.restores_to)}" if since else "is not there"
        return "Restore point", f"the continuous backup, which {reaches}"
    if since:
        return "Snapshot", f"{snapshot.id}, available since {since}"
    if snapshot.status is None:
        return "Snapshot", f"{snapshot.id}, if it was begun; whether it is there is not known"
    if snapshot.status == SnapshotStatus.FAILED:
        return "Snapshot", f"{snapshot.id}, failed ({snapshot.detail}): it cannot be restored from"
    return "Snapshot", f"{snapshot.id}, pending when last looked at ({snapshot.detail})"


def _moment(text: str | None) -> str | None:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC" if text else None
