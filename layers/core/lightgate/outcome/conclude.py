"""How a release ended whose deployment was created and followed: the one place that decides it.

People act on the outcome, so nothing is concluded from missing reports: SUCCEEDED and ROLLED_BACK
each need the service to report the version as live, and the app to pass its health checks. Health
checks prove little for a version whose database was changed by a newer one: if the applied
migrations are known to break it, the outcome is not ROLLED_BACK.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lightgate.deployment.status import Service, Status
from lightgate.errors import RefusalCode
from lightgate.gate.gate_report import DatabaseAfter, Failure, GateCause, GateReport, Phase
from lightgate.migrations.compatibility import Judgement, Verdict, judge_applied, together
from lightgate.migrations.permit import Permit
from lightgate.names import COMMAND_CONTAINER, rollback_marker
from lightgate.outcome.outcome import AGAIN, Conclusion, Outcome, correct_the_cause
from lightgate.outcome.reversal_end import how_the_reversal_ended
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind
from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect
from lightgate.state import RollbackResult, RollbackStatus
from lightgate.verification.health import WatchStatus
from lightgate.verification.verified import NO_CHECK, Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentEnd:
    """All that decides how a release ended whose deployment was created.

    `release` is the marker of its deployment. `service` is read after the deployment's end.
    `refusal` says why its gates were never permitted to begin, if they were not, and `no_permit`
    what else kept them from it.
    `may_have_begun` is false only if nothing can be applied without a permit, and there was none.
    `judgement` says what its own migrations mean for the version before, and `earlier` what those
    of other releases do that came after that version. `beside` is about what was applied in no
    plan of its gates.
    `rollback_to` is the version that a person wanted back. `automatic_rollback` are the classes of
    migrations after which the owner wants the previous version back automatically.
    """

    app: str
    execution: str
    release: str | None
    status: Status
    version: int
    previous_version: int | None
    service: Service
    evidence: GateReport
    kind: ReleaseKind = ReleaseKind.IMAGE
    rollback_to: int | None = None
    automatic_rollback: Sequence[Effect] = DEFAULT_AUTOMATIC
    refusal: str | None = None
    no_permit: Permit | None = None
    may_have_begun: bool
    judgement: Judgement
    earlier: Judgement
    beside: Judgement = field(default_factory=lambda: Judgement(verdict=Verdict.NONE))
    verified: Verified | None = None
    rollback_result: RollbackResult | None = None

    @property
    def before(self) -> int | None:
        """The version that has what served before: a command's own one, once that is active."""
        is_own = self.kind is ReleaseKind.COMMAND and self.serves
        return self.version if is_own else self.previous_version

    @property
    def serves(self) -> bool:
        """Whether the release's own deployment serves."""
        return self.service.serves_own(self.version, self.release)

    def serves_again(self, version: int) -> bool:
        """Whether the deployment with which the release has gone back serves."""
        marker = None if self.release is None else rollback_marker(self.release)
        return self.service.serves_own(version, marker)

    @property
    def does_what_served_do_well(self) -> bool:
        """Whether what served before serves still, and has answered."""
        before = self.before
        return (
            before is not None
            and self.service.serves(before)
            and self.verified is not None
            and self.verified.is_good(before)
        )

    @property
    def may_have_changed(self) -> bool:
        """Whether its gates have changed a database, or may have, for all that is known."""
        changed = self.evidence.changed
        return self.may_have_begun if changed is None else changed

    @property
    def on_the_schema_as_it_is(self) -> Judgement:
        """The judgement on all migrations that are applied, or may be, for the previous version."""
        back = self.rollback_result
        is_reversed = back is not None and back.has_reversed
        own = [self._own] if self.may_have_changed and not is_reversed else []
        return together([self.earlier, self.beside, *own])

    @property
    def _own(self) -> Judgement:
        """The judgement on this release: after a failure, only on applied migrations."""
        names = [one.name for one in self.evidence.migrations]
        return judge_applied(self.judgement, self.evidence.effect, names, self.automatic_rollback)


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
            _serving(seen.service),
            "Find out who deployed another version in the meantime.",
        )
    if verified is None or not verified.is_good(version):
        why = verified.shown if verified is not None else NO_CHECK
        return _failed(
            f"Version {version} is live, but its health is unknown. {why}",
            "Check whether the app works.",
        )
    return Conclusion(outcome=Outcome.SUCCEEDED, reasons=_success(seen), next_steps=[])


def _success(seen: DeploymentEnd) -> Sequence[str]:
    match seen.kind:
        case ReleaseKind.IMAGE:
            return []
        case ReleaseKind.ROLLBACK:
            return [f"Version {seen.rollback_to} is live again as version {seen.version}."]
        case ReleaseKind.COMMAND:
            return [_UNCHANGED.format(seen.version) + "."]


def _after_rollback(wrong: Sequence[str], seen: DeploymentEnd) -> Conclusion:
    """The end of a release whose version had to be rolled back."""
    back = seen.rollback_result
    if back is None:
        return _failed(
            *wrong, f"Lightgate did not roll back. {_serving(seen.service)}", _choose(seen)
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
                f"It is {_healthy(back)}",
                *back.notes,
            ],
            seen,
        )
    return Conclusion(
        outcome=Outcome.FAILED,
        reasons=[*wrong, *_how_the_rollback_ended(back), *back.notes, _serving(seen.service)],
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


def _how_the_rollback_ended(back: RollbackResult) -> Sequence[str]:
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
    reasons = _why(seen)
    back = seen.rollback_result
    if back is not None and back.reversal is not None:
        if back.status is not RollbackStatus.NOT_REVERSED:
            return _after_reversal(reasons, back, seen)
        reasons = [*reasons, *back.reasons]
        seen = replace(seen, rollback_result=None)
    before, is_half_done = seen.previous_version, _is_half_done(seen.evidence)
    if is_half_done or _may_be_at_work(seen):
        at_work = [_half_done(seen)] if is_half_done else []
        return _failed(*reasons, *_serving_before(seen), *at_work, _look_at_database(seen.kind))
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
    serving = _serving_before(seen)
    if not seen.does_what_served_do_well:
        return _failed(
            *reasons,
            *serving,
            *_against(before, seen),
            f"Check now whether the app works. Correct the cause and {AGAIN[seen.kind]}.",
        )
    return _back_on(before, [*reasons, *serving], seen)


def _after_reversal(
    reasons: Sequence[str], back: RollbackResult, seen: DeploymentEnd
) -> Conclusion:
    """The migrations were to be reversed, and the old version verified on the old schema."""
    if back.has_reversed and back.version is not None and seen.serves_again(back.version):
        told = [*reasons, *how_the_reversal_ended(back), f"It is {_healthy(back)}", *back.notes]
        return _back_on(back.version, told, seen)
    return _failed(
        *reasons,
        *how_the_reversal_ended(back),
        _serving(seen.service),
        _look_at_database(seen.kind),
    )


def _back_on(version: int, reasons: Sequence[str], seen: DeploymentEnd) -> Conclusion:
    """The live old version is healthy: ROLLED_BACK, if it can work with the current database.

    Health checks prove only what they request: a page that can be read does not show that the next
    row can be written. So a migration that is known to break the version outweighs them. If the
    effect is unknown, as after a change of rows, they decide, and the message says so.
    """
    against = _against(version, seen)
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


def _against(version: int, seen: DeploymentEnd) -> list[str]:
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


def _unprotected(reasons: Sequence[str], seen: DeploymentEnd) -> Conclusion:
    """The version is live although its gate failed, or was until it was rolled back."""
    if seen.kind is ReleaseKind.COMMAND and seen.rollback_result is None:
        return _refused_by_the_gates(reasons, seen) or _failed(
            *reasons,
            _serving_before(seen)[0],
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
    serving, insist = _serving_before(seen), _insist(seen, failure if by_gate else None)
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


def _serving_before(seen: DeploymentEnd) -> list[str]:
    """The health of the previous version, if it is still live."""
    before, verified = seen.before, seen.verified
    if before is None or not seen.service.serves(before):
        return [_serving(seen.service)]
    is_same = before == seen.version
    name = _UNCHANGED.format(before) if is_same else f"Version {before} is still live"
    if verified is None or verified.version != before or verified.status is WatchStatus.SKIPPED:
        why = verified.shown if verified is not None else NO_CHECK
        return [f"{name}, but its health is unknown. {why}"]
    if not verified.is_good(before):
        return [f"{name}, but it is unhealthy: {verified.shown}"]
    # The verdict of the message already says which version is live.
    healthy = f"{name} and is" if is_same else f"Version {before} is"
    return [f"{healthy} {_healthy(verified)}"]


_UNCHANGED = "Version {} runs the same app as before"


def _healthy(found: Verified | RollbackResult) -> str:
    has_written = found.watch is not None and found.watch.written
    return f"healthy{', also for a write' if has_written else ''}: {found.shown}"


def _serving(service: Service) -> str:
    current = service.current
    if current is None:
        return "No version is live now."
    if current.state == "ACTIVE":
        return f"Version {current.version} is live now."
    return f"The service now shows version {current.version} as {current.state}."


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


def _half_done(seen: DeploymentEnd) -> str:
    if seen.kind is ReleaseKind.COMMAND:
        what = "the command, so the command may have done only a part of its changes"
    else:
        what = "a migration, so that migration may be partly applied"
    return f"Deployment {seen.version} ended during {what}."


def _look_at_database(kind: ReleaseKind) -> str:
    return (
        "Compare the output of python manage.py showmigrations with the database before you "
        f"{AGAIN[kind]}."
    )


def _why(seen: DeploymentEnd) -> list[str]:
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
