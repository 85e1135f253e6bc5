"""The message about migrations that have failed, while Lightsail still tries to deploy."""

from lightgate.codec import encode
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.notifications.email import one_line, table
from lightgate.notifications.formats import MessageEvent, notice_forms, subject_line
from lightgate.notifications.report import name_of
from lightgate.notifications.shorten import LONGEST_TEXT, short
from lightgate.records.console_links import Console, console_links
from lightgate.release.release import Release
from lightgate.state import Notice

_IN_PROGRESS = "IN_PROGRESS"
_FINAL = (
    "Lightsail takes some minutes to end the deployment. Lightgate then sends the final message. A "
    "push waits until then."
)


def failure_notice(
    release: Release,
    failure: Diagnosis,
    *,
    version: int,
    previous_version: int | None,
    live: int | None,
    execution: str,
    console: Console,
) -> Notice:
    """The message, in all its forms. `live` is the version that is live now, if it is known."""
    name = name_of(release)
    is_live = f", version {live} is still live" if live is not None else ""
    title = subject_line(
        release.stage, release.app, _IN_PROGRESS, f"{name}, its migrations failed{is_live}"
    )
    and_live = f", and version {live} is still live" if live is not None else ""
    head = f"The migrations of release {name} of {release.app} failed{and_live}."
    evidence = failure.evidence and short(failure.evidence, LONGEST_TEXT)
    rows = [
        ("Cause", failure.what),
        *([("Evidence", evidence)] if evidence else []),
        ("Runbook", f"docs/runbook.md, section {failure.kind.value}"),
    ]
    following = [("Next", failure.next_action)]
    paragraphs = [[head, _FINAL], table(rows), table(following)]
    document = {
        "event": MessageEvent.MIGRATION_FAILED,
        "messageId": f"lightgate-{release.app}-{release.id}-migration-failed",
        "kind": release.kind.value,
        "app": release.app,
        "stage": release.stage,
        "release": release.id,
        "tag": release.tag,
        "status": _IN_PROGRESS,
        "text": f"{head} {_FINAL}",
        "failure": encode(failure, complete=True),
        "nextSteps": [failure.next_action],
        "digest": release.pushed_digest or release.digest,
        "version": version,
        "previousVersion": previous_version,
        "startedAt": release.started_at.isoformat(),
        "execution": execution,
    }
    found = console_links(
        console, execution=execution, release=release.id, begin=release.started_at
    )
    message = notice_forms(
        title,
        ["\n".join(map(one_line, lines)) for lines in paragraphs],
        [head, *(f"{label}: {text}" for label, text in [*rows, *following]), _FINAL],
        document,
        found,
    )
    return Notice(subject=title, message=message)
