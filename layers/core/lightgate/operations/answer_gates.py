"""Answer the gates of a deployment: grant their permits, refuse them, or let them wait.

`migrations.permit_policy` decides; this module collects its input and carries out the decision.
Idempotent: a permit changes only by conditional write, a snapshot is known by its name, and a void
permit stays void.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lightgate.backup.backup import Backup, BackupOrder, starts_before_the_deployment
from lightgate.backup.progress import (
    SnapshotProgress,
    begin_restore_point,
    look_up_snapshot,
    seen_at,
    shortest_wait_limit,
)
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Status
from lightgate.errors import RefusedError, UnreachableError
from lightgate.gate.report_reader import read_gate_report
from lightgate.migrations.permit import Permit, PermitState, VoidCause
from lightgate.migrations.permit_policy import Decision, PermitAction, PermitInput, decide
from lightgate.migrations.plan import Plan, read_plan
from lightgate.names import snapshot_id_after
from lightgate.operations.gate_channel import (
    gate_address,
    wait_limit_of,
)
from lightgate.outage import Checks
from lightgate.release.release import Release
from lightgate.rollback.reversal_policy import why_another_plan
from lightgate.runtime import Runtime
from lightgate.spec.database_kinds import BackupMode
from lightgate.state import DeploymentProgress


def backs_up_first(order: BackupOrder, release: Release, history: Timings, poll: timedelta) -> bool:
    """Whether the restore point is started before the deployment is created."""
    return starts_before_the_deployment(order.mode, history, shortest_wait_limit(release, poll))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCheckInput:
    """The facts of a deployment for the answers to its gates.

    `objection` and `not_yet` are as in `PermitInput`, `poll` is the usual time between two checks.
    `outage` is the time since the creation that no time limit counts, `delay` its part since the
    last check. `reverses` are the migrations that the plan has to reverse, None for any plan.
    """

    release: Release
    created_at: datetime
    status: Status
    lines: Mapping[str, Sequence[str]]
    order: BackupOrder | None
    history: Timings
    poll: timedelta
    objection: str | None
    not_yet: str | None
    outage: timedelta
    delay: timedelta
    reverses: Sequence[str] | None = None


def answer_gates(
    check_input: GateCheckInput,
    snapshot: SnapshotProgress | None,
    before: DeploymentProgress,
    runtime: Runtime,
) -> tuple[DeploymentProgress, bool]:
    """Decide about each gate that needs a permit, and carry the decisions out.

    `snapshot` is the restore point and `before` the deployment as of the last check. Returns the
    deployment after this one, and whether a gate still waits for its permit. A permit that cannot
    be read or written is noted in `unknown`, and the next check tries again.
    """
    release, now = check_input.release, runtime.now()
    if snapshot is not None:
        snapshot = replace(snapshot, checks=snapshot.checks.delayed(check_input.delay))
    pending, permitted = before.pending, before.permitted
    refusal, refusal_cause = before.refusal, before.refusal_cause
    ready_at = before.ready_at
    is_waiting, unknown = False, []
    standing: dict[str, Permit] = {}
    for gate in release.asking_gates:
        try:
            standing[gate] = runtime.gate_channels.permit(gate_address(release, gate))
        except UnreachableError as error:
            unknown.append(_UNKNOWN.format(gate, error))
    untouched = not permitted and len(standing) == len(release.asking_gates)
    untouched &= all(permit.state is PermitState.PENDING for permit in standing.values())
    snapshot = _look(check_input, snapshot, runtime, untouched=untouched)
    for gate, permit in standing.items():
        plan = read_plan(release.id, gate, check_input.lines[gate])
        pending = pending or (plan is not None and not plan.is_empty)
        ready_at = ready_at or (now if plan is not None else None)
        seen = _observe(
            check_input,
            gate,
            plan,
            permit,
            snapshot,
            untouched=untouched and not permitted,
            now=runtime.now(),
        )
        decision = decide(seen)
        if decision.action is PermitAction.PERMIT:
            snapshot = _check_snapshot_again(check_input, snapshot, runtime)
            seen = replace(seen, backup=_backup(check_input.order, snapshot), now=runtime.now())
            decision = decide(seen)
        runtime.logger.info("a gate is answered", gate=gate, action=decision.action.value,
                            why=decision.reason)  # fmt: skip
        try:
            snapshot = _carry_out(check_input, seen, gate, decision, snapshot, runtime)
        except UnreachableError as error:
            unknown.append(_UNKNOWN.format(gate, error))
            continue
        if refusal is None:
            refusal, refusal_cause = _refusal(seen, decision)
        permitted = permitted or permit.state is PermitState.GRANTED
        permitted = permitted or decision.action is PermitAction.PERMIT
        waits = plan is not None and permit.state is PermitState.PENDING
        is_waiting = is_waiting or (waits and decision.action in _GOES_ON)
    answered = replace(
        before,
        pending=pending,
        permitted=permitted,
        permitted_at=before.permitted_at or (now if permitted else None),
        ready_at=ready_at,
        unknown=tuple(unknown),
        refusal=refusal,
        refusal_cause=refusal_cause,
        snapshot=snapshot,
    )
    return answered, is_waiting


_UNKNOWN = "The permit of {} could not be read or written: {}."
_GOES_ON = (PermitAction.WAIT, PermitAction.BACK_UP)


def _refusal(seen: PermitInput, decision: Decision) -> tuple[str, VoidCause] | tuple[None, None]:
    """Why the gate is refused; read from the permit if the answer with the refusal is lost."""
    if decision.action is PermitAction.REFUSE and decision.void is not None:
        return decision.reason, decision.void
    cause = seen.permit.cause
    if cause is not None and cause.is_refusal:
        return seen.permit.reason or "", cause
    return None, None


def _look(
    check_input: GateCheckInput,
    snapshot: SnapshotProgress | None,
    runtime: Runtime,
    *,
    untouched: bool,
) -> SnapshotProgress | None:
    """The restore point as it is now. Changes nothing.

    A snapshot that was available is read again only before a permit is granted.
    """
    order = check_input.order
    if order is None or snapshot is None:
        return snapshot
    if order.mode is BackupMode.POINT_IN_TIME:
        # The release may have waited long for the service. After a migration may have begun, the
        # moment to restore to must not move.
        if untouched and check_input.status is Status.ACTIVATING:
            return _back_up(check_input.release, order, snapshot, runtime)
        return snapshot
    if snapshot.status is not SnapshotStatus.CREATING:
        return snapshot
    return _read_snapshot(order, snapshot, runtime)


def _check_snapshot_again(
    check_input: GateCheckInput, snapshot: SnapshotProgress | None, runtime: Runtime
) -> SnapshotProgress | None:
    """The snapshot just before a permit is granted: it may have been deleted meanwhile."""
    order = check_input.order
    if order is None or snapshot is None or not order.mode.takes_a_snapshot:
        return snapshot
    seen = _read_snapshot(order, snapshot, runtime)
    return snapshot if seen.status is SnapshotStatus.AVAILABLE else seen


def _read_snapshot(
    order: BackupOrder, snapshot: SnapshotProgress, runtime: Runtime
) -> SnapshotProgress:
    order = replace(order, snapshot=snapshot.id or order.snapshot)
    begun_at, now = snapshot.begun_at, runtime.now()
    state = look_up_snapshot(runtime.restore_points(order.kind), order, begun_at, now)
    seen = seen_at(
        now,
        state,
        order,
        asked_at=snapshot.asked_at,
        begun_at=begun_at,
        missing_at=snapshot.missing_at,
    )
    return seen.checked(snapshot.checks)


def _observe(
    check_input: GateCheckInput,
    gate: str,
    plan: Plan | None,
    permit: Permit,
    snapshot: SnapshotProgress | None,
    *,
    untouched: bool,
    now: datetime,
) -> PermitInput:
    release = check_input.release
    return PermitInput(
        now=now,
        objection=check_input.objection,
        not_yet=check_input.not_yet,
        created_at=check_input.created_at,
        status=check_input.status,
        phase=read_gate_report(release.id, {gate: check_input.lines[gate]}).phase,
        plan=plan,
        permit=permit,
        policy=release.policy,
        allow_destructive=release.allow_destructive,
        backup=_backup(check_input.order, snapshot),
        history=check_input.history,
        wait_limit=wait_limit_of(release, gate, check_input.poll),
        is_untouched=untouched,
        outage=check_input.outage,
        another_plan=why_another_plan(plan, check_input.reverses)
        if plan is not None and check_input.reverses is not None
        else None,
    )


def _backup(order: BackupOrder | None, snapshot: SnapshotProgress | None) -> Backup:
    return Backup(
        mode=order.mode if order else BackupMode.NONE,
        state=snapshot.state if snapshot else None,
        asked_at=snapshot.asked_at if snapshot else None,
        begun_at=snapshot.begun_at if snapshot else None,
        available_at=snapshot.available_at if snapshot else None,
        time_limit=order.time_limit if order else timedelta(),
        outage=snapshot.checks.outage if snapshot else timedelta(),
    )


def _carry_out(
    check_input: GateCheckInput,
    seen: PermitInput,
    gate: str,
    decision: Decision,
    snapshot: SnapshotProgress | None,
    runtime: Runtime,
) -> SnapshotProgress | None:
    """Carry the decision out. Returns the restore point as it is afterwards."""
    address = gate_address(check_input.release, gate)
    if decision.void is not None:
        runtime.gate_channels.void(address, decision.void, decision.reason)
    elif decision.action is PermitAction.PERMIT and decision.plan and decision.until:
        runtime.gate_channels.grant(address, seen.permit, decision.plan, decision.until)
    elif decision.action is PermitAction.BACK_UP and check_input.order is not None:
        return _back_up(check_input.release, check_input.order, snapshot, runtime)
    return snapshot


def _back_up(
    release: Release, order: BackupOrder, before: SnapshotProgress | None, runtime: Runtime
) -> SnapshotProgress:
    """Start the restore point, or try again. Its time limit starts with the first attempt.

    If there is a snapshot already, another one with the next name replaces it; AWS keeps both.
    """
    now = runtime.now()
    asked_at, checks = now, Checks()
    if before is not None and before.id is not None and order.mode.takes_a_snapshot:
        is_there = before.status is SnapshotStatus.AVAILABLE
        order = replace(order, snapshot=snapshot_id_after(before.id) if is_there else before.id)
        if not is_there:
            asked_at, checks = before.asked_at, before.checks
    try:
        state = begin_restore_point(runtime.restore_points(order.kind), order, release)
    except RefusedError as error:
        detail = f"refused: {str(error).rstrip('.')}"
        state = SnapshotState(status=SnapshotStatus.FAILED, detail=detail)
    return seen_at(now, state, order, asked_at=asked_at, begun_at=now).checked(checks)
