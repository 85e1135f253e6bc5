"""The deployment lock of an app: one release at a time, and the newest push next.

Each app has one `Lock` value. Every rule in `release.lock_rules` takes the current value and
returns the next one. The caller writes it on the condition that the value has not changed
meanwhile, so every race has one winner.

While an app is paused, no push gets the lock: the newest one waits in the queue. A release that a
person starts still gets it, and leaves that push in the queue.

`at` is the time of the push in whole seconds, as ECR reports no fractions. If two pushes have the
same second, the one that is requested later counts as the newer.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

# A function that runs when its execution is stopped goes on until its time limit. This is
# the longest of those that have an effect outside (template.yaml).
LONGEST_STEP = timedelta(seconds=90)


class LockStatus(enum.StrEnum):
    """The answer to a release that requests the lock, or that holds it."""

    PROCEED = "PROCEED"
    TAKEN_OVER = "TAKEN_OVER"
    QUEUED = "QUEUED"
    DUPLICATE = "DUPLICATE"
    SUPERSEDED = "SUPERSEDED"
    LOST = "LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestRequest:
    """The latest request for the app so far: its image and its time."""

    at: datetime
    digest: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """The only release of the app that may act.

    `digest` is None if it brings the app no image. `fingerprint` is that of its request. `after` is
    the previous release if that did not release the lock: one of its functions may still run.
    `creating` is set before the deployment is created. From then on no newer push supersedes the
    release. `can_be_superseded` is false for a rollback or a command that a person started, and for
    any release that a person started while the app was paused.
    """

    execution: str
    release: str
    digest: str | None
    at: datetime
    fence: int
    after: str | None
    creating: bool
    can_be_superseded: bool
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The only release in the queue. `name` is the name of the execution that will run it."""

    name: str
    release: str
    digest: str | None
    at: datetime
    request: Mapping[str, Any]
    fingerprint: str | None = None

    @property
    def pushed(self) -> bool:
        """Whether a push started the release."""
        return self.request.get("pushedTag") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Who has paused the app, why and when. `by` is the ARN of an AWS identity, or a name."""

    by: str
    reason: str
    at: datetime

    @property
    def shown(self) -> str:
        return f"{self.by} paused the app at {self.at:%Y-%m-%d %H:%M:%S} UTC: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRehearsal:
    """The rehearsal of a push that waits: the name of its execution, and its input.

    `push` is the name of the execution that releases the push after it.
    """

    name: str
    push: str
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The lock of one app. `fence` counts how often it was acquired, and only grows.

    `abandoned` is the last release whose execution ended without releasing the lock. `begun` is the
    last release of an image with the current spec that acquired the lock. `paused` is None unless
    the app is paused. `to_rehearse` is the name of the waiting release if it must be rehearsed
    before it starts, and `rehearsal` the rehearsal that was started last for the queue, until its
    end.
    """

    fence: int = 0
    holder: LockHolder | None = None
    waiting: Waiting | None = None
    latest: LatestRequest | None = None
    abandoned: str | None = None
    begun: str | None = None
    paused: Pause | None = None
    to_rehearse: str | None = None
    rehearsal: QueueRehearsal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """A release that requests the lock.

    `digest` is the image that it brings the app, None for a command; `pushed_digest` is the index
    with which that image was pushed. `fingerprint` stands for the image, the spec and the versions
    of the secrets. It is None if one of them is unknown, and then equals no other.
    A request that cannot be superseded does not wait in the queue either: it is refused. So is a
    person's request if a push waits because the app is paused: the queue has one place.
    `pushed` is false if a person started the release. `tag_moved_to` is the image that the pushed
    tag names now, None if it is still this one. `live_fingerprint` is that of the live release if
    it succeeded. `after` is as in `LockHolder`, for a service that is taken over from another app.
    `needs_rehearsal`: it must be rehearsed before it gets the lock, and waits in the queue until
    then.
    """

    execution: str
    next_name: str
    release: str
    digest: str | None
    at: datetime
    request: Mapping[str, Any]
    pushed: bool
    can_be_superseded: bool
    tag_moved_to: str | None
    live_fingerprint: str | None
    after: str | None = None
    fingerprint: str | None = None
    pushed_digest: str | None = None
    needs_rehearsal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockAnswer:
    """The answer to a lock request.

    `holder` is set if and only if the release has the lock; else `reason` says why not.
    `displaced` was waiting and is superseded by this request. `begun` was waiting, and this
    request is its execution.
    """

    status: LockStatus
    reason: str = ""
    holder: LockHolder | None = None
    displaced: Waiting | None = None
    begun: Waiting | None = None


def execution_name_of(execution: str) -> str:
    return execution.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLock:
    """Shows that a release acquired the lock: with this fence, in this execution."""

    execution: str
    fence: int

    def is_of(self, holder: LockHolder | None) -> bool:
        return (
            holder is not None and holder.execution == self.execution and holder.fence == self.fence
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationStart:
    """Whether the create call may be made; `again` says that it may have been made before."""

    objection: LockAnswer | None
    again: bool = False
