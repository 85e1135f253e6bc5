"""Settle: one final outcome for the release, recorded, and put into words."""

from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, Runtime, run
from lightgate.settlement import settle_release


def handler(event: Json, context: LambdaContext) -> Json:
    return run(settle, event, context)


def settle(event: Json, runtime: Runtime) -> Json:
    """What the state machine publishes, or not. The first outcome on record stands."""
    state = event["state"]
    settlement = settle_release(state, runtime)
    runtime.logger.info("the release is settled", outcome=settlement["status"])
    _measure(settlement, datetime.fromisoformat(state["startedAt"]), runtime)
    return settlement


def _measure(settlement: Json, started_at: datetime, runtime: Runtime) -> None:
    runtime.metrics.add_dimension("app", settlement["app"])
    runtime.metrics.add_dimension("status", settlement["status"])
    runtime.metrics.add_metric("lightgateReleasesEnded", MetricUnit.Count, 1)
    seconds = (runtime.now() - started_at).total_seconds()
    runtime.metrics.add_metric("lightgateReleaseSeconds", MetricUnit.Seconds, seconds)
