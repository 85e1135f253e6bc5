"""Every metric of Lightgate. All are in one namespace, and have the stack as `service`.

Powertools writes them into the log of the function, from which CloudWatch takes them. What an app
has is also counted without the app, so that one alarm covers all. CloudWatch bills each name with
each set of dimensions: eight for an app. All else is a property of the same line, for Logs
Insights.
"""

from collections.abc import Iterator, Mapping

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from lightgate.gate.gate_report import GateCause, GateReport, Phase
from lightgate.outcome.outcome import Outcome
from lightgate.records.release_record import ReadableRecord, StageName
from lightgate.runtime import METRICS_NAMESPACE, Runtime

_NO_DATABASE = (GateCause.DATABASE, GateCause.PREFLIGHT)


def releases_started(count: int, runtime: Runtime) -> None:
    """So many releases were started by one push."""
    runtime.metrics.add_metric("lightgateReleasesStarted", MetricUnit.Count, count)


def missed_pushes(count: int, runtime: Runtime) -> None:
    """So many releases were started for pushes of which no event has told."""
    runtime.metrics.add_metric("lightgateMissedPushes", MetricUnit.Count, count)


def releases_held(waiting: int, longest_seconds: float, runtime: Runtime) -> None:
    """So many releases wait, and the oldest lock was taken so many seconds ago; 0 without one."""
    runtime.metrics.add_metric("lightgateReleasesWaiting", MetricUnit.Count, waiting)
    runtime.metrics.add_metric("lightgateLockSeconds", MetricUnit.Seconds, longest_seconds)


def release_ended(record: ReadableRecord, report: GateReport | None, runtime: Runtime) -> None:
    """A release has ended. A repetition counts it again; one that was superseded does not count."""
    if record.status == Outcome.SUPERSEDED:
        return
    metrics = runtime.metrics
    metrics.add_dimensions(service=runtime.settings.stack, app=record.app)
    succeeded, failed = record.status == Outcome.SUCCEEDED, record.status == Outcome.FAILED
    metrics.add_metric("lightgateReleaseOk", MetricUnit.Count, int(succeeded))
    metrics.add_metric("lightgateReleaseFailed", MetricUnit.Count, int(failed))
    if succeeded and record.ended_at is not None:
        seconds = (record.ended_at - record.started_at).total_seconds()
        metrics.add_metric("lightgateLeadTimeSeconds", MetricUnit.Seconds, seconds)
    for name, value in _of_the_gates(record, report):
        unit = MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count
        metrics.add_metric(name, unit, value)
    for name, found in _properties(record, report).items():
        if found is not None:
            metrics.add_metadata(name, found)


def _of_the_gates(record: ReadableRecord, report: GateReport | None) -> Iterator[tuple[str, float]]:
    """What the gates have shown of the database and the migrations; nothing if they are silent."""
    if report is None or report.phase in (Phase.SILENT, Phase.UNGATED):
        return
    failure = report.failure
    has_no_database = failure is not None and failure.cause in _NO_DATABASE
    yield "lightgateDatabaseOk", int(not has_no_database)
    if report.began_at is None:
        return
    yield "lightgateMigrationOk", int(report.phase is Phase.SUCCEEDED)
    if (seconds := _seconds(record, StageName.MIGRATION)) is not None:
        yield "lightgateMigrationSeconds", seconds


def _properties(
    record: ReadableRecord, report: GateReport | None
) -> Mapping[str, str | float | None]:
    cost = record.cost
    return {
        "release": record.release,
        "tag": record.tag,
        "kind": record.kind.value,
        "status": record.status,
        "failureCode": record.failure_code,
        "verdict": record.rollback.verdict.value if record.rollback is not None else None,
        "snapshotSeconds": _seconds(record, StageName.SNAPSHOT),
        "nodeSeconds": _seconds(record, StageName.NODE),
        "activationSeconds": _seconds(record, StageName.ACTIVATION),
        "healthSeconds": _seconds(record, StageName.HEALTH),
        "savedSeconds": record.saved.total_seconds(),
        "gateCpuSeconds": report.cpu_seconds if report is not None else None,
        "gateMegabytes": report.megabytes if report is not None else None,
        "transitions": cost.transitions if cost is not None else None,
        "calls": cost.calls if cost is not None else None,
        "dollars": cost.dollars if cost is not None else None,
    }


def _seconds(record: ReadableRecord, name: StageName) -> float | None:
    """How long a stage took; None if it did not end."""
    for stage in record.stages:
        if stage.name is name and stage.ended_at is not None:
            return (stage.ended_at - stage.started_at).total_seconds()
    return None


def service_load(app: str, load: Mapping[str, float], runtime: Runtime) -> None:
    """CPU and memory of the app's container service, in percent of what it has."""
    names = {"cpu": "lightgateServiceCpuPercent", "memory": "lightgateServiceMemoryPercent"}
    for dimensions in ({}, {"app": app}):
        for part, value in load.items():
            _single(names[part], MetricUnit.Percent, value, dimensions, runtime)


def snapshots_not_pruned(app: str, count: int, runtime: Runtime) -> None:
    """So many old snapshots of an app could not be deleted."""
    runtime.metrics.add_metadata("app", app)
    runtime.metrics.add_metric("lightgateSnapshotsNotPruned", MetricUnit.Count, count)


def subscription_problems(count: int, runtime: Runtime) -> None:
    """So much is wrong with the subscriptions of the topic; 0 says that nothing is."""
    _single("lightgateSubscriptionProblems", MetricUnit.Count, count, {}, runtime)


def _single(
    name: str, unit: MetricUnit, value: float, dimensions: Mapping[str, str], runtime: Runtime
) -> None:
    """A metric with dimensions of its own, beside those of the other metrics of the function."""
    with single_metric(name=name, unit=unit, value=value, namespace=METRICS_NAMESPACE) as metric:
        for key, text in {"service": runtime.settings.stack, **dimensions}.items():
            metric.add_dimension(key, text)
