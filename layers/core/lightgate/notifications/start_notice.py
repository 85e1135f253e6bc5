"""The message at the start of a release for which automatic rollback is not available."""

from lightgate.notifications.email import one_line
from lightgate.notifications.formats import all_forms, literal, subject_line
from lightgate.notifications.report import name_of
from lightgate.release.release import Release
from lightgate.state import StartNotice

STARTED = "STARTED"


def start_notice(release: Release, execution: str, no_rollback_reason: str) -> StartNotice:
    """The message, in all its forms."""
    name = name_of(release)
    subject = subject_line(release.stage, release.app, STARTED, name)
    told = [
        one_line(no_rollback_reason),
        "If the new version is unhealthy and no rollback is possible, Lightgate keeps it. The "
        "final message then says what to do.",
    ]
    head = f"Release {name} of {release.app} has started."
    return StartNotice(
        subject=subject,
        message=all_forms(
            "\n\n".join([head, *told, f"Execution: {execution}"]) + "\n",
            {
                "messageId": f"lightgate-{release.app}-{release.id}-start",
                "kind": release.kind.value,
                "app": release.app,
                "stage": release.stage,
                "release": release.id,
                "status": STARTED,
                "text": " ".join([head, *told]),
                "warnings": [no_rollback_reason],
                "digest": release.pushed_digest or release.digest,
                "startedAt": release.started_at.isoformat(),
                "execution": execution,
            },
            {
                "version": "1.0",
                "source": "custom",
                "content": {
                    "textType": "client-markdown",
                    "title": subject,
                    "description": "\n".join(map(literal, told)),
                },
            },
        ),
    )
