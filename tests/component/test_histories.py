"""What an app remembers of how long its releases took."""

from datetime import timedelta

import pytest

from lightgate.aws.histories import Histories
from lightgate.backup import History
from tests.component import table
from tests.component.cloud import Cloud


@pytest.fixture
def histories(cloud: Cloud) -> Histories:
    return Histories(table.create(cloud))


def add(histories: Histories, release: str, snapshot: float | None, node: float | None) -> None:
    taken = (None if each is None else timedelta(seconds=each) for each in (snapshot, node))
    snapshot_took, node_took = taken
    histories.add("crops", release, snapshot=snapshot_took, node_start=node_took)


def test_an_app_without_a_release_has_no_history(histories: Histories) -> None:
    assert histories.read("crops") == History(snapshots=[], node_starts=[])


def test_each_part_is_remembered_as_far_as_it_is_known(histories: Histories) -> None:
    add(histories, "r1", 180, 90)
    add(histories, "r2", None, 80)
    add(histories, "r3", 200, None)

    found = histories.read("crops")

    assert found.snapshot == timedelta(seconds=200)
    assert found.node_start == timedelta(seconds=80)
    assert histories.read("another").snapshot is None


def test_a_release_that_is_told_again_is_remembered_once(histories: Histories) -> None:
    for _ in range(2):
        add(histories, "r1", 180, 90)

    assert histories.read("crops").snapshots == [timedelta(seconds=180)]


def test_only_the_latest_are_kept(histories: Histories) -> None:
    for number in range(12):
        add(histories, f"r{number}", number, None)

    kept = histories.read("crops").snapshots
    assert kept == [timedelta(seconds=number) for number in range(2, 12)]
