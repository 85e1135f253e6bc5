"""The alarms of the template, judged by the metric lines that the functions write."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.component.lightsail_service import Course
from tests.support.template import read_template
from tests.unit.stack.transformed import transformed
from tests.workflow.queue.missed import look
from tests.workflow.releases.test_failed import crash
from tests.workflow.reporting_gates import told_plan
from tests.workflow.world import STACK, World, applied, migration_failed, succeeded

ROOT = Path(__file__).parents[3]
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, limit: value >= limit,
    "GreaterThanThreshold": lambda value, limit: value > limit,
    "LessThanThreshold": lambda value, limit: value < limit,
}


def lines(world: World) -> Iterator[Mapping[str, Any]]:
    """The lines from which CloudWatch takes metrics."""
    for line in world.functions.log.splitlines():
        if line.startswith('{"_aws"'):
            yield json.loads(line)


def values(world: World, name: str, dimensions: Mapping[str, str]) -> list[float]:
    """All values of the metric with exactly these dimensions."""
    found: list[float] = []
    for line in lines(world):
        for directive in line["_aws"]["CloudWatchMetrics"]:
            names = {one["Name"] for one in directive["Metrics"]}
            matching = [
                one
                for one in directive["Dimensions"]
                if {key: line[key] for key in one} == dimensions
            ]
            if name in names and matching:
                value = line[name]
                found += value if isinstance(value, list) else [value]
    return found


def goes_off(world: World, alarm: str) -> bool:
    """Whether the alarm goes off if all lines are of one period."""
    properties = transformed()[alarm]["Properties"]
    dimensions = {
        one["Name"]: STACK if one["Value"] == {"Ref": "AWS::StackName"} else str(one["Value"])
        for one in properties["Dimensions"]
    }
    found = values(world, properties["MetricName"], dimensions)
    if not found:
        return bool(properties["TreatMissingData"] == "breaching")
    value = {"Sum": sum, "Maximum": max}[properties["Statistic"]](found)
    return COMPARE[properties["ComparisonOperator"]](value, properties["Threshold"])


def test_a_success_sets_off_no_alarm_and_has_all_metrics_of_its_app(world: World) -> None:
    world.release(course=succeeded("crops.0002"))

    app = {"service": STACK, "app": "crops-backend"}
    assert not goes_off(world, "ReleaseFailedAlarm")
    for name in ("lightgateReleaseOk", "lightgateDatabaseOk", "lightgateMigrationOk"):
        assert values(world, name, app) == values(world, name, {"service": STACK}) == [1], name
    assert len(values(world, "lightgateLeadTimeSeconds", app)) == 1
    assert len(values(world, "lightgateMigrationSeconds", app)) == 1
    [line] = [one for one in lines(world) if "lightgateReleaseOk" in one]
    assert line["status"] == "SUCCEEDED"
    assert line["release"].startswith("2026")
    assert line["transitions"] > 0


def test_a_failed_release_sets_off_its_alarm(world: World) -> None:
    world.release(course=crash(told_plan("a.0002", effect="breaking"), "a.0002"))

    assert goes_off(world, "ReleaseFailedAlarm")
    assert values(world, "lightgateReleaseFailed", {"service": STACK}) == [1]
    assert values(world, "lightgateReleaseOk", {"service": STACK}) == [0]


def test_a_release_that_was_rolled_back_sets_off_no_alarm(world: World) -> None:
    world.release(course=migration_failed("crops.0002", "ValueError: no crop"))

    assert not goes_off(world, "ReleaseFailedAlarm")
    assert values(world, "lightgateReleaseOk", {"service": STACK}) == [0]
    assert values(world, "lightgateMigrationOk", {"service": STACK}) == [0]


def test_reconcile_counts_what_waits_and_measures_the_service(world: World) -> None:
    world.release(course=succeeded())

    look(world)

    app = {"service": STACK, "app": "crops-backend"}
    assert values(world, "lightgateReleasesWaiting", {"service": STACK}) == [0]
    assert values(world, "lightgateLockSeconds", {"service": STACK}) == [0]
    assert values(world, "lightgateServiceCpuPercent", app) == [12.5]
    assert values(world, "lightgateServiceMemoryPercent", {"service": STACK}) == [40]
    assert not goes_off(world, "LockAlarm")


def test_the_docs_and_the_queries_name_the_properties_that_the_lines_have(world: World) -> None:
    used = {"event": "succeeded", "seconds": 9.0, "cpuSeconds": 1.25, "megabytes": 87}
    log = [*applied("crops.0002"), (39.0, "migrate", used)]
    world.release(course=Course(ends="ACTIVE", log=log))
    world.release(course=migration_failed("crops.0003", "ValueError: no crop"))
    ends = [one for one in lines(world) if "lightgateReleaseOk" in one]
    written = {name for one in ends for name in one if not name.startswith(("lightgate", "_"))}
    properties = written - {"service", "app"}
    assert (ends[0]["gateCpuSeconds"], ends[0]["gateMegabytes"]) == (1.25, 87)

    text = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    told = text.partition("Everything else is a property of")[2].partition("Logs Insights")[0]
    assert {*re.findall(r"`(\w+)`", told)} - {"lightgateReleaseOk"} == properties
    for query in queries():
        aliases = {*re.findall(r" as (\w+)", query)}
        named = {*re.findall(r"\b[a-z]+[A-Z]\w+", query)} - {"lightgateReleaseOk"} - aliases
        assert named <= properties, query


def queries() -> list[str]:
    """Those of the dashboard, and the saved ones that read the lines of the metrics."""
    resources = read_template()["Resources"]
    body = json.loads(resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    charts = [one["properties"] for one in body["widgets"] if one["type"] == "log"]
    saved = [
        one["Properties"]["QueryString"]
        for one in resources.values()
        if one["Type"] == "AWS::Logs::QueryDefinition"
    ]
    assert len(charts) >= 4
    assert len(saved) == 3
    return [one["query"].partition("|")[2] for one in charts] + [
        one for one in saved if "lightgateReleaseOk" in one
    ]


@pytest.mark.parametrize(
    "metric",
    [
        *("ReleaseOk", "LeadTimeSeconds", "MigrationOk", "MigrationSeconds", "DatabaseOk"),
        *("ServiceCpuPercent", "ServiceMemoryPercent"),
    ],
)
def test_the_dashboard_charts_each_app_without_naming_it(metric: str) -> None:
    body = read_template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    searches = [
        one
        for widget in json.loads(body)["widgets"]
        for line in widget["properties"].get("metrics", ())
        for one in line
        if isinstance(one, dict) and f'"lightgate{metric}"' in one.get("expression", "")
    ]

    assert [
        one["expression"].startswith("SEARCH('{lightgate,app,service}") for one in searches
    ] == [True]
