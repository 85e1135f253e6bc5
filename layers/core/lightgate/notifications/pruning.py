"""The message after a release whose old snapshots could not be deleted."""

from collections.abc import Mapping, Sequence

from lightgate.notifications.email import one_line
from lightgate.notifications.formats import MessageEvent, notice_forms, subject_line
from lightgate.notifications.report import name_of
from lightgate.records.console_links import Console, console_links
from lightgate.records.recorded_outcome import Publication
from lightgate.release.release import Release
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.keys import Database

NOT_PRUNED = "NOT_PRUNED"
# The log of PruneSnapshots has all of them.
_MOST_SHOWN = 10
_LONGEST_REASON = 500
_DELETE = {
    DatabaseKind.INSTANCE: "aws rds delete-db-snapshot --db-snapshot-identifier",
    DatabaseKind.CLUSTER: "aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier",
    DatabaseKind.LIGHTSAIL: (
        "aws lightsail delete-relational-database-snapshot --relational-database-snapshot-name"
    ),
}
_NEXT = (
    "Lightgate tries again after the next successful release. Until then the snapshots count "
    "towards the quota of the account."
)


def not_pruned(
    release: Release,
    database: Database | None,
    failed: Mapping[str, str],
    reasons: Sequence[str],
    *,
    execution: str,
    console: Console,
) -> Publication:
    """The publication.

    `failed` has the reason for each snapshot that could not be deleted. `reasons` say why
    Lightgate could not list the old snapshots.
    """
    name = name_of(release)
    count = f"{len(failed)} " if failed else ""
    kept = f"{count}old snapshot{'' if len(failed) == 1 else 's'} could not be deleted"
    title = subject_line(release.stage, release.app, NOT_PRUNED, f"{name}, {kept}")
    head = f"Release {name} of {release.app} succeeded, but {kept}."
    shown = {name: _short(failed[name]) for name in list(failed)[:_MOST_SHOWN]}
    why = [*map(_short, reasons), *(f"{name}: {reason}" for name, reason in shown.items())]
    if len(failed) > len(shown):
        why.append(f"The log of PruneSnapshots has {len(failed) - len(shown)} more.")
    commands = [f"{_DELETE[database.kind]} {name}" for name in shown] if database else []
    by_hand = ["\n".join(["To delete them now:", *commands])] if commands else []
    document = {
        "event": MessageEvent.SNAPSHOTS_NOT_PRUNED,
        "messageId": f"lightgate-{release.app}-{release.id}-pruning",
        "kind": release.kind.value,
        "app": release.app,
        "stage": release.stage,
        "release": release.id,
        "tag": release.tag,
        "status": NOT_PRUNED,
        "text": " ".join([head, *why, _NEXT]),
        "reasons": list(map(_short, reasons)),
        "failed": shown,
        "nextSteps": [_NEXT, *commands],
        "execution": execution,
    }
    found = console_links(
        console, execution=execution, release=release.id, begin=release.started_at
    )
    return Publication(
        app=release.app,
        stage=release.stage,
        status=NOT_PRUNED,
        subject=title,
        message=notice_forms(
            title,
            [head, "\n".join(why), _NEXT, *by_hand],
            [head, *why, _NEXT],
            document,
            found,
        ),
    )


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
