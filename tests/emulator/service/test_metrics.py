"""GetContainerServiceMetricData: measured from the processes; gone with a new deployment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from local.lightsail.service.metrics import MetricQuery, Metrics
from tests.emulator.emulator import Emulator, Service, wait_for
from tests.emulator.images import script

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUSY = """
held = bytearray(64 * 1024 * 1024)
for position in range(0, len(held), 4096):
    held[position] = 1
print("busy", flush=True)
while True:
    pass
"""
IDLE = "import time; time.sleep(600)"


def query(statistic: str, period: int = 60, metric: str = "CPUUtilization") -> MetricQuery:
    return MetricQuery(metric, NOW, NOW + timedelta(hours=1), period, (statistic,))


@pytest.fixture
def history() -> Metrics:
    """A sample every ten seconds for two minutes, of 1, 2, 3 ... percent."""
    metrics = Metrics()
    for number in range(12):
        at = NOW + timedelta(seconds=10 * number)
        metrics.add(at, 30, {"CPUUtilization": number + 1, "MemoryUtilization": 50})
    return metrics


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        ("Average", [3.5, 9.5]),
        ("Maximum", [6, 12]),
        ("Minimum", [1, 7]),
        ("Sum", [21, 57]),
        ("SampleCount", [6, 6]),
    ],
)
def test_points_are_summed_up_by_period(
    history: Metrics, statistic: str, values: list[float]
) -> None:
    points = history.read(query(statistic), 30, NOW + timedelta(minutes=5))
    member = statistic[0].lower() + statistic[1:]
    assert [point[member] for point in points] == values
    assert [point["timestamp"] for point in points] == [NOW, NOW + timedelta(minutes=1)]
    assert {point["unit"] for point in points} == {"Percent"}


def test_the_newest_point_shows_only_when_it_is_complete(history: Metrics) -> None:
    points = history.read(query("SampleCount"), 30, NOW + timedelta(seconds=119))
    assert [point["sampleCount"] for point in points] == [6, 3]


def test_only_the_wanted_stretch_of_time_is_read(history: Metrics) -> None:
    wanted = MetricQuery(
        "MemoryUtilization", NOW + timedelta(minutes=1), NOW + timedelta(minutes=2), 60, ("Sum",)
    )
    assert len(history.read(wanted, 30, NOW + timedelta(minutes=5))) == 1


def read(service: Service, metric: str, **changes: Any) -> list[dict[str, Any]]:
    request = {
        "serviceName": service.name,
        "metricName": metric,
        "startTime": datetime.now(UTC) - timedelta(hours=1),
        "endTime": datetime.now(UTC) + timedelta(minutes=1),
        "period": 60,
        "statistics": ["Average", "Maximum"],
    }
    answer = service.api.get_container_service_metric_data(**{**request, **changes})
    points: list[dict[str, Any]] = answer["metricData"]
    return points


@pytest.mark.slow
def test_metrics_are_measured_from_the_nodes_and_vanish_with_a_new_deployment(
    emulator: Emulator,
) -> None:
    service = emulator.service("measured", scale=2, metric_interval=20)
    service.ended(service.deploy({"busy": script(BUSY), "idle": script(IDLE)}))
    wait_for(lambda: read(service, "CPUUtilization"), "a first point")

    def busy() -> bool:
        cpu, memory = (read(service, f"{name}Utilization")[-1] for name in ("CPU", "Memory"))
        return bool(cpu["maximum"] > 30 and memory["maximum"] > 12)

    wait_for(busy, "a busy CPU, and 64 of 512 MB held")
    service.ended(service.deploy({"idle": script(IDLE)}))
    wait_for(lambda: read(service, "CPUUtilization"), "a point of the new deployment")
    # Its first points have the start of its containers in them.
    wait_for(lambda: read(service, "CPUUtilization")[-1]["average"] < 30, "it is idle")
    assert read(service, "MemoryUtilization")[-1]["maximum"] < 12


@pytest.mark.parametrize(
    "wrong",
    [
        {"period": 90},
        {"period": 86_460},
        {"metricName": "DiskUtilization"},
        {"statistics": ["Median"]},
        {"statistics": []},
        {"startTime": NOW, "endTime": NOW},
    ],
)
def test_a_bad_query_is_refused(emulator: Emulator, wrong: dict[str, Any]) -> None:
    service = emulator.service("asked-" + next(iter(wrong)).lower() + str(len(str(wrong))))
    with pytest.raises(ClientError, match="InvalidInputException"):
        read(service, "CPUUtilization", **wrong)


def test_every_member_is_needed(emulator: Emulator) -> None:
    with pytest.raises(ParamValidationError, match="statistics"):
        emulator.api.get_container_service_metric_data(serviceName="any")
