"""What a reviewer of the template looks for: each resource is as closed as it can be."""

import json
import re
from typing import Any

import pytest

from lightgate.spec.time_limits import SIGNED_FOR
from tests.support.builders import Json
from tests.support.template import read_template
from tests.unit.stack.transformed import transformed

BUCKETS = ("MailboxBucket", "EvidenceBucket")


def of_type(kind: str) -> dict[str, Json]:
    return {name: one["Properties"] for name, one in transformed().items() if one["Type"] == kind}


def denied(bucket: str) -> list[Json]:
    """The statements about everybody in the policy of the bucket."""
    policies = of_type("AWS::S3::BucketPolicy").values()
    [policy] = [one for one in policies if one["Bucket"] == {"Ref": bucket}]
    statements: list[Json] = policy["PolicyDocument"]["Statement"]
    assert {(one["Effect"], one["Principal"], one["Action"]) for one in statements} == {
        ("Deny", "*", "s3:*")
    }
    return statements


def test_there_is_no_bucket_but_those_that_are_checked() -> None:
    assert {*of_type("AWS::S3::Bucket")} == {*BUCKETS}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_private_encrypted_and_reached_over_tls_only(bucket: str) -> None:
    properties = of_type("AWS::S3::Bucket")[bucket]

    assert {*properties["PublicAccessBlockConfiguration"].values()} == {True}
    assert properties["BucketEncryption"]
    assert properties["LifecycleConfiguration"]
    [plain] = [one for one in denied(bucket) if "Bool" in one["Condition"]]
    assert plain["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert [*map(json.dumps, plain["Resource"])] == [
        json.dumps({"Fn::GetAtt": [bucket, "Arn"]}),
        json.dumps({"Fn::Sub": f"${{{bucket}.Arn}}/*"}),
    ]


def test_no_address_of_a_gate_outlives_its_hour() -> None:
    [old] = [one for one in denied("MailboxBucket") if "Bool" not in one["Condition"]]

    longest = SIGNED_FOR.total_seconds() * 1000
    assert old["Condition"] == {"NumericGreaterThan": {"s3:signatureAge": longest}}


def test_the_table_is_encrypted_protected_and_backed_up() -> None:
    [table] = of_type("AWS::DynamoDB::Table").values()

    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["SSESpecification"]["KMSMasterKeyId"]["Fn::If"][1] == {"Ref": "KmsKeyArn"}


def test_the_topic_of_the_messages_can_have_a_key_of_ones_own() -> None:
    topic = of_type("AWS::SNS::Topic")["OutcomeTopic"]

    assert topic["KmsMasterKeyId"]["Fn::If"] == [
        "HasKey",
        {"Ref": "KmsKeyArn"},
        {"Ref": "AWS::NoValue"},
    ]


def test_a_queue_is_encrypted() -> None:
    queues = of_type("AWS::SQS::Queue")

    assert queues
    assert [name for name, one in queues.items() if not one.get("SqsManagedSseEnabled")] == []


def test_state_machines_log_their_errors_and_no_data() -> None:
    machines = of_type("AWS::StepFunctions::StateMachine")

    assert len(machines) == 2
    for machine in machines.values():
        logging = machine["LoggingConfiguration"]
        assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
        assert machine["TracingConfiguration"] == {"Enabled": True}


def test_logs_end_after_the_days_of_the_parameter() -> None:
    groups = of_type("AWS::Logs::LogGroup")

    assert groups
    assert {json.dumps(one["RetentionInDays"]) for one in groups.values()} == {
        json.dumps({"Ref": "LogRetentionDays"})
    }


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("NotificationEmail", "ops"),
        ("AlarmEmail", "ops at example.com"),
        ("LogRetentionDays", 42),
        ("RecordRetentionDays", 7),
        ("RecordRetentionDays", 36500),
        ("SecretPrefix", ""),
        ("SecretPrefix", "no-slash"),
        ("ReconcileRate", "rate(15 days)"),
        ("ReconcileRate", "15 minutes"),
        ("ReconcileState", "off"),
        ("KmsKeyArn", "alias/ours"),
    ],
)
def test_a_wrong_parameter_fails_in_the_form(parameter: str, wrong: Any) -> None:
    declared = read_template()["Parameters"][parameter]

    assert accepts(declared, declared["Default"])
    assert not accepts(declared, wrong)


def test_each_parameter_is_bounded() -> None:
    bounds = {"AllowedPattern", "AllowedValues", "MaxValue"}

    parameters = read_template()["Parameters"]
    assert [name for name, one in parameters.items() if not bounds & {*one}] == []


def accepts(declared: Json, value: Any) -> bool:
    """Whether CloudFormation takes the value."""
    if "AllowedValues" in declared and value not in declared["AllowedValues"]:
        return False
    if "AllowedPattern" in declared and not re.search(declared["AllowedPattern"], value):
        return False
    if declared["Type"] == "Number":
        least, most = declared.get("MinValue", value), declared.get("MaxValue", value)
        return bool(least <= value <= most)
    return True
