"""Every metric of Lightgate. All are in one namespace, and have the stack as `service`.

Powertools writes them into the log of the function, from which CloudWatch takes them.
"""

from collections.abc import Mapping
from datetime import timedelta

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from lightgate.records.recorded_outcome import RecordedOutcome
from lightgate.runtime import METRICS_NAMESPACE, Runtime


def releases_started(count: int, runtime: Runtime) -> None:
    """So many releases were started by one push."""
    runtime.metrics.add_metric("lightgateReleasesStarted", MetricUnit.Count, count)


def missed_pushes(count: int, runtime: Runtime) -> None:
    """So many releases were started for pushes of which no event has told."""
    runtime.metrics.add_metric("lightgateMissedPushes", MetricUnit.Count, count)


def release_ended(outcome: RecordedOutcome, took: timedelta, runtime: Runtime) -> None:
    """A release has ended, with its status, its class of failure and its rollback safety."""
    runtime.metrics.add_dimension("app", outcome.app)
    runtime.metrics.add_dimension("status", outcome.status)
    runtime.metrics.add_metric("lightgateReleasesEnded", MetricUnit.Count, 1)
    seconds = took.total_seconds()
    runtime.metrics.add_metric("lightgateReleaseSeconds", MetricUnit.Seconds, seconds)
    if (failure := outcome.failure) is not None:
        _count("lightgateFailures", 1, {"app": outcome.app, "class": failure.kind}, runtime)
    if (judgement := outcome.judgement) is not None:
        verdict = {"app": outcome.app, "verdict": judgement.verdict}
        _count("lightgateVerdicts", 1, verdict, runtime)


def snapshots_not_pruned(app: str, count: int, runtime: Runtime) -> None:
    """So many old snapshots of an app could not be deleted."""
    runtime.metrics.add_dimension("app", app)
    runtime.metrics.add_metric("lightgateSnapshotsNotPruned", MetricUnit.Count, count)


def subscription_problems(count: int, runtime: Runtime) -> None:
    """So much is wrong with the subscriptions of the topic; 0 says that nothing is."""
    _count("lightgateSubscriptionProblems", count, {}, runtime)


def _count(name: str, value: int, dimensions: Mapping[str, str], runtime: Runtime) -> None:
    """A count with dimensions of its own, beside those of the other metrics of the function."""
    with single_metric(
        name=name, unit=MetricUnit.Count, value=value, namespace=METRICS_NAMESPACE
    ) as metric:
        for key, text in {"service": runtime.settings.stack, **dimensions}.items():
            metric.add_dimension(key, text)
