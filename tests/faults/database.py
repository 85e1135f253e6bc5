"""A database or a snapshot in a bad state, at each point of a release where it matters."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.rds.models import rds_backends

from tests.component.cloud import ACCOUNT, REGION
from tests.faults.account import INSTANCE
from tests.faults.gate import Plan
from tests.faults.moments import Change, later, pushed, released, says
from tests.faults.scenarios import Scenario
from tests.faults.wire import Answer, Call, refusal
from tests.faults.world import SPEC, World

_CLUSTER = "crops-cluster"
_PLAN = Plan(migrations=("a.0002",))
# So long that the deployment is created while the snapshot is still being made.
_SNAPSHOT_TAKES = timedelta(minutes=5)
_A_WHILE = timedelta(minutes=2)
_FOR_EVER = timedelta(hours=10)
_QUOTA = "MOTO_RDS_SNAPSHOT_LIMIT"

BEFORE, TAKE, CHECK = "before the push", "TakeSnapshot", "CheckSnapshot"
WAITS, WATCH, PRUNE = "waiting for the permit", "VerifyRelease", "PruneSnapshots"
FOLLOWED = "CheckDeployment"


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """How the release has to end, and what its message has to name."""

    status: str
    names: Sequence[str] = ()


_WELL = _End(status="SUCCEEDED")


def _refused(*names: str) -> _End:
    return _End(status="REFUSED", names=names)


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
_OUT_OF_REACH = _End(status="FAILED", names=["connection refused"])


def _too_late(*names: str) -> _End:
    """Its gate may hold no longer, and nothing is applied."""
    return _End(status="ROLLED_BACK", names=["no permit", *names])


def _down(status: str) -> Mapping[str, _End]:
    return {
        BEFORE: _refused(f"{INSTANCE} has the status {status}"),
        TAKE: _refused(f"{INSTANCE} has the status {status}"),
        CHECK: _OUT_OF_REACH,
        WAITS: _OUT_OF_REACH,
        WATCH: _End(status="FAILED", names=["500"]),
        PRUNE: _WELL,
    }


_PASSES = dict.fromkeys((BEFORE, TAKE, CHECK, WAITS, WATCH, PRUNE), _WELL)
_MISSING = _refused(f"there is no RDS instance {INSTANCE}")
_NOT_IN_TIME = "database.timeoutSeconds (3600)"

# Row: what happens, and how the release ends by the moment at which it does.
_STATES: Mapping[str, tuple[Change, Mapping[str, _End]]] = {
    "backing-up, 2 min": (_instance("backing-up", _A_WHILE), _PASSES),
    "modifying, 2 min": (_instance("modifying", _A_WHILE), _PASSES),
    "backing-up": (
        _instance("backing-up"),
        {
            **_PASSES,
            BEFORE: _refused(_NOT_IN_TIME, "backing-up"),
            TAKE: _refused(_NOT_IN_TIME, "backing-up"),
        },
    ),
    **{
        status: (_instance(status), _down(status))
        for status in ("stopped", "storage-full", "deleting", "failed")
    },
    "deleted": (_deleted, {**_down(""), BEFORE: _MISSING, TAKE: _MISSING}),
    "quota used up": (
        _quota_is_used_up,
        {BEFORE: _refused("RDS takes no further snapshot"), CHECK: _WELL},
    ),
    "refused for storage": (
        _refused_with("StorageQuotaExceeded", "The storage quota is exceeded."),
        {TAKE: _End(status="FAILED", names=["StorageQuotaExceeded"])},
    ),
    "snapshot fails": (
        _snapshots(snapshot_ends="failed"),
        {BEFORE: _refused("has ended as failed")},
    ),
    "snapshot is deleted": (
        _snapshot_is_deleted,
        {
            CHECK: _refused("has ended as deleted"),
            WAITS: _refused("has ended as deleted"),
            WATCH: _WELL,
            PRUNE: _WELL,
        },
    ),
    # Which the releases before do not show: its deployment is created too early.
    "snapshot is slow": (
        _snapshots(snapshot_takes=timedelta(minutes=30)),
        {BEFORE: _too_late("creating")},
    ),
}
# The same where a snapshot is begun only when the plan is known.
_STATES_WHEN_PENDING: Mapping[str, tuple[Change, Mapping[str, _End]]] = {
    "backing-up, 2 min": (_instance("backing-up", _A_WHILE), {FOLLOWED: _WELL}),
    "backing-up": (_instance("backing-up"), {FOLLOWED: _too_late("backing-up")}),
    "stopped": (
        _instance("stopped"),
        {WAITS: _End(status="FAILED", names=[f"{INSTANCE} has the status stopped"])},
    ),
    "deleted": (_deleted, {WAITS: _End(status="FAILED", names=_MISSING.names)}),
    "quota used up": (
        _quota_is_used_up,
        {FOLLOWED: _refused("RDS takes no further snapshot")},
    ),
    "snapshot fails": (_snapshots(snapshot_ends="failed"), {BEFORE: _refused("ended as failed")}),
    "snapshot never ends": (_snapshots(snapshot_takes=_FOR_EVER), {BEFORE: _too_late("creating")}),
}
# The same where nothing is known yet of how long a snapshot takes.
_STATES_AT_FIRST: Mapping[str, tuple[Change, Mapping[str, _End]]] = {
    "snapshot is slow": (_snapshots(snapshot_takes=timedelta(minutes=30)), {BEFORE: _WELL}),
    "snapshot never ends": (
        _snapshots(snapshot_takes=_FOR_EVER),
        {BEFORE: _refused(_NOT_IN_TIME, "creating")},
    ),
    "snapshot is deleted": (_snapshot_is_deleted, {CHECK: _refused("has ended as deleted")}),
    "stopped": (_instance("stopped"), {BEFORE: _refused(f"{INSTANCE} has the status stopped")}),
}
_STATES_OF_CLUSTERS: Mapping[str, tuple[Change, Mapping[str, _End]]] = {
    "backing-up, 2 min": (_cluster_is("backing-up", _A_WHILE), {TAKE: _WELL}),
    "stopped": (
        _cluster_is("stopped"),
        {
            BEFORE: _refused(f"{_CLUSTER} has the status stopped"),
            TAKE: _refused(f"{_CLUSTER} has the status stopped"),
            PRUNE: _WELL,
        },
    ),
    "quota used up": (_quota_is_used_up, {TAKE: _refused("RDS takes no further snapshot")}),
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
    return [
        Scenario(
            row=row + suffix,
            column=moment,
            act=pushed(moment, change, _PLAN),
            prepare=prepare,
            ends=[end.status],
            check=says(*end.names),
        )
        for suffix, (prepare, table) in tables.items()
        for row, (change, ends) in table.items()
        for moment, end in ends.items()
        if not is_slice or (row + suffix, moment) in _SLICE
    ]
