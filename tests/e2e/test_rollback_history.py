"""What becomes of the versions before, one bad release after another.

The tests go from the version that serves to the next in the order of this file.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from local.demo import crops
from tests.e2e.conftest import started
from tests.e2e.farm import LONG_WATCH, Farm, taking_back, with_v2
from tests.e2e.pushing import wait_until

# A stack of its own, and a dozen releases. What is decided is tested on every run in
# tests/workflow.
pytestmark = pytest.mark.slow

SOMEBODY = """
    INSERT INTO django_migrations (app, name, applied)
    VALUES ('harvests', '0099_by_somebody', now())
"""
WRITE: Mapping[str, Any] = {"method": "POST", "path": "/", "body": "{}", "successCodes": "201"}


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    with started() as ready:
        yield with_v2(ready)


def test_an_unhealthy_version_stays_live_if_its_migration_makes_rollback_unsafe(
    farm: Farm,
) -> None:
    farm.specify(watch=LONG_WATCH)

    ended = farm.release("one-way-fails-later")

    message, version = ended.message, farm.version
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED")
    assert message["failure"]["kind"] == "watch-failed"
    assert "GET / returned 500 (expected 200)" in message["failure"]["evidence"]
    assert message["judgement"]["verdict"] == "ONE_WAY"
    [reason] = message["judgement"]["reasons"]
    assert reason.startswith("harvests.0005_no_season: RemoveField harvest.season: ")
    assert version == message["version"] == message["previousVersion"] + 1
    assert "season" not in farm.columns()
    # It is left as it is, and so is the database. Each of its processes fails once asked enough.
    wait_until(lambda: farm.read().status == 500, timedelta(seconds=20))
    text = message["text"]
    assert reason in text
    assert f"To keep version {version}: correct the cause and push again." in text
    assert "Before a rollback, reverse the migrations" in text
    assert taking_back("one-way-fails-later") in text
    assert f"--input '{json.dumps(way_back(message))}'" in text
    assert f"--db-snapshot-identifier {message['snapshot']['id']}" in text


def way_back(message: Mapping[str, Any]) -> Mapping[str, Any]:
    previous = message["previousVersion"]
    return {"app": crops.APP, "rollbackTo": previous}


def test_what_the_message_advises_brings_the_version_before_back(farm: Farm) -> None:
    farm.specify()
    kept = farm.version

    refused = farm.ask_for({"app": crops.APP, "rollbackTo": kept - 1})
    undone = farm.ask_for(json.loads(taking_back("one-way-fails-later")))
    back = farm.ask_for({"app": crops.APP, "rollbackTo": kept - 1})

    assert refused.status == "REFUSED"
    assert undone.status == "SUCCEEDED", undone.message["text"]
    assert back.status == "SUCCEEDED", back.message["text"]
    assert "season" in farm.columns()
    said = f"A command has run beside version {undone.message['version']}, so the record"
    assert said in back.message["text"]
    assert f"Version {kept - 1} is live again as version {farm.version}." in back.message["text"]
    assert farm.version == back.message["version"]
    assert (farm.read().status, farm.read().release) == (200, "v2")
    assert farm.write().status == 201


def test_a_failed_deployment_after_a_one_way_migration_ends_as_failed(
    farm: Farm,
) -> None:
    before = farm.version

    ended = farm.release("one-way-crash")

    text = ended.message["text"]
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED"), text
    assert ended.message["failure"]["kind"] == "app-crash"
    assert ended.message["failure"]["evidence"] == "ModuleNotFoundError: No module named 'weather'"
    assert ended.message["judgement"]["verdict"] == "ONE_WAY"
    assert "harvests.0005_no_season: RemoveField harvest.season: " in text
    assert "1 migration applied and not reversed by a rollback: harvests.0005_no_season" in text
    assert taking_back("one-way-crash") in text
    assert "it is unhealthy:" in text
    assert "season" not in farm.columns()
    assert (farm.version, farm.read().status) == (before, 500)


def test_taking_the_migration_back_mends_the_version_that_still_serves(farm: Farm) -> None:
    command = taking_back("one-way-crash")

    undone = farm.ask_for(json.loads(command))

    assert undone.status == "SUCCEEDED", undone.message["text"]
    assert "season" in farm.columns()
    assert (farm.read().status, farm.read().release) == (200, "v2")
    assert farm.write().status == 201


def test_a_version_that_only_added_optional_columns_is_rolled_back_automatically(
    farm: Farm,
) -> None:
    # What ran beside a command is as old as before; only a release of its own counts from now.
    farm.specify()
    released = farm.release("v2")
    assert released.status == "SUCCEEDED", released.message["text"]
    before = farm.version
    farm.specify(watch=LONG_WATCH)

    ended = farm.release("additive-fails-later")

    message = ended.message
    assert ended.status == "ROLLED_BACK", message["text"]
    assert message["failure"]["kind"] == "watch-failed"
    assert message["judgement"] == {"verdict": "SAFE", "reasons": [], "restrictions": []}
    assert f"Version {before} is live again as version {farm.version}." in message["text"]
    assert (
        "1 migration applied and not reversed by a rollback: harvests.0005_note" in message["text"]
    )
    assert "note" in farm.columns(), "no migration is taken back unasked"
    assert farm.version == before + 2
    assert (farm.read().status, farm.read().release) == (200, "v2")
    assert (farm.write().status, farm.write().release) == (201, "v2")


def test_an_outcome_is_no_rollback_if_the_previous_version_can_only_read(
    farm: Farm,
) -> None:
    """Nobody has asked for a probe that writes: the verdict knows what the answers do not show."""
    farm.specify(write=WRITE)
    specified = farm.release("v2.1")
    assert specified.status == "SUCCEEDED", specified.message["text"]
    farm.specify()
    only_read = farm.release("v2")
    assert only_read.status == "SUCCEEDED", only_read.message["text"]
    before = farm.version

    ended = farm.release("default-only-crash")

    message = ended.message
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED")
    assert message["failure"]["kind"] == "app-crash"
    assert message["failure"]["evidence"] == "ModuleNotFoundError: No module named 'weather'"
    assert message["judgement"]["verdict"] == "ONE_WAY"
    assert "harvests.0005_quality: AddField harvest.quality: " in message["text"]
    serves = f"Version {before} is healthy: "
    assert serves in message["text"]
    assert f"Version {before} may fail with the current database" in message["text"]
    assert "quality" in farm.columns()
    assert farm.version == before
    assert (farm.read().status, farm.read().release) == (200, "v2")
    assert farm.write().status == 500


def test_a_default_that_only_django_knows_makes_rollback_unsafe(farm: Farm) -> None:
    """The release works, and history refuses what could not write behind it."""
    unable = farm.version
    able = farm.release("default-only")
    assert able.status == "SUCCEEDED", able.message["text"]
    again = farm.release("default-only", reason="nothing is pending any more")
    assert again.status == "SUCCEEDED", again.message["text"]

    refused = farm.ask_for({"app": crops.APP, "rollbackTo": unable})
    back = farm.ask_for({"app": crops.APP, "rollbackTo": able.message["version"]})

    text = refused.message["text"]
    assert (refused.status, refused.execution.error) == ("REFUSED", "REFUSED")
    assert f"version {unable} may not work with the current database" in text
    assert f"the newest version that works with it is version {able.message['version']}." in text
    assert "harvests.0005_quality: AddField harvest.quality: " in text
    assert back.status == "SUCCEEDED", back.message["text"]
    assert farm.version == back.message["version"] == again.message["version"] + 1
    assert (farm.read().release, farm.write().status) == ("default-only", 201)


def test_a_rollback_that_overrides_history_warns_that_the_old_version_cannot_write(
    farm: Farm,
) -> None:
    serving = farm.version
    [old] = farm.versions_of("v2.1")

    ended = farm.ask_for({"app": crops.APP, "rollbackTo": old, "allowDestructive": True})

    text = ended.message["text"]
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED"), text
    assert ended.message["failure"]["kind"] == "watch-failed"
    assert "POST / returned 500 (expected 201)" in ended.message["failure"]["evidence"]
    assert 'overridden with "allowDestructive"' in text
    assert farm.version == ended.message["version"] == serving + 1
    assert (farm.read().status, farm.read().release) == (200, "v2.1")
    assert farm.write().status == 500


def test_a_gate_that_finds_what_history_does_not_know_keeps_the_old_version_out(
    farm: Farm,
) -> None:
    digest = crops.image("default-only").digest
    command = ["python", "manage.py", "migrate", "harvests", "0004"]
    undone = farm.ask_for({"app": crops.APP, "digest": digest, "command": command})
    assert undone.status == "SUCCEEDED", undone.message["text"]
    released = farm.release("v2")
    assert released.status == "SUCCEEDED", released.message["text"]
    assert farm.write().status == 201
    with psycopg.connect(farm.ready.cloud.database.url) as connection:
        connection.execute(SOMEBODY)
    before = farm.state

    ended = farm.ask_for({"app": crops.APP, "rollbackTo": before.version - 1})

    text = ended.message["text"]
    assert (ended.status, ended.execution.error) == ("REFUSED", "REFUSED"), text
    assert ended.message["failure"]["kind"] == "migration-refused"
    assert "harvests.0099_by_somebody" in ended.message["failure"]["evidence"]
    assert "Nothing was applied." in text
    assert farm.state == before
    assert (farm.read().release, farm.write().status) == ("v2", 201)
