"""The final message of a release, for people and for machines.

One SNS publication carries all forms (`MessageStructure: json`): text for e-mail, one
JSON object for queues and functions, and the schema of Amazon Q Developer for chat.
"""

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lightgate import VERSION
from lightgate.codec import encode
from lightgate.notifications.email import (
    cause,
    facts,
    headline,
    links,
    may_need_a_restore,
    next_steps,
    one_line,
    opening,
    subject_words,
    table,
    text,
)
from lightgate.notifications.report import Report
from lightgate.notifications.shorten import shorter_and_shorter
from lightgate.patterns import pattern
from lightgate.records.console_links import ConsoleLinks

# Raised only if a member of the JSON object changes its meaning or goes.
_SCHEMA_VERSION = 1


class MessageEvent(enum.StrEnum):
    """What a message is about, as its JSON object names it. Only the last one is final.

    The state machine itself writes `outcome-unknown`.
    """

    RELEASE_STARTED = "release-started"
    MIGRATION_FAILED = "migration-failed"
    SNAPSHOTS_NOT_PRUNED = "snapshots-not-pruned"
    REHEARSAL_FINISHED = "rehearsal-finished"
    RELEASE_ENDED = "release-ended"


# SNS: fewer than 100 ASCII characters, no line break.
_LONGEST_SUBJECT = 99
# What Slack's mrkdwn or the Markdown of Teams takes for more than letters: a format, a link (in the
# form that hides where it leads, too), a mention, an emoji, an escape; and what begins a list, a
# heading or a quotation.
_MARKUP = pattern(
    r"[*~`<>\\]|(?<!\w)[_@]|_(?!\w)|\][(\[:]|://|&\w+;|:[a-z][\w+-]*:|^\s*(?:[-+#]|\d+[.)]\s)"
)
# SNS takes 256 KB, and so does the state machine, in which the message is escaped once more.
_LARGEST_MESSAGE_BYTES = 64 * 1024


def subject(report: Report) -> str:
    outcome = report.conclusion.outcome.value
    return subject_line(report.stage, report.app, outcome, subject_words(report))


def subject_line(stage: str, app: str, status: str, words: str) -> str:
    """Too long a subject loses the middle of its words: their end says what is live now."""
    line = one_line(f"[{stage}] {app} {status} {words}").encode("ascii", "replace").decode()
    if len(line) <= _LONGEST_SUBJECT:
        return line
    kept = max(0, _LONGEST_SUBJECT - (len(line) - len(words)) - len("..."))
    end = len(words) - (kept - kept // 2)
    return (line[: len(line) - len(words) + kept // 2] + "..." + words[end:])[:_LONGEST_SUBJECT]


def machine(report: Report) -> dict[str, Any]:
    """The message as a JSON object; `messageId` is the same however often it is sent."""
    return {
        "schemaVersion": _SCHEMA_VERSION,
        "event": MessageEvent.RELEASE_ENDED,
        "lightgateVersion": VERSION,
        "messageId": f"lightgate-{report.app}-{report.release}",
        "kind": report.kind.value,
        "app": report.app,
        "stage": report.stage,
        "release": report.release,
        "tag": report.tag,
        "status": report.conclusion.outcome.value,
        "text": text(report),
        "code": report.conclusion.code,
        "reasons": list(report.conclusion.reasons),
        "failure": encode(report.failure, complete=True),
        "judgement": encode(report.judgement),
        "watched": report.watched,
        "warnings": list(report.warnings),
        "nextSteps": list(next_steps(report)),
        "repository": report.repository,
        # As ECR and `docker push` report it, so that a machine finds its push again.
        "digest": report.pushed_digest or report.digest,
        **({"runningDigest": report.digest} if report.pushed_digest else {}),
        "reason": report.reason,
        "version": report.version,
        "previousVersion": report.previous_version,
        "snapshot": report.snapshot
        and {
            "id": report.snapshot.id,
            "status": report.snapshot.status,
            "availableAt": encode(report.snapshot.available_at),
            "restoresTo": encode(report.snapshot.restores_to),
            "ageSeconds": encode(report.snapshot.age),
            "restore": list(report.snapshot.restore),
            "pointTheApp": list(report.snapshot.point_the_app),
        },
        "noRestorePoint": report.no_restore_point,
        "savedSeconds": encode(report.saved),
        "cost": encode(report.cost),
        "paused": encode(report.paused, complete=True),
        "gate": encode(report.evidence, complete=True),
        "notApplied": list(report.not_applied),
        "unlisted": report.unlisted,
        "reversed": list(report.reversed),
        "prediction": encode(report.prediction),
        "takeBack": [json.dumps(request) for request in report.take_back],
        "startedAt": report.started_at.isoformat(),
        "endedAt": report.ended_at.isoformat(),
        "execution": report.execution,
        "links": encode(report.links, complete=True),
    }


def sns_message(report: Report) -> str:
    """The `Message` of a publication with `MessageStructure: json`.

    Every HTTPS subscriber gets the chat form (docs/measured.md, "Limits of AWS"). A message that is
    too large is shortened in all forms.
    """
    message = _forms_of(report)
    for shorter in shorter_and_shorter(report):
        if len(message.encode()) <= _LARGEST_MESSAGE_BYTES:
            break
        message = _forms_of(shorter)
    return message


def _forms_of(report: Report) -> str:
    return _all_forms(text(report), machine(report), _chat(report))


def _all_forms(readable: str, document: Mapping[str, Any], chat: Mapping[str, Any]) -> str:
    """One text for each protocol, as `MessageStructure: json` takes them."""
    structured = json.dumps(document, ensure_ascii=False)
    return json.dumps(
        {
            "default": readable,
            "email": readable,
            "sqs": structured,
            "lambda": structured,
            "http": structured,
            "https": json.dumps(chat, ensure_ascii=False),
        },
        ensure_ascii=False,
    )


def notice_forms(
    title: str,
    paragraphs: Sequence[str],
    told: Sequence[str],
    document: Mapping[str, Any],
    found: ConsoleLinks,
) -> str:
    """The message of a notice. `paragraphs` are those of the e-mail, `told` the lines of a chat."""
    details = table([("Release", document["release"]), *links(found)])
    chat = {
        "textType": "client-markdown",
        "title": title,
        "description": "\n".join([*map(_literal, told), *_chat_links(found)]),
    }
    return _all_forms(
        "\n\n".join([*paragraphs, "\n".join(details)]) + "\n",
        {
            "schemaVersion": _SCHEMA_VERSION,
            "lightgateVersion": VERSION,
            **document,
            "links": encode(found, complete=True),
        },
        {"version": "1.0", "source": "custom", "content": chat},
    )


def _chat(report: Report) -> Mapping[str, Any]:
    return {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": subject(report),
            "description": "\n".join(
                [
                    *map(_literal, [headline(report), *opening(report)]),
                    *(f"*{label}*: {_literal(value)}" for label, value in cause(report)),
                    *(f"*{label}*: {_literal(value)}" for label, value in facts(report)),
                    *(f"*Warning*: {_literal(warning)}" for warning in report.warnings),
                    *_where_to_restore(report),
                    *_chat_links(report.links),
                ]
            ),
            "nextSteps": [_literal(step) for step in next_steps(report)],
        },
    }


def _chat_links(found: ConsoleLinks) -> Sequence[str]:
    """Slack and Teams make links of plain addresses. Nothing in these is written by others."""
    return [f"*{label}*: {address}" for label, address in links(found)]


def _where_to_restore(report: Report) -> Sequence[str]:
    """A chat may change a command, so the commands are not in it."""
    if report.snapshot is None or not report.snapshot.restore or not may_need_a_restore(report):
        return []
    return ["*To restore the database*: the commands are in the e-mail and in the record"]


def _literal(text: str) -> str:
    """The line as a chat shows it character by character.

    Slack has no escape for its formats, and Slack shows the escapes of Teams. So a line with any
    format is put into a code span. Slack still reads angle brackets there, and a backtick would end
    the span: both are replaced.
    """
    line = one_line(text).strip()
    if not _MARKUP.search(line):
        return line
    return f"`{line.translate(_IN_CODE)}`"


_IN_CODE = str.maketrans("`<>", "'()")
