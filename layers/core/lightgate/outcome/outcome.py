"""The outcome of a release, and its reasons and next steps.

This module has the outcomes of releases whose deployment was not followed to its end; conclude.py
has the others.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lightgate.deployment.status import Deployment
from lightgate.diagnosis.diagnose import FIND_THE_STEP
from lightgate.errors import RefusalCode, sentence
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind
from lightgate.state import RollbackResult

# The next step after the cause is corrected.
AGAIN: Mapping[ReleaseKind, str] = MappingProxyType(
    {
        ReleaseKind.IMAGE: "push again",
        ReleaseKind.ROLLBACK: "start the execution again",
        ReleaseKind.COMMAND: "start the execution again",
    }
)


class Outcome(enum.StrEnum):
    SUCCEEDED = "SUCCEEDED"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"

    @property
    def is_quiet(self) -> bool:
        """Whether no message is sent: the newer release sends its own."""
        return self is Outcome.SUPERSEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The outcome, its reasons and the next steps, in whole sentences. `code` is a refusal's.

    With `is_general_advice` the next steps say only to correct the cause, whatever it is.
    """

    outcome: Outcome
    reasons: Sequence[str]
    next_steps: Sequence[str]
    code: RefusalCode | None = None
    is_general_advice: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "reasons", tuple(map(sentence, self.reasons)))


def correct_the_cause(
    outcome: Outcome,
    reasons: Sequence[str],
    kind: ReleaseKind,
    code: RefusalCode | None = None,
) -> Conclusion:
    """A conclusion whose only next step is to correct the cause."""
    return Conclusion(
        outcome=outcome,
        reasons=reasons,
        next_steps=[f"Correct the cause and {AGAIN[kind]}."],
        code=code,
        is_general_advice=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WayToStart:
    """How to start a release again: the parameter of its spec, and the command."""

    parameter: str
    command: str


# The first step after a refusal that no other image mends.
_CORRECTIONS: Mapping[RefusalCode | None, str] = MappingProxyType(
    {
        RefusalCode.SPEC: "Correct the spec in the parameter {} (docs/spec.md has every key).",
        RefusalCode.SPEC_MISSING: "Store the spec of the app as the parameter {}.",
        RefusalCode.SECRET: (
            "Correct the secret that the reason names, or its entry in the parameter {}."
        ),
        RefusalCode.DATABASE: (
            "Correct the database that the reason names, or database in the parameter {}."
        ),
        RefusalCode.SNAPSHOT: (
            "Correct what the reason names, or database.backup in the parameter {}."
        ),
        RefusalCode.SERVICE_MISSING: (
            "Create the container service, or correct serviceName in the parameter {}."
        ),
        RefusalCode.SERVICE_TAKEN: "Correct serviceName in the parameter {}.",
        RefusalCode.SERVICE_DISABLED: "Enable the container service in the Lightsail console.",
        RefusalCode.SERVICE_REPLACED: (
            "Check that the new container service is the one for this app, or correct serviceName "
            "in the parameter {}."
        ),
        RefusalCode.SPEC_REPLACED: "Check the spec in the parameter {}: it was stored again.",
        RefusalCode.DEPLOYMENT: "Correct in the parameter {} what the reason names.",
        RefusalCode.QUOTA: (
            "Delete old snapshots, or set database.keepSnapshots in the parameter {}, so that "
            "Lightgate deletes them."
        ),
        RefusalCode.NOTHING_LIVE: "Release a version of the app first.",
        RefusalCode.LOCKED: "Wait until the other release has ended.",
    }
)


def refused(
    reasons: Sequence[str],
    kind: ReleaseKind = ReleaseKind.IMAGE,
    *,
    code: RefusalCode | None,
    way: WayToStart | None = None,
) -> Conclusion:
    if code is RefusalCode.INPUT:
        steps = ["Correct the input of the execution, and start it again."]
    elif code is RefusalCode.NOT_REHEARSED:
        steps = ["Correct what the rehearsal has found, and push again."]
        if way is not None:
            steps.append(f"To release it all the same, without a rehearsal: {way.command}")
    elif code is RefusalCode.UPDATED:
        steps = [_start_again(way)]
    elif way is not None and (code in _CORRECTIONS or kind is not ReleaseKind.IMAGE):
        correction = _CORRECTIONS.get(code, "Correct the cause.").format(way.parameter)
        what = _STARTED[kind]
        steps = [correction, f"Then start {what} again: {way.command}"]
    else:
        return correct_the_cause(Outcome.REFUSED, reasons, kind, code)
    return Conclusion(outcome=Outcome.REFUSED, reasons=reasons, next_steps=steps, code=code)


_STARTED = MappingProxyType(
    {
        ReleaseKind.IMAGE: "the release",
        ReleaseKind.ROLLBACK: "the rollback",
        ReleaseKind.COMMAND: "the command",
    }
)


def _start_again(way: WayToStart | None) -> str:
    return f"Start the release again: {way.command}" if way else "Start the release again."


def superseded(reasons: Sequence[str]) -> Conclusion:
    """A newer push came before anything was deployed."""
    return Conclusion(outcome=Outcome.SUPERSEDED, reasons=reasons, next_steps=[])


def stopped(
    how: str,
    *,
    admitted: bool,
    deployment: Deployment | None,
    back: Deployment | None = None,
    is_service_known: bool = True,
    way: WayToStart | None = None,
) -> Conclusion:
    """The execution of the release ended before its outcome was recorded.

    `deployment` is as the service shows it now, as is `back`, the deployment of the rollback: no
    execution follows them any more. Without `is_service_known` the service could not be read.
    """
    reason = f"The execution ended as {how} before the outcome of the release was recorded."
    if not admitted:
        return Conclusion(
            outcome=Outcome.REFUSED,
            reasons=[reason, "Nothing was deployed."],
            next_steps=[_start_again(way)],
            code=RefusalCode.INTERRUPTED,
        )
    if deployment is None:
        found, next_step = _without_deployment(way, is_service_known=is_service_known)
        reason += f" {found}"
    elif deployment.state == "ACTIVATING":
        reason += f" Its deployment {deployment.version} was still activating."
        next_step = (
            f"Check how deployment {deployment.version} ends, and whether its migrations are "
            "applied. Lightsail cannot cancel it."
        )
    else:
        reason += f" Its deployment {deployment.version} was {deployment.state}."
        next_step = (
            f"Check deployment {deployment.version} and the migrations that it has applied: "
            "Lightgate has not checked them."
        )
    reasons = [reason] if back is None else [reason, _left_behind(back.version, back.state)]
    return Conclusion(outcome=Outcome.FAILED, reasons=reasons, next_steps=[next_step])


def gone(why: str, version: int, kind: ReleaseKind) -> Conclusion:
    """The container service no longer exists, or is another one with the same name."""
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[
            f"{why}.",
            f"Deployment {version} of this release was deleted with the container service.",
        ],
        next_steps=[
            "Find out who deleted the container service.",
            "Compare the output of python manage.py showmigrations with the database: a migration "
            "may have been applied.",
            f"If the service of that name shall run this app, {AGAIN[kind]}.",
        ],
    )


def broken(
    error: str,
    version: int | None,
    back: RollbackResult | None = None,
    *,
    is_service_known: bool = True,
    way: WayToStart | None = None,
) -> Conclusion:
    """A step failed with an unexpected error, and its retries failed as well.

    Without `is_service_known` the service could not be read.
    """
    reasons = [_stopped_by(error)]
    if version is None:
        found, deployed = _without_deployment(way, is_service_known=is_service_known)
        reasons.append(found)
    else:
        deployed = f"Check how deployment {version} of this release ended before you push again."
    if back is not None and back.version is not None:
        reasons.append(_left_behind(back.version, back.status or "not created"))
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=reasons,
        next_steps=[deployed, FIND_THE_STEP],
    )


def _stopped_by(error: str) -> str:
    return f"The release could not continue: {error.rstrip('.')}."


def _without_deployment(way: WayToStart | None, *, is_service_known: bool) -> tuple[str, str]:
    """The reason and the next step of a release without a known deployment."""
    if is_service_known:
        return "No deployment of this release was found.", _start_again(way)
    return (
        "Whether a deployment was created could not be determined.",
        f"Check the deployments of the container service. {_start_again(way)}",
    )


def unreadable() -> Conclusion:
    """Another version of Lightgate admitted the release, and this one cannot read its record."""
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[
            "Another version of Lightgate admitted this release, and its record cannot be read. "
            "Whether it deployed or migrated anything is unknown."
        ],
        next_steps=[
            "Check the deployments of the container service and the migrations in the database "
            "before you push again.",
            FIND_THE_STEP,
        ],
    )


def unverified(
    error: str,
    *,
    app: str,
    execution: str,
    version: int,
    previous: int | None,
    wrong: str | None,
    is_open: bool,
) -> Conclusion:
    """The new version is live, and a step failed that would have checked it.

    `wrong` is the result of its health checks so far, `is_open` whether the previous version can
    work with the current database.
    """
    said = f"unhealthy: {wrong}" if wrong else "its health is unknown."
    steps = [f"Check now whether the app works. If it does, version {version} can stay live."]
    if wrong:
        steps.append(f"To keep version {version}: correct what is wrong and push again.")
    if previous is not None:
        back = how_to_start(execution, {"app": app, "rollbackTo": previous})
        steps.append(f"To roll back: {back}")
        if not is_open:
            steps.append(
                f"Version {previous} may fail with the current database, so the rollback is "
                "refused unless you reverse the applied migrations first, or add "
                '"allowDestructive": true to the input.'
            )
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[
            _stopped_by(error),
            f"Version {version} is live, but {said}",
        ],
        next_steps=[*steps, FIND_THE_STEP],
    )


def _left_behind(version: int, state: str) -> str:
    return (
        f"The rollback created deployment {version}, which was {state}. Lightgate has not followed "
        "it to its end."
    )
