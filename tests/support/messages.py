"""Every kind of message that people receive, as the end of a realistic release gives rise to it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightgate.backup.restore_commands import RestoreInput, point_the_app, restore_from_snapshot
from lightgate.backup.restore_points import Original
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.deployment.status import Endpoint, Status
from lightgate.diagnosis.app_log import AppLog, read_app_log
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.gate_failure import diagnose_gate
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.gate_report import GateReport, Migration, Phase
from lightgate.image.config import parse_config
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.migrations.measured import Measured, MeasuredLock, MeasuredMigration
from lightgate.migrations.plan import read_plans
from lightgate.names import COMMAND_CONTAINER
from lightgate.notifications.email import text
from lightgate.notifications.failure_notice import failure_notice
from lightgate.notifications.formats import subject
from lightgate.notifications.pruning import not_pruned
from lightgate.notifications.rehearsal_notice import rehearsal_notice
from lightgate.notifications.report import LiveVersion, PausedPushes, Report, Snapshot
from lightgate.notifications.start_notice import start_notice
from lightgate.outcome.conclude import conclude
from lightgate.outcome.outcome import WayToStart, broken, gone, refused, stopped, unverified
from lightgate.records.console_links import Console, console_links
from lightgate.records.prediction import PredictedMigration, Prediction
from lightgate.records.recorded_outcome import Publication
from lightgate.records.rehearsed import Rehearsed
from lightgate.records.release_record import ReadableRecord, RecordKind
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind
from lightgate.release.start_command import start_command
from lightgate.rollback.policy import RollbackInput, VersionHistory, decide_rollback
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.effect import Effect
from lightgate.spec.keys import Database, SecretStore
from lightgate.state import Notice, RollbackResult, RollbackStatus
from lightgate.verification.health import WatchProgress, WatchStatus
from lightgate.verification.verified import Verified
from tests.support.builders import (
    DIGEST,
    EXECUTION,
    RELEASE,
    STARTED,
    admitted,
    deployment,
    ending,
    evidence,
    failure,
    gate_line,
    judged,
    report,
    seconds,
    service,
    version_record,
)
from tests.support.failed_release import symptoms
from tests.support.state_machine import with_pages

CONSOLE = Console(log_group="lightgate-FunctionLogs-1Q2W3E", dashboard="lightgate-releases")
_DEFINITION = Path(__file__).parents[2] / "statemachine" / "release.asl.json"
_SPEC = "/lightgate/apps/crops-backend"
_SNAPSHOT = f"lightgate-crops-backend-{RELEASE}"
_ORIGINAL = Original(
    options={
        "db-instance-class": "db.t4g.micro",
        "db-subnet-group-name": "crops",
        "vpc-security-group-ids": "sg-0a1b2c3d",
        "no-publicly-accessible": "",
    },
    instance={},
    address="crops-backend-db.c9akciq32.us-east-1.rds.amazonaws.com",
)
_PROBLEM = "GET / returned 500 (expected 200)"
_LOGS = {"web": AppLog()}
_WEB = Endpoint(container="web", port=8000, path="/", success_codes="200-399")
_OLD = LiveVersion(version=7, tag="v2.1")
_NEW = LiveVersion(version=8, tag="v3")
_TIDIED = Migration(name="harvests.0005_tidy_crops", seconds=0.2)
_SAFE = Judgement(verdict=Verdict.SAFE)
_NOTHING = Judgement(verdict=Verdict.NONE)


def _judged(migration: str, label: str, *what: str) -> Judgement:
    """The judgement on a plan of one migration, as a gate reports it."""
    told = gate_line(
        "plan",
        **{"hash": "ab12", "count": 1, "class": label},
        migrations=[{"name": migration, "operations": [[label, *what]]}],
    )
    return judged({"migrate": read_plans(RELEASE, "migrate", [told])})


_ROWS = _judged("harvests.0005_tidy_crops", "data", "RunPython")
_DROPS = _judged("harvests.0007_no_season", "breaking", "RemoveField", "harvest.season")


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str

    def __str__(self) -> str:
        return f"Subject: {self.subject}\n\n{self.text}"


def mails() -> Mapping[str, Mail]:
    """Each message by its name: kind, status and what is special about it."""
    reports = {name: linked(make()) for name, make in _REPORTS.items()}
    return {
        **{name: Mail(subject(ended), text(ended)) for name, ended in reports.items()},
        "start-notice": _mail(started()),
        "migration-failed": _mail(failed_migration()),
        "snapshots-not-pruned": _mail(not_pruned_notice()),
        "rehearsal-REHEARSED": _mail(rehearsal_ended()),
        "rehearsal-NOT_REHEARSED": _mail(rehearsal_failed()),
        "undetermined": _undetermined(),
    }


def linked(ended: Report) -> Report:
    """With the links that `report_of` finds: to its snapshot only if it was taken."""
    taken = ended.snapshot
    found = console_links(
        CONSOLE,
        execution=ended.execution,
        release=ended.release,
        begin=ended.started_at,
        end=ended.ended_at,
        snapshot=(taken.id, DatabaseKind.INSTANCE)
        if taken is not None and taken.id is not None and taken.available_at is not None
        else None,
    )
    return replace(ended, links=found)


def _snapshot(**changes: Any) -> Snapshot:
    return Snapshot(
        **{
            "id": _SNAPSHOT,
            "status": SnapshotStatus.AVAILABLE,
            "detail": "available",
            "available_at": STARTED + seconds(66),
            "restores_to": STARTED + seconds(4),
            "age": seconds(68),
            "restore": restore_from_snapshot(
                DatabaseKind.INSTANCE, "crops-backend-db", RELEASE, _SNAPSHOT, _ORIGINAL
            ),
            "point_the_app": point_the_app(
                DatabaseKind.INSTANCE,
                "crops-backend-db",
                RELEASE,
                RestoreInput(
                    original=_ORIGINAL,
                    parameter=_SPEC,
                    secrets={SecretStore.SECRETS_MANAGER.value: ["crops/database-url"]},
                    digest=f"sha256:{'5' * 64}",
                ),
                start_command(EXECUTION, {"app": "crops-backend", "digest": f"sha256:{'5' * 64}"}),
            ),
            **changes,
        }
    )


def _ended(**changes: Any) -> Report:
    values = {
        "snapshot": _snapshot(),
        "judgement": _SAFE,
        "tag": "v3",
        "reason": "push of crops-backend:v3",
        "live": _OLD,
    }
    return report(**{**values, **changes})


def _watch(rounds: int, bad: int = 0, problem: str | None = None) -> WatchProgress:
    return WatchProgress(began_at=STARTED, total=rounds, bad=bad, bad_in_a_row=bad, problem=problem)


def _good(version: int, rounds: int = 3) -> Verified:
    return Verified(status=WatchStatus.GOOD, version=version, watch=_watch(rounds))


def _bad(version: int) -> Verified:
    watch = _watch(9, 3, _PROBLEM)
    return Verified(status=WatchStatus.FAILED, version=version, watch=watch, needs_rollback=True)


def _diagnosed(found: GateReport, **changes: Any) -> Diagnosis:
    usual = {"gates": ("migrate",), "logs": _LOGS, "endpoint": None}
    return diagnose(symptoms(evidence=found, **{**usual, **changes}))


def _concluded(
    found: GateReport,
    judgement: Judgement,
    seen: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Report:
    """What follows from the reports of the gate. `seen` is what else is known of the end."""
    known = {"evidence": found, "judgement": judgement, "verified": _good(7), **(seen or {})}
    values = {
        "evidence": found,
        "judgement": judgement,
        "conclusion": conclude(ending(**known)),
        "failure": None if "failure" in changes else _diagnosed(found),
    }
    return _ended(**{**values, **changes})


# Version 8 serves, and failed its watch period.
_UNHEALTHY = {
    "status": Status.ACTIVE,
    "service": service(current=deployment(8)),
    "verified": _bad(8),
}


def _crashed(exception: str) -> Mapping[str, AppLog]:
    """The log of an app that raises on each of three starts."""
    lines = ("Traceback (most recent call last):", exception)
    return {"web": AppLog(lines=lines * 3, starts=3)}


def _released() -> Report:
    migrations = [
        Migration(name="harvests.0003_season", seconds=0.1),
        Migration(name="harvests.0004_fill_season", seconds=2.5),
    ]
    return _ended(
        live=_NEW,
        evidence=evidence(migrations=migrations, changed=True),
        judgement=_ROWS,
        watched=_good(8, 17).shown,
        saved=timedelta(seconds=57),
    )


_LOCK = MeasuredLock(
    migration="harvests.0004_fill_season",
    table="harvests_harvest",
    mode="AccessExclusiveLock",
    seconds=1.9,
    total_seconds=1.9,
    times=1,
)


def _released_as_rehearsed() -> Report:
    found = Prediction(
        rehearsal="20261115t231500z-7849e651-ab12",
        status="SUCCEEDED",
        summary="2 migrations of v3 succeeded in 2.2 s on the copy.",
        ended_at=STARTED - timedelta(hours=2),
        migrations=[
            PredictedMigration(name="harvests.0003_season", rehearsed_seconds=0.1, seconds=0.1),
            PredictedMigration(
                name="harvests.0004_fill_season", rehearsed_seconds=2.1, seconds=2.5
            ),
        ],
        lock=_LOCK,
        lock_at_most=2.5,
    )
    return replace(_released(), prediction=found)


def _released_without_migrations() -> Report:
    return _ended(snapshot=None, judgement=_NOTHING, watched=_good(8, 17).shown, live=_NEW)


def _migration_failed() -> Report:
    failed = failure(
        error=(
            'django.db.utils.IntegrityError: could not create unique index "one_harvest_a_day": '
            "Key (crop, harvested_on)=(barley, 2026-11-16) is duplicated."
        ),
        database="part-way",
        model="harvest",
    )
    found = evidence(Phase.FAILED, [_TIDIED], failed, atomic=True, changed=True)
    return _concluded(
        replace(found, effect=Effect.DATA),
        _ROWS,
        not_applied=["harvests.0006_one_harvest_a_day"],
        take_back=[_take_back()],
    )


def _take_back(target: str = "0004_fill_season") -> Mapping[str, object]:
    command = ["python", "manage.py", "migrate", "harvests", target]
    return {"app": "crops-backend", "digest": DIGEST, "command": command}


def _released_while_paused() -> Report:
    pushes = PausedPushes(
        by="arn:aws:sts::123456789012:assumed-role/deployer/ada",
        reason="import of the harvests until noon",
        at=STARTED - timedelta(hours=2),
        waiting="v4",
    )
    return replace(_released_without_migrations(), paused=pushes)


def _nothing_applied() -> Report:
    failed = failure(database="unchanged")
    return _concluded(
        evidence(Phase.FAILED, failed=failed, atomic=True, changed=False),
        _DROPS,
        applied_nothing=True,
        not_applied=["harvests.0006_one_harvest_a_day", "harvests.0007_no_season"],
    )


def _watch_failed() -> Report:
    back = RollbackResult(
        status=RollbackStatus.GOOD,
        target=7,
        version=9,
        watch=_watch(3),
        reasons=["Version 7 can work with the database as it is now."],
    )
    current = service(current=deployment(9, release=f"{RELEASE}-back"))
    return _concluded(
        evidence(),
        _NOTHING,
        {**_UNHEALTHY, "release": RELEASE, "service": current, "rollback_result": back},
        live=LiveVersion(version=9, tag="v2.1"),
        snapshot=None,
        failure=_diagnosed(evidence(), watch=_PROBLEM, logs=_raised_by_requests(), endpoint=_WEB),
    )


def _raised_by_requests() -> Mapping[str, AppLog]:
    """The log of an app that answers its health check with an error."""
    lines = [
        "[2026-11-16 01:56:12 +0000] [1] [INFO] Listening at: http://0.0.0.0:8000 (1)",
        "Internal Server Error: /",
        "Traceback (most recent call last):",
        '  File "/app/harvests/views.py", line 9, in index',
        "LookupError: no season has begun",
    ]
    return {"web": read_app_log("web", lines, version=8, release=RELEASE)}


def _kept() -> Report:
    found = evidence(
        migrations=[Migration(name="harvests.0007_no_season", seconds=0.1)], changed=True
    )
    images = {"web": f"crops-backend@{DIGEST}"}
    own, previous = (
        version_record(8, judgement=_DROPS, is_good=False),
        version_record(7, judgement=_NOTHING),
    )
    history = VersionHistory(
        listed=[deployment(8), replace(deployment(7, "INACTIVE"), images=images)],
        records={8: own, 7: previous},
    )
    reversal = [_take_back("0006_one_harvest_a_day")]
    choice = decide_rollback(
        RollbackInput(
            app="crops-backend",
            execution=EXECUTION,
            failed=8,
            previous=7,
            reversal=reversal,
            why_not=None,
            history=history,
        )
    )
    back = RollbackResult(
        status=RollbackStatus.KEPT,
        target=7,
        version=None,
        reasons=choice.reasons,
        next_steps=choice.next_steps,
    )
    return _concluded(
        found,
        _DROPS,
        {**_UNHEALTHY, "rollback_result": back},
        live=_NEW,
        failure=_diagnosed(found, watch=_PROBLEM),
        take_back=reversal,
    )


def _cut_off() -> Report:
    return _concluded(
        evidence(Phase.APPLYING, [_TIDIED], began_at="2026-11-16T01:56:00.000Z", changed=True),
        _ROWS,
        not_applied=["harvests.0006_one_harvest_a_day"],
        take_back=[],
        why_not_back="more was applied than the gate had planned",
    )


def _old_code_may_fail() -> Report:
    dropped = Migration(name="harvests.0007_no_season", seconds=0.1)
    found = evidence(Phase.SUCCEEDED, migrations=[dropped], changed=True)
    return _concluded(
        found,
        _DROPS,
        failure=_diagnosed(found, logs=_crashed("ModuleNotFoundError: No module named 'weather'")),
        take_back=[_take_back("0006_one_harvest_a_day")],
    )


def _first_release() -> Report:
    nothing_live = service(deployments=[deployment(1, "FAILED")])
    found = evidence(Phase.SUCCEEDED, [Migration(name="harvests.0001_initial", seconds=0.4)])
    return _concluded(
        found,
        _SAFE,
        {"version": 1, "previous_version": None, "service": nothing_live, "verified": None},
        live=None,
        is_down=True,
        version=1,
        previous_version=None,
        failure=_diagnosed(
            found,
            logs={"web": AppLog(lines=("[1] [INFO] Listening at: http://127.0.0.1:8000 (1)",))},
            endpoint=_WEB,
        ),
    )


def _overdue() -> Report:
    seen = {"status": Status.OVERDUE, "may_have_begun": False, "verified": None}
    return _concluded(evidence(Phase.SUCCEEDED), _NOTHING, seen, snapshot=None)


def _step_failed() -> Report:
    error = "Lambda.TooManyRequestsException: Rate Exceeded."
    return _ended(
        live=_NEW,
        evidence=evidence(),
        judgement=_DROPS,
        conclusion=unverified(
            error,
            app="crops-backend",
            execution=EXECUTION,
            version=8,
            previous=7,
            wrong=None,
            is_open=False,
        ),
        failure=_diagnosed(evidence(), error=error),
    )


def _broken() -> Report:
    error = "States.Timeout"
    return _ended(
        live=_OLD,
        version=None,
        previous_version=None,
        judgement=None,
        applied_nothing=True,
        conclusion=broken(error, None, way=_way_to_start()),
        failure=_diagnosed(evidence(Phase.SILENT), error=error, window=None),
    )


def _stopped() -> Report:
    return _ended(
        version=8,
        previous_version=None,
        judgement=None,
        snapshot=Snapshot(
            id=_SNAPSHOT, available_at=None, restore=_snapshot().restore, point_the_app=()
        ),
        conclusion=stopped("ABORTED", admitted=True, deployment=deployment(8, "ACTIVATING")),
    )


def _service_gone() -> Report:
    why = "There is no container service crops-backend in this region"
    return _ended(
        conclusion=gone(why, 8, ReleaseKind.IMAGE), snapshot=None, judgement=None, live=None
    )


def _not_admitted(*reasons: str, **changes: Any) -> Report:
    return _ended(
        **{
            "conclusion": refused(reasons, code=RefusalCode.SPEC, way=_way_to_start()),
            "repository": None,
            "digest": None,
            "reason": None,
            "snapshot": None,
            "version": None,
            "previous_version": None,
            "judgement": None,
            "live": None,
            "ended_at": STARTED + seconds(2),
            **changes,
        }
    )


def _wrong_spec() -> Report:
    return _not_admitted(
        "serviceName: is missing",
        'containers.web.dependsOn[0].containerName: there is no container "migrat" '
        "(did you mean migrate?)",
        live=_OLD,
    )


def _way_to_start(request: Mapping[str, object] | None = None) -> WayToStart:
    request = request or {"app": "crops-backend", "digest": DIGEST}
    return WayToStart(parameter=_SPEC, command=how_to_start(EXECUTION, request))


def _wrong_architecture() -> Report:
    with pytest.raises(RefusedError) as raised:
        parse_config('{"architecture": "arm64"}')
    [reason] = raised.value.reasons
    found = _diagnosed(evidence(), error=reason, refusal=RefusalCode.ARCHITECTURE)
    refusal = refused([reason], code=RefusalCode.ARCHITECTURE)
    return _not_admitted(reason, failure=found, live=_OLD, conclusion=refusal)


def _policy() -> Report:
    blocked = failure(
        cause="refused",
        migration=None,
        database="unchanged",
        error=(
            'The policy "block" forbids changes that may break the live version: '
            "harvests.0007_no_season: RemoveField harvest.season."
        ),
        last_lines=(),
        exit_code=None,
    )
    return _concluded(
        evidence(Phase.FAILED, failed=blocked, changed=False),
        _DROPS,
        {"may_have_begun": False},
        applied_nothing=True,
        not_applied=["harvests.0007_no_season"],
    )


_BY_HAND = {"kind": ReleaseKind.ROLLBACK, "rollback_to": 5, "may_have_begun": False}


def _rollback(**changes: Any) -> Report:
    values = {
        "kind": ReleaseKind.ROLLBACK,
        "snapshot": None,
        "judgement": _NOTHING,
        "reason": None,
        "applied_nothing": True,
        "rollback_to": 5,
        "tag": "v1",
    }
    return _ended(**{**values, **changes})


def _rollback_done() -> Report:
    seen = ending(**{**_UNHEALTHY, **_BY_HAND, "verified": _good(8)})
    live = LiveVersion(version=8, tag="v1")
    return _rollback(conclusion=conclude(seen), watched=_good(8).shown, live=live)


def _rollback_failed() -> Report:
    found = _diagnosed(evidence(), watch=_PROBLEM, rollback_to=5)
    live = LiveVersion(version=8, tag="v1")
    seen = ending(**{**_UNHEALTHY, **_BY_HAND})
    return _rollback(conclusion=conclude(seen), failure=found, live=live)


def _rollback_did_not_start() -> Report:
    seen = ending(**_BY_HAND, verified=_good(7))
    logs = _crashed("ValueError: SECRET_KEY is too short")
    found = _diagnosed(evidence(), rollback_to=5, logs=logs)
    return _rollback(conclusion=conclude(seen), failure=found)


def _rollback_refused() -> Report:
    shut = failure(
        cause="schema",
        migration=None,
        error="harvests.0007_no_season is applied, and the code does not know it",
        last_lines=(),
    )
    found = evidence(Phase.FAILED, failed=shut, changed=False)
    seen = ending(**_BY_HAND, evidence=found, verified=_good(7))
    diagnosis = _diagnosed(found, rollback_to=5)
    return _rollback(conclusion=conclude(seen), failure=diagnosis, evidence=found)


def _command(**changes: Any) -> Report:
    return _ended(
        **{
            "kind": ReleaseKind.COMMAND,
            "reason": "tidy up",
            "command": ["python", "manage.py", "tidy_crops"],
            "live": LiveVersion(version=8, tag="v2.1"),
            "tag": "v2.1",
            **changes,
        }
    )


def _command_done() -> Report:
    found = replace(evidence(), last_lines=["3 crops tidied"])
    seen = {**_UNHEALTHY, "kind": ReleaseKind.COMMAND, "evidence": found, "verified": _good(8)}
    conclusion = conclude(ending(**seen))
    return _command(conclusion=conclusion, evidence=found, watched=_good(8).shown, judgement=_ROWS)


def _command_failed() -> Report:
    failed = failure(
        container=COMMAND_CONTAINER,
        migration=None,
        error="KeyError: 'barley'",
        last_lines=["Traceback (most recent call last):", "KeyError: 'barley'"],
    )
    found = evidence(Phase.FAILED, failed=failed)
    seen = ending(
        kind=ReleaseKind.COMMAND,
        evidence=found,
        service=service(current=deployment(8)),
        verified=_good(8),
    )
    diagnosis = _diagnosed(found, command=["python", "manage.py", "tidy_crops"])
    return _command(conclusion=conclude(seen), evidence=found, failure=diagnosis, judgement=_ROWS)


def _command_refused() -> Report:
    why = "command: no version is live, so there is no app to run it beside"
    words = ["python", "manage.py", "tidy_crops"]
    way = _way_to_start({"app": "crops-backend", "command": words})
    conclusion = refused([why], ReleaseKind.COMMAND, code=RefusalCode.NOTHING_LIVE, way=way)
    return _not_admitted(why, kind=ReleaseKind.COMMAND, is_down=True, conclusion=conclusion)


_REPORTS = {
    "release-SUCCEEDED": _released,
    "release-SUCCEEDED-rehearsed": _released_as_rehearsed,
    "release-SUCCEEDED-without-migrations": _released_without_migrations,
    "release-SUCCEEDED-while-paused": _released_while_paused,
    "release-ROLLED_BACK-migration-failed": _migration_failed,
    "release-ROLLED_BACK-nothing-applied": _nothing_applied,
    "release-ROLLED_BACK-unhealthy": _watch_failed,
    "release-FAILED-kept": _kept,
    "release-FAILED-cut-off": _cut_off,
    "release-FAILED-old-code-may-fail": _old_code_may_fail,
    "release-FAILED-first-release": _first_release,
    "release-FAILED-overdue": _overdue,
    "release-FAILED-unverified": _step_failed,
    "release-FAILED-broken": _broken,
    "release-FAILED-stopped": _stopped,
    "release-FAILED-service-gone": _service_gone,
    "release-REFUSED-spec": _wrong_spec,
    "release-REFUSED-architecture": _wrong_architecture,
    "release-REFUSED-policy": _policy,
    "rollback-SUCCEEDED": _rollback_done,
    "rollback-ROLLED_BACK": _rollback_did_not_start,
    "rollback-FAILED": _rollback_failed,
    "rollback-REFUSED": _rollback_refused,
    "command-SUCCEEDED": _command_done,
    "command-FAILED": _command_failed,
    "command-REFUSED": _command_refused,
}


def started() -> Notice:
    """The message at the start."""
    return start_notice(
        admitted(reason="push of crops-backend:v3", tag="v3"),
        EXECUTION,
        "Automatic rollback to version 7 is not available: the image of its container web is not "
        "named by its digest.",
        CONSOLE,
    )


def failed_migration() -> Notice:
    """The early message."""
    gate = _migration_failed().evidence
    found = diagnose_gate(symptoms(evidence=gate))
    assert found is not None
    return failure_notice(
        admitted(reason="push of crops-backend:v3", tag="v3"),
        found,
        version=8,
        previous_version=7,
        live=7,
        execution=EXECUTION,
        console=CONSOLE,
    )


def not_pruned_notice() -> Publication:
    """The message about old snapshots."""
    database = Database(instance="crops-backend-db", keep_snapshots=2, timeout_seconds=60)
    failed = {"lightgate-crops-backend-20261101": "InvalidDBSnapshotState: the snapshot is in use"}
    return not_pruned(
        admitted(tag="v3"), database, failed, [], execution=EXECUTION, console=CONSOLE
    )


def _rehearsal() -> ReadableRecord:
    measured = Measured(
        migrations=(MeasuredMigration(name="harvests.0004_fill_season", seconds=2.1),),
        locks=(_LOCK,),
        tables=(),
        unread=(),
        is_upper_bound=False,
        sample_seconds=0.02,
        omitted=0,
    )
    return ReadableRecord(
        app="crops-backend",
        release=RELEASE,
        kind=RecordKind.REHEARSAL,
        status="SUCCEEDED",
        started_at=STARTED,
        ended_at=STARTED + timedelta(minutes=31),
        stage="production",
        tag="v3",
        digest=DIGEST,
        repository="crops-backend",
        execution=EXECUTION.replace("release", "lightgate-rehearsal", 1),
        summary="1 migration of v3 succeeded in 2.1 s on the copy. The app's own database was not "
        "touched.",
        rehearsal=Rehearsed(
            name="lightgate-rehearsal-0123456789ab-0123456789ab",
            snapshot=_SNAPSHOT,
            snapshot_at=STARTED - timedelta(hours=3),
            measured=measured,
            is_removed=True,
        ),
    )


def rehearsal_ended() -> Publication:
    """The message of a rehearsal that SUCCEEDED."""
    return rehearsal_notice(_rehearsal(), CONSOLE)


def rehearsal_failed() -> Publication:
    """The message of a rehearsal that FAILED."""
    failed = replace(
        _rehearsal(),
        status="FAILED",
        failure_code="rehearsed-migration",
        summary="Migration harvests.0004_fill_season of v3 failed on the copy. The app's own "
        "database was not touched.",
        reasons=['IntegrityError: column "season" contains null values.'],
    )
    return rehearsal_notice(failed, CONSOLE)


def _mail(notice: Notice | Publication) -> Mail:
    return Mail(notice.subject, json.loads(notice.message)["email"])


def _undetermined() -> Mail:
    states = json.loads(_DEFINITION.read_text())["States"]
    described = states["DescribeUndetermined"]["Parameters"]["document"]
    values = {
        "$.named.app": "crops-backend",
        "$.named.stage": "production",
        "$.admission.app": "crops-backend",
        "$.admission.stage": "production",
        "$.error.Error": "MissingError",
        "$.execution": EXECUTION,
    }
    return Mail(
        _formatted(states["NameApp"]["Parameters"]["subject.$"], values),
        _formatted(described["text.$"], values) + "\n",
    )


def _formatted(expression: str, values: Mapping[str, str]) -> str:
    """What `States.Format` makes of it."""
    expression = with_pages(expression)
    found = re.fullmatch(r"States\.Format\('((?:[^'\\]|\\.)*)', (.*)\)", expression)
    if found is None:
        raise ValueError(f"not a States.Format of one text: {expression}")
    text = found[1].replace("\\n", "\n")
    for path in found[2].split(", "):
        text = text.replace("{}", values[path], 1)
    return text
