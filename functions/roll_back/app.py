"""RollBack: the new version does not do its work; bring back the last good one, or say why not.

With Deploy the only step that reads secrets. They go into the request to Lightsail and
nowhere else: not into what the step returns, nor into a log line or an error.
"""

from datetime import timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.outage import Checks
from lightgate.release import Release
from lightgate.runtime import Json, Runtime, run
from lightgate.way_back import begin, follow, not_begun


def handler(event: Json, context: LambdaContext) -> Json:
    return run(roll_back, event, context, reads_secrets=True)


def roll_back(event: Json, runtime: Runtime) -> Json:
    """How the way back stands.

    BUSY, ACTIVATING and WATCHING ask for another call in `pollSeconds`. GOOD says that the old
    version was deployed again and verified; FAILED that it was not, or does not do its work
    either. KEPT and IMPOSSIBLE leave the new version where it is, and the choice to people.
    REPLACED and LOST: this is not the release's to decide any more.

    Safe to repeat: the deployment with which a release goes back has a marker of its own, and is
    looked for before another one is created.
    """
    state = event["state"]
    admission = state["admission"]
    release = Release.from_json(admission["release"])
    before = state.get("rollback") or not_begun(release, admission, runtime.now())
    pause = timedelta(seconds=before["pollSeconds"])
    checks = Checks.from_json(before).resumed(runtime.now(), pause=pause)
    before = {**before, **checks.to_json()}
    service = runtime.lightsail.service(release.service, release.service_since)
    ours = service.deployment_of(before["release"])
    if ours is None and before["version"] is None:
        answer = begin(release, state, before, runtime)
    else:
        answer = follow(release, state, before, ours, runtime)
    runtime.logger.info("the way back", status=answer["status"], reasons=answer["reasons"])
    return {**answer, **checks.ended(runtime.now()).to_json()}
