"""Records whose facts are all different, and the pages of the demo's releases."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from typing import Any

from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.migrations.measured import (
    Measured,
    MeasuredLock,
    MeasuredMigration,
    MeasuredTable,
)
from lightgate.records.prediction import PredictedMigration, Prediction
from lightgate.records.recorded_outcome import Cost
from lightgate.records.rehearsed import Rehearsed
from lightgate.records.release_evidence import Evidence, RecordedDecision
from lightgate.records.release_record import (
    MigrationStatus,
    ReadableRecord,
    RecordedHealth,
    RecordedLive,
    RecordedMigration,
    RecordedSnapshot,
    RecordKind,
    StageName,
    StartedBy,
)
from lightgate.release.lock import Lock
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.effect import Effect
from lightgate.verification.health import HealthSample
from lightgate_report.overview_page import app_row, live_release, overview_page
from lightgate_report.pages import OverviewPage, ReleasePage
from lightgate_report.release_page import release_page
from lightgate_report.surroundings import Surroundings
from tests.cli import releases
from tests.cli.releases import APP, NOW, V3, at, stage

AROUND = Surroundings(
    service=APP, database_kind=DatabaseKind.INSTANCE, log_group="lightgate-FunctionLogs-3fQ"
)


REHEARSED = Rehearsed(
    name="lightgate-rehearsal-named",
    snapshot="rehearsed-snapshot",
    measured=Measured(
        migrations=(MeasuredMigration(name="shop.0001_slow", seconds=78.0),),
        locks=(
            MeasuredLock(
                migration="shop.0001_slow",
                table="locked-table",
                mode="AccessExclusiveLock",
                seconds=79.0,
                total_seconds=80.0,
                times=1,
            ),
        ),
        tables=(MeasuredTable(name="new-table", rows=81, is_rewritten=True, changed_rows=82),),
        unread=(),
        is_upper_bound=True,
        sample_seconds=0.1,
        omitted=0,
    ),
)


PREDICTION = Prediction(
    rehearsal="20261128t000000z-44444444-reha",
    status="FAILED",
    summary="predicted summary.",
    ended_at=at("08:00:00"),
    migrations=[
        PredictedMigration(name="shop.0009_predicted", rehearsed_seconds=46.0, seconds=47.0)
    ],
    lock=MeasuredLock(
        migration="shop.0009_predicted",
        table="predicted-table",
        mode="ShareLock",
        seconds=45.0,
        total_seconds=45.0,
        times=1,
    ),
    lock_at_most=47.0,
    is_upper_bound=True,
)


def full_record(**changes: Any) -> ReadableRecord:
    """A release that has every fact, as no real one has."""
    told: dict[str, Any] = {
        "app": "app-named",
        "release": "20261129t091001z-7849e651-b597",
        "kind": RecordKind.IMAGE,
        "status": "FAILED",
        "started_at": at("09:10:01"),
        "stage": "stage-named",
        "tag": "tag-named",
        "digest": "sha256:" + "1" * 64,
        "pushed_digest": "sha256:" + "2" * 64,
        "repository": "repository-named",
        "started_by": StartedBy.RECONCILE,
        "who": "who-named",
        "reason": "reason-given",
        "command": ["python", "manage.py", "command-named"],
        "rollback_to": 71,
        "caused_by": "20261128t000000z-11111111-caus",
        "superseded_by": "20261130t000000z-22222222-supe",
        "begun_as": "20261130t000000z-33333333-bega",
        "ended_at": at("09:10:40"),
        "execution": "arn:aws:states:us-east-1:123456789012:execution:lightgate-release:exec-named",
        "failure_code": "failure-code",
        "summary": "summary sentence.",
        "reasons": ["reason sentence."],
        "cause": "cause sentence.",
        "evidence_line": "evidence line",
        "next_steps": ["next sentence.", "lightgate next-command"],
        "warnings": ["warning sentence."],
        "stages": [
            stage(name, f"09:10:{10 + place}", f"09:10:{13 + place}", f"why-{name.value}")
            for place, name in enumerate(StageName)
        ],
        "migrations": [
            RecordedMigration(
                name=f"shop.000{place}_{status.value}",
                status=status,
                effect=effect,
                operations=[f"Operation{place}"],
                seconds=place + 0.5,
            )
            for place, (status, effect) in enumerate(
                zip(MigrationStatus, cycle(Effect), strict=False)
            )
        ],
        "unlisted": 83,
        "snapshot": RecordedSnapshot(
            id="snapshot-named",
            status="SNAPSHOT-STATUS",
            detail="snapshot-detail",
            available_at=at("10:11:12"),
            restores_to=at("10:11:13"),
        ),
        "no_snapshot": "no-snapshot-reason",
        "rollback": Judgement(
            verdict=Verdict.ONE_WAY, reasons=["judged-reason"], restrictions=["judged-restriction"]
        ),
        "version": 72,
        "previous_version": 73,
        "live": RecordedLive(version=74, tag="live-tag", digest="sha256:" + "3" * 64),
        "health": RecordedHealth(
            version=75,
            status="HEALTH-STATUS",
            checks=90,
            failed=13,
            slowest=timedelta(seconds=7.7),
            problem="health-problem",
        ),
        "saved": timedelta(seconds=57),
        "cost": Cost(
            dollars=0.0123, transitions=641, calls=642, milliseconds=643, priced="priced-there"
        ),
        "evidence": "evidence-key.json",
        "take_back": [{"app": "take-back-app"}],
        "spec_version": 76,
        "rehearsal": REHEARSED,
        "prediction": PREDICTION,
    }
    return ReadableRecord(**told | changes)


def full_evidence() -> Evidence:
    return Evidence(
        app="app-named",
        release="20261129t091001z-7849e651-b597",
        status="FAILED",
        gates={"gate-named": [{"event": "gate-event", "error": "gate-error"}]},
        logs={"container-named": ["first log line", "last log line"]},
        health=[
            HealthSample(at=at("11:00:01"), took=timedelta(seconds=3.25), problem="bad-health")
        ],
        rollback_health=[HealthSample(at=at("11:00:02"), took=timedelta(seconds=4.25))],
        decisions=[RecordedDecision(what="decision", reason="decided-reason", at=at("11:00:03"))],
        unread=["unread-thing"],
    )


def page_of(record: ReadableRecord, evidence: Evidence | None = None) -> ReleasePage:
    return release_page(record, evidence, AROUND, NOW)


def demo_overview() -> OverviewPage:
    history = releases.demo()
    live = {release for release in [live_release(history)] if release is not None}
    row = replace(
        app_row(APP, history, Lock(), NOW),
        url=f"https://{APP}.abc123.us-east-1.cs.amazonlightsail.com",
    )
    return overview_page([row], history, NOW, live=live)


def demo_release() -> ReleasePage:
    """The page of v3 of the demo: its second migration fails."""
    record = replace(
        releases.v3(),
        saved=timedelta(seconds=2),
        next_steps=[
            "Remove the duplicates or change the migration, then push again.",
            f"lightgate explain {APP} v3",
        ],
        warnings=["v2.1 may not work correctly with the changed rows."],
        take_back=[{"app": APP, "command": ["python", "manage.py", "migrate", "harvests", "0004"]}],
    )
    gate: list[Mapping[str, Any]] = [
        {"event": "plan", "at": "2026-11-29T09:10:04Z", "migrations": 2},
        {"event": "applied", "at": "2026-11-29T09:10:05Z", "migration": "harvests.0005_tidy_crops"},
        {
            "event": "failed",
            "at": "2026-11-29T09:10:05Z",
            "migration": "harvests.0006_one_harvest_a_day",
            "error": 'could not create unique index "one_harvest_a_day"',
        },
    ]
    evidence = Evidence(
        app=APP,
        release=V3,
        status="ROLLED_BACK",
        gates={"web": gate},
        logs={"web": [f"{number:4} " + "a long line of the log " * 12 for number in range(60)]},
        health=[HealthSample(at=at("09:10:09"), took=timedelta(seconds=0.03))],
        decisions=[
            RecordedDecision(
                what="take a snapshot", reason="the spec says always", at=at("09:10:02")
            )
        ],
    )
    return page_of(record, evidence)
