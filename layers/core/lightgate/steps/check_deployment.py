"""CheckDeployment: has the deployment ended, and how? Until then its gates are answered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from lightgate.backup.progress import SnapshotProgress
from lightgate.deployment.status import Service, Watch, believed, judge
from lightgate.diagnosis.gate_waits import read_wait
from lightgate.gate.log_lines import plain_text
from lightgate.gate.report import later, read_evidence
from lightgate.migrations.compatibility import Judgement, Verdict, judge_gates, judge_plan, together
from lightgate.migrations.plan import read_plans
from lightgate.migrations.reversal import Reversal
from lightgate.operations.answer_gates import GateSituation, answer_gates
from lightgate.operations.payload_limit import shortened
from lightgate.operations.read_gates import read_gates
from lightgate.release.poll_interval import poll_interval, wait_seconds
from lightgate.release.release import Kind, Release
from lightgate.runtime import Runtime
from lightgate.state import DeploymentProgress, State

_MOST_NOTES = 20
_LONGEST_NOTE = 1000


def check_deployment(state: State, runtime: Runtime) -> DeploymentProgress:
    """The deployment as it came in, with its status and what the gates have reported.

    A gate that asks for its permit gets it here, or is told that it never will.
    """
    admitted, deployment = state.admitted, state.created
    release, order = admitted.release, admitted.database
    before, began = deployment.checks, runtime.now()
    service = runtime.lightsail.service(release.service, release.service_since)
    heard = read_gates(release, deployment.created_at, runtime)
    pause = timedelta(seconds=deployment.poll_seconds)
    checks = before.missed(began) if heard.unread else before.resumed(began, pause=pause)
    lines = heard.lines
    evidence = read_evidence(release.id, lines)
    if deployment.gate is not None:
        evidence = later(evidence, deployment.gate)
    status, ended_at = judge(
        Watch(
            version=deployment.version,
            marker=release.id,
            created_at=deployment.created_at,
            time_limit=release.deployment_timeout + checks.outage,
            ended_at=deployment.ended_at,
        ),
        service,
        evidence,
        unprotected=release.unprotected,
        now=runtime.now(),
    )
    objection = runtime.objection(release.app, admitted.lock) if release.asking_gates else None
    situation = GateSituation(
        release=release,
        created_at=deployment.created_at,
        status=status,
        lines=lines,
        order=order,
        history=admitted.history,
        poll=timedelta(seconds=admitted.poll_seconds),
        objection=" ".join(objection.reasons) if objection else None,
        not_yet=_not_yet(release, service, deployment.version),
        outage=checks.outage,
        delay=checks.outage - before.outage,
    )
    first = state.snapshot if isinstance(state.snapshot, SnapshotProgress) else None
    answered, holding = answer_gates(situation, deployment.snapshot or first, deployment, runtime)
    told = _told(release.id, lines, deployment.told)
    notes = [*deployment.notes, *heard.unread, *answered.unknown]
    waits = (read_wait(release.id, gate, lines[gate]) for gate in lines)
    found = replace(
        answered,
        status=believed(
            status,
            ended_at,
            evidence,
            unread=heard.unread,
            unknown=answered.unknown,
            now=runtime.now(),
        ),
        ended_at=ended_at,
        notes=_notes(release.id, lines, notes),
        told=told,
        judgement=_judge(release, told, has_database=order is not None),
        take_back=_take_back(release.id, lines, deployment.take_back),
        waits=tuple(wait for wait in waits if wait is not None),
        gate=evidence,
        poll_seconds=wait_seconds(poll_interval(release, situation.poll, gate_waits=holding)),
        checks=checks.ended(runtime.now()),
    )
    return shortened(found)


def _not_yet(release: Release, service: Service, version: int) -> str | None:
    """A command waits for the app beside it: a deployment that fails would cut it off."""
    if release.kind is not Kind.COMMAND or service.serves_own(version, release.id):
        return None
    return "The app beside which the command runs is not active yet."


def _told(
    release: str, lines: Mapping[str, Sequence[str]], before: Mapping[str, Judgement]
) -> Mapping[str, Judgement]:
    """What the plans of each gate mean, as far as it has told any, now or at an earlier look.

    What one node has applied is not in the plan of the next one, which takes nothing back.
    """
    found = {}
    for gate in lines:
        plans = [judge_plan(plan) for plan in read_plans(release, gate, lines[gate])]
        known = [before[gate]] if gate in before else []
        if plans or known:
            found[gate] = together([*known, *plans])
    return found


def _take_back(
    release: str, lines: Mapping[str, Sequence[str]], before: Mapping[str, Reversal]
) -> Mapping[str, Reversal]:
    """How what each gate applies is taken back, by its first plan: later ones have less."""
    found = {}
    for gate in lines:
        plans = [plan for plan in read_plans(release, gate, lines[gate]) if not plan.is_empty]
        found.update({gate: plans[0].reversal} if plans else {})
    return {**found, **before}


def _notes(
    release: str, lines: Mapping[str, Sequence[str]], before: Sequence[str]
) -> tuple[str, ...]:
    """What people are told of the deployment, with what the gates have noticed."""
    plans = [plan for gate in lines for plan in read_plans(release, gate, lines[gate])]
    ahead = (plain_text(str(plan.ahead), _LONGEST_NOTE) or "" for plan in plans if plan.ahead)
    return tuple(dict.fromkeys([*before, *ahead]))[:_MOST_NOTES]


def _judge(release: Release, told: Mapping[str, Judgement], *, has_database: bool) -> Judgement:
    """The verdict. The gates of a version that is brought back apply nothing."""
    if release.kind is Kind.ROLLBACK:
        return Judgement(verdict=Verdict.NONE)
    return judge_gates(release.gates, told, has_database=has_database)
