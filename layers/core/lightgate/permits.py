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
from lightgate.compiler import GRACE_SECONDS
from lightgate.decision import Action, Decision, Observation, decide
from lightgate.deployment import Status
from lightgate.errors import RefusedError, UnreachableError
from lightgate.gate_log import Phase, read_evidence
from lightgate.permit import PermitState
from lightgate.permit import pending as pending_permit
from lightgate.plan import Plan, read_plan
from lightgate.release import Release
from lightgate.restore_point import begin, from_json, look, to_json
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
    {"pending": False, "permitted": False, "unknown": [], "refusal": None}
)


def asking_gates(spec: AppSpec) -> dict[str, timedelta]:
    """The gates that need a permit, each with the longest that its migration may take."""
    return {
        gate: timedelta(seconds=(spec.time_limit(gate) or 0) + GRACE_SECONDS)
        for gate in spec.asking_gates()
    }


def backs_up_first(order: BackupOrder, release: Release, history: History) -> bool:
    """Whether the restore point is begun before the deployment is created."""
    limit = max(release.asking_gates.values(), default=timedelta())
    return begins_before_the_deployment(order.mode, history, release.platform_patience - limit)


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


def void(release: Release, reason: str, runtime: Runtime) -> None:
    """Nothing of the release may begin any more.

    Raises:
        UnreachableError: a permit may still stand; all others are void.
    """
    failed = None
    for gate in release.asking_gates:
        try:
            runtime.mailboxes.void(_address(release, gate), reason)
        except UnreachableError as error:
            failed = error
    if failed is not None:
        raise failed


def end_of_permits(release: Release, created_at: datetime) -> datetime:
    """From when on no permit of the deployment is of any use, whatever stands in a mailbox."""
    shortest = min(release.asking_gates.values(), default=timedelta())
    return created_at + release.platform_patience - shortest


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is known of a deployment when its gates are to be answered.

    `objection` and `not_yet` are as in an observation.
    """

    release: Release
    created_at: datetime
    status: Status
    lines: Mapping[str, Sequence[str]]
    order: BackupOrder | None
    history: History
    objection: str | None
    not_yet: str | None


def answer(course: Course, snapshot: Json | None, before: Json, runtime: Runtime) -> Json:
    """Decide about each gate that asks, carry it out, and say what CheckDeployment hands on.

    `snapshot` is the restore point as it was handed on so far, `before` what this has answered
    at the last look. In what comes back `pending` says that something is or was to be applied,
    `permitted` that a gate was let begin, `unknown` which permits could not be read or written
    now, `refusal` why the release has to end as refused, and `holding` that a gate waits for us.
    """
    pending, permitted, refusal = before["pending"], before["permitted"], before["refusal"]
    holding, unknown = False, []
    snapshot = _look(course, snapshot, runtime)
    for gate in course.release.asking_gates:
        plan = read_plan(course.release.id, gate, course.lines[gate])
        pending = pending or (plan is not None and not plan.is_empty)
        try:
            seen = _observe(course, gate, plan, snapshot, runtime)
            decision = decide(seen)
            runtime.logger.info("a gate is answered", gate=gate, action=decision.action.value,
                                why=decision.reason)  # fmt: skip
            snapshot = _carry_out(course, seen, gate, decision, snapshot, runtime)
        except UnreachableError as error:
            unknown.append(f"The permit of {gate} could not be read or written: {error}.")
            continue
        refusal = refusal or _refusal(seen, decision)
        was_granted = seen.permit.state is PermitState.GRANTED
        permitted = permitted or was_granted or decision.action is Action.PERMIT
        waits = plan is not None and seen.permit.state is PermitState.PENDING
        holding = holding or (waits and decision.action in _GOES_ON)
    return {
        "pending": pending,
        "permitted": permitted,
        "unknown": unknown,
        "refusal": refusal,
        "snapshot": snapshot,
        "holding": holding,
    }


_GOES_ON = (Action.WAIT, Action.BACK_UP)


def _refusal(seen: Observation, decision: Decision) -> str | None:
    """Why the gate is refused, also if it was before and the answer that said so is lost."""
    if decision.action is Action.REFUSE:
        return decision.reason
    if seen.permit.state is not PermitState.VOID:
        return None
    before = replace(
        seen,
        permit=pending_permit(seen.permit.release),
        objection=None,
        status=Status.ACTIVATING,
        phase=Phase.WAITING,
    )
    decided = decide(before)
    was_it = decided.action is Action.REFUSE and seen.permit.is_void_because(decided.reason)
    return decided.reason if was_it else None


def poll_seconds(release: Release, usual: int, *, holding: bool) -> int:
    """How long to wait until the next look."""
    if not holding:
        return usual
    spread = release.platform_patience / _MOST_HOLDING_POLLS
    return min(usual, int(max(_HOLDING_POLL, spread).total_seconds()))


def _look(course: Course, snapshot: Json | None, runtime: Runtime) -> Json | None:
    """The restore point as it stands now. What is there stays, and is not asked for again."""
    order = course.order
    if order is None or snapshot is None:
        return snapshot
    if order.mode is BackupMode.POINT_IN_TIME and _may_still_be_asked_for(course, runtime):
        # The service may have kept the release waiting for long since.
        return _back_up(course.release, order, snapshot, runtime)
    if not order.mode.takes_a_snapshot or snapshot["status"] == SnapshotStatus.AVAILABLE:
        return snapshot
    if snapshot["status"] == SnapshotStatus.BUSY:
        return _back_up(course.release, order, snapshot, runtime)
    asked_at, begun_at, now = *_moments(snapshot), runtime.now()
    state = look(runtime.restore_points(order.kind), order, begun_at, now)
    return to_json(state, order, asked_at=asked_at, begun_at=begun_at, now=now)


def _may_still_be_asked_for(course: Course, runtime: Runtime) -> bool:
    """Whether nothing can have begun: later, the moment to restore to must not move any more."""
    try:
        return course.status is Status.ACTIVATING and all(
            runtime.mailboxes.permit(_address(course.release, gate)).state is PermitState.PENDING
            for gate in course.release.asking_gates
        )
    except UnreachableError:
        return False


def _observe(
    course: Course, gate: str, plan: Plan | None, snapshot: Json | None, runtime: Runtime
) -> Observation:
    release, order = course.release, course.order
    asked_at, begun_at = _moments(snapshot) if snapshot else (None, None)
    return Observation(
        now=runtime.now(),
        objection=course.objection,
        not_yet=course.not_yet,
        created_at=course.created_at,
        status=course.status,
        phase=read_evidence(release.id, {gate: course.lines[gate]}).phase,
        plan=plan,
        permit=runtime.mailboxes.permit(_address(release, gate)),
        policy=release.policy,
        allow_destructive=release.allow_destructive,
        backup=Backup(
            mode=order.mode if order else BackupMode.NONE,
            state=from_json(snapshot) if snapshot else None,
            asked_at=asked_at,
            begun_at=begun_at,
            time_limit=order.time_limit if order else timedelta(),
        ),
        history=course.history,
        migration_limit=release.asking_gates[gate],
        platform_patience=release.platform_patience,
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
    if decision.action.voids:
        runtime.mailboxes.void(address, decision.reason)
    elif decision.action is Action.PERMIT and decision.plan and decision.until:
        runtime.mailboxes.grant(address, seen.permit, decision.plan, decision.until)
    elif decision.action is Action.BACK_UP and course.order is not None:
        return _back_up(course.release, course.order, snapshot, runtime)
    return snapshot


def _back_up(release: Release, order: BackupOrder, before: Json | None, runtime: Runtime) -> Json:
    """Begin the restore point, or try to again: only now its own time begins."""
    now = runtime.now()
    asked_at = _moments(before)[0] if before else now
    try:
        state = begin(runtime.restore_points(order.kind), order, release)
    except RefusedError as error:
        state = SnapshotState(status=SnapshotStatus.FAILED, detail=str(error))
    return to_json(state, order, asked_at=asked_at, begun_at=now, now=now)


def _moments(snapshot: Json) -> tuple[datetime, datetime]:
    """When it was first asked for, and since when it is being made."""
    asked_at, begun_at = snapshot["askedAt"], snapshot["begunAt"]
    return datetime.fromisoformat(asked_at), datetime.fromisoformat(begun_at)


def _address(release: Release, gate: str) -> Address:
    return Address(app=release.app, release=release.id, container=gate)
