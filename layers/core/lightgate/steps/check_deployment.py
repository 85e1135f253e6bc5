"""CheckDeployment: check whether the deployment has ended, and answer its gates until then."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lightgate.backup.progress import SnapshotProgress
from lightgate.deployment.status import (
    FollowedDeployment,
    Service,
    confirmed_status,
    judge_deployment,
)
from lightgate.diagnosis.gate_waits import read_wait
from lightgate.errors import joined
from lightgate.gate.gate_report import Phase
from lightgate.gate.log_lines import plain_text
from lightgate.gate.report_reader import later, read_gate_report
from lightgate.migrations.compatibility import Judgement, Verdict, judge_gates, judge_plan, together
from lightgate.migrations.outside import RecordedMigrations, read_recorded
from lightgate.migrations.plan import read_plans
from lightgate.migrations.reversal import Reversal
from lightgate.operations.answer_gates import GateCheckInput, answer_gates
from lightgate.operations.failure_news import failure_news
from lightgate.operations.next_check import next_check
from lightgate.operations.payload_limit import shortened
from lightgate.operations.read_gates import gates_of, has_told_all, read_gates
from lightgate.release.poll_interval import Observed, wait_seconds
from lightgate.release.release import Release, ReleaseKind
from lightgate.rollback.reversal_policy import doubts_of
from lightgate.rollback.version_history import may_have_begun
from lightgate.runtime import Runtime
from lightgate.state import DeploymentProgress, State

_MOST_NOTES = 20
_LONGEST_NOTE = 1000


def check_deployment(state: State, runtime: Runtime) -> DeploymentProgress:
    """The deployment with its current status and the reports of its gates.

    A gate that asks for its permit gets it here, or gets a void one. Idempotent.
    """
    admitted, deployment = state.admitted, state.created
    release, order = admitted.release, admitted.database
    before, began = deployment.checks, runtime.now()
    usual = timedelta(seconds=admitted.poll_seconds)
    service = runtime.lightsail.service(
        release.service, release.service_since, following=release.id
    )
    # Before the reports, so that none comes between the two.
    begun = may_have_begun(release, deployment)
    ours, gates = service.deployment_of(release.id), gates_of(release)
    told_all = has_told_all(service, ours, gates, runtime, may_have_begun=begun)
    gate_lines = read_gates(release, deployment.created_at, service, runtime)
    pause = timedelta(seconds=deployment.poll_seconds)
    checks = before.missed(began) if gate_lines.unread else before.resumed(began, pause=pause)
    lines = gate_lines.lines
    gate_report = read_gate_report(release.id, lines)
    if deployment.gate is not None:
        gate_report = later(gate_report, deployment.gate)
    status, ended_at = judge_deployment(
        FollowedDeployment(
            version=deployment.version,
            marker=release.id,
            created_at=deployment.created_at,
            time_limit=release.deployment_timeout + checks.outage,
            ended_at=deployment.ended_at,
        ),
        service,
        gate_report,
        unprotected=release.unprotected,
        has_told_all=told_all,
        now=runtime.now(),
    )
    objection = runtime.objection(release.app, admitted.lock) if release.asking_gates else None
    check_input = GateCheckInput(
        release=release,
        created_at=deployment.created_at,
        status=status,
        lines=lines,
        order=order,
        history=admitted.history,
        poll=usual,
        objection=joined(objection.reasons) if objection else None,
        not_yet=_not_yet(release, service, deployment.version),
        outage=checks.outage,
        delay=checks.outage - before.outage,
    )
    first = state.snapshot if isinstance(state.snapshot, SnapshotProgress) else None
    answered, is_waiting = answer_gates(
        check_input, deployment.snapshot or first, deployment, runtime
    )
    judgements = _judgements(release, lines, deployment.judgements)
    notes = [*deployment.notes, *gate_lines.unread, *answered.unknown]
    waits = (read_wait(release.id, gate, lines[gate]) for gate in lines)
    found = replace(
        answered,
        status=confirmed_status(
            status,
            ended_at,
            gate_report,
            unread=gate_lines.unread,
            unknown=answered.unknown,
            now=runtime.now(),
        ),
        ended_at=ended_at,
        notes=_notes(release.id, lines, notes),
        judgements=judgements,
        judgement=_judge(release, judgements, has_database=order is not None),
        reversals=_reversals(release.id, lines, deployment.reversals),
        recorded=_recorded(release.id, lines, deployment.recorded),
        waits=tuple(wait for wait in waits if wait is not None),
        gate=gate_report,
        checks=checks.ended(runtime.now()),
    )
    found = _timed(found, deployment, runtime.now())
    pause = next_check(release, found, admitted.history, usual, runtime.now(), waits=is_waiting)
    found = replace(found, notice=failure_news(state, found, service, runtime))
    return shortened(replace(found, poll_seconds=wait_seconds(pause)))


_OPEN = (Phase.SUCCEEDED, Phase.UNGATED)


def _timed(
    found: DeploymentProgress, before: DeploymentProgress, now: datetime
) -> DeploymentProgress:
    """With the times that this check was the first one to see."""
    last = before.checks.last_at
    opened_at = before.opened_at
    if opened_at is None and found.gate is not None and found.gate.phase in _OPEN:
        opened_at = found.created_at if found.gate.phase is Phase.UNGATED else now
    node_start, end = before.node_start, before.end
    if before.ready_at is None and found.ready_at is not None:
        node_start = Observed.between(before.created_at, last, found.ready_at)
    if before.ended_at is None and found.ended_at is not None and opened_at is not None:
        end = Observed.between(opened_at, last, found.ended_at)
    return replace(found, opened_at=opened_at, node_start=node_start, end=end)


def _not_yet(release: Release, service: Service, version: int) -> str | None:
    """Why no gate may begin yet: a failing deployment of the app would cut the command off."""
    if release.kind is not ReleaseKind.COMMAND or service.serves_own(version, release.id):
        return None
    return "The app beside which the command runs is not active yet."


def _judgements(
    release: Release, lines: Mapping[str, Sequence[str]], before: Mapping[str, Judgement]
) -> Mapping[str, Judgement]:
    """The judgement on all plans that each gate has reported so far.

    A second node's plan omits what the first has applied; keep the worst verdict seen.
    """
    found = {}
    for gate in lines:
        plans = [
            judge_plan(plan, release.automatic_rollback)
            for plan in read_plans(release.id, gate, lines[gate])
        ]
        known = [before[gate]] if gate in before else []
        if plans or known:
            found[gate] = together([*known, *plans])
    return found


def _recorded(
    release: str, lines: Mapping[str, Sequence[str]], before: Mapping[str, RecordedMigrations]
) -> Mapping[str, RecordedMigrations]:
    """The recorded migrations, as each gate has last reported them."""
    known = RecordedMigrations()
    return {
        gate: before.get(gate, known).later(read_recorded(release, gate, lines[gate]))
        for gate in lines
    }


def _reversals(
    release: str, lines: Mapping[str, Sequence[str]], before: Mapping[str, Reversal]
) -> Mapping[str, Reversal]:
    """The reversal of the first plan of each gate, because later plans omit what is applied."""
    found = {}
    for gate in lines:
        plans = [plan for plan in read_plans(release, gate, lines[gate]) if not plan.is_empty]
        if plans:
            found[gate] = replace(plans[0].reversal, doubts=doubts_of(plans[0]))
    return {**found, **before}


def _notes(
    release: str, lines: Mapping[str, Sequence[str]], before: Sequence[str]
) -> tuple[str, ...]:
    """The notes for the message: plans that were cut, migrations that the image lacks, what blocks
    large tables, and who may keep a migration waiting.
    """
    plans = [plan for gate in lines for plan in read_plans(release, gate, lines[gate])]
    told = [
        note
        for plan in plans
        for note in (
            plan.cut,
            plan.ahead and str(plan.ahead),
            *plan.declared,
            *map(str, plan.blocking),
            *map(str, plan.transactions),
        )
        if note
    ]
    notes = (plain_text(note, _LONGEST_NOTE) or "" for note in told)
    return tuple(dict.fromkeys([*before, *notes]))[:_MOST_NOTES]


def _judge(
    release: Release, judgements: Mapping[str, Judgement], *, has_database: bool
) -> Judgement:
    """The verdict on the release. The gates of a rollback apply nothing."""
    if release.kind is ReleaseKind.ROLLBACK:
        return Judgement(verdict=Verdict.NONE)
    return judge_gates(release.gates, judgements, has_database=has_database)
