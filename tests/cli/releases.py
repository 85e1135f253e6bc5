"""Releases on record, as the demo of the project has them, and others of each kind."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lightgate.deployment.status import Deployment, Endpoint, Service
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.records.recorded_outcome import Cost
from lightgate.records.release_record import (
    MigrationStatus,
    ReadableRecord,
    RecordedHealth,
    RecordedLive,
    RecordedMigration,
    RecordedSnapshot,
    RecordKind,
    ReleaseStage,
    StageName,
    StartedBy,
)
from lightgate.records.version import VersionRecord
from lightgate.release.lock import Lock, LockHolder, Waiting
from lightgate.spec.effect import Effect

APP = "crops-backend"
STATES = "arn:aws:states:us-east-1:123456789012"
NOW = datetime(2026, 11, 29, 9, 14, 30, tzinfo=UTC)
V1 = "20261129t090850z-9f0c1a2b-17aa"
V2 = "20261129t090933z-1a36f0f3-62fa"
V21 = "20261129t090943z-c6769b75-0d11"
V22 = "20261129t090950z-4be11c0d-9c3e"
BACK = f"{V22}-back"
V3 = "20261129t091001z-7849e651-b597"
COST = Cost(
    dollars=0.0031, transitions=64, calls=22, milliseconds=5400, priced="us-east-1, 2026-11"
)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-29T{clock}+00:00")


def digest(release: str) -> str:
    return f"sha256:{release.split('-')[1]}f691".ljust(71, "0")


def stage(
    name: StageName, began: str, ended: str | None = None, reason: str | None = None
) -> ReleaseStage:
    return ReleaseStage(
        name=name, started_at=at(began), ended_at=at(ended) if ended else None, reason=reason
    )


def record(release: str, tag: str | None, status: str, **changes: Any) -> ReadableRecord:
    """A release of the app, with these changes."""
    begun = datetime.strptime(release[:16], "%Y%m%dt%H%M%Sz").replace(tzinfo=UTC)
    told: dict[str, Any] = {
        "app": APP,
        "release": release,
        "kind": RecordKind.IMAGE,
        "status": status,
        "started_at": begun,
        "stage": "production",
        "tag": tag,
        "digest": digest(release),
        "repository": APP,
        "started_by": StartedBy.PUSH,
        "execution": f"{STATES}:execution:lightgate-release:{APP}-{release.split('-')[1]}",
    }
    return ReadableRecord(**told | changes)


def live(version: int, tag: str, release: str) -> RecordedLive:
    return RecordedLive(version=version, tag=tag, digest=digest(release))


def migration(name: str, effect: Effect, status: MigrationStatus, **more: Any) -> RecordedMigration:
    return RecordedMigration(name=f"harvests.{name}", effect=effect, status=status, **more)


def demo() -> list[ReadableRecord]:
    """The releases of the demo, the newest first."""
    return [v3(), back(), v22(), v21(), v2(), v1()]


def v1() -> ReadableRecord:
    applied = MigrationStatus.APPLIED
    return record(
        V1,
        "v1",
        "SUCCEEDED",
        ended_at=at("09:09:02"),
        summary="v1 of crops-backend is live and healthy.",
        stages=[
            stage(StageName.NODE, "09:08:53", "09:08:56", "version 1 created"),
            stage(StageName.ACTIVATION, "09:08:57", "09:08:59", "version 1 active"),
        ],
        migrations=[
            migration("0001_initial", Effect.COMPATIBLE, applied, seconds=0.1),
            migration("0002_first_harvests", Effect.DATA, applied, seconds=0.1),
        ],
        snapshot=snapshot(V1, "09:08:52", "09:08:51"),
        rollback=Judgement(verdict=Verdict.UNKNOWN, reasons=["0002 changes rows."]),
        version=1,
        live=live(1, "v1", V1),
        health=RecordedHealth(version=1, status="GOOD", checks=3),
    )


def v2() -> ReadableRecord:
    applied = MigrationStatus.APPLIED
    return record(
        V2,
        "v2",
        "SUCCEEDED",
        ended_at=at("09:09:42"),
        summary="v2 of crops-backend is live since 09:09:41 UTC and healthy.",
        stages=[
            stage(StageName.SNAPSHOT, "09:09:34", "09:09:37", "available"),
            stage(StageName.NODE, "09:09:34", "09:09:36", "version 2 created"),
            stage(StageName.PERMIT, "09:09:36", "09:09:37", "granted"),
            stage(StageName.MIGRATION, "09:09:37", "09:09:38", "2 migrations applied"),
            stage(StageName.ACTIVATION, "09:09:38", "09:09:39", "version 2 active"),
            stage(StageName.HEALTH, "09:09:39", "09:09:41", "17 of 17 health checks passed."),
        ],
        migrations=[
            migration("0003_season", Effect.COMPATIBLE, applied, seconds=0.05),
            migration(
                "0004_fill_season", Effect.DATA, applied, seconds=0.1, operations=["RunPython"]
            ),
        ],
        snapshot=snapshot(V2, "09:09:37", "09:09:33"),
        rollback=Judgement(
            verdict=Verdict.UNKNOWN,
            reasons=["harvests.0004_fill_season: RunPython: it runs code of the app."],
        ),
        version=2,
        previous_version=1,
        live=live(2, "v2", V2),
        health=RecordedHealth(version=2, status="GOOD", checks=17),
        saved=timedelta(seconds=2),
        cost=COST,
        evidence=f"{APP}/{V2}.json",
    )


def v21() -> ReadableRecord:
    return record(
        V21,
        "v2.1",
        "SUCCEEDED",
        ended_at=at("09:09:49"),
        summary="v2.1 of crops-backend is live since 09:09:48 UTC and healthy.",
        stages=[
            stage(StageName.NODE, "09:09:44", "09:09:45", "version 3 created"),
            stage(StageName.ACTIVATION, "09:09:45", "09:09:46", "version 3 active"),
        ],
        rollback=Judgement(verdict=Verdict.NONE),
        no_snapshot="Nothing is pending.",
        version=3,
        previous_version=2,
        live=live(3, "v2.1", V21),
        health=RecordedHealth(version=3, status="GOOD", checks=17),
    )


def v22() -> ReadableRecord:
    return record(
        V22,
        "v2.2",
        "ROLLED_BACK",
        ended_at=at("09:10:00"),
        failure_code="watch-failed",
        summary="Release v2.2 of crops-backend failed and v2.1 is live again.",
        cause="3 of 4 health checks failed. Last failure: GET / returned 500 (expected 200).",
        next_steps=["Correct the cause and push again."],
        rollback=Judgement(verdict=Verdict.NONE),
        version=4,
        previous_version=3,
        live=live(5, "v2.1", V21),
        health=RecordedHealth(version=4, status="FAILED", checks=4, failed=3),
    )


def back() -> ReadableRecord:
    return record(
        BACK,
        "v2.1",
        "SUCCEEDED",
        kind=RecordKind.ROLLBACK,
        started_at=at("09:09:56"),
        digest=digest(V21),
        started_by=StartedBy.RELEASE,
        caused_by=V22,
        rollback_to=3,
        ended_at=at("09:10:00"),
        summary="Version 3 is live again as version 5.",
        version=5,
        previous_version=4,
        live=live(5, "v2.1", V21),
        health=RecordedHealth(version=5, status="GOOD", checks=3),
    )


def v3() -> ReadableRecord:
    failed = "harvests.0006_one_harvest_a_day"
    return record(
        V3,
        "v3",
        "ROLLED_BACK",
        ended_at=at("09:10:10"),
        failure_code="migration-error",
        summary="Release v3 of crops-backend failed and v2.1 is still live.",
        cause=f"Migration {failed} failed.",
        evidence_line='could not create unique index "one_harvest_a_day"',
        next_steps=["Remove the duplicates or change the migration, then push again."],
        stages=[
            stage(StageName.ADMISSION, "09:10:01", "09:10:02"),
            stage(StageName.SNAPSHOT, "09:10:02", "09:10:05", "available"),
            stage(StageName.NODE, "09:10:02", "09:10:04", "version 6 created"),
            stage(StageName.PERMIT, "09:10:04", "09:10:05", "granted"),
            stage(StageName.MIGRATION, "09:10:05", "09:10:08"),
            stage(StageName.ACTIVATION, "09:10:05", "09:10:08", "version 6 failed"),
            stage(StageName.HEALTH, "09:10:08", "09:10:10", "3 of 3 health checks passed."),
        ],
        migrations=[
            migration(
                "0005_tidy_crops",
                Effect.DATA,
                MigrationStatus.APPLIED,
                seconds=0.1,
                operations=["RunPython"],
            ),
            migration(
                "0006_one_harvest_a_day",
                Effect.RESTRICTED,
                MigrationStatus.FAILED,
                operations=["AddConstraint"],
            ),
        ],
        snapshot=snapshot(V3, "09:10:05", "09:10:02"),
        rollback=Judgement(
            verdict=Verdict.UNKNOWN,
            reasons=["This release has changed rows, with harvests.0005_tidy_crops."],
        ),
        version=6,
        previous_version=5,
        live=live(5, "v2.1", V21),
        health=RecordedHealth(version=5, status="GOOD", checks=3),
        cost=COST,
        evidence=f"{APP}/{V3}.json",
    )


def snapshot(release: str, available: str, as_of: str) -> RecordedSnapshot:
    return RecordedSnapshot(
        id=f"lightgate-{APP}-{release}",
        status="AVAILABLE",
        available_at=at(available),
        restores_to=at(as_of),
    )


def shown(version: int, release: str | None, state: str = "INACTIVE") -> Deployment:
    return Deployment(
        version=version,
        state=state,
        created_at=at("09:09:50"),
        release=release,
        images={
            "web": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{APP}:lightgate-1a36f0f3f691"
        },
        endpoint=Endpoint(container="web", port=8000, path="/", success_codes="200-499"),
    )


def service(**changes: Any) -> Service:
    """The container service after the demo: version 5 is live."""
    current = shown(5, BACK, "ACTIVE")
    listed = [
        shown(1, V1),
        shown(2, V2),
        shown(3, V21),
        shown(4, V22),
        current,
        shown(6, V3, "FAILED"),
    ]
    told: dict[str, Any] = {
        "name": APP,
        "state": "RUNNING",
        "disabled": False,
        "current": current,
        "next": None,
        "deployments": listed,
        "url": f"https://{APP}.abc123.us-east-1.cs.amazonlightsail.com",
    }
    return Service(**told | changes)


def versions() -> Mapping[int, VersionRecord]:
    """The versions on record after the demo."""
    unknown = Judgement(verdict=Verdict.UNKNOWN, reasons=["This release has changed rows."])
    none = Judgement(verdict=Verdict.NONE)
    return {
        1: version(1, V1, "v1", is_good=True, judgement=unknown),
        2: version(2, V2, "v2", is_good=True, judgement=unknown),
        3: version(3, V21, "v2.1", is_good=True, judgement=none),
        4: version(4, V22, "v2.2", is_good=False, judgement=none),
        5: version(
            5, BACK, "v2.1", is_good=True, judgement=none, code=V21, fits=3, digest=digest(V21)
        ),
        6: version(6, V3, "v3", is_good=False, judgement=unknown),
    }


def version(number: int, release: str, tag: str, **changes: Any) -> VersionRecord:
    told: dict[str, Any] = {
        "version": number,
        "release": release,
        "kind": RecordKind.IMAGE,
        "tag": tag,
        "digest": digest(release),
        "code": release,
        "fits": number,
    }
    return VersionRecord(**told | changes)


def holder(release: str, **changes: Any) -> LockHolder:
    told: dict[str, Any] = {
        "execution": f"{STATES}:execution:lightgate-release:{release}",
        "release": release,
        "digest": digest(release),
        "at": NOW,
        "fence": 9,
        "after": None,
        "creating": False,
        "can_be_superseded": True,
    }
    return LockHolder(**told | changes)


def waiting(release: str, tag: str) -> Waiting:
    return Waiting(
        name=f"{APP}-next",
        release=release,
        digest=digest(release),
        at=NOW,
        request={"pushedTag": tag},
    )


def lock(**changes: Any) -> Lock:
    return Lock(**{"fence": 9, **changes})
