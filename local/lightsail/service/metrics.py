"""CPU and memory of a service's nodes over time (docs/lightsail.md, "Metrics and CloudTrail").

The values are percentages of the service's power. A new deployment deletes them, as on AWS.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

METRIC_NAMES = ("CPUUtilization", "MemoryUtilization")
_KEPT_POINTS = 4096


@dataclass(slots=True)
class Point:
    start: float
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """The parameters of GetContainerServiceMetricData. The period is in seconds."""

    metric: str
    start: datetime
    end: datetime
    period: int
    statistics: tuple[str, ...]


class Metrics:
    def __init__(self) -> None:
        self._points: dict[str, deque[Point]] = {}
        self.forget()

    def forget(self) -> None:
        """Drop all points, as a new deployment does."""
        self._points = {name: deque(maxlen=_KEPT_POINTS) for name in METRIC_NAMES}

    def add(self, now: datetime, granularity: float, sample: Mapping[str, float]) -> None:
        """Add one sample of each metric, an average over all nodes."""
        start = now.timestamp() // granularity * granularity
        for name, value in sample.items():
            points = self._points[name]
            if not points or points[-1].start != start:
                points.append(Point(start))
            points[-1].values.append(value)

    def read(
        self, query: MetricQuery, granularity: float, now: datetime
    ) -> list[dict[str, object]]:
        """Return the complete data points, the oldest first."""
        by_period: dict[float, list[float]] = {}
        for point in self._points[query.metric]:
            complete = point.start + granularity <= now.timestamp()
            if complete and query.start.timestamp() <= point.start < query.end.timestamp():
                start = point.start // query.period * query.period
                by_period.setdefault(start, []).extend(point.values)
        return [
            {
                "timestamp": datetime.fromtimestamp(start, UTC),
                "unit": "Percent",
                **_statistics(values, query.statistics),
            }
            for start, values in sorted(by_period.items())
        ]


def _statistics(values: list[float], wanted: Iterable[str]) -> dict[str, float]:
    every = {
        "Minimum": min(values),
        "Maximum": max(values),
        "Sum": sum(values),
        "Average": sum(values) / len(values),
        "SampleCount": float(len(values)),
    }
    return {name[0].lower() + name[1:]: every[name] for name in wanted}
