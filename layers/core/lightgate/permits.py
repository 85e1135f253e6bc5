"""The permits of a release: how its gates are answered while its deployment is followed.

The decision itself is `lightgate.decision`; here it is asked with what is observed, and what it
says is carried out. Every part can be repeated: a permit changes by conditional write only, a
snapshot is known by its name, and a void permit stays void.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from lightgate.app_spec.spec import AppSpec
from lightgate.aws.mailbox import Address
from lightgate.backup import (
    Backup,
    BackupMode,
    BackupOrder,
    History,
    begins_before_the_deployment,
)
from lightgate.decision import Action, Decision, Observation, decide
from lightgate.deployment import Status
from lightgate.errors import RefusedError, UnreachableError
from lightgate.gate_log import read_evidence
from lightgate.hold import GRACE_SECONDS, Hold
from lightgate.outage import Checks
from lightgate.permit import Permit, PermitState, VoidCause
from lightgate.plan import Plan, read_plan
from lightgate.release import Release, snapshot_id_after
from lightgate.restore_point import begin, from_json, look, shortest_hold, to_json, with_checks
from lightgate.runtime import Json, Runtime
from lightgate.snapshot import SnapshotState, SnapshotStatus

# The URLs of one gate are some 1,800 bytes; how long AWS's session tokens get is not published.
LONGEST_MAILBOX = 3000
# A ready node holds until its permit is there, so it is looked after more often; never so often
# that the looks of a long patience would not fit into one execution.
_HOLDING_POLL = timedelta(seconds=3)
_MOST_HOLDING_POLLS = 300
# What Deploy hands on, before any gate has asked.
NOTHING_ASKED: Mapping[str, object] = MappingProxyType(
    {
        "pending": False,
        "permitted": False,
        "permittedAt": None,
        "readyAt": None,
        "unknown": [],
        "refusal": None,
        "refusalCause": None,
    }
)


def asking_gates(spec: AppSpec) -> dict[str, timedelta]:
    """The gates that need a permit, each with the longest that its migration may take."""
    return {
        gate: timedelta(seconds=(spec.time_limit(gate) or 0) + GRACE_SECONDS)
        for gate in spec.asking_gates()
    }


def backs_up_first(order: BackupOrder, release: Release, history: History, look: timedelta) -> bool:
    """Whether the restore point is begun before the deployment is created."""
    return begins_before_the_deployment(order.mode, history, shortest_hold(release, look))


def open_mailboxes(release: Release, runtime: Runtime) -> Mapping[str, str]:
    """What each gate needs to reach its mailbox: a secret, made anew for each attempt.

    Raises:
        RefusedError: a permit is void already, so nothing could be permitted any more.
    """
    if not release.asking_gates:
        return {}
    for gate in release.asking_gates:
        permit = runtime.mailboxes.open(_address(release, gate))
        if permit.state is PermitState.VOID:
            raise RefusedError(f"the permit of {gate} is void: {permit.reason}")
    return runtime.mailboxes.urls(release.app, release.id, release.asking_gates)


def letters(release: Release, gate: str, runtime: Runtime) -> Sequence[str]:
    """What the gate has sent to its mailbox; nothing if it has none."""
    if gate not in release.asking_gates:
        return []
    return runtime.mailboxes.letters(_address(release, gate))


def void(release: Release, runtime: Runtime) -> None:
    """Nothing of the release, which has ended, may begin any more.

    Raises:
        UnreachableError: a permit may still stand; all others are void.
    """
    failed = None
    for gate in release.asking_gates:
        try:
            runtime.mailboxes.void(
                _address(release, gate), VoidCause.ENDED, "the release has ended"
            )
        except UnreachableError as error:
            failed = error
    if failed is not None:
        raise failed


def end_of_permits(release: Release, created_at: datetime) -> datetime:
    """From when on no permit of the deployment is of any use, whatever stands in a mailbox."""
    holds = [_hold(release, gate, timedelta()).longest for gate in release.asking_gates]
    return created_at + max(holds, default=timedelta())


def _hold(release: Release, gate: str, look: timedelta) -> Hold:
    limit = release.asking_gates[gate]
    return Hold(patience=release.platform_patience, limit=limit, look=look)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is known of a deployment when its gates are to be answered.

    `objection` and `not_yet` are as in an observation, `look` is the usual time between two looks.
    `outage` is the time since the creation that no time limit counts, `delay` how much of it came
    with this look.
    """

    release: Release
    created_at: datetime
    status: Status
    lines: Mapping[str, Sequence[str]]
    order: BackupOrder | None
    history: History
    look: timedelta
    objection: str | None
    not_yet: str | None
    outage: timedelta
    delay: timedelta


def answer(course: Course, snapshot: Json | None, before: Json, runtime: Runtime) -> Json:
    """Decide about each gate that asks, carry it out, and say what CheckDeployment hands on.

    `snapshot` is the restore point as it was handed on so far, `before` what this has answered
    at the last look. In what comes back `pending` says that something is or was to be applied,
    `permitted` that a gate was let begin and `permittedAt` when the first one was, `readyAt` when
    a plan was known first, `unknown` which permits could not be read or written now, `refusal` why
    the release has to end as refused and `refusalCause` its code. `holding` says that a gate waits.
    """
    release, now = course.release, runtime.now()
    if snapshot is not None:
        snapshot = {**snapshot, **Checks.from_json(snapshot).delayed(course.delay).to_json()}
    pending, permitted = before["pending"], before["permitted"]
    refusal, refusal_cause = before["refusal"], before.get("refusalCause")
    ready_at, permitted_at = before["readyAt"], before["permittedAt"]
    holding, unknown = False, []
    standing: dict[str, Permit] = {}
    for gate in release.asking_gates:
        try:
            standing[gate] = runtime.mailboxes.permit(_address(release, gate))
        except UnreachableError as error:
            unknown.append(_UNKNOWN.format(gate, error))
    untouched = not permitted and len(standing) == len(release.asking_gates)
    untouched &= all(permit.state is PermitState.PENDING for permit in standing.values())
    snapshot = _look(course, snapshot, runtime, untouched=untouched)
    for gate, permit in standing.items():
        plan = read_plan(release.id, gate, course.lines[gate])
        pending = pending or (plan is not None and not plan.is_empty)
        ready_at = ready_at or (now.isoformat() if plan is not None else None)
        seen = _observe(
            course,
            gate,
            plan,
            permit,
            snapshot,
            untouched=untouched and not permitted,
            now=runtime.now(),
        )
        decision = decide(seen)
        if decision.action is Action.PERMIT:
            snapshot = _look_once_more(course, snapshot, runtime)
            seen = replace(seen, backup=_backup(course.order, snapshot), now=runtime.now())
            decision = decide(seen)
        runtime.logger.info("a gate is answered", gate=gate, action=decision.action.value,
                            why=decision.reason)  # fmt: skip
        try:
            snapshot = _carry_out(course, seen, gate, decision, snapshot, runtime)
        except UnreachableError as error:
            unknown.append(_UNKNOWN.format(gate, error))
            continue
        if refusal is None:
            refusal, refusal_cause = _refusal(seen, decision)
        permitted = permitted or permit.state is PermitState.GRANTED
        permitted = permitted or decision.action is Action.PERMIT
        waits = plan is not None and permit.state is PermitState.PENDING
        holding = holding or (waits and decision.action in _GOES_ON)
    return {
        "pending": pending,
        "permitted": permitted,
        "permittedAt": permitted_at or (now.isoformat() if permitted else None),
        "readyAt": ready_at,
        "unknown": unknown,
        "refusal": refusal,
        "refusalCause": refusal_cause,
        "snapshot": snapshot,
        "holding": holding,
    }


_UNKNOWN = "The permit of {} could not be read or written: {}."
_GOES_ON = (Action.WAIT, Action.BACK_UP)


def _refusal(seen: Observation, decision: Decision) -> tuple[str, VoidCause] | tuple[None, None]:
    """Why the gate is refused, also if it was before and the answer that said so is lost."""
    if decision.action is Action.REFUSE and decision.void is not None:
        return decision.reason, decision.void
    cause = seen.permit.cause
    if cause is not None and cause.is_refusal:
        return seen.permit.reason or "", cause
    return None, None


def pause(release: Release, usual: timedelta, *, holding: bool) -> timedelta:
    """How long to wait until the next look."""
    if not holding:
        return usual
    spread = release.platform_patience / _MOST_HOLDING_POLLS
    return min(usual, max(_HOLDING_POLL, spread))


def _look(
    course: Course, snapshot: Json | None, runtime: Runtime, *, untouched: bool
) -> Json | None:
    """The restore point as it stands now. Changes nothing.

    What is there is looked at again before it is relied upon, and only then.
    """
    order = course.order
    if order is None or snapshot is None:
        return snapshot
    if order.mode is BackupMode.POINT_IN_TIME:
        # The service may have kept the release waiting for long since. Once anything may have
        # begun, the moment to restore to must not move any more.
        if untouched and course.status is Status.ACTIVATING:
            return _back_up(course.release, order, snapshot, runtime)
        return snapshot
    if snapshot["status"] != SnapshotStatus.CREATING:
        return snapshot
    return _looked(order, snapshot, runtime)


def _look_once_more(course: Course, snapshot: Json | None, runtime: Runtime) -> Json | None:
    """What was there may have been deleted since; nobody could go back to it then."""
    order = course.order
    if order is None or snapshot is None or not order.mode.takes_a_snapshot:
        return snapshot
    seen = _looked(order, snapshot, runtime)
    return snapshot if seen["status"] == SnapshotStatus.AVAILABLE else seen


def _looked(order: BackupOrder, snapshot: Json, runtime: Runtime) -> Json:
    order = replace(order, snapshot=snapshot["id"])
    asked_at, begun_at, now = *_moments(snapshot), runtime.now()
    state = look(runtime.restore_points(order.kind), order, begun_at, now)
    seen = to_json(state, order, asked_at=asked_at, begun_at=begun_at, now=now)
    return with_checks(seen, Checks.from_json(snapshot))


def _observe(
    course: Course,
    gate: str,
    plan: Plan | None,
    permit: Permit,
    snapshot: Json | None,
    *,
    untouched: bool,
    now: datetime,
) -> Observation:
    release = course.release
    return Observation(
        now=now,
        objection=course.objection,
        not_yet=course.not_yet,
        created_at=course.created_at,
        status=course.status,
        phase=read_evidence(release.id, {gate: course.lines[gate]}).phase,
        plan=plan,
        permit=permit,
        policy=release.policy,
        allow_destructive=release.allow_destructive,
        backup=_backup(course.order, snapshot),
        history=course.history,
        hold=_hold(release, gate, course.look),
        is_untouched=untouched,
        outage=course.outage,
    )


def _backup(order: BackupOrder | None, snapshot: Json | None) -> Backup:
    asked_at, begun_at = _moments(snapshot) if snapshot else (None, None)
    available_at = snapshot["availableAt"] if snapshot else None
    return Backup(
        mode=order.mode if order else BackupMode.NONE,
        state=from_json(snapshot) if snapshot else None,
        asked_at=asked_at,
        begun_at=begun_at,
        available_at=datetime.fromisoformat(available_at) if available_at else None,
        time_limit=order.time_limit if order else timedelta(),
        outage=Checks.from_json(snapshot or {}).outage,
    )


def _carry_out(
    course: Course,
    seen: Observation,
    gate: str,
    decision: Decision,
    snapshot: Json | None,
    runtime: Runtime,
) -> Json | None:
    """The restore point, as it is after the decision was carried out."""
    address = _address(course.release, gate)
    if decision.void is not None:
        runtime.mailboxes.void(address, decision.void, decision.reason)
    elif decision.action is Action.PERMIT and decision.plan and decision.until:
        runtime.mailboxes.grant(address, seen.permit, decision.plan, decision.until)
    elif decision.action is Action.BACK_UP and course.order is not None:
        return _back_up(course.release, course.order, snapshot, runtime)
    return snapshot


def _back_up(release: Release, order: BackupOrder, before: Json | None, runtime: Runtime) -> Json:
    """Begin the restore point, or try to again: only now its own time begins.

    One that is there already is replaced, and stays: the name follows from its own.
    """
    now = runtime.now()
    asked_at, checks = now, Checks()
    if before is not None and order.mode.takes_a_snapshot:
        is_there = before["status"] == SnapshotStatus.AVAILABLE
        order = replace(
            order, snapshot=snapshot_id_after(before["id"]) if is_there else before["id"]
        )
        if not is_there:
            asked_at, checks = _moments(before)[0], Checks.from_json(before)
    try:
        state = begin(runtime.restore_points(order.kind), order, release)
    except RefusedError as error:
        detail = f"refused: {str(error).rstrip('.')}"
        state = SnapshotState(status=SnapshotStatus.FAILED, detail=detail)
    seen = to_json(state, order, asked_at=asked_at, begun_at=now, now=now)
    return with_checks(seen, checks)


def _moments(snapshot: Json) -> tuple[datetime, datetime]:
    """When it was first asked for, and since when it is being made."""
    asked_at, begun_at = snapshot["askedAt"], snapshot["begunAt"]
    return datetime.fromisoformat(asked_at), datetime.fromisoformat(begun_at)


def _address(release: Release, gate: str) -> Address:
    return Address(app=release.app, release=release.id, container=gate)
