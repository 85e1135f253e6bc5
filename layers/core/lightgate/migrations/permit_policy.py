"""Whether a plan may be applied, and when a deployment may be created: the one place that decides.

Pure functions of what was observed. Whoever acts upon a decision voids the permit first when the
decision is REFUSE or GIVE_UP, and writes it by conditional write when it is PERMIT; deciding
again on what is observed afterwards leads to no second effect.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.backup import Backup
from lightgate.backup.deploy_timing import (
    _LONGEST_MISSING,
    _OLDEST,
    _detail,
    why_never,
    why_no_point_in_time,
)
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Status
from lightgate.gate.report import Phase
from lightgate.migrations.permit import Permit, PermitState, VoidCause
from lightgate.migrations.plan import Plan
from lightgate.spec.app_spec import Policy
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.time_limits import NOTICE, SIGNED_BEFORE, SIGNED_FOR, WaitLimit


class PermitAction(enum.StrEnum):
    """What to do about a gate now.

    WAIT and look again. BACK_UP: begin the restore point, then look again. PERMIT the plan
    until a moment. REFUSE: nothing was applied, and this release must not apply anything; a
    person changes something first. GIVE_UP: nothing is permitted any more, for a reason that
    lies with the platform or the time. NOTHING: no permit is needed.
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
class Observation:
    """All that a decision about one gate rests on.

    `objection` says why the release must not act any more, if it must not: its turn is over.
    `not_yet` says what has to come first, if something has. `is_untouched` says that no gate of
    the release can have begun anything: only until then a restore point may be replaced. `outage`
    is the time in which AWS let Lightgate check nothing.
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
    hold: WaitLimit
    is_untouched: bool
    outage: timedelta = timedelta()

    @property
    def begin_by(self) -> datetime:
        """Begun later, a migration could be cut off in the middle, or its permit not be read."""
        return self.created_at + self.hold.longest


def decide(seen: Observation) -> Decision:
    """What to do about the gate's plan."""
    for rule in _RULES:
        decision = rule(seen)
        if decision is not None:
            return decision
    if seen.plan is None:
        return _do(PermitAction.WAIT, "The gate has not reported its plan yet.")
    return Decision(
        action=PermitAction.PERMIT,
        reason=f"The plan {seen.plan.hash} may be applied.",
        plan=seen.plan.hash,
        until=seen.begin_by,
    )


def _do(action: PermitAction, reason: str) -> Decision:
    return Decision(action=action, reason=reason)


def _withdraw(cause: VoidCause, reason: str) -> Decision:
    action = PermitAction.REFUSE if cause.is_refusal else PermitAction.GIVE_UP
    return Decision(action=action, reason=reason, void=cause)


def _is_over(seen: Observation) -> Decision | None:
    """Nobody is to be permitted anything any more."""
    if seen.objection is not None:
        return _withdraw(
            VoidCause.NOT_ITS_TURN, f"This release must not continue: {seen.objection.rstrip('.')}."
        )
    if seen.phase is Phase.SUCCEEDED:
        return _do(PermitAction.NOTHING, "The gate has opened.")
    if seen.status is Status.ACTIVE:
        return _do(PermitAction.NOTHING, "The deployment is active.")
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


def _needs_nothing(seen: Observation) -> Decision | None:
    if seen.plan is not None and seen.plan.is_empty:
        return _do(PermitAction.NOTHING, "Nothing is pending.")
    return None


def _is_under_way(seen: Observation) -> Decision | None:
    """What was permitted once is not permitted again: `until` must not move."""
    if seen.plan is None or seen.permit.state is not PermitState.GRANTED:
        return None
    if seen.permit.plan == seen.plan.hash:
        return _do(PermitAction.WAIT, "The plan is permitted.")
    if seen.plan.once:
        return _do(
            PermitAction.WAIT, "Another node has the permit, and the command runs only once."
        )
    if seen.phase is Phase.APPLYING:
        return _do(PermitAction.WAIT, "A plan is being applied.")
    return None


def _breaks_policy(seen: Observation) -> Decision | None:
    plan = seen.plan
    if plan is None or seen.policy is not Policy.BLOCK or seen.allow_destructive:
        return None
    if not plan.effect.may_break_what_serves:
        return None
    what = "; ".join(plan.breaking) or f"the plan has the class {plan.effect.value}"
    return _withdraw(
        VoidCause.POLICY,
        f'The policy "block" forbids changes that may break the live version: {what}.',
    )


def _comes_too_late(seen: Observation) -> Decision | None:
    if seen.now + NOTICE < seen.begin_by:
        return None
    hold, missing = seen.hold, _what_is_missing(seen)
    if hold.longest < hold.patience - hold.limit:
        minutes = (SIGNED_FOR - SIGNED_BEFORE).total_seconds() / 60
        return _withdraw(
            VoidCause.TOO_LATE,
            f"{missing}The deployment was created {minutes:.0f} minutes ago, and a gate can "
            f"use its S3 channel for no longer than that.{_after_an_outage(seen)}",
        )
    return _withdraw(
        VoidCause.TOO_LATE,
        f"{missing}A migration may take {hold.limit.total_seconds():.0f} s, but less is left of "
        f"platformPatienceSeconds ({hold.patience.total_seconds():.0f} s after the deployment was "
        f"created). Lightsail could end it halfway.{_after_an_outage(seen)}",
    )


def _what_is_missing(seen: Observation) -> str:
    """What the gate has waited for besides its own plan; empty if for nothing."""
    decision = _has_to_wait(seen) or _has_no_restore_point(seen)
    if decision is None:
        return ""
    reason = decision.reason
    # The advice comes after this, and both have to fit into the permit.
    return f"{reason} " if len(reason) <= _LONGEST_MISSING else f"{reason[:_LONGEST_MISSING]}… "


def _after_an_outage(seen: Observation) -> str:
    """What to do if an outage took the time: the platform waits no longer because of it."""
    if not seen.outage:
        return ""
    seconds = seen.outage.total_seconds()
    return f" AWS refused calls for {seconds:.0f} s: start the release again."


def _has_to_wait(seen: Observation) -> Decision | None:
    return _do(PermitAction.WAIT, seen.not_yet) if seen.not_yet is not None else None


def _has_no_restore_point(seen: Observation) -> Decision | None:
    """None if there is one, or if none is asked for."""
    backup, plan = seen.backup, seen.plan
    if backup.mode is BackupMode.NONE or plan is None:
        return None
    if backup.mode is BackupMode.POINT_IN_TIME:
        return _has_no_point_in_time(seen)
    if backup.is_there:
        return _begin(seen, _TOO_OLD) if _is_too_old(seen) else None
    if backup.state is None:
        return _begin(seen, "Migrations are pending, and there is no restore point yet.")
    if (why := why_never(backup, seen.now)) is not None:
        return _withdraw(VoidCause.NO_RESTORE_POINT, f"The snapshot {why}.")
    if backup.state.status is SnapshotStatus.BUSY:
        return _begin(seen, f"No snapshot could be started yet: {_detail(backup.state)}.")
    return _do(PermitAction.WAIT, f"The snapshot is not available yet: {_detail(backup.state)}.")


_TOO_OLD = (
    f"The snapshot is older than {_OLDEST.total_seconds() / 60:.0f} minutes: a "
    "restore would lose everything written since."
)


def _is_too_old(seen: Observation) -> bool:
    """Whether the snapshot is to be replaced.

    How long it took to be made does not count: a large database's would always be too old.
    """
    since = seen.backup.available_at
    return (
        seen.is_untouched and since is not None and seen.now - since - seen.backup.outage > _OLDEST
    )


def _begin(seen: Observation, why: str) -> Decision:
    expected = seen.history.snapshot
    if expected is not None and expected > seen.hold.left(seen.now - seen.created_at):
        return _withdraw(
            VoidCause.TOO_LATE,
            f"{why} A new one takes about {expected.total_seconds():.0f} s, "
            "which is too long: the gate waits for at most "
            f"{seen.hold.longest.total_seconds():.0f} s after its deployment was created.",
        )
    return _do(PermitAction.BACK_UP, why)


def _has_no_point_in_time(seen: Observation) -> Decision | None:
    state = seen.backup.state
    if state is None:
        return _do(PermitAction.BACK_UP, "The latest restorable time is unknown so far.")
    why = why_no_point_in_time(state, seen.now)
    return _withdraw(VoidCause.NO_RESTORE_POINT, why) if why is not None else None


_RULES: tuple[Callable[[Observation], Decision | None], ...] = (
    _is_over,
    _needs_nothing,
    _is_under_way,
    _breaks_policy,
    _comes_too_late,
    _has_to_wait,
    _has_no_restore_point,
)
