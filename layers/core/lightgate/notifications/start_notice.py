"""The message at the start of a release for which automatic rollback is not available."""

from lightgate.notifications.email import one_line
from lightgate.notifications.formats import MessageEvent, notice_forms, subject_line
from lightgate.notifications.report import name_of
from lightgate.records.console_links import Console, console_links
from lightgate.release.release import Release
from lightgate.state import Notice

STARTED = "STARTED"


def start_notice(
    release: Release, execution: str, no_rollback_reason: str, console: Console
) -> Notice:
    """The message, in all its forms."""
    name = name_of(release)
    title = subject_line(release.stage, release.app, STARTED, name)
    told = [
        one_line(no_rollback_reason),
        "If the new version is unhealthy and no rollback is possible, Lightgate keeps it. The "
        "final message then says what to do.",
    ]
    head = f"Release {name} of {release.app} has started."
    document = {
        "event": MessageEvent.RELEASE_STARTED,
        "messageId": f"lightgate-{release.app}-{release.id}-start",
        "kind": release.kind.value,
        "app": release.app,
        "stage": release.stage,
        "release": release.id,
        "tag": release.tag,
        "status": STARTED,
        "text": " ".join([head, *told]),
        "warnings": [no_rollback_reason],
        "digest": release.pushed_digest or release.digest,
        "startedAt": release.started_at.isoformat(),
        "execution": execution,
    }
    found = console_links(
        console, execution=execution, release=release.id, begin=release.started_at
    )
    return Notice(subject=title, message=notice_forms(title, [head, *told], told, document, found))
