"""What an app remembers of how long its releases took."""

import json
from datetime import timedelta

import pytest

from lightgate.aws.dynamodb_timings import ReleaseTimings
from lightgate.backup.timings import Timings
from lightgate.outcome.durations import Durations
from lightgate.release.poll_interval import Observed
from tests.component import table
from tests.component.cloud import Cloud


@pytest.fixture
def histories(cloud: Cloud) -> ReleaseTimings:
    return ReleaseTimings(table.create(cloud))


def add(
    histories: ReleaseTimings,
    release: str,
    snapshot: float | None,
    node: float | None,
    *,
    ended: bool = True,
) -> None:
    took = [None if each is None else observed(each - 5, each) for each in (snapshot, node)]
    histories.add("crops", release, Durations(snapshot=took[0], ended=ended, node_start=took[1]))


def observed(after: float, by: float) -> Observed:
    return Observed(after=timedelta(seconds=after), by=timedelta(seconds=by))


def test_an_app_without_a_release_has_no_history(histories: ReleaseTimings) -> None:
    assert histories.read("crops") == Timings(
        snapshots=[], node_starts=[], seen_snapshots=[], seen_node_starts=[], seen_ends=[]
    )


def test_each_part_is_remembered_as_far_as_it_is_known(histories: ReleaseTimings) -> None:
    add(histories, "r1", 180, 90)
    add(histories, "r2", None, 80)
    add(histories, "r3", 200, None)

    found = histories.read("crops")

    assert found.snapshot == timedelta(seconds=200)
    assert found.node_start == timedelta(seconds=80)
    assert found.seen_snapshots == [observed(175, 180), observed(195, 200)]
    assert found.seen_node_starts == [observed(85, 90), observed(75, 80)]
    assert found.seen_ends == []
    assert histories.read("another").snapshot is None


def test_durations_that_are_recorded_twice_count_once(histories: ReleaseTimings) -> None:
    for _ in range(2):
        add(histories, "r1", 180, 90)

    assert histories.read("crops").snapshots == [timedelta(seconds=180)]


def test_the_end_of_a_deployment_is_remembered_beside_releases_without_one(
    histories: ReleaseTimings,
) -> None:
    took = Durations(snapshot=None, ended=True, node_start=None, end=observed(5, 15))
    histories.add("crops", "r1", took)
    for number in range(2, 20):
        add(histories, f"r{number}", 180, 90)

    found = histories.read("crops")
    assert found.seen_ends == [observed(5, 15)]
    assert len(found.snapshots) == 5


def test_an_entry_of_an_older_version_knows_only_when_it_was_over(
    histories: ReleaseTimings, cloud: Cloud
) -> None:
    entry = {"release": "r1", "snapshotSeconds": 180.0, "ended": True, "nodeStartSeconds": None}
    item = {
        "app": {"S": "crops"},
        "item": {"S": "history"},
        "entries": {"S": json.dumps([entry])},
    }
    cloud.client("dynamodb").put_item(TableName=table.NAME, Item=item)

    found = histories.read("crops")
    assert found.seen_snapshots == [observed(180, 180)]
    assert (found.node_start, found.seen_ends) == (None, [])


def test_only_the_latest_of_each_part_count(histories: ReleaseTimings) -> None:
    add(histories, "of-long-ago", 900, 1)
    for number in range(5):
        add(histories, f"r{number}", number, 60 + number)

    found = histories.read("crops")
    assert found.snapshots == [timedelta(seconds=number) for number in range(5)]
    assert found.node_start == timedelta(seconds=60)


def test_releases_without_a_snapshot_let_none_be_forgotten(histories: ReleaseTimings) -> None:
    add(histories, "r0", 240, 60)
    for number in range(1, 30):
        add(histories, f"r{number}", None, 50)

    found = histories.read("crops")
    assert found.snapshots == [timedelta(seconds=240)]
    assert len(found.node_starts) == 5


def test_a_snapshot_that_was_not_there_in_time_is_remembered_as_that(
    histories: ReleaseTimings,
) -> None:
    add(histories, "r1", 120, 60)
    add(histories, "r2", 600, 60, ended=False)

    found = histories.read("crops")
    assert (found.snapshots, found.unfinished) == ([timedelta(seconds=120)], timedelta(seconds=600))
    assert found.snapshot is None
