"""The gateway passes on what it gets, routes Lightsail, and is as strict as AWS."""

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.cloud import account as accounts
from local.cloud import registry
from local.cloud.registry import ImageConfig
from tests.local.conftest import Account
from tests.local.waiting import eventually

type Connect = Callable[[str], Any]
BYTES = bytes(range(256)) * 50


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.fixture
def bucket(client: Connect) -> str:
    name = f"bucket-{uuid4().hex}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("key", ["plain", "a b/ü+&=%2F", "//two//slashes"])
def test_an_object_comes_back_byte_for_byte_under_any_key(
    key: str, bucket: str, client: Connect
) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=BYTES)

    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == BYTES
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(BYTES)
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


def test_a_compressed_object_stays_compressed(bucket: str, client: Connect) -> None:
    packed = gzip.compress(BYTES)
    client("s3").put_object(Bucket=bucket, Key="k", Body=packed, ContentEncoding="gzip")

    assert client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == packed


def test_a_presigned_url_works_until_it_is_changed(bucket: str, client: Connect) -> None:
    client("s3").put_object(Bucket=bucket, Key="k", Body=BYTES)
    url = client("s3").generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})

    with urllib.request.urlopen(url) as response:
        assert response.read() == BYTES
    with pytest.raises(urllib.error.HTTPError, match="403") as error:
        urllib.request.urlopen(url.replace("/k?", "/other?"))
    error.value.close()


def test_lightsail_calls_go_to_lightsail(client: Connect) -> None:
    raw = client("lightsail").get_container_services()

    assert raw["containerServices"] == []


def test_nobody_without_credentials_reaches_the_engine(account: Account) -> None:
    request = urllib.request.Request(
        account.url, data=b"{}", headers={"X-Amz-Target": "AmazonSSM.DescribeParameters"}
    )

    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    with error.value as answer:
        assert answer.code == 403
        assert json.load(answer)["__type"] == "MissingAuthenticationTokenException"


def test_a_parameter_with_braces_is_refused(client: Connect) -> None:
    with pytest.raises(ClientError, match="can't nest another parameter") as error:
        client("ssm").put_parameter(Name="/p", Value="{{x}}", Type="String")

    assert refused(error) == (400, "ValidationException")


@pytest.fixture
def repository(client: Connect) -> str:
    name = f"repository-{uuid4().hex}"
    accounts.create_repository(client("ecr"), name)
    return name


@pytest.fixture
def image(tmp_path: Path) -> registry.Image:
    (tmp_path / "main.py").write_text("print('hello')\n")
    return registry.build([tmp_path], ImageConfig(cmd=("python", "main.py")))


def test_a_pushed_image_can_be_read_through_ecr(
    account: Account, client: Connect, repository: str, image: registry.Image
) -> None:
    digest = registry.push(account.url, repository, "v1", image)

    ecr = client("ecr")
    wanted = [{"imageTag": "v1"}]
    found = ecr.batch_get_image(repositoryName=repository, imageIds=wanted)["images"][0]
    manifest = json.loads(found["imageManifest"])
    layer = ecr.get_download_url_for_layer(
        repositoryName=repository, layerDigest=manifest["config"]["digest"]
    )
    with urllib.request.urlopen(layer["downloadUrl"]) as response:
        configuration = json.load(response)

    assert found["imageId"]["imageDigest"] == digest == image.digest
    assert layer["layerDigest"] == manifest["config"]["digest"]
    assert configuration["config"]["Cmd"] == ["python", "main.py"]


def test_putting_the_tag_that_is_there_is_refused_as_ecr_does(
    account: Account, client: Connect, repository: str, image: registry.Image
) -> None:
    registry.push(account.url, repository, "v1", image)
    put = {"repositoryName": repository, "imageManifest": image.manifest.decode()}

    other = client("ecr").put_image(**put, imageTag="lightgate-1")
    with pytest.raises(ClientError) as error:
        client("ecr").put_image(**put, imageTag="lightgate-1")

    assert other["image"]["imageId"]["imageDigest"] == image.digest
    assert refused(error) == (400, "ImageAlreadyExistsException")


def test_an_event_that_no_target_takes_is_in_the_dead_letter_queue_of_the_rule(
    account: Account, client: Connect, repository: str, image: registry.Image
) -> None:
    sqs, events = client("sqs"), client("events")
    queue = sqs.create_queue(QueueName=f"{repository}-dead")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    pattern = {"source": ["aws.ecr"], "detail": {"repository-name": [repository]}}
    events.put_rule(Name=repository, EventPattern=json.dumps(pattern))
    missing = {
        "Id": "missing",
        "Arn": "arn:aws:lambda:us-east-1:000000000000:function:missing",
        "DeadLetterConfig": {"Arn": asked["Attributes"]["QueueArn"]},
    }
    events.put_targets(Rule=repository, Targets=[missing])

    digest = registry.push(account.url, repository, "v1", image)

    message = eventually(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")
    )
    assert json.loads(message[0]["Body"])["detail"] == {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": "v1",
        "manifest-media-type": "application/vnd.docker.distribution.manifest.v2+json",
        "artifact-media-type": "application/vnd.docker.container.image.v1+json",
    }
    events.remove_targets(Rule=repository, Ids=["missing"])
    events.delete_rule(Name=repository)


def test_what_rds_refuses_and_the_engine_takes_is_refused(client: Connect) -> None:
    rds = client("rds")
    password = {"MasterUsername": "root", "MasterUserPassword": "of-the-tests"}
    rds.create_db_cluster(DBClusterIdentifier="strict", Engine="aurora-postgresql", **password)
    rds.create_db_instance(
        DBInstanceIdentifier="strict-1",
        DBClusterIdentifier="strict",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    try:
        for snapshot, database, words in [
            ("s" * 64, "strict", "longer than 63"),
            ("a--b", "strict", "not a valid identifier"),
        ]:
            with pytest.raises(ClientError, match=words):
                rds.create_db_cluster_snapshot(
                    DBClusterIdentifier=database, DBClusterSnapshotIdentifier=snapshot
                )
        with pytest.raises(ClientError, match="is a member of a cluster"):
            rds.create_db_snapshot(
                DBInstanceIdentifier="strict-1", DBSnapshotIdentifier="of-a-member"
            )
        with pytest.raises(rds.exceptions.DBInstanceNotFoundFault):
            rds.create_db_snapshot(DBInstanceIdentifier="nowhere", DBSnapshotIdentifier="of-none")
    finally:
        rds.delete_db_instance(DBInstanceIdentifier="strict-1", SkipFinalSnapshot=True)
        rds.delete_db_cluster(DBClusterIdentifier="strict", SkipFinalSnapshot=True)
