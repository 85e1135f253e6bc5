"""The sentences about the end of a deployment: why it failed, and what is live now."""

from collections.abc import Mapping, Sequence

from lightgate.deployment.status import Service
from lightgate.gate.gate_report import Failure, GateCause, Phase
from lightgate.migrations.compatibility import Verdict
from lightgate.names import COMMAND_CONTAINER
from lightgate.outcome.deployment_end import DeploymentEnd
from lightgate.outcome.outcome import AGAIN
from lightgate.release.release import ReleaseKind
from lightgate.state import RollbackResult, RollbackStatus
from lightgate.verification.health import WatchStatus
from lightgate.verification.verified import NO_CHECK, Verified

_UNCHANGED = "Version {} runs the same app as before"


def what_served_before_does(seen: DeploymentEnd) -> list[str]:
    """The health of the previous version, if it is still live."""
    before, verified = seen.before, seen.verified
    if before is None or not seen.service.serves(before):
        return [what_is_live(seen.service)]
    is_same = before == seen.version
    name = _UNCHANGED.format(before) if is_same else f"Version {before} is still live"
    if verified is None or verified.version != before or verified.status is WatchStatus.SKIPPED:
        why = verified.shown if verified is not None else NO_CHECK
        return [f"{name}, but its health is unknown. {why}"]
    if not verified.is_good(before):
        return [f"{name}, but it is unhealthy: {verified.shown}"]
    # The verdict of the message already says which version is live.
    healthy = f"{name} and is" if is_same else f"Version {before} is"
    return [f"{healthy} {how_healthy(verified)}"]


def how_healthy(found: Verified | RollbackResult) -> str:
    has_written = found.watch is not None and found.watch.written
    return f"healthy{', also for a write' if has_written else ''}: {found.shown}"


def what_is_live(service: Service) -> str:
    current = service.current
    if current is None:
        return "No version is live now."
    if current.state == "ACTIVE":
        return f"Version {current.version} is live now."
    return f"The service now shows version {current.version} as {current.state}."


def what_may_be_half_done(seen: DeploymentEnd) -> str:
    if seen.kind is ReleaseKind.COMMAND:
        what = "the command, so the command may have done only a part of its changes"
    else:
        what = "a migration, so that migration may be partly applied"
    return f"Deployment {seen.version} ended during {what}."


def look_at_database(kind: ReleaseKind) -> str:
    return (
        "Compare the output of python manage.py showmigrations with the database before you "
        f"{AGAIN[kind]}."
    )


def why_it_failed(seen: DeploymentEnd) -> list[str]:
    version, evidence, failure = seen.version, seen.evidence, seen.evidence.failure
    if failure is not None:
        return [f"{_what_failed(failure)}: {failure.error}"]
    if evidence.phase is Phase.UNGATED:
        return [f"Deployment {version} failed: the app exited or did not become healthy."]
    if evidence.phase is Phase.SUCCEEDED:
        return [
            f"Deployment {version} failed after its gate had opened: the app exited or did not "
            "become healthy."
        ]
    if evidence.phase is Phase.WAITING and seen.no_permit is not None:
        return [f"Deployment {version} failed. Its gate got no permit: {seen.no_permit.reason}"]
    if evidence.phase is Phase.SILENT and not seen.may_have_begun:
        return [
            f"Deployment {version} failed, and its gate reported nothing. The gate had no permit, "
            "so nothing was applied."
        ]
    if evidence.phase is Phase.SILENT:
        return [
            f"Deployment {version} failed, and its gate reported nothing. Whether a migration had "
            "started is unknown."
        ]
    if evidence.phase is Phase.WAITING and seen.may_have_begun and evidence.changed is None:
        return [
            f"Deployment {version} failed. Its gate was waiting when it last reported. Whether a "
            "migration had started is unknown."
        ]
    return [f"Deployment {version} failed, and its gate reported no cause."]


def _what_failed(failure: Failure) -> str:
    if failure.migration:
        return f"Migration {failure.migration} failed"
    if failure.container == COMMAND_CONTAINER:
        return "The command failed"
    if failure.cause is GateCause.SCHEMA:
        return "The code of the old version was not started"
    if failure.cause is GateCause.UNPLANNED:
        return "The database was changed beside the permitted plan"
    if failure.around is not None:
        return f"{failure.around} failed ({failure.cause})"
    return f"The container {failure.container} failed ({failure.cause})"


def why_it_may_fail(version: int, seen: DeploymentEnd) -> list[str]:
    """Why the old version may not be able to work with the database as it is now, if so."""
    judgement = seen.on_the_schema_as_it_is
    if judgement.verdict.allows_rollback:
        return []
    if judgement.verdict is Verdict.UNKNOWN:
        unsure = f"Version {version} may not work correctly with the current database:"
        return [unsure, *judgement.reasons]
    return [
        f"Version {version} may fail with the current database, even if its health checks pass:",
        *judgement.reasons,
    ]


def how_the_rollback_ended(back: RollbackResult) -> Sequence[str]:
    """How the rollback ended, without the reasons that spoke for it."""
    to = "The rollback" if back.target is None else f"The rollback to version {back.target}"
    if back.version is None:
        why = _NOT_DONE.get(back.status, "did not happen")
        return [f"{to} {why}.", *back.reasons]
    deployed = f"{to} with deployment {back.version}"
    if back.status is RollbackStatus.FAILED and back.watch is not None:
        return [f"{deployed} did not help. {back.shown}"]
    if back.status is RollbackStatus.FAILED:
        return [f"{deployed} failed.", *back.reasons]
    return [f"{deployed} {_DONE.get(back.status, 'had not ended at the last check')}."]


_NOT_DONE: Mapping[RollbackStatus | None, str] = {
    RollbackStatus.BUSY: "was not possible, because the container service accepted no deployment",
    RollbackStatus.FAILED: "was not possible",
    RollbackStatus.LOST: "was not done, because the release no longer holds the deployment lock",
    RollbackStatus.REPLACED: "was not done",
}


_DONE: Mapping[RollbackStatus | None, str] = {
    RollbackStatus.GOOD: "was healthy, but that version is no longer live",
    RollbackStatus.REPLACED: "was replaced by another deployment",
}


def what_was_done(seen: DeploymentEnd) -> Sequence[str]:
    match seen.kind:
        case ReleaseKind.IMAGE:
            return []
        case ReleaseKind.ROLLBACK:
            return [f"Version {seen.rollback_to} is live again as version {seen.version}."]
        case ReleaseKind.COMMAND:
            return [_UNCHANGED.format(seen.version) + "."]
