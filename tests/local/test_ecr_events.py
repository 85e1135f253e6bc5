"""Which requests are a push, and how often the delivery of its event is tried."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError
from multidict import CIMultiDict

from local.cloud.ecr_events import Deliverer, Push
from local.cloud.gateway import pushed_image
from local.cloud.proxy import Answer

MANIFEST = json.dumps({"mediaType": "application/m", "config": {"mediaType": "application/c"}})
PUSH = Push(
    repository="a/b",
    tag="v1",
    digest="sha256:1",
    manifest_media_type="application/m",
    artifact_media_type="application/c",
)
PUT_IMAGE = "AmazonEC2ContainerRegistry_V20150921.PutImage"


def answer(status: int, body: object = None) -> Answer:
    headers = CIMultiDict({"Docker-Content-Digest": "sha256:1"})
    return Answer(status, headers, json.dumps(body).encode())


def test_a_manifest_put_by_its_tag_is_a_push() -> None:
    found = pushed_image("PUT", "/v2/a/b/manifests/v1", "", MANIFEST.encode(), answer(201))

    assert found == PUSH


def test_a_manifest_put_by_its_digest_is_a_push_without_a_tag() -> None:
    found = pushed_image("PUT", "/v2/a/b/manifests/sha256:1", "", MANIFEST.encode(), answer(201))

    assert found is not None
    assert found.tag == ""


def test_put_image_is_a_push() -> None:
    request = {"repositoryName": "a/b", "imageTag": "v1", "imageManifest": MANIFEST}
    image = {"image": {"imageId": {"imageDigest": "sha256:1"}}}

    found = pushed_image("POST", "/", PUT_IMAGE, json.dumps(request).encode(), answer(200, image))

    assert found == PUSH


@pytest.mark.parametrize(
    ("method", "path", "operation", "status"),
    [
        ("PUT", "/v2/a/b/manifests/v1", "", 404),
        ("GET", "/v2/a/b/manifests/v1", "", 200),
        ("PUT", "/v2/a/b/blobs/uploads/1", "", 201),
        ("POST", "/", PUT_IMAGE, 400),
        ("POST", "/", "AmazonEC2ContainerRegistry_V20150921.BatchGetImage", 200),
    ],
)
def test_nothing_else_is_a_push(method: str, path: str, operation: str, status: int) -> None:
    assert pushed_image(method, path, operation, MANIFEST.encode(), answer(status)) is None


def test_the_event_is_as_ecr_sends_it() -> None:
    at = datetime(2026, 11, 22, 15, 0, 1, tzinfo=UTC)

    event = PUSH.event(identity=UUID(int=1), at=at)

    assert event["time"] == "2026-11-22T15:00:01Z"
    assert event["resources"] == []
    assert (event["source"], event["detail-type"]) == ("aws.ecr", "ECR Image Action")
    assert event["detail"]["image-tag"] == "v1"


class Target:
    """EventBridge with one rule, and a Lambda that raises these failures first."""

    def __init__(self, failures: list[ClientError]) -> None:
        self.failures = failures
        self.invoked = 0

    def list_rules(self) -> dict[str, Any]:
        return {"Rules": [{"Name": "r", "State": "ENABLED", "EventPattern": "{}"}]}

    def test_event_pattern(self, **_: str) -> dict[str, Any]:
        return {"Result": True}

    def list_targets_by_rule(self, **_: str) -> dict[str, Any]:
        return {"Targets": [{"Arn": "arn:aws:lambda:us-east-1:0:function:f"}]}

    def invoke(self, **_: str) -> None:
        self.invoked += 1
        if self.failures:
            raise self.failures.pop()


def failure(code: str, status: int) -> ClientError:
    metadata = {"HTTPStatusCode": status}
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata},  # type: ignore[typeddict-item]
        "Invoke",
    )


@pytest.fixture
def deliver_to() -> Callable[[Target], int]:
    def deliver(target: Target) -> int:
        return Deliverer(lambda _: target, sleep=lambda _: None).deliver(PUSH)

    return deliver


def test_a_busy_function_gets_its_event_in_the_end(deliver_to: Callable[[Target], int]) -> None:
    target = Target([failure("TooManyRequestsException", 429), failure("ServiceException", 500)])

    assert deliver_to(target) == 1
    assert target.invoked == 3


def test_an_event_for_a_function_that_is_not_there_is_not_tried_again(
    deliver_to: Callable[[Target], int],
) -> None:
    target = Target([failure("ResourceNotFoundException", 404)])

    assert deliver_to(target) == 0
    assert target.invoked == 1
