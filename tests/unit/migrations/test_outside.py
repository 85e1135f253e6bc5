"""Migrations that were applied past the gates of a release."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lightgate.gate.gate_report import NO_GATE_REPORT, Migration
from lightgate.migrations.compatibility import Verdict
from lightgate.migrations.outside import (
    Outside,
    OutsideInput,
    RecordedMigrations,
    applied_in,
    find_outside,
    read_recorded,
)

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEFORE, DURING = "2026-01-02T03:04:00Z", "2026-01-02T03:05:00Z"
LIVE = RecordedMigrations(found={"crops": "aa"}, recent={"crops.0001_initial": BEFORE})


def seen(recorded: RecordedMigrations = LIVE, **more: Any) -> OutsideInput:
    return replace(
        OutsideInput(
            created_at=CREATED,
            report=NO_GATE_REPORT,
            recorded={"migrate": recorded},
            permitted=False,
            logged={},
            left={"migrate": {"crops": "aa"}},
        ),
        **more,
    )


def event(kind: str, **fields: object) -> str:
    return json.dumps(
        {"lightgate": 1, "release": "r", "container": "migrate", "event": kind, **fields}
    )


def test_a_release_whose_database_nobody_else_changed_has_no_changes_outside() -> None:
    assert find_outside(seen()) == Outside()
    assert find_outside(seen()).judgement.verdict is Verdict.NONE


def test_a_migration_on_record_since_the_deployment_that_no_gate_applied_is_outside() -> None:
    recent = {"crops.0001_initial": BEFORE, "crops.0002_drop": DURING}
    found = find_outside(seen(replace(LIVE, found={"crops": "bb"}, recent=recent)))

    assert found == Outside(applied=("crops.0002_drop",))
    assert found.judgement.verdict is Verdict.ONE_WAY
    assert "crops.0002_drop" in found.judgement.reasons[0]


def test_a_migration_in_the_log_of_any_container_is_outside_unless_a_gate_applied_it() -> None:
    own = replace(NO_GATE_REPORT, migrations=[Migration(name="crops.0002_add", seconds=None)])
    logged = {"web": ["crops.0002_add", "crops.0003_drop"], "worker": ["crops.0003_drop"]}

    found = find_outside(seen(report=own, logged=logged))
    assert found.applied == ("crops.0003_drop (log of web, worker)",)


def test_a_name_that_is_cut_in_a_report_is_the_same_one_in_a_log() -> None:
    name = f"crops.0002_{'x' * 200}"
    own = read_recorded("r", "migrate", [event("plan", migrations=[{"name": name}])])
    logged = {"migrate": applied_in([f"  Applying {name}... OK"])}

    assert logged["migrate"]
    assert find_outside(seen(own, permitted=True, logged=logged)) == Outside()


def test_what_a_permitted_plan_names_is_not_outside() -> None:
    recorded = replace(LIVE, planned=("crops.0002_add",), recent={"crops.0002_add": DURING})

    assert find_outside(seen(recorded, permitted=True)) == Outside()
    # Without a permit no gate has applied it.
    assert find_outside(seen(recorded)).applied == ("crops.0002_add",)


def test_a_change_between_two_releases_is_drift() -> None:
    found = find_outside(seen(replace(LIVE, found={"crops": "bb"})))

    assert found == Outside(drifted=("crops.0001_initial is the last one of crops",))
    assert found.judgement.verdict is Verdict.UNKNOWN
    assert "by hand" in found.judgement.reasons[0]


@pytest.mark.parametrize(
    "left",
    [
        {},  # the first release, or one that is unknown
        {"migrate": {}},
        {"migrate": {"farms": "cc"}},  # an app that the code does not have any more
        {"another-gate": {"crops": "cc"}},
    ],
)
def test_without_a_record_to_compare_there_is_no_drift(left: Any) -> None:
    recorded = replace(LIVE, found={"crops": "bb", "new": "dd"})

    assert find_outside(seen(recorded, left=left)) == Outside()


def test_what_a_gate_reports_is_read_and_never_lost() -> None:
    first = event(
        "plan",
        migrations=[{"name": "crops.0002_add"}, {"name": 7}, "x"],
        found={"crops": "aa", "odd": 7},
        recent=[["crops.0001_initial", BEFORE], ["bad", "yesterday"], 5],
    )
    second = event(
        "plan", migrations=[], found={"crops": "bb"}, recent=[["crops.0002_add", DURING]]
    )
    end = event("succeeded", left={"crops": "bb"})

    read = read_recorded("r", "migrate", [first, second, end])

    assert read.found == {"crops": "aa"}
    assert read.left == {"crops": "bb"}
    assert read.planned == ("crops.0002_add",)
    assert list(read.recent) == ["crops.0001_initial", "crops.0002_add"]
    assert (
        read_recorded("r", "migrate", [event("plan", found=[1], recent={})]) == RecordedMigrations()
    )


def test_only_lines_that_begin_as_django_writes_them_count() -> None:
    lines = [
        "  Applying crops.0002_add... OK",
        "\x1b[0m  Applying crops.0003_drop...\x1b[32;1m OK",
        '10.0.0.1 - "GET /" 200 "  Applying evil.0001_x..."',
        "Applying filters...",
        "  Applying crops.0002_add...",
        "  Unapplying crops.0001_initial... OK",
    ]

    assert applied_in(lines) == ["crops.0002_add", "crops.0003_drop", "crops.0001_initial"]


def test_a_change_between_two_releases_is_drift_however_many_apps_there_are() -> None:
    apps = {f"app{number:03}": "aaaaaa" for number in range(300)}
    left = read_recorded("r", "migrate", [event("succeeded", left=apps)]).left
    now = read_recorded("r", "migrate", [event("plan", found={**apps, "app123": "bbbbbb"})])

    assert find_outside(seen(now, left={"migrate": left})).drifted == ("of app123",)
