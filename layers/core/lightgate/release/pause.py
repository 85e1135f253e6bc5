"""Pause and resume an app: while it is paused, pushes wait in the queue.

The rules change the deployment lock of the app, so that a push and a pause at the same moment have
one order. `release.lock` says what a pause means for each release.
"""

from dataclasses import dataclass, replace

from lightgate.release.lock import Lock, Pause, Waiting
from lightgate.release.lock_rules import next_to_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The answer to a person who resumes an app.

    `pause` is the one that has ended, None if the app was not paused. `next` is the release to
    start now, None if there is none or if it has to wait for the end of the release `behind`.
    `is_rehearsed`: it has to be rehearsed first.
    """

    pause: Pause | None
    next: Waiting | None
    behind: str | None = None
    is_rehearsed: bool = False


def pause_app(lock: Lock, pause: Pause) -> tuple[Lock, Pause]:
    """The paused lock, and the pause that counts: the first one. Idempotent.

    A release in progress goes on.
    """
    if lock.paused is not None:
        return lock, lock.paused
    return replace(lock, paused=pause), pause


def resume_app(lock: Lock) -> tuple[Lock, Resumed]:
    """The lock without a pause, and the release to start. Idempotent.

    A repeated call names the release again until it has started: its execution has a fixed name, so
    that starting it twice starts one.
    """
    resumed = replace(lock, paused=None)
    holder = lock.holder if lock.waiting is not None else None
    behind = holder.release if holder is not None else None
    waiting = lock.waiting
    return resumed, Resumed(
        pause=lock.paused,
        next=next_to_start(resumed),
        behind=behind,
        is_rehearsed=waiting is not None and lock.to_rehearse == waiting.name,
    )
