"""ReceivePush: an image arrived in ECR; start a release for each app that watches it."""

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.aws.parameters import SpecText
from lightgate.documents import Problems, parse_json
from lightgate.errors import RequestError, SpecError
from lightgate.release import execution_name
from lightgate.requests import Push, parse_push, push_request
from lightgate.runtime import Json, Runtime, run
from lightgate.spec_parser.parser import parse_app_name, parse_spec


def handler(event: Json, context: LambdaContext) -> Json:
    return run(receive_push, event, context)


def receive_push(event: Json, runtime: Runtime) -> Json:
    """The names of the executions that this event started; none if it came before."""
    try:
        push = parse_push(event)
    except RequestError as error:
        # Trying again would not mend it, so it does not belong into the dead-letter queue.
        runtime.logger.error("this is not an event of an ECR push", reasons=error.reasons)
        return {"started": []}
    if push is None:
        return {"started": []}
    if runtime.home.is_foreign(event):
        runtime.logger.warning(
            "this push is of another account or region and starts nothing",
            account=event.get("account"),
            region=event.get("region"),
        )
        return {"started": []}
    watching = [spec.app for spec in runtime.apps.all() if _watches(spec, push, runtime)]
    if not watching:
        runtime.logger.info("no app watches this push", repository=push.repository, tag=push.tag)
    started = []
    for app in watching:
        name = execution_name(app, push.digest, push.event_id)
        if runtime.executions.start(name, push_request(app, push)):
            started.append(name)
    runtime.metrics.add_metric("lightgateReleasesStarted", MetricUnit.Count, len(started))
    return {"started": started}


def _watches(text: SpecText, push: Push, runtime: Runtime) -> bool:
    """Whether the push concerns the app.

    A broken spec that still names the repository counts: the release then ends as
    REFUSED and people hear why, instead of a push that silently does nothing. An app
    that cannot be one at all is logged, and does not keep the others from their push.
    """
    try:
        parse_app_name(text.app)
    except SpecError as error:
        runtime.logger.warning("a parameter is no app", app=text.app, reasons=error.reasons)
        return False
    try:
        return parse_spec(text.text).watches(push.repository, push.tag)
    except SpecError as error:
        document = parse_json(text.text, Problems())
        concerned = isinstance(document, dict) and document.get("repository") == push.repository
        if not concerned:
            runtime.logger.warning("a spec is broken", app=text.app, reasons=error.reasons)
        return concerned
