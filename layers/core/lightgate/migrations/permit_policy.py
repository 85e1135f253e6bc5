"""Decide whether a gate may apply its plan. No other module decides this.

A pure function of its input. The caller first voids the permit for REFUSE and GIVE_UP, and writes
it by conditional write for PERMIT. A decision after that has no second effect.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.backup import Backup
from lightgate.backup.deploy_timing import (
    LONGEST_MISSING,
    OLDEST_RESTORE_POINT,
    detail_of,
    why_never,
    why_no_point_in_time,
)
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Status
from lightgate.gate.gate_report import Phase
from lightgate.migrations.permit import Permit, PermitState, VoidCause
from lightgate.migrations.plan import Plan
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.migration_policy import Policy
from lightgate.spec.time_limits import NOTICE, SIGNED_BEFORE, SIGNED_FOR, WaitLimit


class PermitAction(enum.StrEnum):
    """The next action for a gate.

    WAIT for the next check. BACK_UP: start the restore point, then wait. PERMIT the plan, to be
    begun before a given time. REFUSE: nothing was applied, and a person must change something
    first. GIVE_UP: no permit any more, because of the platform or the time. NOTHING: no permit is
    needed.
    """

    WAIT = "WAIT"
    BACK_UP = "BACK_UP"
    PERMIT = "PERMIT"
    REFUSE = "REFUSE"
    GIVE_UP = "GIVE_UP"
    NOTHING = "NOTHING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`reason` is a sentence for people; `plan` and `until` are those of a PERMIT.

    `void` says why the permit is withdrawn, if it is.
    """

    action: PermitAction
    reason: str
    void: VoidCause | None = None
    plan: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitInput:
    """The input for the decision about one gate.

    `objection` says why the release must not act any more, for example because it lost the lock.
    `not_yet` says what has to happen first. `is_untouched`: no gate of the release can have begun
    yet; only then a restore point may be replaced. `outage` is the time without answers from AWS.
    `another_plan` says why the plan is not the one for which the deployment was made, if it is not.
    """

    now: datetime
    objection: str | None
    not_yet: str | None
    created_at: datetime
    status: Status
    phase: Phase
    plan: Plan | None
    permit: Permit
    policy: Policy
    allow_destructive: bool
    backup: Backup
    history: Timings
    wait_limit: WaitLimit
    is_untouched: bool
    outage: timedelta = timedelta()
    another_plan: str | None = None

    @property
    def begin_by(self) -> datetime:
        """A migration that begins later could be cut off, or its permit could not be read."""
        return self.created_at + self.wait_limit.longest


def decide(seen: PermitInput) -> Decision:
    """What to do about the gate's plan."""
    for rule in _RULES:
        decision = rule(seen)
        if decision is not None:
            return decision
    if seen.plan is None:
        return _decision(PermitAction.WAIT, "The gate has not reported its plan yet.")
    return Decision(
        action=PermitAction.PERMIT,
        reason=f"The plan {seen.plan.hash} may be applied.",
        plan=seen.plan.hash,
        until=seen.begin_by,
    )


def _decision(action: PermitAction, reason: str) -> Decision:
    return Decision(action=action, reason=reason)


def _withdraw(cause: VoidCause, reason: str) -> Decision:
    action = PermitAction.REFUSE if cause.is_refusal else PermitAction.GIVE_UP
    return Decision(action=action, reason=reason, void=cause)


def _has_ended(seen: PermitInput) -> Decision | None:
    """The release, its deployment or its gate has ended."""
    if seen.objection is not None:
        return _withdraw(
            VoidCause.STOPPED, f"This release must not continue: {seen.objection.rstrip('.')}."
        )
    if seen.phase is Phase.SUCCEEDED:
        return _decision(PermitAction.NOTHING, "The gate has opened.")
    if seen.status is Status.ACTIVE:
        return _decision(PermitAction.NOTHING, "The deployment is active.")
    if seen.status is not Status.ACTIVATING:
        return _withdraw(VoidCause.ENDED, f"The deployment has ended as {seen.status.value}.")
    if seen.phase is Phase.FAILED:
        return _withdraw(VoidCause.ENDED, "The gate has failed.")
    if seen.permit.state is PermitState.VOID:
        return Decision(
            action=PermitAction.GIVE_UP,
            reason=f"The permit is void: {(seen.permit.reason or '').rstrip('.')}.",
            # It stays as it is; where it is missing, one is put there.
            void=seen.permit.cause or VoidCause.LOST,
        )
    return None


def _needs_nothing(seen: PermitInput) -> Decision | None:
    if seen.plan is not None and seen.plan.is_empty:
        return _decision(PermitAction.NOTHING, "Nothing is pending.")
    return None


def _is_permitted(seen: PermitInput) -> Decision | None:
    """A granted permit is not granted again, because its `until` must not move."""
    if seen.plan is None or seen.permit.state is not PermitState.GRANTED:
        return None
    if seen.permit.plan == seen.plan.hash:
        return _decision(PermitAction.WAIT, "The plan is permitted.")
    if seen.plan.once:
        return _decision(
            PermitAction.WAIT, "Another node has the permit, and the command runs only once."
        )
    if seen.phase is Phase.APPLYING:
        return _decision(PermitAction.WAIT, "A plan is being applied.")
    return None


def _breaks_policy(seen: PermitInput) -> Decision | None:
    plan = seen.plan
    if plan is None or seen.policy is not Policy.BLOCK or seen.allow_destructive:
        return None
    if not plan.effect.may_break_live_version:
        return None
    told = [*plan.breaking, *([f"and {plan.untold} more"] if plan.untold else [])]
    what = "; ".join(told) or f"the plan has the class {plan.effect.value}"
    return _withdraw(
        VoidCause.POLICY,
        f'The policy "block" forbids changes that may break the live version: {what}.',
    )


def _is_another_plan(seen: PermitInput) -> Decision | None:
    if seen.plan is None or seen.another_plan is None:
        return None
    return _withdraw(VoidCause.POLICY, seen.another_plan)


def _comes_too_late(seen: PermitInput) -> Decision | None:
    if seen.now + NOTICE < seen.begin_by:
        return None
    wait_limit, missing = seen.wait_limit, _what_is_missing(seen)
    if wait_limit.longest < wait_limit.platform_patience - wait_limit.limit:
        minutes = (SIGNED_FOR - SIGNED_BEFORE).total_seconds() / 60
        return _withdraw(
            VoidCause.TOO_LATE,
            f"{missing}The deployment was created {minutes:.0f} minutes ago, and a gate can "
            f"use its S3 channel for no longer than that.{_after_an_outage(seen)}",
        )
    limit = wait_limit.limit.total_seconds()
    patience = wait_limit.platform_patience.total_seconds()
    return _withdraw(
        VoidCause.TOO_LATE,
        f"{missing}A migration may take {limit:.0f} s, but less is left of platformPatienceSeconds "
        f"({patience:.0f} s after the deployment was created). Lightsail could end it halfway."
        f"{_after_an_outage(seen)}",
    )


def _what_is_missing(seen: PermitInput) -> str:
    """Why the gate got no permit so far; empty if nothing was missing."""
    decision = _has_to_wait(seen) or _has_no_restore_point(seen)
    if decision is None:
        return ""
    reason = decision.reason
    # The permit must have room for the advice after this.
    return f"{reason} " if len(reason) <= LONGEST_MISSING else f"{reason[:LONGEST_MISSING]}… "


def _after_an_outage(seen: PermitInput) -> str:
    """The advice after an outage, during which the platform does not wait longer."""
    if not seen.outage:
        return ""
    seconds = seen.outage.total_seconds()
    return f" AWS refused calls for {seconds:.0f} s: start the release again."


def _has_to_wait(seen: PermitInput) -> Decision | None:
    return _decision(PermitAction.WAIT, seen.not_yet) if seen.not_yet is not None else None


def _has_no_restore_point(seen: PermitInput) -> Decision | None:
    """None if there is one, or if the spec wants none."""
    backup, plan = seen.backup, seen.plan
    if backup.mode is BackupMode.NONE or plan is None:
        return None
    if backup.mode is BackupMode.BY_RISK and plan.is_compatible:
        return None
    if backup.mode is BackupMode.POINT_IN_TIME:
        return _has_no_point_in_time(seen)
    if backup.is_there:
        return _back_up(seen, _TOO_OLD) if _is_too_old(seen) else None
    if backup.state is None:
        return _back_up(seen, "Migrations are pending, and there is no restore point yet.")
    if (why := why_never(backup, seen.now)) is not None:
        return _withdraw(VoidCause.NO_RESTORE_POINT, f"The snapshot {why}.")
    if backup.state.status is SnapshotStatus.BUSY:
        return _back_up(seen, f"No snapshot could be started yet: {detail_of(backup.state)}.")
    return _decision(
        PermitAction.WAIT, f"The snapshot is not available yet: {detail_of(backup.state)}."
    )


_OLDEST_MINUTES = OLDEST_RESTORE_POINT.total_seconds() / 60
_TOO_OLD = (
    f"The snapshot is older than {_OLDEST_MINUTES:.0f} minutes: a "
    "restore would lose everything written since."
)


def _is_too_old(seen: PermitInput) -> bool:
    """Whether a newer snapshot has to replace this one.

    Its age counts from its end, else the snapshot of a large database would always be too old.
    """
    since = seen.backup.available_at
    return (
        seen.is_untouched
        and since is not None
        and seen.now - since - seen.backup.outage > OLDEST_RESTORE_POINT
    )


def _back_up(seen: PermitInput, why: str) -> Decision:
    expected = seen.history.snapshot
    if expected is not None and expected > seen.wait_limit.left(seen.now - seen.created_at):
        return _withdraw(
            VoidCause.TOO_LATE,
            f"{why} A new one takes about {expected.total_seconds():.0f} s, "
            "which is too long: the gate waits for at most "
            f"{seen.wait_limit.longest.total_seconds():.0f} s after its deployment was created.",
        )
    return _decision(PermitAction.BACK_UP, why)


def _has_no_point_in_time(seen: PermitInput) -> Decision | None:
    state = seen.backup.state
    if state is None:
        return _decision(PermitAction.BACK_UP, "The latest restorable time is unknown so far.")
    why = why_no_point_in_time(state, seen.now)
    return _withdraw(VoidCause.NO_RESTORE_POINT, why) if why is not None else None


_RULES: tuple[Callable[[PermitInput], Decision | None], ...] = (
    _has_ended,
    _needs_nothing,
    _is_permitted,
    _breaks_policy,
    _is_another_plan,
    _comes_too_late,
    _has_to_wait,
    _has_no_restore_point,
)
