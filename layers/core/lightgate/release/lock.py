"""Whose turn it is: one release of an app at a time, and the newest push next.

All that decides it is one value for each app, a `Turn`. Every rule here takes the value
as it stands and returns the next one, so that whoever writes it on the condition that it
has not changed meanwhile gets one winner out of every race. The rules hold for any number
of repetitions: whoever asks again, because an answer was lost, gets the same answer.

Time is the time of the push, in whole seconds, which is all that ECR says of it. Of two
pushes in one second the one that comes later counts as the newer.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lightgate.errors import MissingError, RefusedError
from lightgate.names import start_of

# A function that runs when its execution is stopped goes on until its time limit. This is
# the longest of those that have an effect outside (template.yaml).
LONGEST_STEP = timedelta(seconds=90)
_THE_SAME = "this image with the same spec and secrets"


class ClaimStatus(enum.StrEnum):
    """What becomes of a release that asks for its turn, or that has one."""

    PROCEED = "PROCEED"
    TAKEN_OVER = "TAKEN_OVER"
    QUEUED = "QUEUED"
    DUPLICATE = "DUPLICATE"
    SUPERSEDED = "SUPERSEDED"
    LOST = "LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The newest wish for the app so far: which image, and when it was wished for."""

    at: datetime
    digest: str
    release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """The release that may act, and nobody else.

    `digest` is None if it brings the app no image. `fingerprint` is that of its claim. `after` is
    the release before it, if that did not hand over: a function of it may still be running.
    `creating` is set before the
    deployment is created, and from then on the release gives way to nobody; one that does
    not give way never did.
    """

    execution: str
    release: str
    digest: str | None
    at: datetime
    fence: int
    after: str | None
    creating: bool
    gives_way: bool
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The one release that comes next. `name` is that of the execution that will do it."""

    name: str
    release: str
    digest: str | None
    at: datetime
    request: Mapping[str, Any]
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One app's turn. `fence` is the number of times that it was given, and only grows.

    `abandoned` is the last release whose execution ended without handing over, `begun` the last one
    of an image, and of the spec as it stood, that was given its turn.
    """

    fence: int = 0
    holder: LockHolder | None = None
    waiting: Waiting | None = None
    newest: Mark | None = None
    abandoned: str | None = None
    begun: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A release that asks for its turn.

    `digest` is the image that it brings the app, None if it brings none; `pushed_digest` is the
    index in which that was pushed. `fingerprint` stands for all that it would deploy: image, spec
    and versions of the secrets. It is None where some of that is unknown, then equal to nothing.
    One that does not give way is what a person wants now or not at all: it does not wait either.
    `pushed` says that it comes from a push and not from a person; `moved_to` is the image to which
    the pushed tag has moved on, `serving` the fingerprint of the release that serves, if that is
    known to be well. `after` is as in `Holder`, but a release of the app from which the service is
    taken over.
    """

    execution: str
    next_name: str
    release: str
    digest: str | None
    at: datetime
    request: Mapping[str, Any]
    pushed: bool
    gives_way: bool
    moved_to: str | None
    serving: str | None
    after: str | None = None
    fingerprint: str | None = None
    pushed_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """What becomes of a claim.

    `holder` is there if it has its turn, and only then; else `reason` says why. `displaced`
    was waiting and is superseded by the claim; `begun` was waiting and goes on as the claim.
    """

    status: ClaimStatus
    reason: str = ""
    holder: LockHolder | None = None
    displaced: Waiting | None = None
    begun: Waiting | None = None


def execution_name_of(execution: str) -> str:
    return execution.rpartition(":")[2]


def whole_seconds(moment: datetime) -> datetime:
    """The moment as pushes are told apart."""
    return moment.replace(microsecond=0)


def claim_lock(lock: Lock, claim: Claim) -> tuple[Lock, ClaimAnswer]:
    """The turn after the claim, and what becomes of the claim.

    Whoever holds the turn now is taken for alive: that its execution has not ended is
    for the caller to find out, and to clean up after it first.

    Raises:
        RefusedError: the claim would have to wait, and does not.
    """
    if lock.holder is not None and lock.holder.execution == claim.execution:
        # Whoever asks again may find another spec, and deploys by that.
        holder = replace(lock.holder, fingerprint=claim.fingerprint)
        return replace(lock, holder=holder), _proceed(holder)
    waiting = lock.waiting
    if waiting is not None and waiting.release == claim.release:
        return lock, _queued(lock.holder)
    begun = waiting if waiting is not None and waiting.name == _name(claim) else None
    if begun is not None:
        lock = replace(lock, waiting=None)
    elif (known := _released_since(lock, claim)) is not None:
        reason = f"Release {known} of this image started after the push."
        return lock, ClaimAnswer(status=ClaimStatus.DUPLICATE, reason=reason)
    lock, answer = _decide(lock, claim)
    return lock, replace(answer, begun=begun)


def _name(claim: Claim) -> str:
    return execution_name_of(claim.execution)


def _decide(lock: Lock, claim: Claim) -> tuple[Lock, ClaimAnswer]:
    if not claim.gives_way:
        _refuse_to_wait(lock)
    newest = lock.newest
    if newest is not None and claim.gives_way and _is_older(claim, newest):
        return lock, _superseded(f"Release {newest.release} is for a newer push.")
    if claim.moved_to is not None:
        return lock, _superseded(f"The pushed tag now names the image {claim.moved_to}.")
    wished = _wished(lock, claim)
    reason = _why_duplicate(lock, claim)
    if reason is not None:
        return _without_older(
            wished, claim, ClaimAnswer(status=ClaimStatus.DUPLICATE, reason=reason)
        )
    if lock.holder is not None:
        queued, answer = _without_older(wished, claim, _queued(lock.holder))
        return replace(queued, waiting=_waiting(claim)), answer
    holder = LockHolder(
        execution=claim.execution,
        release=claim.release,
        digest=claim.digest,
        at=claim.at,
        fence=lock.fence + 1,
        after=claim.after or lock.abandoned,
        creating=False,
        gives_way=claim.gives_way,
        fingerprint=claim.fingerprint,
    )
    given = replace(wished, holder=holder, fence=holder.fence)
    if claim.gives_way and claim.digest is not None:
        given = replace(given, begun=claim.release)
    return _without_older(given, claim, _proceed(holder))


def _released_since(lock: Lock, claim: Claim) -> str | None:
    """The release that was the answer to this push, however it ended.

    The event of a push may come after Reconcile has released it, and a push of two tags has two
    events. While a release waits in the queue, the queue itself decides.
    """
    newest = lock.newest
    if newest is None or not claim.pushed or lock.waiting is not None:
        return None
    if newest.release != lock.begun:
        return None  # it was only queued, or brought a version back with the spec of that
    is_known = newest.digest == claim.digest and start_of(newest.release) > claim.at
    return newest.release if is_known else None


def _is_older(claim: Claim, newest: Mark) -> bool:
    return claim.at < newest.at and claim.digest != newest.digest


def _refuse_to_wait(lock: Lock) -> None:
    ahead = lock.holder or lock.waiting
    if ahead is not None:
        raise RefusedError(
            f"Release {ahead.release} is in progress or about to start. Wait until it has ended, "
            "then start this execution again if it is still needed."
        )


def _why_duplicate(lock: Lock, claim: Claim) -> str | None:
    """Why the claim asks for what will be, or is, so anyway; a person's claim never does."""
    if not claim.pushed:
        return None
    # Whatever waits is what the app ends on, whatever is released or serves now.
    if lock.waiting is not None and lock.holder is not None:
        if _is_same(lock.waiting.fingerprint, claim):
            return f"Release {lock.waiting.release} of {_THE_SAME} is waiting already."
        return None
    if lock.holder is not None:
        if _is_same(lock.holder.fingerprint, claim):
            return f"Release {lock.holder.release} of {_THE_SAME} is in progress."
        return None
    if _is_same(claim.serving, claim):
        return f"A release of {_THE_SAME} is live already."
    return None


def _is_same(fingerprint: str | None, claim: Claim) -> bool:
    """Whether the claim would deploy the same. An unknown fingerprint equals no other."""
    return fingerprint is not None and fingerprint == claim.fingerprint


def _wished(lock: Lock, claim: Claim) -> Lock:
    if claim.digest is None or (lock.newest is not None and claim.at < lock.newest.at):
        return lock
    newest = Mark(at=claim.at, digest=claim.digest, release=claim.release)
    return replace(lock, newest=newest)


def _without_older(lock: Lock, claim: Claim, answer: ClaimAnswer) -> tuple[Lock, ClaimAnswer]:
    """The claim stands in the place of what waits, unless that would deploy the same.

    With nobody holding the turn a duplicate cannot rely on what waits either: whether
    somebody still starts that is not known.
    """
    waiting = lock.waiting
    if waiting is None:
        return lock, answer
    if answer.status is ClaimStatus.DUPLICATE and _is_same(waiting.fingerprint, claim):
        later = max(waiting.at, claim.at)
        return replace(lock, waiting=replace(waiting, at=later)), answer
    return replace(lock, waiting=None), replace(answer, displaced=waiting)


def _waiting(claim: Claim) -> Waiting:
    return Waiting(
        name=claim.next_name,
        release=claim.release,
        digest=claim.digest,
        at=claim.at,
        request=claim.request,
        fingerprint=claim.fingerprint,
    )


def _proceed(holder: LockHolder) -> ClaimAnswer:
    status = ClaimStatus.PROCEED if holder.after is None else ClaimStatus.TAKEN_OVER
    return ClaimAnswer(status=status, holder=holder)


def _queued(holder: LockHolder | None) -> ClaimAnswer:
    ahead = f"Release {holder.release} is" if holder else "Another release was"
    return ClaimAnswer(
        status=ClaimStatus.QUEUED, reason=f"{ahead} in progress; this release starts after it."
    )


def _superseded(reason: str) -> ClaimAnswer:
    return ClaimAnswer(status=ClaimStatus.SUPERSEDED, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLock:
    """By what a step proves that its release holds the turn."""

    execution: str
    fence: int

    def is_of(self, holder: LockHolder | None) -> bool:
        return (
            holder is not None and holder.execution == self.execution and holder.fence == self.fence
        )


def require(lock: Lock, fence: int) -> None:
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


def objection(lock: Lock, holding: HeldLock) -> ClaimAnswer | None:
    """Why the release must not act any further; None while it may.

    It may not once it has lost its turn, nor if a newer push waits and the deployment is
    not being created yet. After that it finishes first: Lightsail has no cancel.

    Raises:
        MissingError: see `require`.
    """
    require(lock, holding.fence)
    holder = lock.holder
    if holder is None or not holding.is_of(holder):
        return ClaimAnswer(
            status=ClaimStatus.LOST, reason="The release no longer holds the deployment lock."
        )
    if lock.waiting is not None and holder.gives_way and not holder.creating:
        return _superseded(f"Release {lock.waiting.release} is for a newer push.")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationStart:
    """Whether the create call may be made; `again` says that it may have been made before."""

    objection: ClaimAnswer | None
    again: bool = False


def begin_creating(lock: Lock, holding: HeldLock) -> tuple[Lock, CreationStart]:
    """Set before the create call: from here on the release gives way to nobody."""
    why_not = objection(lock, holding)
    if why_not is not None or lock.holder is None:
        return lock, CreationStart(objection=why_not)
    creating = replace(lock, holder=replace(lock.holder, creating=True))
    return creating, CreationStart(objection=None, again=lock.holder.creating)


def end_creating(lock: Lock, holding: HeldLock) -> Lock:
    """Lightsail has taken no deployment, for certain: the release may give way again."""
    require(lock, holding.fence)
    if lock.holder is None or not holding.is_of(lock.holder):
        return lock
    return replace(lock, holder=replace(lock.holder, creating=False))


def release_lock(lock: Lock, execution: str, fence: int = 0) -> Lock:
    """The execution is done with the app. Changes nothing for one that had no part in it.

    `fence` is that of the execution's own lock, 0 if it never had it.

    Raises:
        MissingError: see `require`.
    """
    require(lock, fence)
    lock = _not_waiting_for(lock, execution)
    holder = lock.holder
    if holder is None or holder.execution != execution:
        return lock
    # One that has not come to its own deployment has not outwaited what was before it either.
    return replace(lock, holder=None, abandoned=None if holder.creating else holder.after)


def abandon_lock(lock: Lock, execution: str, fence: int = 0) -> Lock:
    """The execution has ended without handing over; what it started may still be going on.

    `fence` is that of the execution's own lock, 0 if it never had it.

    Raises:
        MissingError: see `require`.
    """
    require(lock, fence)
    lock = _not_waiting_for(lock, execution)
    holder = lock.holder
    if holder is None or holder.execution != execution:
        return lock
    before = None if holder.creating else holder.after
    return replace(lock, holder=None, abandoned=before or holder.release)


def _not_waiting_for(lock: Lock, execution: str) -> Lock:
    """An execution that ends before its turn must not be waited for: it never starts again."""
    waiting = lock.waiting
    if waiting is None or waiting.name != execution_name_of(execution):
        return lock
    return replace(lock, waiting=None)


def next_to_start(lock: Lock) -> Waiting | None:
    """What is to be started now: what waits while nobody holds the turn."""
    return lock.waiting if lock.holder is None else None
