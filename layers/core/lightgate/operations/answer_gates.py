"""The permits of a release: how its gates are answered while its deployment is followed.

`lightgate.migrations.permit_policy` decides; here it is asked with what is observed, and what it
says is carried out. Every part can be repeated: a permit changes by conditional write only, a
snapshot is known by its name, and a void permit stays void.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lightgate.backup.backup import Backup, BackupOrder, begins_before_the_deployment
from lightgate.backup.progress import (
    SnapshotProgress,
    begin_restore_point,
    look_up_snapshot,
    seen_at,
    shortest_hold,
)
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Status
from lightgate.errors import RefusedError, UnreachableError
from lightgate.gate.report import read_evidence
from lightgate.migrations.permit import Permit, PermitState, VoidCause
from lightgate.migrations.permit_policy import Decision, Observation, PermitAction, decide
from lightgate.migrations.plan import Plan, read_plan
from lightgate.names import snapshot_id_after
from lightgate.operations.gate_channel import (
    _address,
    _hold,
)
from lightgate.outage import Checks
from lightgate.release.release import Release
from lightgate.runtime import Runtime
from lightgate.spec.database_kinds import BackupMode
from lightgate.state import DeploymentProgress


def backs_up_first(order: BackupOrder, release: Release, history: Timings, poll: timedelta) -> bool:
    """Whether the restore point is begun before the deployment is created."""
    return begins_before_the_deployment(order.mode, history, shortest_hold(release, poll))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSituation:
    """What is known of a deployment when its gates are to be answered.

    `objection` and `not_yet` are as in an observation, `poll` is the usual time between two looks.
    `outage` is the time since the creation that no time limit counts, `delay` how much of it came
    with this look.
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


def answer_gates(
    situation: GateSituation,
    snapshot: SnapshotProgress | None,
    before: DeploymentProgress,
    runtime: Runtime,
) -> tuple[DeploymentProgress, bool]:
    """Decide about each gate that asks, carry it out, and say what is known of them then.

    `snapshot` is the restore point as it was handed on so far, `before` the deployment as of the
    last look. The second value says whether a gate waits for its permit.
    """
    release, now = situation.release, runtime.now()
    if snapshot is not None:
        snapshot = replace(snapshot, checks=snapshot.checks.delayed(situation.delay))
    pending, permitted = before.pending, before.permitted
    refusal, refusal_cause = before.refusal, before.refusal_cause
    ready_at = before.ready_at
    holding, unknown = False, []
    standing: dict[str, Permit] = {}
    for gate in release.asking_gates:
        try:
            standing[gate] = runtime.gate_channels.permit(_address(release, gate))
        except UnreachableError as error:
            unknown.append(_UNKNOWN.format(gate, error))
    untouched = not permitted and len(standing) == len(release.asking_gates)
    untouched &= all(permit.state is PermitState.PENDING for permit in standing.values())
    snapshot = _look(situation, snapshot, runtime, untouched=untouched)
    for gate, permit in standing.items():
        plan = read_plan(release.id, gate, situation.lines[gate])
        pending = pending or (plan is not None and not plan.is_empty)
        ready_at = ready_at or (now if plan is not None else None)
        seen = _observe(
            situation,
            gate,
            plan,
            permit,
            snapshot,
            untouched=untouched and not permitted,
            now=runtime.now(),
        )
        decision = decide(seen)
        if decision.action is PermitAction.PERMIT:
            snapshot = _look_once_more(situation, snapshot, runtime)
            seen = replace(seen, backup=_backup(situation.order, snapshot), now=runtime.now())
            decision = decide(seen)
        runtime.logger.info("a gate is answered", gate=gate, action=decision.action.value,
                            why=decision.reason)  # fmt: skip
        try:
            snapshot = _carry_out(situation, seen, gate, decision, snapshot, runtime)
        except UnreachableError as error:
            unknown.append(_UNKNOWN.format(gate, error))
            continue
        if refusal is None:
            refusal, refusal_cause = _refusal(seen, decision)
        permitted = permitted or permit.state is PermitState.GRANTED
        permitted = permitted or decision.action is PermitAction.PERMIT
        waits = plan is not None and permit.state is PermitState.PENDING
        holding = holding or (waits and decision.action in _GOES_ON)
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
    return answered, holding


_UNKNOWN = "The permit of {} could not be read or written: {}."
_GOES_ON = (PermitAction.WAIT, PermitAction.BACK_UP)


def _refusal(seen: Observation, decision: Decision) -> tuple[str, VoidCause] | tuple[None, None]:
    """Why the gate is refused, also if it was before and the answer that said so is lost."""
    if decision.action is PermitAction.REFUSE and decision.void is not None:
        return decision.reason, decision.void
    cause = seen.permit.cause
    if cause is not None and cause.is_refusal:
        return seen.permit.reason or "", cause
    return None, None


def _look(
    situation: GateSituation,
    snapshot: SnapshotProgress | None,
    runtime: Runtime,
    *,
    untouched: bool,
) -> SnapshotProgress | None:
    """The restore point as it stands now. Changes nothing.

    What is there is looked at again before it is relied upon, and only then.
    """
    order = situation.order
    if order is None or snapshot is None:
        return snapshot
    if order.mode is BackupMode.POINT_IN_TIME:
        # The service may have kept the release waiting for long since. Once anything may have
        # begun, the moment to restore to must not move any more.
        if untouched and situation.status is Status.ACTIVATING:
            return _back_up(situation.release, order, snapshot, runtime)
        return snapshot
    if snapshot.status is not SnapshotStatus.CREATING:
        return snapshot
    return _looked(order, snapshot, runtime)


def _look_once_more(
    situation: GateSituation, snapshot: SnapshotProgress | None, runtime: Runtime
) -> SnapshotProgress | None:
    """What was there may have been deleted since; nobody could go back to it then."""
    order = situation.order
    if order is None or snapshot is None or not order.mode.takes_a_snapshot:
        return snapshot
    seen = _looked(order, snapshot, runtime)
    return snapshot if seen.status is SnapshotStatus.AVAILABLE else seen


def _looked(order: BackupOrder, snapshot: SnapshotProgress, runtime: Runtime) -> SnapshotProgress:
    order = replace(order, snapshot=snapshot.id or order.snapshot)
    begun_at, now = snapshot.begun_at, runtime.now()
    state = look_up_snapshot(runtime.restore_points(order.kind), order, begun_at, now)
    seen = seen_at(now, state, order, asked_at=snapshot.asked_at, begun_at=begun_at)
    return seen.checked(snapshot.checks)


def _observe(
    situation: GateSituation,
    gate: str,
    plan: Plan | None,
    permit: Permit,
    snapshot: SnapshotProgress | None,
    *,
    untouched: bool,
    now: datetime,
) -> Observation:
    release = situation.release
    return Observation(
        now=now,
        objection=situation.objection,
        not_yet=situation.not_yet,
        created_at=situation.created_at,
        status=situation.status,
        phase=read_evidence(release.id, {gate: situation.lines[gate]}).phase,
        plan=plan,
        permit=permit,
        policy=release.policy,
        allow_destructive=release.allow_destructive,
        backup=_backup(situation.order, snapshot),
        history=situation.history,
        hold=_hold(release, gate, situation.poll),
        is_untouched=untouched,
        outage=situation.outage,
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
    situation: GateSituation,
    seen: Observation,
    gate: str,
    decision: Decision,
    snapshot: SnapshotProgress | None,
    runtime: Runtime,
) -> SnapshotProgress | None:
    """The restore point, as it is after the decision was carried out."""
    address = _address(situation.release, gate)
    if decision.void is not None:
        runtime.gate_channels.void(address, decision.void, decision.reason)
    elif decision.action is PermitAction.PERMIT and decision.plan and decision.until:
        runtime.gate_channels.grant(address, seen.permit, decision.plan, decision.until)
    elif decision.action is PermitAction.BACK_UP and situation.order is not None:
        return _back_up(situation.release, situation.order, snapshot, runtime)
    return snapshot


def _back_up(
    release: Release, order: BackupOrder, before: SnapshotProgress | None, runtime: Runtime
) -> SnapshotProgress:
    """Begin the restore point, or try to again: only now its own time begins.

    One that is there already is replaced, and stays: the name follows from its own.
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
