"""Pauses and resumes an app in its deployment lock."""

from dataclasses import dataclass

from lightgate.release.lock import Pause
from lightgate.release.pause import pause_app, resume_app
from lightgate_cli.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """`pause` is the pause that counts: the first one. `is_new`: it is the one of this call."""

    app: str
    pause: Pause
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedApp:
    """`pause` is the one that has ended, None if the app was not paused.

    `release` is the release that waited and starts now, `execution` its execution. Both are None if
    nothing waited, or if it starts after the release `behind`, which is in progress.
    `is_rehearsed`: it is rehearsed first.
    """

    app: str
    pause: Pause | None = None
    release: str | None = None
    execution: str | None = None
    behind: str | None = None
    is_rehearsed: bool = False


def pause(app: str, reason: str, connection: Connection) -> Paused:
    asked = Pause(by=connection.caller, reason=reason, at=connection.now())
    counts = connection.locks.change(app, lambda lock: pause_app(lock, asked))
    return Paused(app=app, pause=counts, is_new=counts == asked)


def resume(app: str, connection: Connection) -> ResumedApp:
    """Safe to repeat, also after an error: what waits is started under a fixed name."""
    answer = connection.locks.change(app, resume_app)
    found = answer.pause
    waiting = answer.next
    if waiting is None:
        return ResumedApp(
            app=app, pause=found, behind=answer.behind, is_rehearsed=answer.is_rehearsed
        )
    # One that has ended already is cleaned up by Reconcile.
    connection.executions.start(waiting.name, waiting.request)
    execution = connection.executions.arn(waiting.name)
    return ResumedApp(app=app, pause=found, release=waiting.release, execution=execution)
