"""RecordOutcome: record the final outcome of the release, with its diagnosis and message."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from lightgate.errors import NotYetError
from lightgate.operations.conclude_release import UNKNOWN, conclude_release
from lightgate.operations.investigate_failure import investigate_failure
from lightgate.records.outcome import RecordedOutcome
from lightgate.runtime import METRICS_NAMESPACE, Runtime
from lightgate.state import Facts, FinalOutcome, OutcomeWait, State
from lightgate.wait_state import wait_seconds

# How long to wait until a permit that could not be voided is tried again.
_PAUSE = timedelta(seconds=60)


def record_outcome(state: State, runtime: Runtime) -> FinalOutcome | OutcomeWait:
    """The recorded outcome, with the message to publish. Idempotent: the first outcome stands.

    OutcomeWait while a gate may still act on a permit that cannot be voided.
    """
    try:
        concluded = conclude_release(investigate_failure(Facts(state=state), runtime), runtime)
    except NotYetError as error:
        runtime.logger.warning("the outcome cannot be recorded yet", why=str(error))
        wait = min(error.wait, _PAUSE)
        return OutcomeWait(status="NOT_YET", wait_seconds=wait_seconds(wait))
    outcome = concluded.outcome
    runtime.logger.info("the outcome is recorded", outcome=outcome.status)
    _measure(outcome, state.started_at, runtime)
    return FinalOutcome(
        app=outcome.app,
        stage=outcome.stage or UNKNOWN,
        release=outcome.release,
        status=outcome.status,
        cause=outcome.cause,
        subject=outcome.subject or "",
        message=outcome.message or "",
        publish=concluded.owes_message,
        fence=concluded.fence,
    )


def _measure(outcome: RecordedOutcome, started_at: datetime, runtime: Runtime) -> None:
    runtime.metrics.add_dimension("app", outcome.app)
    runtime.metrics.add_dimension("status", outcome.status)
    runtime.metrics.add_metric("lightgateReleasesEnded", MetricUnit.Count, 1)
    seconds = (runtime.now() - started_at).total_seconds()
    runtime.metrics.add_metric("lightgateReleaseSeconds", MetricUnit.Seconds, seconds)
    if (failure := outcome.failure) is not None:
        _count("lightgateFailures", outcome.app, {"class": failure.kind}, runtime)
    if (judgement := outcome.judgement) is not None:
        _count("lightgateVerdicts", outcome.app, {"verdict": judgement.verdict}, runtime)


def _count(name: str, app: str, dimension: Mapping[str, str], runtime: Runtime) -> None:
    """One more of these. Its dimensions are not those of the release's other metrics."""
    with single_metric(
        name=name, unit=MetricUnit.Count, value=1, namespace=METRICS_NAMESPACE
    ) as metric:
        for key, value in {"service": runtime.settings.stack, "app": app, **dimension}.items():
            metric.add_dimension(key, value)
