"""How a release ended, and what people are told of it.

Here are the ends of those whose deployment nobody could follow to its end; of the others,
ending.py.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lightgate.deployment.status import Deployment
from lightgate.release.release import Kind
from lightgate.state import RollbackResult

# What a person does once the cause is mended.
AGAIN: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.IMAGE: "push again",
        Kind.ROLLBACK: "start the execution again",
        Kind.COMMAND: "start the execution again",
    }
)

_FAILED_STEP = "The execution in the Step Functions console shows the failed step."


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


def refused(reasons: Sequence[str], kind: Kind = Kind.IMAGE) -> Conclusion:
    return Conclusion(
        outcome=Outcome.REFUSED,
        reasons=reasons,
        next_steps=[
            f"Nothing was applied and nothing was deployed. Correct the cause and {AGAIN[kind]}."
        ],
    )


def superseded(reasons: Sequence[str]) -> Conclusion:
    """A newer push came before anything was deployed."""
    return Conclusion(outcome=Outcome.SUPERSEDED, reasons=reasons, next_steps=[])


def stopped(
    how: str, *, admitted: bool, deployment: Deployment | None, back: Deployment | None = None
) -> Conclusion:
    """The execution of the release ended before the release was settled.

    `deployment` is as the service shows it now, as is `back`, with which the release was going
    back: nobody follows them any more.
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
    reasons = [reason] if back is None else [reason, _left_behind(back.version, back.state)]
    return Conclusion(outcome=Outcome.FAILED, reasons=reasons, next_steps=[next_step])


def gone(why: str, version: int, kind: Kind) -> Conclusion:
    """The container service does not exist any more, or is another one of the same name."""
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[
            f"{why}.",
            f"Deployment {version} of this release is gone with the container service.",
        ],
        next_steps=[
            "Find out who deleted the container service. Compare python manage.py showmigrations "
            "with the database: a migration may have been applied. If the service of that name is "
            f"to run this app, {AGAIN[kind]}."
        ],
    )


def broken(error: str, version: int | None, back: RollbackResult | None = None) -> Conclusion:
    """A step failed in a way that nobody foresaw, and went on failing when retried."""
    deployed = (
        "No deployment of this release was found."
        if version is None
        else f"Its deployment is version {version}; look at how that ended before you push again."
    )
    left = []
    if back is not None and back.version is not None:
        left = [_left_behind(back.version, back.status or "not created")]
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[f"The release could not be carried on: {error}", *left],
        next_steps=[deployed, _FAILED_STEP],
    )


def unverified(
    error: str, *, app: str, version: int, previous: int | None, wrong: str | None, is_open: bool
) -> Conclusion:
    """The new version serves, and the step failed that would have seen to it.

    `wrong` is what its watch had shown before, `is_open` whether the version before can work with
    the database as it is now.
    """
    said = f"It was unhealthy in the watch period. {wrong}" if wrong else "It was not verified."
    keep = f"keep version {version} if the app does its work; mend what is wrong, and push again."
    if previous is None:
        steps = [f"See at once, and {keep}"]
    else:
        execution = f'{{"app": "{app}", "rollbackTo": {previous}}}'
        steps = [f"See at once. Either {keep}", f"Or go back: start an execution with {execution}."]
        if not is_open:
            steps[1] += (
                f" Version {previous} may not be able to work with the database as it is now: take "
                "back before what was applied, or it will be refused. Where that cannot be taken "
                'back, it needs "allowDestructive": true as well.'
            )
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[
            f"The release could not be carried on: {error}",
            f"Version {version} is active and serves. {said}",
        ],
        next_steps=[*steps, _FAILED_STEP],
    )


def _left_behind(version: int, state: str) -> str:
    return (
        f"It was going back with deployment {version}, which was {state}; nobody has followed it "
        "to its end."
    )
