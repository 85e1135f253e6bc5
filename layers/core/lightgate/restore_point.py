"""The restore point of one release, as the steps hand it on to each other."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lightgate.backup import Backup, BackupMode, BackupOrder, History, RestorePoints
from lightgate.decision import when_to_deploy, why_never
from lightgate.errors import refused
from lightgate.hold import Hold
from lightgate.outage import Checks
from lightgate.release import Release
from lightgate.snapshot import SnapshotState, SnapshotStatus

# How long a snapshot that was begun need not show: what AWS lets read lags behind what it did.
READ_LAG = timedelta(minutes=2)


def begin(points: RestorePoints, order: BackupOrder, release: Release) -> SnapshotState:
    """Begin what is asked for, or go on with it; a continuous backup is only looked at.

    Raises:
        RefusedError: it can never be.
    """
    if order.mode is BackupMode.POINT_IN_TIME:
        return points.latest_restorable(order.database)
    return points.take(order.snapshot, database=order.database, app=release.app, release=release.id)


def look(
    points: RestorePoints, order: BackupOrder, begun_at: datetime, now: datetime
) -> SnapshotState:
    """How the snapshot stands that was begun then. Changes nothing."""
    found = points.state(order.snapshot)
    if found is not None:
        return found
    if now - begun_at < READ_LAG:
        return SnapshotState(status=SnapshotStatus.CREATING, detail="requested")
    return SnapshotState(status=SnapshotStatus.FAILED, detail="deleted")


def forecast(release: Release, history: Mapping[str, Any]) -> History:
    """What earlier releases tell of how long this one will take.

    Nothing, if its gates ask for no permit: they would not wait for the snapshot.
    """
    return History.from_json(history) if release.asking_gates else History()


def shortest_hold(release: Release, look: timedelta) -> Hold:
    """How long every gate of the release may hold."""
    limit = max(release.asking_gates.values(), default=timedelta())
    return Hold(patience=release.platform_patience, limit=limit, look=look)


def progress(
    state: SnapshotState,
    order: BackupOrder,
    history: History,
    *,
    asked_at: datetime,
    begun_at: datetime,
    now: datetime,
    hold: Hold,
    outage: timedelta = timedelta(),
) -> dict[str, Any]:
    """The answer of a snapshot step: the state, or REFUSED once it cannot become available.

    Nothing has been applied then, so a release without its restore point is refused.
    `mayDeploy` says that the deployment may be created, although the snapshot may not be there;
    if not, it is looked at again.
    """
    backup = Backup(
        mode=order.mode,
        state=state,
        asked_at=asked_at,
        begun_at=begun_at,
        available_at=now,
        time_limit=order.time_limit,
        outage=outage,
    )
    if (why := why_never(backup, now)) is not None:
        return refused(f"{_named(order)} {why}.")
    start = when_to_deploy(backup, history, now, hold)
    document = to_json(state, order, asked_at=asked_at, begun_at=begun_at, now=now)
    return {**document, "mayDeploy": start.now, "why": start.reason}


def to_json(
    state: SnapshotState,
    order: BackupOrder,
    *,
    asked_at: datetime,
    begun_at: datetime,
    now: datetime,
) -> dict[str, Any]:
    """The restore point as it travels through the state machine; `now` is when it was seen."""
    is_there = state.status is SnapshotStatus.AVAILABLE
    return {
        "status": state.status.value,
        "id": order.snapshot if order.mode.takes_a_snapshot else None,
        "detail": state.detail,
        "askedAt": asked_at.isoformat(),
        "begunAt": begun_at.isoformat(),
        "availableAt": now.isoformat() if is_there else None,
        "restoresTo": state.at.isoformat() if state.at else None,
    }


def with_checks(document: Mapping[str, Any], checks: Checks) -> dict[str, Any]:
    """The restore point with the checks so far.

    Once it is there its age counts, and no longer how long the release has waited for it.
    """
    is_there = document["status"] == SnapshotStatus.AVAILABLE
    kept = replace(checks, outage=timedelta()) if is_there else checks
    return {**document, **kept.to_json()}


def from_json(document: Mapping[str, Any]) -> SnapshotState:
    """The state in what `to_json` has made."""
    at = document["restoresTo"]
    return SnapshotState(
        status=SnapshotStatus(document["status"]),
        detail=document["detail"],
        at=datetime.fromisoformat(at) if at else None,
    )


def _named(order: BackupOrder) -> str:
    what = f"The snapshot {order.snapshot}" if order.mode.takes_a_snapshot else "The backup"
    return f"{what} of {order.database}"
