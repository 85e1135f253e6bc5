"""RollBack: the new version does not do its work; bring back the last good one, or say why not.

With Deploy the only step that reads secrets. They go into the request to Lightsail and
nowhere else: not into what the step returns, nor into a log line or an error.
"""

from dataclasses import replace
from datetime import timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, Runtime, run_step
from lightgate.state import RollbackProgress, State
from lightgate.way_back import begin, follow, not_begun


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(roll_back, event, context, reads_secrets=True)


def roll_back(state: State, runtime: Runtime) -> RollbackProgress:
    """How the rollback stands; see `RollbackStatus`.

    Safe to repeat: the deployment with which a release goes back has a marker of its own, and is
    looked for before another one is created.
    """
    release = state.admitted.release
    before = state.rollback or not_begun(release, state.admitted.poll_seconds, runtime.now())
    pause = timedelta(seconds=before.poll_seconds)
    before = replace(before, checks=before.checks.resumed(runtime.now(), pause=pause))
    service = runtime.lightsail.service(release.service, release.service_since)
    ours = service.deployment_of(before.release)
    if ours is None and before.version is None:
        answer = begin(state, before, runtime)
    else:
        answer = follow(state, before, ours, runtime)
    runtime.logger.info("the rollback", status=answer.status, reasons=answer.reasons)
    return replace(answer, checks=before.checks.ended(runtime.now()))
