"""CheckDeployment: has the deployment ended, and how?"""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.deployment import Watch, judge
from lightgate.gate_log import read_evidence
from lightgate.release import Release
from lightgate.runtime import Json, Runtime, run

# The container's clock and Lightsail's need not agree to the second with ours.
_CLOCK_MARGIN = timedelta(minutes=5)


def handler(event: Json, context: LambdaContext) -> Json:
    return run(check_deployment, event, context)


def check_deployment(event: Json, runtime: Runtime) -> Json:
    """The deployment as it came in, with its status and what the gates have reported."""
    release, deployment = Release.from_json(event["release"]), event["deployment"]
    created_at = datetime.fromisoformat(deployment["createdAt"])
    ended_at = deployment["endedAt"]
    service = runtime.lightsail.service(release.service)
    since = created_at - _CLOCK_MARGIN
    evidence = read_evidence(
        release.id,
        {
            gate: runtime.lightsail.gate_lines(release.service, gate, since)
            for gate in release.gates
        },
    )
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
    return {
        **deployment,
        "status": status.value,
        "endedAt": ended.isoformat() if ended else None,
        "gate": evidence.to_json(),
    }
