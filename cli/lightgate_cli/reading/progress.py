"""The stage of a running release: since when, and how long it is expected to take."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.backup.progress import SnapshotProgress
from lightgate.backup.snapshot import SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.gate.gate_report import Phase
from lightgate.records.release_record import StageName
from lightgate.state import Admission, DeploymentProgress, State

# The states after the outcome is known: nothing of the app changes any more.
_FINISHING = (
    *("RecordOutcome", "WaitForPermit", "StartNext", "PublishOutcome", "MarkMessageSent"),
    *("PublishUndetermined", "PruneSnapshots"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The present stage of a release, None while it records its outcome.

    `expected` is how long the stage took in earlier releases of the app, None if that is unknown.
    """

    stage: StageName | None
    since: datetime
    expected: timedelta | None = None
    detail: str | None = None

    def elapsed(self, now: datetime) -> timedelta:
        return max(timedelta(), now - self.since)


def progress_of(
    state: State,
    entered: str,
    entered_at: datetime,
    timings: Timings,
    watch_period: timedelta | None = None,
) -> Progress:
    """The progress by the state that an execution has entered last, and by its answers so far."""
    if entered in _FINISHING:
        return Progress(stage=None, since=entered_at)
    if state.rollback is not None or entered == "RollBack":
        since = state.rollback.begun_at if state.rollback is not None else entered_at
        return Progress(stage=StageName.ROLLBACK, since=since)
    if state.verification is not None or entered == "VerifyRelease":
        watch = state.verification.watch if state.verification is not None else None
        since = watch.began_at if watch is not None else entered_at
        return Progress(stage=StageName.HEALTH, since=since, expected=watch_period)
    if isinstance(state.deployment, DeploymentProgress):
        return _deployment(state.deployment, _snapshot_of(state), timings)
    if isinstance(state.snapshot, SnapshotProgress) and not state.snapshot.may_deploy:
        return _snapshot(state.snapshot, timings)
    if isinstance(state.admission, Admission):
        return Progress(stage=StageName.NODE, since=entered_at, detail="creates the deployment")
    return Progress(stage=StageName.ADMISSION, since=state.started_at)


def _snapshot_of(state: State) -> SnapshotProgress | None:
    deployment = state.deployment
    if isinstance(deployment, DeploymentProgress) and deployment.snapshot is not None:
        return deployment.snapshot
    return state.snapshot if isinstance(state.snapshot, SnapshotProgress) else None


def _snapshot(seen: SnapshotProgress, timings: Timings) -> Progress:
    return Progress(
        stage=StageName.SNAPSHOT, since=seen.begun_at, expected=timings.snapshot, detail=seen.id
    )


def _deployment(
    seen: DeploymentProgress, snapshot: SnapshotProgress | None, timings: Timings
) -> Progress:
    if seen.opened_at is not None:
        ends = [one.by for one in timings.seen_ends]
        return Progress(
            stage=StageName.ACTIVATION, since=seen.opened_at, expected=max(ends, default=None)
        )
    if seen.permitted and seen.gate is not None and seen.gate.phase is Phase.APPLYING:
        began = seen.gate.began_at
        since = datetime.fromisoformat(began) if began else seen.permitted_at
        return Progress(stage=StageName.MIGRATION, since=since or seen.created_at)
    if seen.ready_at is not None and seen.pending:
        if seen.permitted:
            since = seen.permitted_at or seen.ready_at
            return Progress(stage=StageName.MIGRATION, since=since)
        if snapshot is not None and snapshot.status is not SnapshotStatus.AVAILABLE:
            return _snapshot(snapshot, timings)
        return Progress(stage=StageName.PERMIT, since=seen.ready_at)
    return Progress(
        stage=StageName.NODE,
        since=seen.created_at,
        expected=max(timings.node_starts, default=None),
        detail=f"version {seen.version}",
    )
