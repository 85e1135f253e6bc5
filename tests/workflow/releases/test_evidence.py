"""What stays of a release: its record, its evidence, and for how long."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest

from lightgate.aws.dynamodb import as_values
from lightgate.aws.lightsail import Lightsail
from lightgate.operations import collect_evidence
from tests.support.template import read_template
from tests.workflow.world import EVIDENCE, World, migration_failed, succeeded


def records(world: World) -> list[dict[str, Any]]:
    """The readable records, the oldest first."""
    found = map(as_values, world.items())
    return sorted(
        (one for one in found if one["item"].startswith("release#")), key=lambda one: one["item"]
    )


def evidence(world: World) -> dict[str, Any]:
    """The evidence of the only release."""
    [record] = records(world)
    body = world.cloud.client("s3").get_object(Bucket=EVIDENCE, Key=record["evidence"])["Body"]
    found: dict[str, Any] = json.loads(body.read())
    return found


def test_a_release_leaves_its_record_and_its_evidence(world: World) -> None:
    world.release(course=succeeded("crops.0002"))

    [record] = records(world)
    found = evidence(world)
    assert record["status"] == found["status"] == "SUCCEEDED"
    assert [one["name"] for one in record["migrations"]] == ["crops.0002"]
    assert {"snapshot", "node", "migration", "health"} <= {one["name"] for one in record["stages"]}
    assert "applied" in [event["event"] for event in found["gates"]["migrate"]]
    assert len(found["health"]) == record["health"]["checks"] > 0
    assert found["decisions"][-1]["what"] == "outcome: SUCCEEDED"
    assert found["unread"] == []


def test_a_log_that_cannot_be_read_is_named_as_unread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lightsail, "app_logs", lambda *_: 1 / 0)

    world.release(course=succeeded())

    assert evidence(world)["unread"] == ["the logs of its containers"]


def test_a_log_that_takes_too_long_is_named_as_unread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(collect_evidence, "_TIME_LIMIT", timedelta(seconds=0.5))
    monkeypatch.setattr(Lightsail, "app_logs", lambda *_: hangs.wait(30))

    world.release(course=succeeded())
    hangs.set()

    assert evidence(world)["unread"] == ["the logs of its containers"]


def test_without_its_evidence_a_release_is_recorded_all_the_same(world: World) -> None:
    refuse = world.cloud.faults.refuse
    world.functions.before(
        "record_outcome", lambda: refuse("s3.PutObject", "AccessDenied", times=9)
    )

    world.release(course=succeeded())

    [record] = records(world)
    assert (record["status"], "evidence" in record) == ("SUCCEEDED", False)


def test_the_record_of_what_is_live_expires_once_another_version_is(world: World) -> None:
    world.release(course=succeeded())
    [only] = records(world)
    assert "expiresAt" not in only

    world.release(course=succeeded())

    first, second = records(world)
    assert first["expiresAt"] > 0
    assert "expiresAt" not in second


def test_the_evidence_of_what_is_live_stays_until_another_version_is_live(world: World) -> None:
    world.release(course=succeeded())
    [first] = records(world)
    assert tags(world, first) == {}
    written = world.cloud.client("s3").head_object(Bucket=EVIDENCE, Key=first["evidence"])

    world.release(course=migration_failed("crops.0002", "boom"))
    [failed] = [one for one in records(world) if one["status"] == "ROLLED_BACK"]
    assert tags(world, first) == {}
    assert tags(world, failed) == expiring()

    world.release(course=succeeded())

    [live] = [one for one in records(world) if "expiresAt" not in one]
    assert tags(world, first) == expiring()
    assert tags(world, live) == {}
    # S3 counts the days from the time of the file, so that has to be a new one.
    again = world.cloud.client("s3").head_object(Bucket=EVIDENCE, Key=first["evidence"])
    assert again["LastModified"] >= written["LastModified"]
    assert again["ContentType"] == "application/json"


def expiring() -> dict[str, str]:
    """The tag of the files that S3 deletes, by the template."""
    bucket = read_template()["Resources"]["EvidenceBucket"]["Properties"]
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    return {one["Key"]: one["Value"] for one in rule["TagFilters"]}


def tags(world: World, record: dict[str, Any]) -> dict[str, str]:
    found = world.cloud.client("s3").get_object_tagging(Bucket=EVIDENCE, Key=record["evidence"])
    return {one["Key"]: one["Value"] for one in found["TagSet"]}


def test_a_record_does_not_expire_while_it_is_unknown_what_is_live(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightgate.operations.conclude_release._live", lambda *_: None)

    world.release(course=succeeded())

    [record] = records(world)
    assert "expiresAt" not in record
