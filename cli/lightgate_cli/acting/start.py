"""Starts a release, a rollback or a command, as the person whose credentials are used."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lightgate.aws.stepfunctions import Executions
from lightgate.errors import RefusalCode, RefusedError
from lightgate.names import execution_name
from lightgate.release.request import parse_request
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_app_name
from lightgate_cli.connection import Connection
from lightgate_cli.errors import InterruptedFollowing
from lightgate_cli.options import StartOptions
from lightgate_cli.reading.gather import no_such_app, read_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A started execution, as `--json` prints it."""

    app: str
    execution: str
    request: Mapping[str, Any]


def start(app: str, connection: Connection, chosen: StartOptions, **members: object) -> Started:
    """Start an execution with these members of its input. None stands for no member.

    Raises:
        RefusedError: the input would be refused.
    """
    members |= {
        "skipSnapshot": chosen.skip_snapshot,
        "allowDestructive": chosen.allow_destructive,
        "reason": chosen.reason,
    }
    return begin(app, connection, connection.executions, parse_request, members)


def begin(
    app: str,
    connection: Connection,
    executions: Executions,
    parse: Callable[[Mapping[str, Any]], object],
    members: Mapping[str, object],
) -> Started:
    """Start one of these executions, if `parse` takes its input. None stands for no member."""
    given = {name: value for name, value in members.items() if value not in (None, False)}
    request = {"app": app, **given, "startedBy": connection.caller}
    parse(request)
    image = request.get("digest")
    name = execution_name(app, image if isinstance(image, str) else "", uuid.uuid4().hex)
    try:
        executions.start(name, request)
    except KeyboardInterrupt:
        raise InterruptedFollowing(
            "It may have started. To see it:", f"lightgate history {app}"
        ) from None
    return Started(app=app, execution=executions.arn(name), request=request)


def require_app(app: str, connection: Connection) -> AppSpec | None:
    """The spec of the app; None if it is broken, which its release reports.

    Raises:
        CommandError: there is no such app.
    """
    parse_app_name(app)
    found = read_spec(app, connection)
    if not found.exists:
        raise no_such_app(app, connection)
    return found.spec


def require_spec(app: str, connection: Connection) -> AppSpec:
    """Raises RefusedError if the spec is broken: without it nothing can be told of an image."""
    parse_app_name(app)
    found = read_spec(app, connection)
    if not found.exists:
        raise no_such_app(app, connection)
    if found.spec is None:
        raise RefusedError(f"The spec of {app} is broken: {found.problem}", code=RefusalCode.SPEC)
    return found.spec
