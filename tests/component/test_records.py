import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lightgate.aws.table import ReleaseRecords
from tests.component.cloud import Cloud

FIRST, SECOND = {"status": "SUCCEEDED"}, {"status": "FAILED"}


@pytest.fixture
def records(cloud: Cloud) -> ReleaseRecords:
    cloud.client("dynamodb").create_table(
        TableName="releases",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "app", "AttributeType": "S"},
            {"AttributeName": "item", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "app", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
    )
    return ReleaseRecords(cloud.client("dynamodb"), "releases")


def count(cloud: Cloud) -> int:
    items: int = cloud.client("dynamodb").scan(TableName="releases")["Count"]
    return items


def test_the_first_outcome_stands(cloud: Cloud, records: ReleaseRecords) -> None:
    assert records.settle("crops", "r1", FIRST) == FIRST

    assert records.settle("crops", "r1", SECOND) == FIRST
    assert count(cloud) == 1


def test_each_release_of_each_app_has_an_outcome_of_its_own(
    cloud: Cloud, records: ReleaseRecords
) -> None:
    records.settle("crops", "r1", FIRST)

    assert records.settle("crops", "r2", SECOND) == SECOND
    assert records.settle("weather", "r1", SECOND) == SECOND
    assert count(cloud) == 3


def test_an_outcome_whose_writing_was_never_answered_stands(
    cloud: Cloud, records: ReleaseRecords
) -> None:
    cloud.faults.lose_answer("dynamodb.PutItem")
    with pytest.raises(ReadTimeoutError):
        records.settle("crops", "r1", FIRST)

    assert records.settle("crops", "r1", SECOND) == FIRST


def test_what_goes_in_comes_out_unchanged(records: ReleaseRecords) -> None:
    outcome = {"message": 'größer\n"quoted" \\ \u0000', "subject": "", "number": 1.5}
    records.settle("crops", "r1", outcome)

    assert records.settle("crops", "r1", {}) == outcome


def test_any_other_error_passes(cloud: Cloud, records: ReleaseRecords) -> None:
    cloud.faults.refuse("dynamodb.PutItem", "ThrottlingException")

    with pytest.raises(ClientError, match="ThrottlingException"):
        records.settle("crops", "r1", FIRST)
