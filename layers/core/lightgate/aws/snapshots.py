"""Whose a snapshot is, and how surplus ones are deleted: the same for RDS and Lightsail."""

from collections.abc import Callable, Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from lightgate.aws.clients import error_code, error_message
from lightgate.errors import NotDeletedError
from lightgate.names import is_snapshot_id

_APP, _RELEASE, _STACK = "lightgate:app", "lightgate:release", "lightgate:stack"


def tags_of(app: str, release: str, stack: str) -> dict[str, str]:
    """The tags of a snapshot that the stack takes. AWS takes no empty value."""
    tags = {_APP: app, _RELEASE: release, _STACK: stack}
    return {key: value for key, value in tags.items() if value}


def is_of_release(tags: Mapping[str, str], app: str, release: str, stack: str) -> bool:
    """Whether a snapshot that has the name for this release was taken for it.

    A release may begin before the version of Lightgate that adds the stack, and end after it.
    """
    is_of_stack = tags.get(_STACK, stack) == stack
    return is_of_stack and (tags.get(_APP), tags.get(_RELEASE)) == (app, release)


def is_of_app(name: str, tags: Mapping[str, str], app: str, stack: str) -> bool:
    """Whether this stack took the snapshot for the app.

    The tags alone do not show it: a person's copy of the snapshot can have them, too.
    """
    release = tags.get(_RELEASE, "")
    is_tagged = tags.get(_APP) == app and tags.get(_STACK, "") == stack
    return is_tagged and is_snapshot_id(name, app, release)


def delete_surplus(
    oldest_first: Sequence[str], keep: int, delete: Callable[[str], object], gone: Sequence[str]
) -> list[str]:
    """Delete all but the last `keep` snapshots; the names of those deleted.

    `gone` are the errors that say that there is no such snapshot any more.

    Raises:
        NotDeletedError: some could not be deleted; all others were.
    """
    deleted, failed = [], {}
    for name in oldest_first[: max(0, len(oldest_first) - keep)]:
        try:
            delete(name)
        except ClientError as error:
            if error_code(error) in gone:
                continue
            failed[name] = f"{error_code(error)}: {error_message(error)}"
        except BotoCoreError as error:
            failed[name] = type(error).__name__
        else:
            deleted.append(name)
    if failed:
        raise NotDeletedError(deleted, failed)
    return deleted
