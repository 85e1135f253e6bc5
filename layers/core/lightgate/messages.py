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

# SNS: fewer than 100 ASCII characters, no line break.
_LONGEST_SUBJECT = 99
# SNS takes 256 KB, and so does the state machine, in which the message is escaped once more.
_LARGEST_MESSAGE_BYTES = 64 * 1024
_SHORT_LIST = 5
_MOST_NAMES = 20
_SHORT_TEXT = 200

_HEADLINES = {
    Outcome.SUCCEEDED: "is live",
    Outcome.ROLLED_BACK: "was rolled back",
    Outcome.FAILED: "has failed and needs a person",
    Outcome.REFUSED: "was refused",
    Outcome.SUPERSEDED: "gave way to a newer one",
}

# After these somebody may want the database as it was before.
_DAMAGED = (Outcome.FAILED, Outcome.ROLLED_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The restore point of a release: a snapshot, or a moment of a continuous backup.

    `id` is None for the latter. `available_at` is None until the database's service has said
    so. `restore` are the commands that bring that database back, beside the one that is there.
    """

    id: str | None
    available_at: str | None
    restores_to: str | None = None
    restore: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known of an ended release."""

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


def subject(report: Report) -> str:
    text = f"[{report.stage}] {report.app} {report.conclusion.outcome.value} {report.release}"
    return _one_line(text).encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]


def text(report: Report) -> str:
    """The message as people read it in an e-mail."""
    conclusion = report.conclusion
    lines = [
        f"{_one_line(report.app)}: release {report.release} {_HEADLINES[conclusion.outcome]}.",
        "",
        *conclusion.reasons,
        *([""] if conclusion.reasons else []),
        *(f"{label}: {value}" for label, value in _facts(report)),
    ]
    failure = report.evidence.failure
    if failure is not None and failure.last_lines and conclusion.outcome is not Outcome.SUCCEEDED:
        lines += ["", f"Last lines of {failure.container}:"]
        lines += [f"    {line}" for line in failure.last_lines]
    if report.warnings:
        lines += ["", "Warnings:", *(f"  {warning}" for warning in report.warnings)]
    if conclusion.next_steps:
        lines += ["", "What to do:", *(f"  {step}" for step in conclusion.next_steps)]
    if report.snapshot and report.snapshot.restore and conclusion.outcome in _DAMAGED:
        lines += ["", "To get the database of before as a new one, should you need it:"]
        lines += [f"    {command}" for command in report.snapshot.restore]
    return "\n".join(lines) + "\n"


def machine(report: Report) -> dict[str, Any]:
    """The message as a JSON object; `messageId` is the same however often it is sent."""
    return {
        "messageId": f"lightgate-{report.app}-{report.release}",
        "app": report.app,
        "stage": report.stage,
        "release": report.release,
        "status": report.conclusion.outcome.value,
        "text": text(report),
        "reasons": list(report.conclusion.reasons),
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
            "availableAt": report.snapshot.available_at,
            "restoresTo": report.snapshot.restores_to,
            "restore": list(report.snapshot.restore),
        },
        "savedSeconds": report.saved_seconds,
        "gate": report.evidence.to_json(),
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
    if len(message.encode()) <= _LARGEST_MESSAGE_BYTES:
        return message
    return _all_forms(_shortened(report))


def _shortened(report: Report) -> Report:
    evidence, conclusion = report.evidence, report.conclusion
    failure = evidence.failure
    reasons = [_short(reason) for reason in conclusion.reasons[:_SHORT_LIST]]
    if more := len(conclusion.reasons) - len(reasons):
        reasons.append(f"There are {more} more reasons.")
    return replace(
        report,
        warnings=[_short(warning) for warning in report.warnings[:_SHORT_LIST]],
        evidence=replace(
            evidence,
            migrations=evidence.migrations[:_SHORT_LIST],
            failure=failure
            and replace(
                failure,
                error=_short(failure.error),
                last_lines=[_short(line) for line in failure.last_lines[-_SHORT_LIST:]],
            ),
        ),
        conclusion=replace(conclusion, reasons=reasons),
    )


def _short(text: str) -> str:
    return text if len(text) <= _SHORT_TEXT else text[: _SHORT_TEXT - 1] + "…"


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
    if names := [migration.name for migration in report.evidence.migrations]:
        facts.append(("Migrations applied", _listed(names)))
    if report.snapshot is not None:
        facts.append(_restore_point(report.snapshot))
    took = f"{(report.ended_at - report.started_at).total_seconds():.0f} seconds"
    saved = report.saved_seconds
    facts.append(("Took", took + (f", {saved:.0f} less than in sequence" if saved >= 1 else "")))
    facts.append(("Execution", report.execution))
    return facts


def _restore_point(snapshot: Snapshot) -> tuple[str, str]:
    since = snapshot.available_at
    if snapshot.id is not None:
        return "Snapshot", f"{snapshot.id}, " + (f"available {since}" if since else "pending")
    reaches = f"reaches up to {snapshot.restores_to}" if since else "is not there"
    return "Restore point", f"the continuous backup, which {reaches}"
