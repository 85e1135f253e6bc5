"""Values with defaults, so that each test shows only what matters to it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lightgate.backup.timings import Timings
from lightgate.deployment.compiler import ImageSource
from lightgate.deployment.status import Deployment, FollowedDeployment, Service, Status
from lightgate.errors import RefusedError
from lightgate.gate.gate_report import (
    NO_GATE_REPORT,
    CommandStep,
    DatabaseAfter,
    Failure,
    GateCause,
    GateReport,
    Migration,
    Phase,
)
from lightgate.image.config import ImageConfig
from lightgate.migrations.compatibility import Judgement, Verdict, judge_gates, judge_plan, together
from lightgate.migrations.plan import Plan
from lightgate.notifications.report import Report, Snapshot
from lightgate.outcome.deployment_end import DeploymentEnd
from lightgate.outcome.outcome import Conclusion, Outcome
from lightgate.records.version import VersionRecord
from lightgate.release.lock import HeldLock
from lightgate.release.release import Release, ReleaseKind
from lightgate.spec.keys import AppSpec
from lightgate.spec.migration_policy import Policy
from lightgate.spec.parser import parse_spec
from lightgate.state import Admission, DeploymentProgress, State

type Json = dict[str, Any]

RELEASE = "20261116t015434z-7f5b2640-0c1d"
DIGEST = "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234e1f0"
SPEC_DIGEST = "c" * 64
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:release:crops-backend-7f5b2640fe6f"
STARTED = datetime(2026, 11, 16, 1, 54, 34, tzinfo=UTC)


def reasons_of(call: Callable[[], object]) -> Sequence[str]:
    """Why the call is refused; nothing if it is not. Any other error goes through."""
    try:
        call()
    except RefusedError as error:
        return error.reasons
    return ()


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def wait_for(container: str, condition: str = "SUCCESS") -> Json:
    return {"containerName": container, "condition": condition}


def migrate(**changes: object) -> Json:
    return {"command": ["python", "manage.py", "migrate", "--noinput"], **changes}


def web(**changes: object) -> Json:
    return {
        "command": ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"],
        "ports": {"8000": "HTTP"},
        "dependsOn": [wait_for("migrate")],
        **changes,
    }


def deployed(value: Any, stack: str = "lightgate", **resources: str) -> Any:
    """A value of the template as CloudFormation resolves it; `resources` are values of `Ref`."""
    known = {
        "AWS::AccountId": "123456789012",
        "AWS::Partition": "aws",
        "AWS::Region": "us-east-1",
        "AWS::StackName": stack,
        **resources,
    }
    match value:
        case {"Ref": name}:
            return known[name]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: known[found[1]], text)
        case dict():
            return {key: deployed(each, stack, **resources) for key, each in value.items()}
        case list():
            return [deployed(each, stack, **resources) for each in value]
    return value


def spec_document(**changes: object) -> Json:
    """A small valid spec as people write it; a change to None leaves the key out."""
    document = {
        "serviceName": "crops-backend",
        "repository": "crops-backend",
        "containers": {"migrate": migrate(), "web": web()},
        "publicEndpoint": {"containerName": "web", "containerPort": 8000},
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def parse(document: object) -> AppSpec:
    return parse_spec(json.dumps(document))


def app_spec(**changes: object) -> AppSpec:
    return parse(spec_document(**changes))


def source(
    command: Sequence[str] = ("gunicorn", "crops.wsgi"),
    entrypoint: Sequence[str] = (),
    reference: str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops-backend:lightgate-7f5b",
) -> ImageSource:
    config = ImageConfig(command=tuple(command), entrypoint=tuple(entrypoint), architecture="amd64")
    return ImageSource(reference=reference, config=config)


def deployment(version: int, state: str = "ACTIVE", release: str | None = None) -> Deployment:
    created_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return Deployment(version=version, state=state, created_at=created_at, release=release)


def service(
    *,
    current: Deployment | None = None,
    upcoming: Deployment | None = None,
    deployments: Sequence[Deployment] = (),
    disabled: bool = False,
) -> Service:
    return Service(
        name="crops-backend",
        state="RUNNING",
        disabled=disabled,
        current=current,
        next=upcoming,
        deployments=deployments,
    )


def watch(
    version: int = 8, limit: int = 3600, ended_at: datetime | None = None
) -> FollowedDeployment:
    return FollowedDeployment(
        version=version,
        marker=None,
        created_at=STARTED,
        time_limit=seconds(limit),
        ended_at=ended_at,
    )


def failure(**changes: Any) -> Failure:
    values: Json = {
        "container": "migrate",
        "cause": "exit",
        "error": "django.db.utils.IntegrityError: could not create unique index",
        "migration": "harvests.0006_one_harvest_a_day",
        "exit_code": 1,
        "last_lines": ["  Applying harvests.0006_one_harvest_a_day...", "IntegrityError"],
    }
    values |= changes
    values["cause"] = GateCause(values["cause"])
    if values.get("database") is not None:
        values["database"] = DatabaseAfter(values["database"])
    if values.get("step") is not None:
        values["step"] = CommandStep(values["step"])
    return Failure(**values)


def evidence(
    phase: Phase = Phase.SUCCEEDED,
    migrations: Sequence[Migration] = (),
    failed: Failure | None = None,
    began_at: str | None = None,
    *,
    atomic: bool = False,
    changed: bool | None = None,
) -> GateReport:
    return GateReport(
        phase=phase,
        began_at=began_at,
        migrations=migrations,
        failure=failed,
        atomic=atomic,
        changed=changed,
    )


def admission(release: Release, **changes: Any) -> Admission:
    """The answer of Admit to a release that may begin. It has no database."""
    values: dict[str, Any] = {
        "app": release.app,
        "stage": release.stage,
        "release": release,
        "database": None,
        "restore_input": None,
        "take_snapshot": False,
        "history": Timings(),
        "poll_seconds": 10,
        "warnings": (),
        "status": "PROCEED",
        "lock": HeldLock(execution=EXECUTION, fence=1),
        "admitted_at": STARTED,
        "wait_seconds": 0,
        **changes,
    }
    return Admission(**values)


def bare_state(**changes: Any) -> State:
    values = {
        "request": {"app": "crops-backend"},
        "execution": EXECUTION,
        "started_at": STARTED,
        **changes,
    }
    return State(**values)


def progress(**changes: Any) -> DeploymentProgress:
    """Version 8, which has taken the place of version 7, as CheckDeployment leaves it."""
    values: dict[str, Any] = {
        "status": Status.ACTIVE,
        "version": 8,
        "previous_version": 7,
        "created_at": STARTED,
        "poll_seconds": 10,
        "pending": False,
        "permitted": True,
        "unknown": (),
        "gate": NO_GATE_REPORT,
        **changes,
    }
    return DeploymentProgress(**values)


def gate_line(event: str, container: str = "migrate", release: str = RELEASE, **more: Any) -> str:
    """A line as the gate prints it."""
    at = "2026-11-16T01:56:00.000Z"
    told = {"lightgate": 1, "release": release, "container": container, "event": event, "at": at}
    return json.dumps(told | more)


def admitted(**changes: Any) -> Release:
    """A release of an image, as Admit lets it in."""
    values: Json = {
        "id": RELEASE,
        "app": "crops-backend",
        "stage": "production",
        "service": "crops-backend",
        "repository": "crops-backend",
        "digest": DIGEST,
        "rollback_to": None,
        "command": None,
        "spec_version": 3,
        "spec_digest": SPEC_DIGEST,
        "reason": None,
        "started_at": STARTED,
        "gates": ("migrate",),
        "unprotected": False,
        "allow_destructive": False,
        "asking_gates": {"migrate": seconds(300)},
        "policy": Policy.ALLOW,
        "platform_patience": seconds(600),
        "deployment_timeout": seconds(3600),
    }
    return Release(**(values | changes))


IMAGE = admitted()


def version_record(version: int, **changes: Any) -> VersionRecord:
    """A good version on record, with code of its own."""
    release = changes.get("release", f"r{version}")
    values: Json = {
        "version": version,
        "release": release,
        "kind": ReleaseKind.IMAGE,
        "digest": DIGEST,
        "spec_version": 3,
        "spec_digest": SPEC_DIGEST,
        "code": release,
        "fits": version,
        "is_good": True,
        "judgement": Judgement(verdict=Verdict.ONE_WAY, reasons=("A column is removed.",)),
    }
    return VersionRecord(**(values | changes))


def ending(**changes: Any) -> DeploymentEnd:
    """Of version 8, which failed while version 7 went on serving."""
    values: Json = {
        "app": "crops-backend",
        "execution": EXECUTION,
        "release": None,
        "status": Status.FAILED,
        "version": 8,
        "previous_version": 7,
        "service": service(current=deployment(7)),
        "evidence": evidence(Phase.SILENT),
        "may_have_begun": True,
        "judgement": Judgement(verdict=Verdict.SAFE),
        "earlier": Judgement(verdict=Verdict.NONE),
    }
    return DeploymentEnd(**(values | changes))


def report(**changes: Any) -> Report:
    values: Json = {
        "app": "crops-backend",
        "stage": "production",
        "release": RELEASE,
        "repository": "crops-backend",
        "digest": DIGEST,
        "reason": "push of crops-backend:latest",
        "warnings": (),
        "execution": EXECUTION,
        "started_at": STARTED,
        "ended_at": STARTED + seconds(187),
        "snapshot": Snapshot(
            id=f"lightgate-crops-backend-{RELEASE}",
            available_at=STARTED + seconds(66),
        ),
        "version": 8,
        "previous_version": 7,
        "evidence": NO_GATE_REPORT,
        "conclusion": Conclusion(outcome=Outcome.SUCCEEDED, reasons=[], next_steps=[]),
    }
    return Report(**(values | changes))


def compiled_secrets(spec: AppSpec) -> Mapping[Any, str]:
    """A value for each reference of the spec."""
    return {
        reference: f"value of {reference}"
        for container in spec.containers.values()
        for reference in container.secrets.values()
    }


def judged(plans: Mapping[str, Sequence[Plan]], *, has_database: bool = True) -> Judgement:
    """The verdict on a release, from every plan that each of its gates has told so far."""
    told = {gate: together(map(judge_plan, found)) for gate, found in plans.items() if found}
    return judge_gates(plans, told, has_database=has_database)
