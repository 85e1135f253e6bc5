"""Reports of releases that were rolled back or refused."""

from datetime import datetime
from typing import Any

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import RefusalCode
from lightgate.gate.gate_report import Migration, Phase
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.notifications.report import Report, Snapshot
from lightgate.outcome.conclude import conclude
from lightgate.outcome.outcome import refused
from lightgate.verification.health import WatchProgress, WatchStatus
from lightgate.verification.verified import Verified
from tests.support.builders import DIGEST, RELEASE, STARTED, ending, evidence, failure, report

RESTORE = "aws rds restore-db-instance-from-db-snapshot --db-instance-identifier new"
TAKE_BACK = [
    {
        "app": "crops-backend",
        "digest": DIGEST,
        "command": ["python", "manage.py", "migrate", "harvests", "0004_fill_season"],
    }
]
MIGRATION_ERROR = Diagnosis(
    kind=FailureClass.MIGRATION_ERROR,
    what="Migration harvests.0006_one_harvest_a_day failed. A part is applied.",
    evidence="django.db.utils.IntegrityError: could not create unique index",
    next_action="Correct harvests.0006_one_harvest_a_day and push again.",
)
SAFE = Judgement(verdict=Verdict.SAFE)


def rolled_back() -> Report:
    found = evidence(
        Phase.FAILED,
        migrations=[Migration(name="harvests.0005_tidy_crops", seconds=0.2)],
        failed=failure(),
        changed=True,
    )
    well = Verified(
        status=WatchStatus.GOOD, version=7, watch=WatchProgress(began_at=STARTED, total=2)
    )
    return report(
        evidence=found,
        conclusion=conclude(ending(evidence=found, verified=well, judgement=SAFE)),
        failure=MIGRATION_ERROR,
        judgement=SAFE,
        not_applied=["harvests.0006_one_harvest_a_day"],
        take_back=TAKE_BACK,
        snapshot=Snapshot(
            id=f"lightgate-crops-backend-{RELEASE}",
            available_at=datetime.fromisoformat("2026-11-16T01:55:40+00:00"),
            status="AVAILABLE",
            restore=[RESTORE],
        ),
    )


def refusal(*reasons: str, **changes: Any) -> Report:
    nothing: dict[str, Any] = dict.fromkeys(
        ["repository", "digest", "reason", "snapshot", "version", "previous_version"]
    )
    return report(**(nothing | {"conclusion": refused(reasons, code=RefusalCode.SPEC)} | changes))
