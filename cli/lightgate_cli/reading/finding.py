"""Finds the release that a person means: by its id, the beginning of it, its tag or its digest."""

import json
import re
from collections.abc import Callable, Iterable, Sequence

from lightgate.records.release_record import ReadableRecord
from lightgate.release.unchecked_request import requested_app
from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_status import has_digest
from lightgate_cli.reading.gather import side_by_side

# The date and at least the letter after it: 20261129t091001z-7849e651-b597.
_ID = re.compile(r"\d{8}t[0-9a-z-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{6,64}|[0-9a-f]{12,64}")


def is_digest_like(text: str) -> bool:
    """Whether it is a digest, or the beginning of one as the commands show it."""
    return _DIGEST.fullmatch(text) is not None


def find_release(text: str, app: str | None, connection: Connection) -> ReadableRecord:
    """The release of the app, or of any app if it is None; also by the ARN of its execution.

    Raises:
        CommandError: there is none, or several of them may be meant.
    """
    if connection.executions.has(text):
        return _of_execution(text, connection)
    if connection.has_rehearsal(text):
        return _of_rehearsal(text, connection)
    apps = [app] if app is not None else connection.all_app_names()
    found = side_by_side([_finder(text, each, connection) for each in apps])
    return chosen(text, [record for records in found for record in records])


def app_of_execution(arn: str, connection: Connection) -> str:
    """Raises CommandError if there is no such execution."""
    machine = connection.client("stepfunctions")
    try:
        found = machine.describe_execution(executionArn=arn)
    except machine.exceptions.ExecutionDoesNotExist as error:
        raise CommandError(Problem.NOT_FOUND, f"There is no execution {arn}.") from error
    return requested_app(json.loads(found["input"]))


def _of_execution(arn: str, connection: Connection) -> ReadableRecord:
    found = connection.releases.of_execution(app_of_execution(arn, connection), arn)
    if found is None or found.readable is None:
        raise CommandError(
            Problem.NOT_FOUND,
            f"The release of {arn} is not on record yet.",
            hint=f"To follow it: lightgate show {arn} --follow",
        )
    return found.readable


def _of_rehearsal(arn: str, connection: Connection) -> ReadableRecord:
    app = app_of_execution(arn, connection)
    for record in connection.rehearsals.history(app):
        if record.execution == arn:
            return record
    raise CommandError(
        Problem.NOT_FOUND,
        f"The rehearsal of {arn} is not on record yet.",
        hint=f"To follow it: lightgate show {arn} --follow",
    )


def chosen(text: str, found: Sequence[ReadableRecord]) -> ReadableRecord:
    """The only one of these releases that the text can mean.

    Raises:
        CommandError: there is none, or several.
    """
    if not found:
        raise CommandError(
            Problem.NOT_FOUND,
            f"There is no release {text} on record.",
            hint="lightgate history APP shows the releases of an app.",
        )
    if len(found) > 1:
        names = ", ".join(f"{one.release} of {one.app}" for one in found[:5])
        raise CommandError(
            Problem.AMBIGUOUS,
            f"{text} can mean {len(found)} releases: {names}.",
            hint="Give more of its id, or --app.",
        )
    return found[0]


def matching(text: str, history: Iterable[ReadableRecord]) -> Sequence[ReadableRecord]:
    """The releases of one app that the text can mean; of a tag or a digest only the newest.

    `history` has the newest first.
    """
    if _ID.fullmatch(text):
        found = [one for one in history if one.release.startswith(text)]
        # The rollback that a release has made begins like the release.
        return [one for one in found if one.caused_by is None] or found
    own = (one for one in history if one.caused_by is None)
    newest = next((one for one in own if one.tag == text), None)
    if newest is not None:
        return [newest]
    return _newest_of_digest(text, history) if is_digest_like(text) else []


def _newest_of_digest(text: str, history: Iterable[ReadableRecord]) -> Sequence[ReadableRecord]:
    found = (one for one in history if one.caused_by is None and has_digest(one, text))
    return [one for one in [next(found, None)] if one is not None]


def _finder(text: str, app: str, connection: Connection) -> Callable[[], Sequence[ReadableRecord]]:
    # An id is found among all records, a tag or a digest among the newest ones.
    if _ID.fullmatch(text) is None:
        return lambda: matching(text, list(connection.releases.history(app)))
    return lambda: [
        *matching(text, list(connection.releases.history(app, text))),
        *connection.rehearsals.history(app, text),
    ]
