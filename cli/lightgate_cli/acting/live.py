"""What is live in an app, for the commands that go by it."""

from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_facts import AppFacts
from lightgate_cli.reading.app_status import AppStatus, Live, app_status
from lightgate_cli.reading.gather import no_such_app, one_app


def require_status(app: str, connection: Connection) -> tuple[AppFacts, AppStatus]:
    """Raises CommandError if there is no such app."""
    facts = one_app(app, connection)
    if facts is None:
        raise no_such_app(app, connection)
    return facts, app_status(facts)


def live_digest(app: str, connection: Connection) -> str:
    """Raises CommandError if nothing is live, or its image is not on record."""
    _, status = require_status(app, connection)
    digest = require_live(status).digest
    assert digest is not None  # noqa: S101 - it was just required
    return digest


def require_live(status: AppStatus) -> Live:
    """The live version, with the digest of its image.

    Raises:
        CommandError: nothing is live, or its image is not on record.
    """
    if status.live is None:
        raise CommandError(
            Problem.NOT_FOUND,
            f"No version of {status.app} is live.",
            hint=" ".join(status.unread) or f"lightgate history {status.app} shows what happened.",
        )
    if status.live.digest is None:
        raise CommandError(
            Problem.NOT_FOUND,
            f"The image of version {status.live.version} of {status.app} is not on record: "
            "Lightgate has not deployed that version.",
            hint="Name an image by its tag or digest. To list them: aws ecr describe-images "
            f"--repository-name {status.repository}",
        )
    return status.live
