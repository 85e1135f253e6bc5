"""The rules of the deployment lock: who gets it, who waits, and until when a release may act.

Every rule takes the current value and returns the next one, as `release.lock` says. The rules are
idempotent: a caller that repeats a request after a lost answer gets the same answer.
"""

from dataclasses import replace
from datetime import datetime

from lightgate.errors import MissingError, RefusalCode, RefusedError, sentence
from lightgate.names import rehearsal_execution, start_of
from lightgate.release.lock import (
    CreationStart,
    HeldLock,
    LatestRequest,
    Lock,
    LockAnswer,
    LockHolder,
    LockRequest,
    LockStatus,
    QueueRehearsal,
    Waiting,
    execution_name_of,
)

_SAME_CONTENT = "this image with the same spec and secrets"


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
    """Begin the rehearsal that the waiting push needs; None if there is none to begin.

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

    If a newer push has taken the place of its push meanwhile, the newer push is rehearsed next.
    """
    rehearsal, waiting = lock.rehearsal, lock.waiting
    if rehearsal is None or rehearsal.name != name:
        return lock
    ended = replace(lock, rehearsal=None)
    if waiting is None or waiting.name != rehearsal.push:
        return ended
    judged = replace(waiting, request={**waiting.request, "rehearsal": name})
    return replace(ended, waiting=judged, to_rehearse=None)
