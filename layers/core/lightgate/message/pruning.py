"""What people are told when old snapshots could not be deleted after a release."""

from collections.abc import Mapping, Sequence

from lightgate.app_spec.spec import Database
from lightgate.backup import DatabaseKind
from lightgate.message.forms import all_forms, literal, subject_line
from lightgate.message.text import one_line
from lightgate.release import Release

NOT_PRUNED = "NOT_PRUNED"
# A person looks at a few; all of them are in the log.
_MOST_SHOWN = 10
_LONGEST_REASON = 500
_DELETE = {
    DatabaseKind.INSTANCE: "aws rds delete-db-snapshot --db-snapshot-identifier {}",
    DatabaseKind.CLUSTER: (
        "aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier {}"
    ),
    DatabaseKind.LIGHTSAIL: (
        "aws lightsail delete-relational-database-snapshot --relational-database-snapshot-name {}"
    ),
}


def not_pruned(
    release: Release,
    database: Database | None,
    failed: Mapping[str, str],
    reasons: Sequence[str],
) -> Mapping[str, str]:
    """What `lightgate.aws.topic.Topic` publishes.

    `failed` has the reason for each snapshot that could not be deleted, `reasons` why none could
    even be looked for.
    """
    subject = subject_line(release.stage, release.app, NOT_PRUNED, release.id)
    head = f"{release.app}: {_what(failed)} after release {release.id}. The release succeeded."
    shown = [
        *(_short(reason) for reason in reasons),
        *(f"{name}: {_short(why)}" for name, why in list(failed.items())[:_MOST_SHOWN]),
    ]
    more = len(failed) - _MOST_SHOWN
    rest = [f"{more} more snapshots are in the log of PruneSnapshots."] if more > 0 else []
    next_step = (
        "The next successful release tries again. Until then the snapshots stay, and count "
        "towards the account's quota."
    )
    commands = [_DELETE[database.kind].format(name) for name in failed] if database else []
    by_hand = ["To delete them by hand:", *commands[:_MOST_SHOWN]] if commands else []
    text = "\n\n".join([head, "\n".join([*shown, *rest]), next_step])
    return {
        "app": release.app,
        "stage": release.stage,
        "status": NOT_PRUNED,
        "subject": subject,
        "message": all_forms(
            "\n\n".join([text, *(["\n".join(by_hand)] if by_hand else [])]) + "\n",
            {
                "messageId": f"lightgate-{release.app}-{release.id}-pruning",
                "kind": release.kind.value,
                "app": release.app,
                "stage": release.stage,
                "release": release.id,
                "status": NOT_PRUNED,
                "text": text,
                "reasons": [_short(reason) for reason in reasons],
                "failed": {name: _short(why) for name, why in failed.items()},
                "nextSteps": [next_step, *commands],
            },
            {
                "version": "1.0",
                "source": "custom",
                "content": {
                    "textType": "client-markdown",
                    "title": subject,
                    "description": "\n".join(map(literal, [head, *shown, *rest, next_step])),
                },
            },
        ),
    }


def _what(failed: Mapping[str, str]) -> str:
    if not failed:
        return "old snapshots could not be deleted"
    count = "1 old snapshot" if len(failed) == 1 else f"{len(failed)} old snapshots"
    return f"{count} could not be deleted"


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
