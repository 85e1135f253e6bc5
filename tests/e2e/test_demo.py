"""The demonstration is the test of the whole: real sam, real Django, real PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
REPORT = PROJECT / "build" / "demo" / "report.json"


@pytest.fixture(scope="module")
def demonstration() -> subprocess.CompletedProcess[str]:
    REPORT.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "KEEP"}
    return subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=PROJECT,
        env=environment | {"PYTHONPATH": f"{PROJECT / 'layers/core'}:{PROJECT}"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture
def report(demonstration: subprocess.CompletedProcess[str]) -> Any:
    assert demonstration.returncode == 0, demonstration.stdout + demonstration.stderr
    return json.loads(REPORT.read_text())


def test_every_claim_is_checked_and_holds(report: Any) -> None:
    assert all(claim["holds"] for claim in report["claims"])
    assert len(report["claims"]) == 13


def test_the_good_releases_succeed_and_the_bad_one_is_rolled_back(report: Any) -> None:
    assert [(r["name"], r["status"], r["deploymentVersion"]) for r in report["releases"]] == [
        ("v1", "SUCCEEDED", 1),
        ("v2", "SUCCEEDED", 2),
        ("v3", "ROLLED_BACK", 3),
    ]


def test_no_request_failed_while_the_app_was_released_and_rolled_back(report: Any) -> None:
    assert report["requests"]["sent"] > 30
    assert report["requests"]["failed"] == 0


def test_each_release_applies_its_own_migrations(report: Any) -> None:
    assert [release["migrations"] for release in report["releases"]] == [
        ["harvests.0001_initial", "harvests.0002_first_harvests"],
        ["harvests.0003_season", "harvests.0004_fill_season"],
        ["harvests.0005_tidy_crops"],
    ]


def test_the_failure_names_the_migration_and_the_database_error(report: Any) -> None:
    failure = report["releases"][2]["failure"]

    assert failure["migration"] == "harvests.0006_one_harvest_a_day"
    assert failure["cause"] == "exit"
    assert "could not create unique index" in failure["error"]


def test_the_snapshot_is_there_before_the_first_migration_begins(report: Any) -> None:
    for release in report["releases"]:
        assert release["snapshot"]["id"] == f"lightgate-crops-backend-{release['id']}"
        assert release["snapshot"]["availableAt"] < release["firstMigrationAt"]


def test_the_stages_come_in_the_order_of_the_state_machine(report: Any) -> None:
    way = ["Admit", "TakeSnapshot", "Deploy", "CheckDeployment", "Settle", "PublishOutcome"]

    assert [[stage["name"] for stage in release["stages"]] for release in report["releases"]] == [
        [*way, "PruneSnapshots"],
        [*way, "PruneSnapshots"],
        way,
    ]


def test_what_is_not_a_terminal_gets_plain_lines(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    assert "\x1b" not in demonstration.stdout
    assert "\r" not in demonstration.stdout
    assert "v3 ROLLED_BACK" in demonstration.stdout
