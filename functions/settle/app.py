"""Settle: one final outcome for the release, explained, recorded, and put into words."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil

from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.errors import NotYetError
from lightgate.examination import examine
from lightgate.runtime import METRICS_NAMESPACE, Json, Runtime, run
from lightgate.settlement import settle_release

# How long to wait until a permit that could not be voided is tried again.
_PAUSE = timedelta(seconds=60)
# What later releases and people look up; the state machine has no room for it.
_ON_RECORD_ONLY = ("failure", "judgement", "versions", "savedSeconds", "warnings")


def handler(event: Json, context: LambdaContext) -> Json:
    return run(settle, event, context)


def settle(event: Json, runtime: Runtime) -> Json:
    """What the state machine publishes, or not. The first outcome on record stands.

    NOT_YET while a gate may still act on a permit that cannot be voided.
    """
    state = {**event["state"], "examination": examine(event["state"], runtime)}
    try:
        settlement = settle_release(state, runtime)
    except NotYetError as error:
        runtime.logger.warning("settling has to wait", why=str(error))
        wait = min(error.wait, _PAUSE)
        return {"status": "NOT_YET", "waitSeconds": ceil(wait.total_seconds())}
    outcome = settlement.outcome
    runtime.logger.info("the release is settled", outcome=outcome["status"])
    _measure(outcome, datetime.fromisoformat(state["startedAt"]), runtime)
    told = {name: value for name, value in outcome.items() if name not in _ON_RECORD_ONLY}
    return {**told, "publish": settlement.owes_message, "fence": settlement.fence}


def _measure(settlement: Json, started_at: datetime, runtime: Runtime) -> None:
    runtime.metrics.add_dimension("app", settlement["app"])
    runtime.metrics.add_dimension("status", settlement["status"])
    runtime.metrics.add_metric("lightgateReleasesEnded", MetricUnit.Count, 1)
    seconds = (runtime.now() - started_at).total_seconds()
    runtime.metrics.add_metric("lightgateReleaseSeconds", MetricUnit.Seconds, seconds)
    if (failure := settlement.get("failure")) is not None:
        _count("lightgateFailures", settlement["app"], {"class": failure["kind"]}, runtime)
    if (judgement := settlement.get("judgement")) is not None:
        _count("lightgateVerdicts", settlement["app"], {"verdict": judgement["verdict"]}, runtime)


def _count(name: str, app: str, dimension: Mapping[str, str], runtime: Runtime) -> None:
    """One more of these. Its dimensions are not those of the release's other metrics."""
    with single_metric(
        name=name, unit=MetricUnit.Count, value=1, namespace=METRICS_NAMESPACE
    ) as metric:
        for key, value in {"service": runtime.settings.stack, "app": app, **dimension}.items():
            metric.add_dimension(key, value)
