"""A snapshot takes its time, and its database makes only one at a time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from local.cloud.rds_delay import SnapshotTimes

ENGINE = {
    "DB": """<DBSnapshots><DBSnapshot><DBSnapshotIdentifier>s1</DBSnapshotIdentifier>
        <DBInstanceIdentifier>crops-db</DBInstanceIdentifier><Status>available</Status>
        <PercentProgress>100</PercentProgress></DBSnapshot></DBSnapshots>""",
    "DBCluster": """<DBClusterSnapshot>
        <DBClusterSnapshotIdentifier>s1</DBClusterSnapshotIdentifier>
        <DBClusterIdentifier>crops-db</DBClusterIdentifier><Status>available</Status>
        <PercentProgress>100</PercentProgress></DBClusterSnapshot>""",
}
KINDS = {"DB": "DBInstance", "DBCluster": "DBCluster"}


class World:
    """Snapshots of one kind that take 10 s, and a clock that only the test moves."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.now = 0.0
        self.times = SnapshotTimes(timedelta(seconds=10), lambda: self.now)

    def form(self, action: str, snapshot: str = "s1", database: str = "crops-db") -> dict[str, str]:
        names = {
            f"{self.kind}SnapshotIdentifier": snapshot,
            f"{KINDS[self.kind]}Identifier": database,
        }
        return {"Action": action, **names}

    def create(self) -> str:
        return self.answer(f"Create{self.kind}Snapshot")

    def describe(self) -> str:
        return self.answer(f"Describe{self.kind}Snapshots")

    def answer(self, action: str) -> str:
        return self.times.answer(self.form(action), ENGINE[self.kind].encode()).decode()

    def refusal(self, **changes: Any) -> str | None:
        refusal = self.times.refusal(self.form(f"Create{self.kind}Snapshot", **changes))
        return refusal and refusal.body().decode()


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_a_snapshot_is_creating_until_its_time_is_up(world: World) -> None:
    assert "<Status>creating<" in world.create()
    world.now = 2.5
    half_way = world.describe()
    world.now = 10

    assert "<Status>creating<" in half_way
    assert "<PercentProgress>25<" in half_way
    assert "<Status>available<" in world.describe()
    assert "<PercentProgress>100<" in world.describe()


def test_a_database_makes_one_snapshot_at_a_time(world: World) -> None:
    world.create()

    busy = world.refusal(snapshot="s2")
    assert busy is not None
    assert "crops-db is not currently in the available state" in busy
    assert world.refusal(snapshot="s2", database="other-db") is None
    # Asked for once more, it is for the engine to say that it exists.
    assert world.refusal() is None

    world.now = 10
    assert world.refusal(snapshot="s2") is None


def test_what_was_made_behind_its_back_and_other_calls_stay_as_they_are(world: World) -> None:
    text = ENGINE[world.kind].encode()

    assert world.describe().encode() == text
    assert world.times.answer(world.form("DescribeDBInstances"), text) is text
    assert world.times.answer({}, text) is text
    assert world.times.refusal({}) is None


def test_without_a_time_it_is_as_the_engine_says() -> None:
    world = World("DB")
    world.times = SnapshotTimes(timedelta())

    assert world.create() == ENGINE["DB"]
    assert world.refusal(snapshot="s2") is None


def test_it_works_through_the_gateway(client: Callable[[str], Any]) -> None:
    rds = client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="snapshots-db",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="root",
        MasterUserPassword="of-the-tests",
    )
    wanted = {"DBInstanceIdentifier": "snapshots-db", "DBSnapshotIdentifier": "snapshots-1"}
    begun = rds.create_db_snapshot(**wanted)["DBSnapshot"]

    found = rds.describe_db_snapshots(DBSnapshotIdentifier="snapshots-1")["DBSnapshots"][0]
    with pytest.raises(rds.exceptions.InvalidDBInstanceStateFault):
        rds.create_db_snapshot(**{**wanted, "DBSnapshotIdentifier": "snapshots-2"})

    assert begun["Status"] == "creating"
    assert (found["Status"], found["DBSnapshotIdentifier"]) == ("creating", "snapshots-1")
    rds.delete_db_snapshot(DBSnapshotIdentifier="snapshots-1")
    rds.delete_db_instance(DBInstanceIdentifier="snapshots-db", SkipFinalSnapshot=True)
