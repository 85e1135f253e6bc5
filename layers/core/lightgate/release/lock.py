"""The deployment lock of an app: one release at a time, and the newest push next.

Each app has one `Lock` value. Every rule here takes the current value and returns the next one.
The caller writes it on the condition that the value has not changed meanwhile, so every race has
one winner. The rules are idempotent: a caller that repeats a request after a lost answer gets the
same answer.

While an app is paused, no push gets the lock: the newest one waits in the queue. A release that a
person starts still gets it, and leaves that push in the queue.

`at` is the time of the push in whole seconds, as ECR reports no fractions. If two pushes have the
same second, the one that is requested later counts as the newer.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lightgate.errors import MissingError, RefusalCode, RefusedError, sentence
from lightgate.names import rehearsal_execution, start_of

# A function that runs when its execution is stopped goes on until its time limit. This is
# the longest of those that have an effect outside (template.yaml).
LONGEST_STEP = timedelta(seconds=90)
_SAME_CONTENT = "this image with the same spec and secrets"


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


def whole_seconds(moment: datetime) -> datetime:
    """The moment without fractions of a second, as ECR gives the time of a push."""
    return moment.replace(microsecond=0)


def acquire_lock(lock: Lock, lock_request: LockRequest) -> tuple[Lock, LockAnswer]:
    """The lock after this request, and the answer. Idempotent.

    The caller must first free a lock whose execution has ended: here every holder counts as
    running.

    Raises:
        RefusedError: the request would have to wait, and cannot be superseded.
    """
    if lock.holder is not None and lock.holder.execution == lock_request.execution:
        # A repeated request may read another spec, and deploys by that.
        holder = replace(lock.holder, fingerprint=lock_request.fingerprint)
        return replace(lock, holder=holder), _proceed(holder)
    waiting = lock.waiting
    if waiting is not None and waiting.release == lock_request.release:
        return lock, _queued(lock, lock_request)
    begun = waiting if waiting is not None and waiting.name == _name(lock_request) else None
    if begun is not None:
        lock = replace(lock, waiting=None)
    elif (known := _released_after(lock, lock_request)) is not None:
        reason = f"Release {known} of this image started after the push."
        return lock, LockAnswer(status=LockStatus.DUPLICATE, reason=reason)
    lock, answer = _decide(lock, lock_request)
    return lock, replace(answer, begun=begun)


def _name(lock_request: LockRequest) -> str:
    return execution_name_of(lock_request.execution)


def _decide(lock: Lock, lock_request: LockRequest) -> tuple[Lock, LockAnswer]:
    if not lock_request.can_be_superseded or _keeps_the_queue(lock, lock_request):
        _refuse_to_wait(lock)
    latest = lock.latest
    if latest is not None and lock_request.can_be_superseded and _is_older(lock_request, latest):
        return lock, _superseded(f"Release {latest.release} is for a newer push.")
    if lock_request.tag_moved_to is not None:
        return lock, _superseded(f"The pushed tag now names the image {lock_request.tag_moved_to}.")
    with_latest = _with_latest(lock, lock_request)
    reason = _why_duplicate(lock, lock_request)
    if reason is not None:
        return _replace_waiting(
            with_latest, lock_request, LockAnswer(status=LockStatus.DUPLICATE, reason=reason)
        )
    is_paused = lock.paused is not None and lock_request.pushed
    if lock.holder is not None or is_paused or lock_request.needs_rehearsal:
        waits = _queued(lock, lock_request)
        queued, answer = _replace_waiting(with_latest, lock_request, waits)
        waiting = _waiting(lock_request)
        to_rehearse = waiting.name if lock_request.needs_rehearsal else None
        return replace(queued, waiting=waiting, to_rehearse=to_rehearse), answer
    holder = LockHolder(
        execution=lock_request.execution,
        release=lock_request.release,
        digest=lock_request.digest,
        at=lock_request.at,
        fence=lock.fence + 1,
        after=lock_request.after or lock.abandoned,
        creating=False,
        can_be_superseded=lock_request.can_be_superseded and lock.paused is None,
        fingerprint=lock_request.fingerprint,
    )
    given = replace(with_latest, holder=holder, fence=holder.fence)
    if lock_request.can_be_superseded and lock_request.digest is not None:
        given = replace(given, begun=lock_request.release)
    return _replace_waiting(given, lock_request, _proceed(holder))


def _released_after(lock: Lock, lock_request: LockRequest) -> str | None:
    """The release that this push has started already, whatever its outcome.

    The event of a push may come after Reconcile has released it, and a push of two tags has two
    events. While a release waits in the queue, the queue itself decides.
    """
    latest = lock.latest
    if latest is None or not lock_request.pushed or lock.waiting is not None:
        return None
    if latest.release != lock.begun:
        return None  # it was only queued, or it was a rollback with an older spec
    is_known = latest.digest == lock_request.digest and start_of(latest.release) > lock_request.at
    return latest.release if is_known else None


def _is_older(lock_request: LockRequest, latest: LatestRequest) -> bool:
    return lock_request.at < latest.at and lock_request.digest != latest.digest


def _keeps_the_queue(lock: Lock, lock_request: LockRequest) -> bool:
    """Whether a push is held back, and the request is a person's that leaves it in the queue.

    Of a paused app each one does. A release of the same image and spec takes its place all the
    same. A push that is rehearsed stays behind a rollback or a command.
    """
    waiting = lock.waiting
    if waiting is None or lock_request.pushed or not _is_held_back(lock, waiting):
        return False
    if lock.paused is None:
        return not lock_request.can_be_superseded
    return not _deploys_the_same(waiting.fingerprint, lock_request)


def _is_held_back(lock: Lock, waiting: Waiting) -> bool:
    """Whether the pause, or its missing rehearsal, is why it does not start."""
    return (lock.paused is not None and waiting.pushed) or lock.to_rehearse == waiting.name


def _refuse_to_wait(lock: Lock) -> None:
    ahead = lock.holder or next_to_start(lock)
    if ahead is not None:
        raise RefusedError(
            f"Release {ahead.release} is in progress or about to start. Wait until it has ended, "
            "then start this execution again if it is still needed.",
            code=RefusalCode.LOCKED,
        )


def _why_duplicate(lock: Lock, lock_request: LockRequest) -> str | None:
    """Why the request repeats a live, running or queued release; None for a person's request."""
    if not lock_request.pushed:
        return None
    # Whatever waits is what the app ends on, whatever is released or serves now.
    if lock.waiting is not None and next_to_start(lock) is None:
        if _deploys_the_same(lock.waiting.fingerprint, lock_request):
            return f"Release {lock.waiting.release} of {_SAME_CONTENT} is waiting already."
        return None
    if lock.holder is not None:
        if _deploys_the_same(lock.holder.fingerprint, lock_request):
            return f"Release {lock.holder.release} of {_SAME_CONTENT} is in progress."
        return None
    if _deploys_the_same(lock_request.live_fingerprint, lock_request):
        return f"A release of {_SAME_CONTENT} is live already."
    return None


def _deploys_the_same(fingerprint: str | None, lock_request: LockRequest) -> bool:
    """Whether both would deploy the same. An unknown fingerprint equals no other."""
    return fingerprint is not None and fingerprint == lock_request.fingerprint


def _with_latest(lock: Lock, lock_request: LockRequest) -> Lock:
    if lock_request.digest is None or _keeps_the_queue(lock, lock_request):
        return lock
    if lock.latest is not None and lock_request.at < lock.latest.at:
        return lock
    latest = LatestRequest(
        at=lock_request.at, digest=lock_request.digest, release=lock_request.release
    )
    return replace(lock, latest=latest)


def _replace_waiting(
    lock: Lock, lock_request: LockRequest, answer: LockAnswer
) -> tuple[Lock, LockAnswer]:
    """Take the waiting release out of the queue, unless it stays or this request is its duplicate.

    The caller puts its own release there. A duplicate keeps the waiting release, and gives it the
    later time.
    """
    waiting = lock.waiting
    if waiting is None or _keeps_the_queue(lock, lock_request):
        return lock, answer
    if answer.status is LockStatus.DUPLICATE and _deploys_the_same(
        waiting.fingerprint, lock_request
    ):
        later = max(waiting.at, lock_request.at)
        return replace(lock, waiting=replace(waiting, at=later)), answer
    return replace(lock, waiting=None), replace(answer, displaced=waiting)


def _waiting(lock_request: LockRequest) -> Waiting:
    return Waiting(
        name=lock_request.next_name,
        release=lock_request.release,
        digest=lock_request.digest,
        at=lock_request.at,
        request=lock_request.request,
        fingerprint=lock_request.fingerprint,
    )


def _proceed(holder: LockHolder) -> LockAnswer:
    status = LockStatus.PROCEED if holder.after is None else LockStatus.TAKEN_OVER
    return LockAnswer(status=status, holder=holder)


def _queued(lock: Lock, lock_request: LockRequest) -> LockAnswer:
    if lock.paused is not None and lock_request.pushed:
        reason = f"{sentence(lock.paused.shown)} This release starts when the app is resumed."
    elif lock_request.needs_rehearsal and lock.holder is None:
        reason = "This push is rehearsed first. It is released if the rehearsal succeeds."
    else:
        ahead = f"Release {lock.holder.release} is" if lock.holder else "Another release was"
        reason = f"{ahead} in progress; this release starts after it."
    return LockAnswer(status=LockStatus.QUEUED, reason=reason)


def _superseded(reason: str) -> LockAnswer:
    return LockAnswer(status=LockStatus.SUPERSEDED, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLock:
    """Shows that a release acquired the lock: with this fence, in this execution."""

    execution: str
    fence: int

    def is_of(self, holder: LockHolder | None) -> bool:
        return (
            holder is not None and holder.execution == self.execution and holder.fence == self.fence
        )


def _require(lock: Lock, fence: int) -> None:
    """Make sure that this is the lock as it stands, and not an empty or outdated answer.

    The fence only grows and its item is never deleted. So a lock with a lower fence than one
    that was already given out shows a read that has missed it.

    Raises:
        MissingError: the read has missed the lock, so its state is unknown.
    """
    if lock.fence < fence:
        raise MissingError(
            f"the deployment lock was read with fence {lock.fence}, but fence {fence} was already "
            "given out; its state could not be determined"
        )


def objection(lock: Lock, held: HeldLock) -> LockAnswer | None:
    """Why the release must not act any further; None while it may.

    It must not if it has lost the lock, or if a newer push waits and the deployment is not being
    created yet. After that it finishes first, because Lightsail cannot cancel a deployment. A push
    that is held back by a pause, or until it is rehearsed, supersedes nothing.

    Raises:
        MissingError: see `_require`.
    """
    _require(lock, held.fence)
    holder = lock.holder
    if holder is None or not held.is_of(holder):
        return LockAnswer(
            status=LockStatus.LOST, reason="The release no longer holds the deployment lock."
        )
    waiting = lock.waiting
    if waiting is None or holder.creating or not holder.can_be_superseded:
        return None
    if _is_held_back(lock, waiting):
        return None
    return _superseded(f"Release {waiting.release} is for a newer push.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationStart:
    """Whether the create call may be made; `again` says that it may have been made before."""

    objection: LockAnswer | None
    again: bool = False


def begin_creating(lock: Lock, held: HeldLock) -> tuple[Lock, CreationStart]:
    """Set before the create call: from now on a newer push does not supersede the release."""
    why_not = objection(lock, held)
    if why_not is not None or lock.holder is None:
        return lock, CreationStart(objection=why_not)
    creating = replace(lock, holder=replace(lock.holder, creating=True))
    return creating, CreationStart(objection=None, again=lock.holder.creating)


def end_creating(lock: Lock, held: HeldLock) -> Lock:
    """Lightsail has certainly created no deployment: a newer push may supersede it again."""
    _require(lock, held.fence)
    if lock.holder is None or not held.is_of(lock.holder):
        return lock
    return replace(lock, holder=replace(lock.holder, creating=False))


def release_lock(lock: Lock, execution: str, fence: int = 0) -> Lock:
    """Release the lock of the execution. Changes nothing if it does not hold it. Idempotent.

    `fence` is that of the execution's own lock, 0 if it never had it.

    Raises:
        MissingError: see `_require`.
    """
    _require(lock, fence)
    lock = _not_waiting_for(lock, execution)
    holder = lock.holder
    if holder is None or holder.execution != execution:
        return lock
    # Before its own deployment it has not waited for the abandoned release either.
    return replace(lock, holder=None, abandoned=None if holder.creating else holder.after)


def abandon_lock(lock: Lock, execution: str, fence: int = 0) -> Lock:
    """Free the lock of an execution that ended without releasing it. Idempotent.

    Its functions and its deployment may still run, so the next release waits for them.

    `fence` is that of the execution's own lock, 0 if it never had it.

    Raises:
        MissingError: see `_require`.
    """
    _require(lock, fence)
    lock = _not_waiting_for(lock, execution)
    holder = lock.holder
    if holder is None or holder.execution != execution:
        return lock
    before = None if holder.creating else holder.after
    return replace(lock, holder=None, abandoned=before or holder.release)


def _not_waiting_for(lock: Lock, execution: str) -> Lock:
    """Without the execution in the queue, as it never starts again."""
    waiting = lock.waiting
    if waiting is None or waiting.name != execution_name_of(execution):
        return lock
    return replace(lock, waiting=None)


def next_to_start(lock: Lock) -> Waiting | None:
    """The waiting release, if no release holds the lock and no pause holds it back; else None."""
    waiting = lock.waiting
    if waiting is None or lock.holder is not None or _is_held_back(lock, waiting):
        return None
    return waiting


def begin_rehearsal(lock: Lock) -> tuple[Lock, QueueRehearsal | None]:
    """The rehearsal to start: of the push that waits for one, if no release is in the way.

    A rehearsal on record is named again until it has ended: its execution has a fixed name, so that
    starting it twice starts one. Idempotent.
    """
    waiting = lock.waiting
    if lock.rehearsal is not None:
        return lock, lock.rehearsal
    if waiting is None or lock.to_rehearse != waiting.name:
        return lock, None
    if lock.holder is not None or lock.paused is not None:
        return lock, None
    pushed_tag = waiting.request.get("pushedTag")
    request = {
        "app": waiting.request["app"],
        "digest": waiting.request["digest"],
        "imageTag": pushed_tag,
        "takeSnapshot": True,
        "reason": f"before the release of the push {pushed_tag}",
    }
    name = rehearsal_execution(waiting.name)
    rehearsal = QueueRehearsal(name=name, push=waiting.name, request=request)
    return replace(lock, rehearsal=rehearsal), rehearsal


def end_rehearsal(lock: Lock, name: str) -> Lock:
    """The rehearsal of this name has ended: its push may start, and Admit judges it. Idempotent.

    A newer push may have taken the place of its push meanwhile. That one is rehearsed next.
    """
    rehearsal, waiting = lock.rehearsal, lock.waiting
    if rehearsal is None or rehearsal.name != name:
        return lock
    ended = replace(lock, rehearsal=None)
    if waiting is None or waiting.name != rehearsal.push:
        return ended
    judged = replace(waiting, request={**waiting.request, "rehearsal": name})
    return replace(ended, waiting=judged, to_rehearse=None)
