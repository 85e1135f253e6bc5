"""CheckDeployment: has the deployment ended, and how? Until then its gates are answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate import permits
from lightgate.backup import BackupOrder, History
from lightgate.deployment import Service, Watch, believed, judge
from lightgate.diagnosis.gate_waits import read_wait
from lightgate.gate_log import Evidence, later, plain_text, read_evidence
from lightgate.hearing import listen
from lightgate.outage import Checks
from lightgate.plan import read_plans
from lightgate.release import Kind, Release
from lightgate.room import fitting
from lightgate.runtime import Json, Runtime, run
from lightgate.verdict import Judgement, Verdict, judge_gates, judge_plan, together
from lightgate.wait_state import wait_seconds

_MOST_NOTES = 20
_LONGEST_NOTE = 1000


def handler(event: Json, context: LambdaContext) -> Json:
    return run(check_deployment, event, context)


def check_deployment(event: Json, runtime: Runtime) -> Json:
    """The deployment as it came in, with its status and what the gates have reported.

    A gate that asks for its permit gets it here, or is told that it never will.
    """
    state = event["state"]
    admission, deployment = state["admission"], state["deployment"]
    release = Release.from_json(admission["release"])
    created_at = datetime.fromisoformat(deployment["createdAt"])
    ended_at = deployment["endedAt"]
    before, began = Checks.from_json(deployment), runtime.now()
    service = runtime.lightsail.service(release.service, release.service_since)
    heard = listen(release, created_at, runtime)
    pause = timedelta(seconds=deployment["pollSeconds"])
    checks = before.missed(began) if heard.unread else before.resumed(began, pause=pause)
    lines = heard.lines
    evidence = read_evidence(release.id, lines)
    if "gate" in deployment:
        evidence = later(evidence, Evidence.from_json(deployment["gate"]))
    status, ended = judge(
        Watch(
            version=deployment["version"],
            marker=release.id,
            created_at=created_at,
            time_limit=release.deployment_timeout + checks.outage,
            ended_at=datetime.fromisoformat(ended_at) if ended_at else None,
        ),
        service,
        evidence,
        unprotected=release.unprotected,
        now=runtime.now(),
    )
    objection = runtime.objection(release.app, admission["turn"]) if release.asking_gates else None
    order = admission["database"]
    course = permits.Course(
        release=release,
        created_at=created_at,
        status=status,
        lines=lines,
        order=BackupOrder.from_json(order) if order else None,
        history=History.from_json(admission["history"]),
        look=timedelta(seconds=admission["pollSeconds"]),
        objection=" ".join(objection["reasons"]) if objection else None,
        not_yet=_not_yet(release, service, deployment["version"]),
        outage=checks.outage,
        delay=checks.outage - before.outage,
    )
    snapshot = deployment.get("snapshot") or state.get("snapshot")
    answered = permits.answer(course, snapshot, deployment, runtime)
    holding = answered.pop("holding")
    status = believed(
        status,
        ended,
        evidence,
        unread=heard.unread,
        unknown=answered["unknown"],
        now=runtime.now(),
    )
    told = _told(release.id, lines, deployment["told"])
    found = {
        **deployment,
        **answered,
        "notes": _notes(
            release.id, lines, [*deployment["notes"], *heard.unread, *answered["unknown"]]
        ),
        "told": {gate: judgement.to_json() for gate, judgement in told.items()},
        "judgement": _judge(release, told, has_database=order is not None).to_json(),
        "takeBack": _take_back(release.id, lines, deployment.get("takeBack", {})),
        "waits": [
            wait.to_json()
            for gate in lines
            if (wait := read_wait(release.id, gate, lines[gate])) is not None
        ],
        "status": status.value,
        "endedAt": ended.isoformat() if ended else None,
        "gate": evidence.to_json(),
        "pollSeconds": wait_seconds(permits.pause(release, course.look, holding=holding)),
        **checks.ended(runtime.now()).to_json(),
    }
    return fitting(found)


def _not_yet(release: Release, service: Service, version: int) -> str | None:
    """A command waits for the app beside it: a deployment that fails would cut it off."""
    if release.kind is not Kind.COMMAND or service.serves_own(version, release.id):
        return None
    return "The app beside which the command runs is not active yet."


def _told(
    release: str, lines: Mapping[str, Sequence[str]], before: Mapping[str, Json]
) -> Mapping[str, Judgement]:
    """What the plans of each gate mean, as far as it has told any, now or at an earlier look.

    What one node has applied is not in the plan of the next one, which takes nothing back.
    """
    found = {}
    for gate in lines:
        plans = [judge_plan(plan) for plan in read_plans(release, gate, lines[gate])]
        known = [Judgement.from_json(before[gate])] if gate in before else []
        if plans or known:
            found[gate] = together([*known, *plans])
    return found


def _take_back(
    release: str, lines: Mapping[str, Sequence[str]], before: Mapping[str, Json]
) -> Mapping[str, Json]:
    """How what each gate applies is taken back, by its first plan: later ones have less."""
    found = {}
    for gate in lines:
        plans = [plan for plan in read_plans(release, gate, lines[gate]) if not plan.is_empty]
        found.update({gate: plans[0].reversal.to_json()} if plans else {})
    return {**found, **before}


def _notes(
    release: str, lines: Mapping[str, Sequence[str]], before: Sequence[str]
) -> Sequence[str]:
    """What people are told of the deployment, with what the gates have noticed."""
    plans = [plan for gate in lines for plan in read_plans(release, gate, lines[gate])]
    ahead = (plain_text(str(plan.ahead), _LONGEST_NOTE) or "" for plan in plans if plan.ahead)
    return list(dict.fromkeys([*before, *ahead]))[:_MOST_NOTES]


def _judge(release: Release, told: Mapping[str, Judgement], *, has_database: bool) -> Judgement:
    """The verdict. The gates of a version that is brought back apply nothing."""
    if release.kind is Kind.ROLLBACK:
        return Judgement(verdict=Verdict.NONE)
    return judge_gates(release.gates, told, has_database=has_database)
