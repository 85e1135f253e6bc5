"""A database or a snapshot in a bad state, at each point of a release where it matters."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.rds.models import rds_backends

from tests.component.cloud import ACCOUNT, REGION
from tests.faults.account import INSTANCE
from tests.faults.moments import (
    WELL,
    Change,
    End,
    States,
    later,
    refused,
    released,
    scenarios_of,
)
from tests.faults.scenarios import Scenario
from tests.faults.wire import Answer, Call, refusal
from tests.faults.world import SPEC, World

_CLUSTER = "crops-cluster"
# So long that the deployment is created while the snapshot is still being made.
_SNAPSHOT_TAKES = timedelta(minutes=5)
_A_WHILE = timedelta(minutes=2)
_FOR_EVER = timedelta(hours=10)
_QUOTA = "MOTO_RDS_SNAPSHOT_LIMIT"

BEFORE, TAKE, CHECK = "before the push", "TakeSnapshot", "CheckSnapshot"
WAITS, WATCH, PRUNE = "waiting for the permit", "VerifyRelease", "PruneSnapshots"
FOLLOWED = "CheckDeployment"


# The states. People mend each of them once the release has ended.


def _instance(status: str, lasts: timedelta | None = None) -> Change:
    def change(world: World) -> None:
        database = world.account.database
        database.is_now(status)
        world.repairs.append(lambda: database.is_now("available"))
        if lasts is not None:
            later(world, lasts, lambda _: database.is_now("available"))

    return change


def _deleted(world: World) -> None:
    databases = rds_backends[ACCOUNT][REGION].databases
    gone = databases.pop(INSTANCE)
    world.repairs.append(lambda: databases.update({INSTANCE: gone}))


def _quota_is_used_up(world: World) -> None:
    os.environ[_QUOTA] = "0"
    world.repairs.append(lambda: os.environ.update({_QUOTA: "100"}))


def _refused_with(code: str, message: str) -> Change:
    def change(world: World) -> None:
        def fault(call: Call, answer: Answer) -> AWSResponse:
            is_it = call.name == "rds.CreateDBSnapshot"
            return refusal(call, 400, code, message) if is_it else answer()

        world.account.wire.fault = fault

    return change


def _snapshots(**changes: object) -> Change:
    """What becomes of those that are begun from now on."""

    def change(world: World) -> None:
        database = world.account.database
        before = {name: getattr(database, name) for name in changes}

        def put(values: Mapping[str, object]) -> None:
            for name, value in values.items():
                setattr(database, name, value)

        put(changes)
        world.repairs.append(lambda: put(before))

    return change


def _snapshot_is_deleted(world: World) -> None:
    newest = max(world.account.snapshots(), key=lambda name: name.rpartition("-20")[2])
    world.account.client("rds").delete_db_snapshot(DBSnapshotIdentifier=newest)


def _always(world: World) -> None:
    world.account.database.snapshot_takes = _SNAPSHOT_TAKES


def _when_pending(world: World) -> None:
    world.put_spec({**SPEC, "database": {"instance": INSTANCE, "backup": "when-pending"}})


def _cluster(world: World) -> None:
    rds = world.account.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier=_CLUSTER,
        Engine="aurora-postgresql",
        MasterUsername="crops",
        MasterUserPassword="of-the-tests",
    )
    world.put_spec({**SPEC, "database": {"cluster": _CLUSTER, "keepSnapshots": 2}})


def _cluster_is(status: str, lasts: timedelta | None = None) -> Change:
    def show(word: str) -> None:
        cluster: Any = rds_backends[ACCOUNT][REGION].clusters[_CLUSTER]
        cluster.status = word

    def change(world: World) -> None:
        show(status)
        world.repairs.append(lambda: show("available"))
        if lasts is not None:
            later(world, lasts, lambda _: show("available"))

    return change


# From here on the database does not answer the gate and the app either.
_OUT_OF_REACH = End(status="FAILED", names=["connection refused"])


def _too_late(*names: str) -> End:
    """Its gate may hold no longer, and nothing is applied."""
    return End(status="ROLLED_BACK", names=["no permit", *names])


def _down(status: str) -> Mapping[str, End]:
    return {
        BEFORE: refused(f"{INSTANCE} has the status {status}"),
        TAKE: refused(f"{INSTANCE} has the status {status}"),
        CHECK: _OUT_OF_REACH,
        WAITS: _OUT_OF_REACH,
        WATCH: End(status="FAILED", names=["500"]),
        PRUNE: WELL,
    }


_PASSES = dict.fromkeys((BEFORE, TAKE, CHECK, WAITS, WATCH, PRUNE), WELL)
_MISSING = refused(f"there is no RDS instance {INSTANCE}")
_NOT_IN_TIME = "database.timeoutSeconds (3600)"

_STATES: States = {
    "backing-up, 2 min": (_instance("backing-up", _A_WHILE), _PASSES),
    "modifying, 2 min": (_instance("modifying", _A_WHILE), _PASSES),
    "backing-up": (
        _instance("backing-up"),
        {
            **_PASSES,
            BEFORE: refused(_NOT_IN_TIME, "backing-up"),
            TAKE: refused(_NOT_IN_TIME, "backing-up"),
        },
    ),
    **{
        status: (_instance(status), _down(status))
        for status in ("stopped", "storage-full", "deleting", "failed")
    },
    "deleted": (_deleted, {**_down(""), BEFORE: _MISSING, TAKE: _MISSING}),
    "quota used up": (
        _quota_is_used_up,
        {BEFORE: refused("RDS accepts no further snapshot"), CHECK: WELL},
    ),
    "refused for storage": (
        _refused_with("StorageQuotaExceeded", "The storage quota is exceeded."),
        {TAKE: End(status="FAILED", names=["StorageQuotaExceeded"])},
    ),
    "snapshot fails": (
        _snapshots(snapshot_ends="failed"),
        {BEFORE: refused("has ended as failed")},
    ),
    "snapshot is deleted": (
        _snapshot_is_deleted,
        {
            CHECK: refused("has ended as deleted"),
            WAITS: refused("has ended as deleted"),
            WATCH: WELL,
            PRUNE: WELL,
        },
    ),
    # Which the releases before do not show: its deployment is created too early.
    "snapshot is slow": (
        _snapshots(snapshot_takes=timedelta(minutes=30)),
        {BEFORE: _too_late("creating")},
    ),
}
# The same where a snapshot is begun only when the plan is known.
_STATES_WHEN_PENDING: States = {
    "backing-up, 2 min": (_instance("backing-up", _A_WHILE), {FOLLOWED: WELL}),
    "backing-up": (_instance("backing-up"), {FOLLOWED: _too_late("backing-up")}),
    "stopped": (
        _instance("stopped"),
        {WAITS: End(status="FAILED", names=[f"{INSTANCE} has the status stopped"])},
    ),
    "deleted": (_deleted, {WAITS: End(status="FAILED", names=_MISSING.names)}),
    "quota used up": (
        _quota_is_used_up,
        {FOLLOWED: refused("RDS accepts no further snapshot")},
    ),
    "snapshot fails": (_snapshots(snapshot_ends="failed"), {BEFORE: refused("ended as failed")}),
    "snapshot never ends": (_snapshots(snapshot_takes=_FOR_EVER), {BEFORE: _too_late("creating")}),
}
# The same where nothing is known yet of how long a snapshot takes.
_STATES_AT_FIRST: States = {
    "snapshot is slow": (_snapshots(snapshot_takes=timedelta(minutes=30)), {BEFORE: WELL}),
    "snapshot never ends": (
        _snapshots(snapshot_takes=_FOR_EVER),
        {BEFORE: refused(_NOT_IN_TIME, "creating")},
    ),
    # It was seen to be there before the second of these.
    "snapshot is deleted": (
        _snapshot_is_deleted,
        dict.fromkeys((CHECK, FOLLOWED), refused("has ended as deleted")),
    ),
    "stopped": (_instance("stopped"), {BEFORE: refused(f"{INSTANCE} has the status stopped")}),
}
_STATES_OF_CLUSTERS: States = {
    "backing-up, 2 min": (_cluster_is("backing-up", _A_WHILE), {TAKE: WELL}),
    "stopped": (
        _cluster_is("stopped"),
        {
            BEFORE: refused(f"{_CLUSTER} has the status stopped"),
            TAKE: refused(f"{_CLUSTER} has the status stopped"),
            PRUNE: WELL,
        },
    ),
    "quota used up": (_quota_is_used_up, {TAKE: refused("RDS accepts no further snapshot")}),
}
_SLICE = (
    ("stopped", TAKE),
    ("stopped", WAITS),
    ("backing-up, 2 min", TAKE),
    ("deleted", PRUNE),
    ("snapshot is deleted", WAITS),
)


def scenarios(is_slice: bool) -> Sequence[Scenario]:
    tables = {
        "": (released(_always), _STATES),
        " (first release)": (lambda _: None, _STATES_AT_FIRST),
        " (when-pending)": (released(_when_pending), _STATES_WHEN_PENDING),
        " (cluster)": (released(_cluster), _STATES_OF_CLUSTERS),
    }
    found = [
        each
        for suffix, (prepare, states) in tables.items()
        for each in scenarios_of(states, prepare, suffix=suffix)
    ]
    return [each for each in found if not is_slice or (each.row, each.column) in _SLICE]
