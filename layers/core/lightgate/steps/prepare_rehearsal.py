"""PrepareRehearsal: restore the snapshot into a temporary instance, and make a service."""

import fnmatch
from dataclasses import replace
from datetime import timedelta

from lightgate.backup.snapshot import SnapshotStatus
from lightgate.errors import RefusalCode, RefusedError
from lightgate.names import rehearsal_names
from lightgate.rehearsal.copied_database import Address
from lightgate.rehearsal.pull_policy import pattern
from lightgate.rehearsal.rehearsal_state import (
    Place,
    PlaceStatus,
    Refusal,
    RehearsalPlan,
    RehearsalState,
)
from lightgate.runtime import Runtime
from lightgate.spec.database_kinds import DatabaseKind

# Beside the time limit of the snapshot. RDS takes minutes, and longer for a large database.
_LONGEST_RESTORE = timedelta(hours=2)
_SERVICE_IS_READY = ("READY", "RUNNING")


def prepare_rehearsal(state: RehearsalState, runtime: Runtime) -> Place | Refusal:
    """How far instance and service are. Idempotent: both are known by the name of the rehearsal."""
    plan, now = state.plan, runtime.now()
    before = state.place if isinstance(state.place, Place) else None
    place = before or Place(status=PlaceStatus.CREATING, begun_at=now)
    try:
        if now - place.begun_at > plan.time_limit + _LONGEST_RESTORE:
            raise RefusedError(
                f"instance and service were not ready in time: {place.detail}",
                code=RefusalCode.REHEARSAL,
            )
        return _with_snapshot(plan, state, place, runtime)
    except RefusedError as error:
        return Refusal.of(error)


def _with_snapshot(
    plan: RehearsalPlan, state: RehearsalState, place: Place, runtime: Runtime
) -> Place:
    points = runtime.restore_points(DatabaseKind.INSTANCE)
    # The restore is what shows that the snapshot was there: it may be deleted meanwhile.
    if place.copy is None and place.snapshot_at is None:
        if plan.take_snapshot:
            release = plan.release
            taken = points.take(
                plan.snapshot, database=plan.database, app=release.app, release=release.id
            )
        else:
            found = points.state(plan.snapshot)
            if found is None:
                raise RefusedError(
                    f"the snapshot {plan.snapshot} is gone", code=RefusalCode.SNAPSHOT
                )
            taken = found
        if taken.status is SnapshotStatus.FAILED:
            raise RefusedError(
                f"the snapshot {plan.snapshot} is {taken.detail}", code=RefusalCode.SNAPSHOT
            )
        if taken.status is not SnapshotStatus.AVAILABLE:
            return replace(
                place, status=PlaceStatus.SNAPSHOT, detail=f"the snapshot is {taken.detail}"
            )
        place = replace(place, snapshot_at=taken.at)
    return _created(plan, state, place, runtime)


def _created(plan: RehearsalPlan, state: RehearsalState, place: Place, runtime: Runtime) -> Place:
    execution = state.execution.rpartition(":")[2]
    databases, services = runtime.temporary_databases, runtime.temporary_services
    address = databases.address(plan.name)
    if address is None:
        databases.restore(plan.name, plan.snapshot, plan.database, execution)
        address = "creating"
    service = services.state(plan.name)
    if service is None:
        services.create(plan.name, plan.power, execution)
        service = "PENDING"
    detail = f"the instance is {address}, the service is {service}"
    if not isinstance(address, Address) or service not in _SERVICE_IS_READY:
        return replace(place, status=PlaceStatus.CREATING, detail=detail)
    role = runtime.lightsail.service(plan.name).puller_role
    if role is None:
        detail = "the service has no role to pull images yet"
        return replace(place, status=PlaceStatus.CREATING, detail=detail, copy=address)
    _refuse_another_role(role, plan, runtime)
    return replace(place, status=PlaceStatus.READY, copy=address, detail="")


def _refuse_another_role(role: str, plan: RehearsalPlan, runtime: Runtime) -> None:
    """The policy was checked before with the name that the role was expected to have."""
    names = rehearsal_names(runtime.settings.stack_id, plan.release.app)
    expected = pattern(role, names)
    if not fnmatch.fnmatchcase(role, expected):
        raise RefusedError(
            f"repository: Lightsail pulls with the role {role}, whose name is not like {expected}, "
            "so the policy of the repository does not admit it",
            code=RefusalCode.IMAGE_PULLER,
        )
