"""How a release ended: the one place that decides it.

What is said here is what people act upon, so nothing is concluded from silence:
SUCCEEDED and ROLLED_BACK each need the service to say so itself.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from lightgate.deployment import Deployment, Service, Status
from lightgate.gate_log import Evidence, Phase


class Outcome(enum.StrEnum):
    SUCCEEDED = "SUCCEEDED"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"

    @property
    def is_quiet(self) -> bool:
        """Whether people are left alone with it: a newer release brings its own message."""
        return self is Outcome.SUPERSEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The outcome and what to tell the people who wait for it, in whole sentences."""

    outcome: Outcome
    reasons: Sequence[str]
    next_steps: Sequence[str]


def refused(reasons: Sequence[str]) -> Conclusion:
    return Conclusion(
        outcome=Outcome.REFUSED,
        reasons=reasons,
        next_steps=["Nothing was applied and nothing was deployed. Correct it and push again."],
    )


def superseded(reasons: Sequence[str]) -> Conclusion:
    """A newer push came before anything was deployed."""
    return Conclusion(outcome=Outcome.SUPERSEDED, reasons=reasons, next_steps=[])


def stopped(how: str, *, admitted: bool, deployment: Deployment | None) -> Conclusion:
    """The execution of the release ended before the release was settled.

    `deployment` is as the service shows it now: nobody follows it any more.
    """
    reason = f"The execution of the release ended as {how} before the release was settled."
    if not admitted:
        return Conclusion(
            outcome=Outcome.REFUSED,
            reasons=[reason],
            next_steps=["Nothing was applied and nothing was deployed. Release it anew by hand."],
        )
    if deployment is None:
        next_step = "No deployment of this release was found. Release it anew by hand."
    elif deployment.state == "ACTIVATING":
        reason += f" Its deployment {deployment.version} was still activating."
        next_step = (
            f"Look at how deployment {deployment.version} ends, and whether it has applied its "
            "migrations; Lightsail has no call to cancel it."
        )
    else:
        reason += f" Its deployment {deployment.version} was {deployment.state}."
        next_step = (
            f"Look at deployment {deployment.version} and at the migrations it has applied: "
            "nobody has verified them."
        )
    return Conclusion(outcome=Outcome.FAILED, reasons=[reason], next_steps=[next_step])


def broken(error: str, version: int | None) -> Conclusion:
    """A step failed in a way that nobody foresaw, and went on failing when retried."""
    deployed = (
        "No deployment of this release was found."
        if version is None
        else f"Its deployment is version {version}; look at how that ended before you push again."
    )
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[f"The release could not be carried on: {error}"],
        next_steps=[deployed, "The execution in the Step Functions console shows the failed step."],
    )


def concluded(
    *,
    status: Status,
    version: int,
    previous_version: int | None,
    service: Service,
    evidence: Evidence,
    refusal: str | None = None,
) -> Conclusion:
    """How a release ended whose deployment was created.

    `service` is read after the deployment's end; `refusal` says why its gates were never
    permitted to begin, if they were not. A deployment that ended while a
    migration was being applied is never called rolled back: its database may be
    part-way between two schemas.
    """
    if status is Status.ACTIVE:
        if service.serves(version):
            return Conclusion(outcome=Outcome.SUCCEEDED, reasons=[], next_steps=[])
        return _failed(
            f"Deployment {version} became active, but the service no longer serves it.",
            "Find out who deployed something else meanwhile.",
        )
    if status is Status.OVERDUE and service.serves(version):
        return _failed(
            f"Deployment {version} is active, but its gate has not reported success within the "
            "time limit, and without a public endpoint nothing else proves it.",
            "Read the log of the gate's container to see whether the migration has succeeded.",
        )
    if status is Status.OVERDUE:
        return _failed(
            f"Deployment {version} has neither become active nor failed within its time limit.",
            "Lightsail has no call to cancel it. Watch it with aws lightsail "
            "get-container-service-deployments; the service refuses another one until it ends.",
        )
    reasons = _why(version, evidence)
    if service.serves(version):
        return _failed(
            *reasons,
            f"Deployment {version} serves although its gate failed, because the service has no "
            "public endpoint that could hold it back.",
            "Find out whether it can work with the database as it is now, then push again.",
        )
    if _may_be_half_migrated(evidence):
        return _failed(
            *reasons,
            "It ended while a migration was being applied: the database may be part-way.",
            "Compare python manage.py showmigrations with the database before you push again.",
        )
    if previous_version is None:
        return _failed(
            *reasons,
            "Nothing was serving before, so nothing serves now.",
            "Correct the cause and push again.",
        )
    if not service.serves(previous_version):
        return _failed(
            *reasons,
            f"Version {previous_version}, which served before, is not active.",
            "Look at the container service in the Lightsail console at once.",
        )
    serving = f"Version {previous_version} is active and goes on serving."
    if evidence.failure is not None and evidence.failure.cause == "refused":
        return Conclusion(
            outcome=Outcome.REFUSED,
            reasons=[*reasons, serving],
            next_steps=[
                "Nothing was applied. Make the migration compatible with the version that serves, "
                'or release this image by hand with "allowDestructive": true.'
            ],
        )
    if refusal is not None:
        return Conclusion(
            outcome=Outcome.REFUSED,
            reasons=[refusal, serving],
            next_steps=["Nothing was applied. Correct it and push again."],
        )
    return Conclusion(
        outcome=Outcome.ROLLED_BACK,
        reasons=[*reasons, serving],
        next_steps=[
            "Correct the cause and push again. What a migration had already applied stays applied."
        ],
    )


def _may_be_half_migrated(evidence: Evidence) -> bool:
    """Whether the database may be in the middle of a migration, for all that is known.

    The gate's own look at it counts, where it could look. Between two migrations, each of
    which is applied as a whole, is not in the middle of one.
    """
    failure = evidence.failure
    if failure is None or failure.database is None:
        was_cut_off = failure is not None and failure.cause in ("timeout", "signal")
        return evidence.phase is Phase.APPLYING or was_cut_off
    if failure.database == "part-way":
        return not evidence.atomic
    return failure.database != "unchanged"


def _failed(*sentences: str) -> Conclusion:
    *reasons, next_step = sentences
    return Conclusion(outcome=Outcome.FAILED, reasons=reasons, next_steps=[next_step])


def _why(version: int, evidence: Evidence) -> list[str]:
    failure = evidence.failure
    if failure is None:
        if evidence.phase is Phase.UNGATED:
            return [f"Deployment {version} failed: the app did not become healthy, or ended."]
        if evidence.phase is Phase.SUCCEEDED:
            return [
                f"Deployment {version} failed after its gate had opened: the app did not become "
                "healthy, or ended."
            ]
        if evidence.phase is Phase.SILENT:
            return [
                f"Deployment {version} failed, and its gate has reported nothing: whether a "
                "migration had begun is not known."
            ]
        return [f"Deployment {version} failed, and the gate has reported no cause."]
    what = (
        f"Migration {failure.migration} failed"
        if failure.migration
        else f"The container {failure.container} failed ({failure.cause})"
    )
    return [f"{what}: {failure.error}"]
