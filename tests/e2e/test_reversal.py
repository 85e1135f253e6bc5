"""Migrations that break the old version, of a release whose app does not start.

The tests go from the version that serves to the next in the order of this file.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.e2e.conftest import started
from tests.e2e.farm import Farm, taking_back, with_v2
from tests.e2e.schema import schema

# A stack of its own. Tests in tests/workflow and tests/unit show each decision on every run.
pytestmark = pytest.mark.slow
# The release has one that fails, and the reversal another one.
_TWO_DEPLOYMENTS = timedelta(minutes=10)


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    with started() as ready:
        yield with_v2(ready)


def test_the_migrations_are_reversed_and_the_old_version_can_write_again(farm: Farm) -> None:
    farm.specify(reverse=True)
    before, tables = farm.version, schema(farm.ready)

    ended = farm.release("default-only-crash", within=_TWO_DEPLOYMENTS)

    message = ended.message
    assert ended.status == "ROLLED_BACK", message["text"]
    assert message["judgement"]["verdict"] == "ONE_WAY"
    assert message["failure"]["kind"] == "app-crash"
    assert schema(farm.ready) == tables
    assert farm.version == before + 2
    assert f"Version {before} is live again as version {farm.version}." in message["text"]
    [name] = message["reversed"]
    assert f"1 migration applied and reversed: {name}" in message["text"]
    assert (farm.read().status, farm.read().release) == (200, "v2")
    assert (farm.write().status, farm.write().release) == (201, "v2")


def test_the_next_release_migrates_as_usual(farm: Farm) -> None:
    ended = farm.release("additive-fails-later")

    assert ended.message["judgement"]["verdict"] == "SAFE", ended.message["text"]


def test_a_removed_column_is_not_reversed(farm: Farm) -> None:
    farm.specify(reverse=True)
    farm.release("v2")
    before = farm.version

    ended = farm.release("one-way-crash")

    text = ended.message["text"]
    assert ended.status == "FAILED", text
    assert "Lightgate did not reverse the migrations automatically:" in text
    assert "A reversal may not bring back what an operation has removed" in text
    assert ended.message["reversed"] == []
    assert "season" not in farm.columns()
    assert farm.version == before
    assert taking_back("one-way-crash") in text
