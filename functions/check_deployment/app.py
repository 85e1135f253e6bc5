"""CheckDeployment: has the deployment ended, and how? Until then its gates are answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate import permits
from lightgate.backup import BackupOrder, History
from lightgate.deployment import Watch, judge
from lightgate.gate_log import read_evidence
from lightgate.release import Release
from lightgate.runtime import Json, Runtime, run

# The container's clock and Lightsail's need not agree to the second with ours.
_CLOCK_MARGIN = timedelta(minutes=5)


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
    service = runtime.lightsail.service(release.service)
    lines = _lines(release, created_at, runtime)
    evidence = read_evidence(release.id, lines)
    status, ended = judge(
        Watch(
            version=deployment["version"],
            created_at=created_at,
            time_limit=release.deployment_timeout,
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
        objection=" ".join(objection["reasons"]) if objection else None,
    )
    snapshot = deployment.get("snapshot") or state.get("snapshot")
    answered = permits.answer(course, snapshot, deployment, runtime)
    holding = answered.pop("holding")
    return {
        **deployment,
        **answered,
        "status": status.value,
        "endedAt": ended.isoformat() if ended else None,
        "gate": evidence.to_json(),
        "pollSeconds": permits.poll_seconds(release, admission["pollSeconds"], holding=holding),
    }


def _lines(release: Release, created_at: datetime, runtime: Runtime) -> Mapping[str, Sequence[str]]:
    """What each gate has said: in the log, which lags, and in the mailbox, if it has one."""
    since = created_at - _CLOCK_MARGIN
    return {
        gate: [
            *runtime.lightsail.gate_lines(release.service, gate, since),
            *permits.letters(release, gate, runtime),
        ]
        for gate in dict.fromkeys([*release.gates, *release.asking_gates])
    }
