"""The stages of a release that is followed, by the answers of its steps so far."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.records.release_record import StageName
from lightgate.state import Admission, DeploymentProgress, RollbackProgress, State
from lightgate.verification.health import WatchStatus
from lightgate.verification.verified import Verified
from lightgate_cli.reading.progress import progress_of


class Mark(enum.StrEnum):
    """How far a stage is. OVER: it has ended, and how is not known."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedStage:
    """A stage that has begun. `ended_at` is None while it runs.

    `expected` is how long it took in earlier releases of the app, None if that is unknown.
    """

    name: StageName
    mark: Mark
    began_at: datetime
    ended_at: datetime | None = None
    expected: timedelta | None = None
    detail: str = ""

    def took(self, now: datetime) -> timedelta:
        return max(timedelta(), (self.ended_at or now) - self.began_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An execution as it was last read: its state, and the name of the state entered last."""

    state: State
    entered: str
    entered_at: datetime
    is_over: bool = False

    @property
    def release(self) -> str | None:
        """The id of the release; None before Admit has answered."""
        answer = self.state.admission
        return answer.release.id if isinstance(answer, Admission) else None


def stages_of(
    seen: Seen, timings: Timings, watch_period: timedelta | None = None
) -> Sequence[FollowedStage]:
    """The stages in the order in which they began. At most one stage that is waited for runs."""
    found = list(_begun(seen.state))
    if seen.is_over:
        return [_ended(each, seen) for each in found]
    now = progress_of(seen.state, seen.entered, seen.entered_at, timings, watch_period)
    if now.stage is None:
        return [_ended(each, seen) for each in found]
    current = FollowedStage(
        name=now.stage,
        mark=Mark.RUNNING,
        began_at=now.since,
        expected=now.expected,
        detail=now.detail or "",
    )
    names = [each.name for each in found]
    if current.name not in names:
        return [*found, current]
    place = names.index(current.name)
    known = found[place]
    found[place] = replace(current, began_at=known.began_at, detail=known.detail or current.detail)
    return [
        replace(each, expected=timings.snapshot)
        if each.mark is Mark.RUNNING and each.name is StageName.SNAPSHOT
        else each
        for each in found
    ]


def _ended(stage: FollowedStage, seen: Seen) -> FollowedStage:
    if stage.mark is not Mark.RUNNING:
        return stage
    return replace(stage, mark=Mark.OVER, ended_at=seen.entered_at)


def _begun(state: State) -> Iterator[FollowedStage]:
    yield _admission(state)
    snapshot = _snapshot_of(state)
    if snapshot is not None:
        yield _snapshot(snapshot)
    if isinstance(state.deployment, DeploymentProgress):
        yield from _deployment(state.deployment)
    if state.verification is not None and state.verification.watch is not None:
        yield _health(state.verification)
    if state.rollback is not None:
        yield _rollback(state.rollback)


def _stage(
    name: StageName, began_at: datetime, ended_at: datetime | None, detail: str = ""
) -> FollowedStage:
    mark = Mark.RUNNING if ended_at is None else Mark.DONE
    return FollowedStage(name=name, mark=mark, began_at=began_at, ended_at=ended_at, detail=detail)


def _admission(state: State) -> FollowedStage:
    answer, began = state.admission, state.started_at
    if isinstance(answer, Admission):
        return _stage(StageName.ADMISSION, began, answer.admitted_at, answer.release.id)
    if answer is None:
        return _stage(StageName.ADMISSION, began, None)
    return _stage(StageName.ADMISSION, began, None, answer.status.value)


def _snapshot_of(state: State) -> SnapshotProgress | None:
    later = state.deployment.snapshot if isinstance(state.deployment, DeploymentProgress) else None
    return later or (state.snapshot if isinstance(state.snapshot, SnapshotProgress) else None)


def _snapshot(seen: SnapshotProgress) -> FollowedStage:
    stage = _stage(StageName.SNAPSHOT, seen.begun_at, seen.available_at, seen.id or "")
    if seen.status is SnapshotStatus.FAILED:
        return replace(stage, mark=Mark.FAILED, ended_at=seen.missing_at, detail=seen.detail)
    return stage


def _deployment(seen: DeploymentProgress) -> Iterator[FollowedStage]:
    end = seen.ended_at
    is_failed = end is not None and seen.opened_at is None
    ready = seen.ready_at or seen.opened_at or end
    yield _stage(StageName.NODE, seen.created_at, ready, f"version {seen.version}")
    begun = seen.permitted_at
    if seen.ready_at is not None and seen.pending:
        yield _stage(StageName.PERMIT, seen.ready_at, begun or end)
    if begun is not None and seen.pending:
        yield _migration(seen, begun, is_failed=is_failed)
    if seen.opened_at is not None:
        yield _stage(StageName.ACTIVATION, seen.opened_at, end)


def _migration(seen: DeploymentProgress, began_at: datetime, *, is_failed: bool) -> FollowedStage:
    gate = seen.gate
    applied = [each.name for each in gate.migrations] if gate is not None else []
    detail = f"{len(applied)} applied, last {applied[-1]}" if applied else ""
    stage = _stage(StageName.MIGRATION, began_at, seen.opened_at or seen.ended_at, detail)
    failure = gate.failure if gate is not None else None
    if failure is not None and failure.migration:
        detail = failure.migration
    return replace(stage, mark=Mark.FAILED, detail=detail) if is_failed else stage


def _health(seen: Verified) -> FollowedStage:
    assert seen.watch is not None  # noqa: S101 - the caller has checked it
    stage = _stage(StageName.HEALTH, seen.watch.began_at, None, seen.shown)
    marks = {WatchStatus.GOOD: Mark.DONE, WatchStatus.FAILED: Mark.FAILED}
    mark = marks.get(seen.status)
    if mark is None:
        return stage
    return replace(stage, mark=mark, ended_at=seen.watch.checks.last_at)


def _rollback(seen: RollbackProgress) -> FollowedStage:
    stage = _stage(StageName.ROLLBACK, seen.begun_at, seen.ended_at, _target(seen))
    return replace(stage, mark=Mark.DONE) if seen.is_good else stage


def _target(seen: RollbackProgress) -> str:
    return f"to version {seen.target}" if seen.target is not None else ""
