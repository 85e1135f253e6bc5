"""Which events the rule of the template lets through, and what ReceivePush makes of them."""

from typing import Any

import pytest
from moto.events.models import EventPattern

from lightgate.release.request import parse_push
from tests.support.builders import Json, deployed
from tests.unit.release.test_request import event, push_event
from tests.unit.stack.test_state_machine import template


def rule() -> Json:
    pushed: Json = template()["ReceivePushFunction"]["Properties"]["Events"]["ImagePushed"]
    pattern: Json = deployed(pushed["Properties"]["Pattern"])
    return pattern


def passes(pushed: Any) -> bool:
    return EventPattern(None, rule()).matches_event(pushed)


def test_a_push_with_a_tag_passes_and_is_a_release() -> None:
    assert passes(event("ecr-push"))
    assert parse_push(event("ecr-push")) is not None


def test_our_own_pin_does_not_pass() -> None:
    assert not passes(event("ecr-push-pin"))


def test_a_push_without_a_tag_does_not_pass() -> None:
    assert not passes(push_event(**{"image-tag": ...}))


def test_a_push_with_an_empty_tag_is_no_release_even_if_it_passes() -> None:
    assert parse_push(event("ecr-push-untagged")) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"detail-type": "ECR Image Scan"},
        {"detail-type": "ECR Replication Action"},
        {"source": "aws.s3"},
        {"source": "custom.ecr"},
    ],
)
def test_an_event_of_another_kind_does_not_pass(changes: Json) -> None:
    assert not passes(event("ecr-push") | changes)


@pytest.mark.parametrize(
    "detail",
    [
        {"action-type": "DELETE"},
        {"action-type": "UPDATE_STORAGE_CLASS"},
        {"result": "FAILURE"},
    ],
)
def test_only_successful_pushes_pass_the_rule(detail: Json) -> None:
    assert not passes(push_event(**detail))


@pytest.mark.parametrize("tag", ["latest", "v1.2", "lightgate", "Lightgate-1", "my-lightgate-1"])
def test_every_tag_but_our_own_passes(tag: str) -> None:
    assert passes(push_event(**{"image-tag": tag}))


@pytest.mark.parametrize(
    "origin", [{"account": "999999999999"}, {"region": "eu-central-1"}], ids=["account", "region"]
)
def test_a_push_of_another_account_or_region_does_not_pass(origin: Json) -> None:
    assert not passes(event("ecr-push") | origin)
