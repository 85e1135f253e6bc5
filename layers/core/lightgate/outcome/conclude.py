"""How a release ended whose deployment was created and followed: the one place that decides it.

People act on the outcome, so nothing is concluded from missing reports: SUCCEEDED and ROLLED_BACK
each need the service to report the version as live, and the app to pass its health checks. Health
checks prove little for a version whose database was changed by a newer one: if the applied
migrations are known to break it, the outcome is not ROLLED_BACK.
"""

from collections.abc import Sequence
from dataclasses import replace

from lightgate.deployment.status import Status
from lightgate.errors import RefusalCode
from lightgate.gate.gate_report import DatabaseAfter, Failure, GateCause, GateReport, Phase
from lightgate.migrations.compatibility import Verdict
from lightgate.outcome.deployment_end import DeploymentEnd
from lightgate.outcome.end_sentences import (
    how_healthy,
    how_the_rollback_ended,
    look_at_database,
    what_is_live,
    what_may_be_half_done,
    what_served_before_does,
    what_was_done,
    why_it_failed,
    why_it_may_fail,
)
from lightgate.outcome.outcome import AGAIN, Conclusion, Outcome, correct_the_cause
from lightgate.outcome.reversal_end import how_the_reversal_ended
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind
from lightgate.state import RollbackResult, RollbackStatus
from lightgate.verification.verified import NO_CHECK


def conclude(seen: DeploymentEnd) -> Conclusion:
    """How a release ended whose deployment was created.

    A deployment that ended while a migration was being applied is never called rolled back: its
    database may be part-way between two schemas.
    """
    match seen.status:
        case Status.ACTIVE:
            return _active(seen)
        case Status.FAILED:
            return _not_active(seen)
        case _:
            return _overdue(seen)


def _active(seen: DeploymentEnd) -> Conclusion:
    version, verified = seen.version, seen.verified
    if verified is not None and verified.is_bad(version):
        wrong = f"Version {version} became active and was unhealthy: {verified.shown}"
        return _after_rollback([wrong], seen)
    if not seen.serves:
        return _failed(
            f"Version {version} became active, but it is no longer live.",
            what_is_live(seen.service),
            "Find out who deployed another version in the meantime.",
        )
    if verified is None or not verified.is_good(version):
        why = verified.shown if verified is not None else NO_CHECK
        return _failed(
            f"Version {version} is live, but its health is unknown. {why}",
            "Check whether the app works.",
        )
    return Conclusion(outcome=Outcome.SUCCEEDED, reasons=what_was_done(seen), next_steps=[])


def _after_rollback(wrong: Sequence[str], seen: DeploymentEnd) -> Conclusion:
    """The end of a release whose version had to be rolled back."""
    back = seen.rollback_result
    if back is None:
        return _failed(
            *wrong, f"Lightgate did not roll back. {what_is_live(seen.service)}", _choose(seen)
        )
    if back.status in (RollbackStatus.KEPT, RollbackStatus.IMPOSSIBLE):
        return Conclusion(
            outcome=Outcome.FAILED,
            reasons=[*wrong, *back.reasons, *back.notes],
            next_steps=back.next_steps,
        )
    if back.is_good and back.version is not None and seen.serves_again(back.version):
        return _back_on(
            back.version,
            [
                *wrong,
                f"Version {back.target} is live again as version {back.version}.",
                f"It is {how_healthy(back)}",
                *back.notes,
            ],
            seen,
        )
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[*wrong, *how_the_rollback_ended(back), *back.notes, what_is_live(seen.service)],
        next_steps=["Check now whether the app works.", *back.next_steps],
    )


def _choose(seen: DeploymentEnd) -> str:
    """Lightgate never undoes a rollback or a command by itself."""
    if seen.kind is ReleaseKind.IMAGE or seen.previous_version is None:
        return _check_and_push(seen)
    request = {"app": seen.app, "rollbackTo": seen.previous_version}
    return (
        "Check now whether the app works. To roll back to the previous version: "
        f"{how_to_start(seen.execution, request)}"
    )


def _check_and_push(seen: DeploymentEnd) -> str:
    return f"Check whether version {seen.version} works with the database, then push again."


def _overdue(seen: DeploymentEnd) -> Conclusion:
    version = seen.version
    if seen.serves:
        return _failed(
            f"Version {version} is live, but its gate did not report success within the time "
            "limit. Without a public endpoint, nothing else shows that the migrations succeeded.",
            "Read the log of the gate's container to see whether the migrations succeeded.",
        )
    return _failed(
        f"Deployment {version} neither became active nor failed within its time limit.",
        "Lightsail cannot cancel a deployment, and accepts no other one until it ends. To see its "
        "state: aws lightsail get-container-service-deployments --service-name "
        f"{seen.service.name}",
    )


def _not_active(seen: DeploymentEnd) -> Conclusion:
    """The deployment failed. Lightsail keeps the previous version live, if there is an endpoint."""
    reasons = why_it_failed(seen)
    back = seen.rollback_result
    if back is not None and back.reversal is not None:
        if back.status is not RollbackStatus.NOT_REVERSED:
            return _after_reversal(reasons, back, seen)
        reasons = [*reasons, *back.reasons]
        seen = replace(seen, rollback_result=None)
    before, is_half_done = seen.previous_version, _is_half_done(seen.evidence)
    if is_half_done or _may_be_at_work(seen):
        at_work = [what_may_be_half_done(seen)] if is_half_done else []
        return _failed(
            *reasons, *what_served_before_does(seen), *at_work, look_at_database(seen.kind)
        )
    if seen.serves or seen.rollback_result is not None:
        return _unprotected(reasons, seen)
    if before is None:
        none_is_live = "No version was live before, so no version is live now."
        return _refused_by_the_gates(reasons, seen) or correct_the_cause(
            Outcome.FAILED, [*reasons, none_is_live], seen.kind
        )
    if not seen.service.serves(before):
        return _failed(
            *reasons,
            f"Version {before}, the previous version, is no longer live.",
            f"Check the container service {seen.service.name} in the Lightsail console now.",
        )
    if (is_refused := _refused_by_the_gates(reasons, seen)) is not None:
        return is_refused
    serving = what_served_before_does(seen)
    if not seen.does_what_served_do_well:
        return _failed(
            *reasons,
            *serving,
            *why_it_may_fail(before, seen),
            f"Check now whether the app works. Correct the cause and {AGAIN[seen.kind]}.",
        )
    return _back_on(before, [*reasons, *serving], seen)


def _after_reversal(
    reasons: Sequence[str], back: RollbackResult, seen: DeploymentEnd
) -> Conclusion:
    """The migrations were to be reversed, and the old version verified on the old schema."""
    if back.has_reversed and back.version is not None and seen.serves_again(back.version):
        told = [*reasons, *how_the_reversal_ended(back), f"It is {how_healthy(back)}", *back.notes]
        return _back_on(back.version, told, seen)
    return _failed(
        *reasons,
        *how_the_reversal_ended(back),
        what_is_live(seen.service),
        look_at_database(seen.kind),
    )


def _back_on(version: int, reasons: Sequence[str], seen: DeploymentEnd) -> Conclusion:
    """The live old version is healthy: ROLLED_BACK, if it can work with the current database.

    Health checks prove only what they request: a page that can be read does not show that the next
    row can be written. So a migration that is known to break the version outweighs them. If the
    effect is unknown, as after a change of rows, they decide, and the message says so.
    """
    against = why_it_may_fail(version, seen)
    if seen.on_the_schema_as_it_is.verdict is not Verdict.ONE_WAY:
        return correct_the_cause(Outcome.ROLLED_BACK, [*reasons, *against], seen.kind)
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[*reasons, *against],
        next_steps=[
            f"Check now whether version {version} works, above all whether it can write.",
            f"Then correct the cause and {AGAIN[seen.kind]}, or reverse the applied migrations.",
        ],
    )


def _unprotected(reasons: Sequence[str], seen: DeploymentEnd) -> Conclusion:
    """The version is live although its gate failed, or was until it was rolled back."""
    if seen.kind is ReleaseKind.COMMAND and seen.rollback_result is None:
        return _refused_by_the_gates(reasons, seen) or _failed(
            *reasons,
            what_served_before_does(seen)[0],
            "Check what the command has changed. Correct it and start the execution again.",
        )
    live = "is" if seen.serves else "was"
    because = (
        f"Version {seen.version} {live} live although its gate failed: without a public endpoint, "
        "Lightsail does not wait for the gate."
    )
    if seen.rollback_result is None:
        return _failed(
            *reasons,
            because,
            _check_and_push(seen),
        )
    return _after_rollback([*reasons, because], seen)


def _asked_in_vain(seen: DeploymentEnd) -> bool:
    """Whether a command was not run beside its app because its gate got no permit."""
    failure = seen.evidence.failure
    is_why = failure is None or failure.cause.is_missing_permit
    is_beside = seen.kind is ReleaseKind.COMMAND and seen.serves
    return is_why and is_beside and not seen.may_have_begun


def _refused_by_the_gates(reasons: Sequence[str], seen: DeploymentEnd) -> Conclusion | None:
    """REFUSED if the gates applied nothing on purpose; FAILED if the live version is unhealthy.

    It is REFUSED as well if the health of the live version is unknown: this release did not touch
    it.
    """
    failure, before = seen.evidence.failure, seen.before
    by_gate = failure is not None and failure.cause.is_refusal
    is_refused = by_gate or seen.refusal is not None or _asked_in_vain(seen)
    if seen.may_have_changed or not is_refused:
        return None
    said = reasons if by_gate or seen.refusal is None else [seen.refusal]
    serving, insist = what_served_before_does(seen), _insist(seen, failure if by_gate else None)
    if before is not None and seen.verified is not None and seen.verified.is_bad(before):
        return Conclusion(
            outcome=Outcome.FAILED,
            reasons=[*said, *serving],
            next_steps=[f"Check now why version {before} is unhealthy.", insist],
        )
    return Conclusion(
        outcome=Outcome.REFUSED,
        reasons=[*said, *serving],
        next_steps=[insist],
        code=RefusalCode.MIGRATIONS if by_gate else RefusalCode.PERMIT,
        is_general_advice=not by_gate,
    )


def _insist(seen: DeploymentEnd, failure: Failure | None) -> str:
    if failure is None:
        return f"Correct the cause and {AGAIN[seen.kind]}."
    if failure.cause is GateCause.SCHEMA:
        return (
            "Reverse the migrations that the old code does not know first, or "
            'start the execution again with "allowDestructive": true.'
        )
    if seen.kind is ReleaseKind.COMMAND:
        return 'To run the command anyway, start the execution again with "allowDestructive": true.'
    return (
        "Make the migration compatible with the live version, or start an "
        'execution with this image and "allowDestructive": true.'
    )


def _may_be_at_work(seen: DeploymentEnd) -> bool:
    """Whether a gate may have begun that has reported neither a beginning nor an end."""
    is_open = seen.evidence.phase not in (Phase.UNGATED, Phase.SUCCEEDED)
    return is_open and seen.evidence.changed is None and seen.may_have_begun


def _is_half_done(evidence: GateReport) -> bool:
    """Whether the database may be in the middle of a migration, by what the gates have reported.

    The gate's own look at it counts, where it could look. Between two migrations, each of
    which is applied as a whole, is not in the middle of one.
    """
    failure = evidence.failure
    if failure is None or failure.database is None:
        return evidence.phase is Phase.APPLYING or evidence.was_stopped
    if failure.database is DatabaseAfter.PART_WAY:
        return not evidence.atomic
    return failure.database is not DatabaseAfter.UNCHANGED


def _failed(*sentences: str) -> Conclusion:
    *reasons, next_step = sentences
    return Conclusion(outcome=Outcome.FAILED, reasons=reasons, next_steps=[next_step])
