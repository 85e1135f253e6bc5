"""CleanUp: an execution has failed, timed out or was stopped; end its release."""

import json

from lightgate.aws.stepfunctions import GONE
from lightgate.errors import StillRunningError
from lightgate.operations.recover_abandoned import recover_abandoned
from lightgate.release.unchecked_request import requested_app
from lightgate.runtime import Json, Runtime


def clean_up(event: Json, runtime: Runtime) -> Json:
    """The app whose release was ended; None if no execution of this stack has ended.

    Step Functions is asked for the state, because the execution may have been redriven since the
    event. Idempotent.

    Raises:
        StillRunningError: Step Functions does not show the end yet. Its answers may lag, so
            the event has to be delivered again.
    """
    detail = event.get("detail")
    arn = detail.get("executionArn") if isinstance(detail, dict) else None
    if not isinstance(detail, dict) or not isinstance(arn, str):
        runtime.logger.error("this is no event of an execution")
        return {"app": None}
    if not runtime.executions.has(arn) or runtime.home.is_foreign(event):
        runtime.logger.warning(
            "this event is of another account, region or stack and cleans nothing up",
            ended=arn,
            account=event.get("account"),
            region=event.get("region"),
        )
        return {"app": None}
    ended = runtime.executions.ended(arn)
    if ended is None or ended.status == GONE:
        if ended is None and runtime.executions.was_redriven(arn, detail.get("redriveCount") or 0):
            return {"app": None}
        raise StillRunningError(f"Step Functions does not know yet that {arn} has ended")
    app = _app(ended.input)
    recover_abandoned(app, ended, runtime)
    return {"app": app}


def _app(text: str | None) -> str:
    try:
        return requested_app(json.loads(text or ""))
    except ValueError:
        return "unknown"
