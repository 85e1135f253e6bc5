"""The records of the versions that a release has made.

Later releases may roll back to a good version, and the judgements tell whether that is safe. So a
version is good only if it was verified. Its judgement is UNKNOWN unless its gates have reported a
plan. A version that is deployed again keeps the age of its code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lightgate.deployment.status import Service, Status
from lightgate.gate.gate_report import DatabaseAfter, Failure, GateCause, GateReport, Phase
from lightgate.migrations.compatibility import Judgement, Verdict, judge_applied, together
from lightgate.names import rollback_marker
from lightgate.records.version import VersionRecord, VersionSource
from lightgate.release.release import Release, ReleaseKind
from lightgate.state import DeploymentProgress, RollbackProgress
from lightgate.verification.verified import Verified

_APPLIES_NOTHING = Judgement(verdict=Verdict.NONE)
_NEVER_TOLD = Judgement(
    verdict=Verdict.UNKNOWN,
    reasons=("Lightgate has not seen the plan of this version.",),
)
_NOT_TOLD = Judgement(
    verdict=Verdict.UNKNOWN,
    reasons=("The gate started a migration that is in no plan that it reported.",),
)
_STOPPED = Judgement(
    verdict=Verdict.UNKNOWN,
    reasons=("The command was stopped before it ended, or may have been.",),
)


def listed_records(
    past: Mapping[int, VersionRecord], service: Service
) -> Mapping[int, VersionRecord]:
    """The records of the versions that the service lists.

    A new service of the same name counts from 1 again, so a record needs the marker as well.
    """
    markers = {shown.version: shown.release for shown in service.deployments}
    return {number: one for number, one in past.items() if markers.get(number) == one.release}


def planned_judgement(release: Release, deployment: DeploymentProgress | None) -> Judgement:
    """The judgement on all migrations of the release, applied or not.

    It is never NONE if a migration was pending. It is at least UNKNOWN if a command was stopped.
    A rollback applies nothing.
    """
    if release.kind is ReleaseKind.ROLLBACK:
        return judgement_beside_the_plan(deployment)
    if deployment is None or deployment.judgement is None:
        found = _NEVER_TOLD
    else:
        found = deployment.judgement
    if deployment is None:
        return found
    found = together([found, judgement_beside_the_plan(deployment)])
    if found.verdict is Verdict.NONE and _was_pending(deployment):
        found = together([found, _NOT_TOLD])
    return together([found, _STOPPED]) if _was_stopped(deployment) else found


def applied_judgement(release: Release, deployment: DeploymentProgress | None) -> Judgement:
    """The judgement on the migrations that the release has applied, or may have applied."""
    if applied_nothing(release, deployment):
        return judgement_beside_the_plan(deployment)
    gate = deployment.gate if deployment is not None else None
    names = [one.name for one in gate.migrations] if gate is not None else []
    effect = gate.effect if gate is not None else None
    planned = planned_judgement(release, deployment)
    judged = judge_applied(planned, effect, names, release.automatic_rollback)
    return together([judged, judgement_beside_the_plan(deployment)])


def judgement_beside_the_plan(deployment: DeploymentProgress | None) -> Judgement:
    """The judgement on migrations that were applied outside the plans of the gates."""
    if deployment is None:
        return _APPLIES_NOTHING
    unplanned = deployment.gate.unplanned if deployment.gate is not None else ()
    own = Judgement(
        verdict=Verdict.ONE_WAY,
        reasons=(
            f"The command has changed more than its plan: {'; '.join(unplanned)}. The previous "
            "version may fail.",
        ),
    )
    return together([deployment.outside.judgement, *([own] if unplanned else [])])


def applied_nothing(release: Release, deployment: DeploymentProgress | None) -> bool:
    """Whether the release has certainly applied nothing."""
    if deployment is not None and deployment.outside.applied:
        return False
    if release.kind is ReleaseKind.ROLLBACK:
        return True
    if deployment is None:
        return False
    return _never_permitted(release, deployment) or _left_nothing(deployment)


def may_have_begun(release: Release, deployment: DeploymentProgress | None) -> bool:
    """Whether a gate may have begun to apply something, also if none has reported it.

    A gate that needs a permit does not begin without one. A permit that could not be read may have
    been granted.
    """
    let_begin = deployment is None or deployment.permitted or bool(deployment.unknown)
    return release.kind is not ReleaseKind.ROLLBACK and (not release.asking_gates or let_begin)


def may_have_changed(release: Release, deployment: DeploymentProgress | None) -> bool:
    """Whether a gate has changed a database, or may have."""
    gate = deployment.gate if deployment is not None else None
    changed = gate.changed if gate is not None else None
    if deployment is not None and deployment.outside.applied:
        return True
    return may_have_begun(release, deployment) if changed is None else changed


def _was_pending(deployment: DeploymentProgress) -> bool:
    return deployment.pending or _has_begun(deployment)


def _has_begun(deployment: DeploymentProgress) -> bool:
    """Whether a gate has reported that it began something."""
    return deployment.gate is not None and deployment.gate.has_begun


def _was_stopped(deployment: DeploymentProgress) -> bool:
    """Whether a command was cut off after it had begun, or may have been."""
    gate = deployment.gate
    if gate is None or deployment.status not in (Status.FAILED, Status.OVERDUE):
        return False
    was_cut_off = gate.failure is not None and gate.failure.cause.may_have_cut_off
    return (was_cut_off and gate.has_begun) or gate.phase is Phase.APPLYING


def _never_permitted(release: Release, deployment: DeploymentProgress) -> bool:
    """Whether its gates needed a permit, and the release has ended without one.

    An unreadable permit is no obstacle if each gate has reported that it applied nothing.
    """
    changed = deployment.gate.changed if deployment.gate is not None else None
    is_known = changed is False or not deployment.unknown
    asked_in_vain = bool(release.asking_gates) and not deployment.permitted
    has_ended = deployment.refusal is not None or deployment.status is Status.FAILED
    return asked_in_vain and is_known and has_ended and not (_has_begun(deployment) or changed)


def _left_nothing(deployment: DeploymentProgress) -> bool:
    """Whether the command failed, and the gate has found the database unchanged.

    Any contradiction makes it false: another gate that has changed something, an applied migration,
    or an app that has started. The gate must have run the command itself, or its permit must have
    been refused, because it does not know what another node has done.
    """
    gate = deployment.gate
    if gate is None or gate.failure is None or deployment.status is not Status.FAILED:
        return False
    failure = gate.failure
    return (
        gate.changed is False
        and not gate.migrations
        and failure.database is DatabaseAfter.UNCHANGED
        and (_undid_its_migration(gate, failure) or _came_to_no_migration(gate, failure))
    )


def _undid_its_migration(gate: GateReport, failure: Failure) -> bool:
    return gate.atomic and (failure.migration is not None or failure.cause is GateCause.REFUSED)


def _came_to_no_migration(gate: GateReport, failure: Failure) -> bool:
    """Whether its command ended before the first migration, for example by a system check."""
    ended = (GateCause.EXIT, GateCause.TIMEOUT, GateCause.SIGNAL)
    return gate.has_begun and failure.cause in ended and failure.migration is None


def records_of_release(
    release: Release,
    deployment: DeploymentProgress | None,
    *,
    own: int | None,
    back: int | None,
    succeeded: bool,
    past: Mapping[int, VersionRecord],
    verified: Verified | None = None,
    rollback: RollbackProgress | None = None,
) -> Sequence[VersionRecord]:
    """The records of the versions that the release has made: its own and that of its rollback.

    `own` and `back` are their numbers, None without one. `past` has the earlier records, for
    versions that were deployed again.
    """
    found = []
    if own is not None:
        # A failed command does not affect the app beside it.
        is_active = deployment is not None and deployment.status is Status.ACTIVE
        may_serve = is_active or release.kind is ReleaseKind.COMMAND
        is_good = succeeded or (may_serve and verified is not None and verified.is_good(own))
        is_reversed = rollback is not None and rollback.has_reversed
        found.append(
            _past(
                own,
                release.id,
                release.kind,
                _source(release, deployment, past, own),
                is_good=is_good,
                judgement=judgement_beside_the_plan(deployment)
                if is_reversed
                else applied_judgement(release, deployment),
                left=_left(deployment, is_reversed=is_reversed),
            )
        )
    if back is not None:
        found.append(
            _past(
                back,
                rollback_marker(release.id),
                ReleaseKind.ROLLBACK,
                (rollback.source if rollback is not None else None) or VersionSource(),
                is_good=rollback is not None and rollback.is_good,
                judgement=_APPLIES_NOTHING,
            )
        )
    return found


def _past(
    version: int,
    release: str,
    kind: ReleaseKind,
    source: VersionSource,
    *,
    is_good: bool,
    judgement: Judgement,
    left: Mapping[str, Mapping[str, str]] | None = None,
) -> VersionRecord:
    return VersionRecord(
        version=version,
        release=release,
        kind=kind,
        digest=source.digest,
        spec_version=source.spec_version,
        spec_digest=source.spec_digest,
        code=source.code,
        fits=source.fits,
        tag=source.tag,
        is_good=is_good,
        judgement=judgement,
        left=left or {},
    )


def _left(
    deployment: DeploymentProgress | None, *, is_reversed: bool
) -> Mapping[str, Mapping[str, str]]:
    """The recorded migrations that each gate has left, if it has reported them.

    After a reversal they are those that it found.
    """
    recorded = deployment.recorded if deployment is not None else {}
    left = {gate: one.found if is_reversed else one.left for gate, one in recorded.items()}
    return {gate: one for gate, one in left.items() if one}


def _source(
    release: Release,
    deployment: DeploymentProgress | None,
    past: Mapping[int, VersionRecord],
    own: int,
) -> VersionSource:
    """The source of the app in the release's deployment.

    A command keeps that of the live version, a rollback repeats that of its target.
    """
    match release.kind:
        case ReleaseKind.IMAGE:
            return VersionSource(
                digest=release.digest,
                spec_version=release.spec_version,
                spec_digest=release.spec_digest,
                code=release.id,
                fits=own,
                tag=release.tag,
            )
        case ReleaseKind.ROLLBACK:
            before = release.rollback_to
        case ReleaseKind.COMMAND:
            before = deployment.previous_version if deployment is not None else None
    known = past.get(before) if before is not None else None
    source = known.source if known is not None else VersionSource()
    is_checked = source.code is not None and _has_checked_schema(release, deployment)
    return replace(source, fits=own) if is_checked else source


def _has_checked_schema(release: Release, deployment: DeploymentProgress | None) -> bool:
    """Whether every gate of an old version has checked that its code fits the database.

    The gates have reported empty plans, and the active deployment shows that all have opened.
    """
    if deployment is None or deployment.status is not Status.ACTIVE:
        return False
    told = deployment.judgements
    return (
        release.kind is ReleaseKind.ROLLBACK
        and not release.allow_destructive
        and bool(release.gates)
        and all(gate in told and told[gate].verdict is Verdict.NONE for gate in release.gates)
    )
