"""The status of an app, by what was read of it."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lightgate.deployment.status import Deployment
from lightgate.migrations.compatibility import Verdict
from lightgate.names import marked_release
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.release_record import (
    RELEASING,
    MigrationStatus,
    ReadableRecord,
    RecordKind,
    StageName,
)
from lightgate.release.lock import Lock, Pause
from lightgate.rollback.policy import VersionHistory, judgement_against, last_good
from lightgate.verification.health import WatchStatus
from lightgate_cli.reading.app_facts import AppFacts

# A release that was never ended.
ABANDONED = "ABANDONED"
_NEVER_RAN = (EndStatus.QUEUED, EndStatus.DUPLICATE, EndStatus.SUPERSEDED)


class Health(enum.StrEnum):
    """UNCHECKED: the app has no public URL, and its last release could not check it."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NOTHING_LIVE = "nothing live"
    DISABLED = "disabled"
    UNCHECKED = "not checked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The live version. `from_record`: Lightsail could not be read, so the record says it."""

    version: int
    tag: str | None
    digest: str | None
    since: datetime | None
    release: str | None
    from_record: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InProgress:
    release: str
    tag: str | None
    digest: str | None
    started_at: datetime
    elapsed: timedelta
    stage: StageName | None = None
    stage_elapsed: timedelta | None = None
    stage_expected: timedelta | None = None
    is_abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRelease:
    """`behind` is the release that it waits for; None while it waits for a person to resume.

    `is_rehearsed`: it waits for its rehearsal, which `rehearsal` names once that has started.
    """

    release: str
    tag: str | None
    digest: str | None
    since: datetime
    behind: str | None
    is_rehearsed: bool = False
    rehearsal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRehearsal:
    """The newest rehearsal, while it runs. `release` is its own id."""

    release: str
    tag: str | None
    digest: str | None
    elapsed: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSnapshot:
    id: str | None
    release: str
    tag: str | None
    restores_to: datetime | None
    available_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackAnswer:
    """The version that a rollback deploys, and whether its code works with the database now."""

    version: int
    tag: str | None
    verdict: Verdict
    is_safe: bool
    reasons: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRelease:
    release: str
    tag: str | None
    digest: str | None
    status: str
    at: datetime
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStatus:
    """The answer of `lightgate status`, for one app.

    `rollback` is None if there is no version to roll back to, or if that is unknown:
    `is_rollback_known` tells them apart.
    """

    app: str
    schema_version: int = 1
    stage: str | None = None
    url: str | None = None
    repository: str | None = None
    live: Live | None = None
    health: Health = Health.UNKNOWN
    health_detail: str | None = None
    database: str | None = None
    latest_migration: str | None = None
    snapshot: LastSnapshot | None = None
    rollback: RollbackAnswer | None = None
    is_rollback_known: bool = True
    in_progress: InProgress | None = None
    waiting: WaitingRelease | None = None
    paused: Pause | None = None
    rehearsal: RunningRehearsal | None = None
    last: LastRelease | None = None
    unread: Sequence[str] = ()


def app_status(facts: AppFacts) -> AppStatus:
    spec, service = facts.spec, facts.service
    newest = facts.history[0] if facts.history else None
    live = _live(facts)
    health, detail = _health(facts, live)
    rollback, is_known = _rollback(facts, live)
    return AppStatus(
        app=facts.app,
        stage=spec.stage.value if spec is not None else (newest.stage if newest else None),
        url=service.url if service is not None else None,
        repository=spec.repository if spec is not None else (newest.repository if newest else None),
        live=live,
        health=health,
        health_detail=detail,
        database=spec.database.name if spec is not None and spec.database is not None else None,
        latest_migration=_latest_migration(facts.history),
        snapshot=_snapshot(facts.history),
        rollback=rollback,
        is_rollback_known=is_known,
        in_progress=_in_progress(facts),
        waiting=_waiting(facts),
        paused=facts.lock.paused,
        rehearsal=_rehearsal(facts),
        last=_last(facts),
        unread=facts.unread,
    )


def with_status(record: ReadableRecord, lock: Lock, *, has_ended: bool) -> ReadableRecord:
    """The record, ABANDONED if its execution has left the release without an outcome.

    `has_ended`: the execution that holds the lock is over.
    """
    if record.kind is RecordKind.REHEARSAL:
        # It has no lock. Reconcile records the end of one that was stopped.
        return record
    is_holder = lock.holder is not None and lock.holder.release == record.release
    if record.status != RELEASING or (is_holder and not has_ended):
        return record
    return replace(record, status=ABANDONED)


def has_digest(record: ReadableRecord, text: str) -> bool:
    """Whether the image of the release has this digest, or one that begins so."""
    begin = text.removeprefix("sha256:")
    digests = filter(None, (record.digest, record.pushed_digest))
    return any(one.removeprefix("sha256:").startswith(begin) for one in digests)


def record_of(history: Sequence[ReadableRecord], release: str | None) -> ReadableRecord | None:
    return next((one for one in history if one.release == release), None)


def _live(facts: AppFacts) -> Live | None:
    service = facts.service
    if service is not None:
        shown = service.current
        return None if shown is None else _shown(shown, facts)
    newest = next((one for one in facts.history if one.live or one.is_down), None)
    if newest is None or newest.live is None:
        return None
    told = newest.live
    return Live(
        version=told.version,
        tag=told.tag,
        digest=told.digest,
        since=None,
        release=newest.release,
        from_record=True,
    )


def _shown(shown: Deployment, facts: AppFacts) -> Live:
    """The deployment as Lightsail shows it, with the names that its record gives it."""
    own = record_of(facts.history, shown.release)
    version = (facts.versions or {}).get(shown.version)
    if version is not None and version.release != shown.release:
        version = None
    tag = version.tag if version is not None else None
    digest = version.digest if version is not None else None
    if own is not None:
        told = own.live if own.live is not None and own.live.version == shown.version else None
        tag = tag or (told.tag if told is not None else own.tag)
        digest = digest or (told.digest if told is not None else own.digest)
    return Live(
        version=shown.version,
        tag=tag,
        digest=digest,
        since=_active_since(own) or shown.created_at,
        release=shown.release,
    )


def _active_since(record: ReadableRecord | None) -> datetime | None:
    """When the deployment of the release became active; its creation is earlier."""
    for stage in record.stages if record is not None else ():
        if stage.name is StageName.ACTIVATION:
            return stage.ended_at
    return None


def _health(facts: AppFacts, live: Live | None) -> tuple[Health, str | None]:
    service = facts.service
    if service is None:
        return Health.UNKNOWN, None
    if service.disabled:
        return Health.DISABLED, f"The container service {service.name} is disabled."
    if live is None:
        return Health.NOTHING_LIVE, None
    if facts.was_asked:
        problem = facts.answer_problem
        return (Health.HEALTHY, None) if problem is None else (Health.UNHEALTHY, problem)
    for record in facts.history:
        checked = record.health
        if checked is None or checked.version != live.version:
            continue
        if checked.status == WatchStatus.GOOD:
            return Health.HEALTHY, None
        if checked.status == WatchStatus.FAILED:
            return Health.UNHEALTHY, checked.problem
    return Health.UNCHECKED, None


def _latest_migration(history: Sequence[ReadableRecord]) -> str | None:
    for record in history:
        applied = [one for one in record.migrations if one.status is MigrationStatus.APPLIED]
        if applied:
            return applied[-1].name
    return None


def _snapshot(history: Sequence[ReadableRecord]) -> LastSnapshot | None:
    for record in history:
        found = record.snapshot
        if found is not None and (found.available_at or found.restores_to):
            return LastSnapshot(
                id=found.id,
                release=record.release,
                tag=record.tag,
                restores_to=found.restores_to,
                available_at=found.available_at,
            )
    return None


def _rollback(facts: AppFacts, live: Live | None) -> tuple[RollbackAnswer | None, bool]:
    """The answer and whether it is known, by the policy that judges a person's rollback, too.

    Nothing is known while a release may be applying its migrations.
    """
    if facts.service is None or facts.versions is None or facts.lock.holder is not None:
        return None, False
    if live is None:
        return None, True
    listed = facts.service.deployments
    markers = {shown.version: shown.release for shown in listed}
    known = {
        number: one for number, one in facts.versions.items() if markers.get(number) == one.release
    }
    code = known[live.version].code if live.version in known else None
    # Back to the same code would change nothing.
    others = [
        one
        for one in listed
        if one.version not in known or code is None or known[one.version].code != code
    ]
    target = last_good(VersionHistory(listed=others, records=known), live.version - 1)
    if target is None:
        return None, True
    judgement = judgement_against(target.version, VersionHistory(listed=listed, records=known))
    found = known.get(target.version)
    own = record_of(facts.history, marked_release(target.release) if target.release else None)
    answer = RollbackAnswer(
        version=target.version,
        tag=(found.tag if found is not None else None) or (own.tag if own is not None else None),
        verdict=judgement.verdict,
        is_safe=judgement.verdict.allows_rollback,
        reasons=judgement.reasons,
    )
    return answer, True


def _in_progress(facts: AppFacts) -> InProgress | None:
    holder = facts.lock.holder
    if holder is None:
        return None
    record = record_of(facts.history, holder.release)
    started = record.started_at if record is not None else holder.at
    running = facts.running
    return InProgress(
        release=holder.release,
        tag=record.tag if record is not None else None,
        digest=holder.digest,
        started_at=started,
        elapsed=max(timedelta(), facts.now - started),
        stage=running.stage if running is not None else None,
        stage_elapsed=running.elapsed(facts.now) if running is not None else None,
        stage_expected=running.expected if running is not None else None,
        is_abandoned=facts.has_ended,
    )


def _waiting(facts: AppFacts) -> WaitingRelease | None:
    waiting = facts.lock.waiting
    if waiting is None:
        return None
    record = record_of(facts.history, waiting.release)
    holder, rehearsal = facts.lock.holder, facts.lock.rehearsal
    return WaitingRelease(
        release=waiting.release,
        tag=waiting.request.get("pushedTag") or (record.tag if record is not None else None),
        digest=waiting.digest,
        since=record.started_at if record is not None else waiting.at,
        behind=holder.release if holder is not None else None,
        is_rehearsed=facts.lock.to_rehearse == waiting.name,
        rehearsal=rehearsal.name
        if rehearsal is not None and rehearsal.push == waiting.name
        else None,
    )


def _rehearsal(facts: AppFacts) -> RunningRehearsal | None:
    found = facts.rehearsals[0] if facts.rehearsals else None
    if found is None or found.status != RELEASING:
        return None
    return RunningRehearsal(
        release=found.release,
        tag=found.tag,
        digest=found.digest,
        elapsed=max(timedelta(), facts.now - found.started_at),
    )


def _last(facts: AppFacts) -> LastRelease | None:
    """The last release that ran to an end, also one that has left no outcome."""
    holder = facts.lock.holder
    for record in facts.history:
        status = with_status(record, facts.lock, has_ended=facts.has_ended).status
        is_running = holder is not None and holder.release == record.release
        if is_running or status == RELEASING or status in _NEVER_RAN or record.caused_by:
            continue
        return LastRelease(
            release=record.release,
            tag=record.tag,
            digest=record.digest,
            status=status,
            at=record.ended_at or record.started_at,
            cause=None if status == EndStatus.SUCCEEDED else record.cause or record.summary,
        )
    return None
