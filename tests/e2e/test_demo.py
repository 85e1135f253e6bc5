"""The demonstration is the test of the whole: real sam, real Django, real PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.demo import session
from tests.support import session_shape

# `.ci/run` runs the demo itself.
pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
REPORT = PROJECT / "build" / "demo" / "report.json"
PATHS = [PROJECT / folder for folder in ("layers/core", "cli", "report", "")]


@pytest.fixture(scope="module")
def demonstration() -> subprocess.CompletedProcess[str]:
    REPORT.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "KEEP"}
    return subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=PROJECT,
        env=environment | {"PYTHONPATH": os.pathsep.join(map(str, PATHS))},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


@pytest.fixture
def report(demonstration: subprocess.CompletedProcess[str]) -> Any:
    assert demonstration.returncode == 0, demonstration.stdout + demonstration.stderr
    return json.loads(REPORT.read_text())


def test_every_claim_is_checked_and_holds(report: Any) -> None:
    assert all(claim["holds"] for claim in report["claims"])
    assert len(report["claims"]) == 17


def test_the_good_releases_succeed_and_the_bad_ones_are_rolled_back(report: Any) -> None:
    assert [(r["name"], r["status"], r["deploymentVersion"]) for r in report["releases"]] == [
        ("v1", "SUCCEEDED", 1),
        ("v2", "SUCCEEDED", 2),
        ("v2.1", "SUCCEEDED", 3),
        ("v2.2", "ROLLED_BACK", 4),
        ("v3", "ROLLED_BACK", 6),
    ]


def test_no_request_failed_while_the_app_was_released_and_rolled_back(report: Any) -> None:
    assert report["requests"]["sent"] > 30
    assert report["requests"]["failed"] == 0


def test_each_release_applies_its_own_migrations(report: Any) -> None:
    assert [release["migrations"] for release in report["releases"]] == [
        ["harvests.0001_initial", "harvests.0002_first_harvests"],
        ["harvests.0003_season", "harvests.0004_fill_season"],
        [],
        [],
        ["harvests.0005_tidy_crops"],
    ]


def test_the_failure_names_the_migration_and_the_database_error(report: Any) -> None:
    failure = report["releases"][4]["failure"]

    assert failure["migration"] == "harvests.0006_one_harvest_a_day"
    assert failure["cause"] == "exit"
    assert "could not create unique index" in failure["error"]


def test_each_failure_is_of_its_kind(report: Any) -> None:
    kinds = [release["failureKind"] for release in report["releases"]]

    assert kinds == [None, None, None, "watch-failed", "migration-error"]


def test_the_snapshot_is_there_before_the_first_migration_begins(report: Any) -> None:
    for release in report["releases"]:
        if release["name"] in ("v2.1", "v2.2"):
            continue
        assert release["snapshot"]["id"] == f"lightgate-crops-backend-{release['id']}"
        assert release["snapshot"]["availableAt"] < release["firstMigrationAt"]


def test_a_release_with_a_history_is_deployed_while_its_snapshot_is_being_taken(
    report: Any,
) -> None:
    first, second = report["releases"][:2]

    assert first["savedSeconds"] == 0
    assert second["savedSeconds"] > 0


def test_a_release_with_nothing_to_migrate_takes_no_snapshot(report: Any) -> None:
    code_only = report["releases"][2]

    assert code_only["snapshot"] is None
    assert code_only["firstMigrationAt"] is None


def test_the_stages_come_in_the_order_of_the_state_machine(report: Any) -> None:
    begin, end = ["Deploy", "CheckDeployment", "VerifyRelease"], ["RecordOutcome", "PublishOutcome"]

    assert [[stage["name"] for stage in release["stages"]] for release in report["releases"]] == [
        ["Admit", "TakeSnapshot", *begin, *end, "PruneSnapshots"],
        ["Admit", "TakeSnapshot", *begin, *end, "PruneSnapshots"],
        ["Admit", *begin, *end, "PruneSnapshots"],
        ["Admit", *begin, "RollBack", *end],
        ["Admit", *begin, *end],
    ]


def test_what_is_not_a_terminal_gets_plain_lines(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    assert "\x1b" not in demonstration.stdout
    assert "\r" not in demonstration.stdout
    assert "v3 ROLLED_BACK" in demonstration.stdout


@pytest.mark.usefixtures("report")
def test_the_session_in_the_readme_has_the_shape_of_this_one() -> None:
    recorded = session_shape.recorded(session.README.read_text("utf-8"))

    shown = session.SESSION.read_text("utf-8")
    assert session_shape.shape(recorded) == session_shape.shape(shown), "run make session"
