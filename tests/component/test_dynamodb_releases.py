import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lightgate.aws.dynamodb import Table
from lightgate.aws.dynamodb_releases import Releases
from lightgate.codec import encode
from lightgate.errors import MissingError
from lightgate.names import start_of
from lightgate.records.recorded_outcome import EndStatus, RecordedOutcome
from lightgate.records.release_record import (
    MigrationStatus,
    ReadableRecord,
    RecordedMigration,
    RecordKind,
    ReleaseStage,
    StageName,
)
from lightgate.records.version import VersionRecord
from tests.component import table
from tests.component.cloud import Cloud
from tests.support.builders import version_record

WRITE = "dynamodb.TransactWriteItems"
ARN = "arn:aws:states:us-east-1:123456789012:execution:release:one"
STARTED = datetime(2026, 11, 16, 1, 54, 34, 999000, tzinfo=UTC)
ID = "20261116t015434z-7f5b2640-a1b2"
FIRST = RecordedOutcome(app="crops", release="r1", status=EndStatus.SUCCEEDED, cause="no reason")
SECOND = replace(FIRST, status=EndStatus.FAILED)


@pytest.fixture
def records(cloud: Cloud) -> Releases:
    return Releases(table.create(cloud))


def record_outcome(
    records: Releases,
    release: str,
    outcome: RecordedOutcome,
    *,
    app: str = "crops",
    execution: str = ARN,
    digest: str | None = None,
) -> RecordedOutcome:
    """What is on record of the release after settling, as that of `r1` of `crops`."""
    recorded = records.record_outcome(
        replace(outcome, app=app, release=release),
        record(app, release, outcome.status, execution=execution),
        rollback=None,
        digest=digest,
        owes_message=True,
        expires_at=None,
    ).outcome
    assert recorded is not None
    assert (recorded.app, recorded.release) == (app, release)
    return replace(recorded, app="crops", release="r1")


def record(app: str, release: str, status: str, **more: Any) -> ReadableRecord:
    known = {"kind": RecordKind.IMAGE, "started_at": STARTED, "execution": ARN}
    return ReadableRecord(app=app, release=release, status=status, **known | more)


def count(cloud: Cloud) -> int:
    """How many releases are on record."""
    items = cloud.client("dynamodb").scan(TableName=table.NAME)["Items"]
    return sum(item["item"]["S"].startswith("release#") for item in items)


def test_the_first_outcome_stands(cloud: Cloud, records: Releases) -> None:
    assert record_outcome(records, "r1", FIRST) == FIRST

    assert record_outcome(records, "r1", SECOND) == FIRST
    assert count(cloud) == 1


def test_each_release_of_each_app_has_an_outcome_of_its_own(
    cloud: Cloud, records: Releases
) -> None:
    record_outcome(records, "r1", FIRST)

    assert record_outcome(records, "r2", SECOND) == SECOND
    assert record_outcome(records, "r1", SECOND, app="weather") == SECOND
    assert count(cloud) == 3


def test_an_outcome_whose_writing_was_never_answered_stands(
    cloud: Cloud, records: Releases
) -> None:
    cloud.faults.lose_answer(WRITE)
    with pytest.raises(ReadTimeoutError):
        record_outcome(records, "r1", FIRST)

    assert record_outcome(records, "r1", SECOND) == FIRST


def test_what_goes_in_comes_out_unchanged(records: Releases) -> None:
    outcome = replace(
        FIRST, message='größer\n"quoted" \\ \u0000', subject="", saved=timedelta(seconds=1.5)
    )
    record_outcome(records, "r1", outcome)

    assert record_outcome(records, "r1", SECOND) == outcome


def test_any_other_error_passes(cloud: Cloud, records: Releases) -> None:
    cloud.faults.refuse(WRITE, "ThrottlingException")

    with pytest.raises(ClientError, match="ThrottlingException"):
        record_outcome(records, "r1", FIRST)


def test_a_concluded_release_records_only_its_own_image(records: Releases) -> None:
    record_outcome(records, "r1", FIRST, digest="sha256:1")

    assert records.release_of_image("crops", "sha256:1") == "r1"
    assert records.release_of_image("crops", "sha256:2") is None
    assert records.release_of_image("weather", "sha256:1") is None


def test_a_release_owes_its_message_until_that_is_sent(records: Releases) -> None:
    record_outcome(records, "r1", FIRST)
    record_outcome(records, "r1", FIRST, app="weather")

    assert sorted(records.owed_messages()) == [("crops", "r1"), ("weather", "r1")]
    records.message_sent("crops", "r1")
    records.message_sent("crops", "r1")

    assert list(records.owed_messages()) == [("weather", "r1")]
    assert not records.owes_message("crops", "r1")
    assert records.owes_message("weather", "r1")


def test_a_release_whose_message_is_sent_does_not_owe_it_again(records: Releases) -> None:
    record_outcome(records, "r1", FIRST)
    records.message_sent("crops", "r1")

    record_outcome(records, "r1", SECOND)

    assert list(records.owed_messages()) == []


def test_a_quiet_outcome_owes_nothing(records: Releases) -> None:
    records.record_outcome(
        FIRST,
        record("crops", "r1", FIRST.status),
        rollback=None,
        digest=None,
        owes_message=False,
        expires_at=None,
    )

    assert list(records.owed_messages()) == []


def test_a_release_is_found_by_the_execution_that_carries_it_out(records: Releases) -> None:
    record_outcome(records, ID, FIRST)
    record_outcome(records, "20261116t015434z-7f5b2640-c3d4", SECOND, execution=f"{ARN}-beside-it")

    found = records.of_execution("crops", ARN)

    assert found is not None
    assert (found.release, found.outcome) == (ID, replace(FIRST, release=ID))
    assert records.of_execution("crops", f"{ARN}-of-nobody") is None
    assert records.of_execution("weather", ARN) is None


def test_the_end_of_an_execution_names_its_release(records: Releases) -> None:
    assert records.end("crops", ARN, STARTED) is None
    record_outcome(records, ID, FIRST)

    assert records.end("crops", ARN, STARTED) == ID
    assert records.end("crops", ARN, STARTED) == ID


def test_an_empty_answer_to_the_end_of_an_execution_is_no_answer(
    cloud: Cloud, records: Releases
) -> None:
    cloud.faults.change_answers("dynamodb.UpdateItem", dict.clear)

    with pytest.raises(MissingError, match="could not be read back"):
        records.end("crops", ARN, STARTED)


def past(version: int, release: str = ID) -> VersionRecord:
    return version_record(version, release=release)


def ended(*versions: VersionRecord) -> RecordedOutcome:
    return replace(FIRST, versions=versions)


def test_versions_are_on_record_by_their_numbers(records: Releases) -> None:
    record_outcome(records, "20261116t0154-1", ended(past(7)))
    record_outcome(records, "20261116t0155-2", ended(past(8), past(9, f"{ID}-back")))
    record_outcome(records, "20261116t0156-3", replace(FIRST, status=EndStatus.REFUSED))
    record_outcome(records, "20261116t0157-4", ended(past(5)), app="weather")

    found = records.versions("crops")

    assert found == {7: past(7), 8: past(8), 9: past(9, f"{ID}-back")}
    assert records.versions("nobody") == {}


def test_the_later_use_of_a_version_number_counts(records: Releases) -> None:
    record_outcome(records, "20261116t0154-1", ended(past(7, "of-a-service-that-was-deleted")))
    record_outcome(records, "20261117t0154-1", ended(past(7)))

    assert records.versions("crops") == {7: past(7)}


def test_versions_that_the_service_no_longer_lists_are_not_searched(records: Releases) -> None:
    for number in range(1, 120):
        record_outcome(records, f"r{number:03}", ended(past(number)))

    found = records.versions("crops")

    assert set(range(70, 120)) <= set(found)
    assert 1 not in found


def test_a_record_of_another_version_of_lightgate_is_read_as_far_as_it_can_be(
    cloud: Cloud, records: Releases
) -> None:
    record_outcome(records, "r1", FIRST)
    outcome = json.dumps({**encode(FIRST), "color": "green", "versions": [{"number": 7}]})
    cloud.client("dynamodb").update_item(
        TableName=table.NAME,
        Key={"app": {"S": "crops"}, "item": {"S": "release#r1"}},
        UpdateExpression="SET outcome = :outcome, admission = :admission",
        ExpressionAttributeValues={
            ":outcome": {"S": outcome},
            ":admission": {"S": json.dumps({"release": {"id": "r1"}})},
        },
    )

    record = records.get("crops", "r1")

    assert (record.outcome, record.admission) == (FIRST, None)


def test_the_readable_record_is_plain_and_keeps_the_names_that_are_promised(
    cloud: Cloud, records: Releases
) -> None:
    written = record(
        "crops",
        "r1",
        "SUCCEEDED",
        tag="v2",
        stages=(ReleaseStage(name=StageName.NODE, started_at=STARTED, reason="version 2 created"),),
        migrations=(
            RecordedMigration(
                name="crops.0002_season", status=MigrationStatus.APPLIED, seconds=0.5
            ),
        ),
        saved=timedelta(seconds=90),
    )
    records.record_outcome(
        FIRST, written, rollback=None, digest=None, owes_message=False, expires_at=STARTED
    )

    [found] = records.history("crops")
    item = cloud.client("dynamodb").get_item(
        TableName=table.NAME, Key={"app": {"S": "crops"}, "item": {"S": "release#r1"}}
    )["Item"]

    assert found == written
    assert item["tag"] == {"S": "v2"}
    assert item["schemaVersion"] == {"N": "1"}
    assert item["savedSeconds"] == {"N": "90.0"}
    assert item["migrations"]["L"][0]["M"]["seconds"] == {"N": "0.5"}
    assert item["expiresAt"] == {"N": str(int(STARTED.timestamp()))}
    texts = [value["S"] for value in item.values() if "S" in value]
    assert not any(text.startswith(("{", "[")) for text in texts)


def test_a_rollback_has_a_record_of_its_own_that_names_its_cause(records: Releases) -> None:
    own = record("crops", ID, "ROLLED_BACK")
    back = record("crops", f"{ID}-back", "SUCCEEDED", caused_by=ID)
    records.record_outcome(
        replace(FIRST, release=ID),
        own,
        rollback=back,
        digest=None,
        owes_message=False,
        expires_at=None,
    )

    assert list(records.history("crops")) == [back, own]
    assert records.versions("crops") == {}


def test_the_record_of_what_is_live_expires_once_another_version_is(
    cloud: Cloud, records: Releases
) -> None:
    record_outcome(records, "r1", FIRST)

    records.let_expire("crops", "r1", STARTED)
    records.let_expire("crops", "r1", STARTED + timedelta(days=1))
    records.let_expire("crops", "r2", STARTED)

    items = cloud.client("dynamodb").scan(TableName=table.NAME)["Items"]
    expiring = {one["item"]["S"]: one["expiresAt"]["N"] for one in items if "expiresAt" in one}
    assert expiring == {"release#r1": str(int(STARTED.timestamp()))}


def put(cloud: Cloud, release: str, attributes: dict[str, object]) -> None:
    write = Table(cloud.client("dynamodb"), table.NAME).put(
        "crops", f"release#{release}", attributes
    )
    cloud.client("dynamodb").transact_write_items(TransactItems=[write])


def test_a_record_of_an_earlier_version_is_shown_with_what_it_has(
    cloud: Cloud, records: Releases
) -> None:
    failure = {"kind": "migration-error", "what": "0002 failed.", "evidence": "no such column"}
    outcome = {"status": "ROLLED_BACK", "cause": "It failed.", "stage": "production"}
    admission = {"release": {"tag": "v2", "repository": "crops", "commandLine": 1}}
    documents = {
        "outcome": json.dumps(outcome | {"failure": failure}),
        "admission": json.dumps(admission),
    }
    put(cloud, ID, {"status": "ROLLED_BACK", "digest": "sha256:1", **documents})

    [found] = records.history("crops")

    assert (found.release, found.status, found.tag) == (ID, "ROLLED_BACK", "v2")
    assert found.started_at == start_of(ID)
    assert (found.cause, found.evidence_line) == ("0002 failed.", "no such column")
    assert (found.failure_code, found.digest) == ("migration-error", "sha256:1")
    assert "only a part of it is shown" in found.warnings[0]


@pytest.mark.parametrize(
    "broken",
    [
        {"schemaVersion": 1},
        {"schemaVersion": 1, "release": ID, "kind": "IMAGE", "stages": "x", "status": "FAILED"},
        {"schemaVersion": 1, "status": 7, "outcome": {"status": [], "failure": "x"}},
        {"outcome": "{}", "admission": "{}"},
        {"admission": {"release": "x"}},
    ],
)
def test_a_broken_record_hides_no_other_one(
    cloud: Cloud, records: Releases, broken: dict[str, object]
) -> None:
    good = record("crops", "20261129t091001z-7849e651-0001", "SUCCEEDED")
    records.record_outcome(
        replace(FIRST, release=good.release),
        good,
        rollback=None,
        digest=None,
        owes_message=False,
        expires_at=None,
    )
    put(cloud, ID, broken)
    put(cloud, "no-id", broken)

    assert [one.release for one in records.history("crops")] == sorted(
        [ID, good.release], reverse=True
    )


def test_an_old_release_is_found_by_its_id(
    records: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightgate.aws.dynamodb_releases._MOST_RELEASES", 2)
    for number in range(4):
        release = f"20261129t09100{number}z-7849e651-0001"
        records.record_outcome(
            replace(FIRST, release=release),
            record("crops", release, "SUCCEEDED", execution=f"arn:x:{number}"),
            rollback=None,
            digest=None,
            owes_message=False,
            expires_at=None,
        )

    first = "20261129t091000z"
    assert not [one for one in records.history("crops") if one.release.startswith(first)]
    [found] = records.history("crops", first)
    assert found.release == f"{first}-7849e651-0001"
