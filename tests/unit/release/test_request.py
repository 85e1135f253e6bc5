"""What starts a release: a push, or what a person writes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from lightgate.errors import RequestError
from lightgate.image.tags import PushedImage
from lightgate.release.request import (
    Home,
    Push,
    ReleaseRequest,
    missed_request,
    parse_push,
    parse_request,
    push_request,
)
from tests.support.builders import DIGEST, Json
from tests.support.strategies import JSON_VALUES

PUSHED_AT = datetime(2026, 11, 16, 1, 54, 34, tzinfo=UTC)
EVENTS = Path(__file__).parents[3] / "events"


def event(name: str) -> Json:
    document: Json = json.loads((EVENTS / f"{name}.json").read_text())
    return document


def push_event(**detail: Any) -> Json:
    pushed = event("ecr-push")
    pushed["detail"] = {
        key: value for key, value in (pushed["detail"] | detail).items() if value is not ...
    }
    return pushed


def request(**changes: Any) -> ReleaseRequest:
    values: Json = {
        "app": "crops-backend",
        "tag": None,
        "digest": None,
        "rollback_to": None,
        "command": None,
        "skip_snapshot": False,
        "allow_destructive": False,
        "reason": None,
        "pushed_tag": None,
        "requested_at": None,
        "started_by": None,
        "found_by_reconcile": False,
        "image_tag": None,
    }
    return ReleaseRequest(**(values | changes))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("by-hand", request()),
        ("by-hand-tag", request(tag="v2", reason="second try after the fix of the fixture")),
        (
            "by-hand-digest",
            request(digest=DIGEST, skip_snapshot=True, reason="documentation only"),
        ),
        (
            "by-hand-destructive",
            request(allow_destructive=True, reason="the column has been unused since v2"),
        ),
        ("by-hand-rollback", request(rollback_to=41, reason="orders are lost since version 42")),
        (
            "by-hand-command",
            request(digest=DIGEST, command=("python", "manage.py", "migrate", "crops", "0007")),
        ),
    ],
)
def test_the_sample_of_an_input_by_hand_is_read(name: str, expected: ReleaseRequest) -> None:
    assert expected == parse_request(event(name))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, ["app: is missing"]),
        ({"app": 5}, ["app: must be a string, not 5"]),
        ({"app": ""}, ["app: must not be empty"]),
        ({"app": "crops", "tag": None}, ["tag: must be a string, not null"]),
        ({"app": "crops", "tag": "a b"}, ['tag: "a b" is not valid; allowed is an image tag']),
        (
            {"app": "crops", "tga": "v1"},
            [
                "tga: is not a known key (did you mean tag?); allowed is app, tag, digest, "
                "rollbackTo, command, skipSnapshot, allowDestructive, reason, startedBy, "
                "pushedTag, requestedAt, foundByReconcile, imageTag or rehearsal"
            ],
        ),
        (
            {"app": "crops", "tag": "v1", "digest": DIGEST},
            ["digest: stands beside tag; give one of the two"],
        ),
        (
            {"app": "crops", "imageTag": "v1"},
            ["imageTag: names the image of a digest; give the digest, or only tag"],
        ),
        (
            {"app": "crops", "digest": "sha256:7f5b"},
            ['digest: "sha256:7f5b" is not valid; allowed is sha256: and 64 hexadecimal digits'],
        ),
        (
            {"app": "crops", "skipSnapshot": "yes"},
            ['skipSnapshot: must be true or false, not "yes"'],
        ),
        (
            {"app": "crops", "reason": "x" * 501},
            ["reason: has 501 characters; at most 500 are allowed"],
        ),
        (
            {"app": "crops", "startedBy": "x" * 501},
            ["startedBy: has 501 characters; at most 500 are allowed"],
        ),
        (
            {"app": "crops", "reason": "\ud83c"},
            [
                "reason: contains half of a surrogate pair, which is no character; "
                "allowed is any text"
            ],
        ),
        (
            {"tag": 1, "skipSnapshot": 0},
            [
                "app: is missing",
                "tag: must be a string, not 1",
                "skipSnapshot: must be true or false, not 0",
            ],
        ),
        (
            {"app": "crops", "rollbackTo": 0, "skipSnapshot": True},
            ["rollbackTo: 0 is out of range; allowed is 1 to 1000000"],
        ),
        (
            {"app": "crops", "rollbackTo": 41, "tag": "v1", "command": ["ls"]},
            [
                "tag: stands beside rollbackTo, which says it all; leave it out",
                "command: stands beside rollbackTo, which says it all; leave it out",
            ],
        ),
        (
            {"app": "crops", "command": ["python", "manage.py", "check"]},
            ["command: needs the image to run it with; give a tag or a digest"],
        ),
        (
            {"app": "crops", "tag": "v1", "pushedTag": "v1", "command": "ls"},
            [
                'command: must be a list of arguments, not "ls"; write ["ls"]',
                "pushedTag: stands beside command, which no push asks for; leave it out",
            ],
        ),
        (
            {"app": "crops", "tag": "v1", "command": ["x" * 4000, "é" * 49]},
            ["command: has 4098 bytes; at most 4096 are allowed"],
        ),
        (
            {"app": "crops", "tag": "v1", "command": []},
            ["command: must name a program to run, and is empty"],
        ),
        (
            ["crops"],
            ['the input must be an object such as {"app": "crops-backend"}, not a list'],
        ),
        (None, ['the input must be an object such as {"app": "crops-backend"}, not null']),
    ],
)
def test_a_wrong_input_is_refused_and_every_field_named(
    document: object, expected: list[str]
) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(document)

    assert expected == list(caught.value.reasons)


@given(JSON_VALUES)
def test_an_arbitrary_input_raises_nothing_but_a_request_error(document: object) -> None:
    with pytest.raises(RequestError):
        parse_request(document)


def test_a_push_becomes_the_input_of_an_execution() -> None:
    push = parse_push(event("ecr-push"))

    assert push == Push(
        event_id="13cde686-328b-6117-af20-0e5566167482",
        at=PUSHED_AT,
        repository="crops-backend",
        tag="latest",
        digest=DIGEST,
    )
    document = push_request("crops", push)
    assert parse_request(document) == request(
        app="crops",
        digest=DIGEST,
        reason="push of crops-backend:latest",
        pushed_tag="latest",
        requested_at=PUSHED_AT,
    )


# What a clock shows there is no moment in UTC.
BEYOND_TIME = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]


@pytest.mark.parametrize(
    "time", [None, ..., "", "yesterday", "2026-11-16T01:54:34", 1731722074, *BEYOND_TIME]
)
def test_a_push_that_does_not_say_when_it_was_is_none(time: Any) -> None:
    pushed = event("ecr-push") | {"time": time}

    with pytest.raises(RequestError, match=r"^time: "):
        parse_push({key: value for key, value in pushed.items() if value is not ...})


def test_a_request_that_is_carried_out_later_keeps_its_image_and_its_place() -> None:
    asked = request(
        tag="v2",
        skip_snapshot=True,
        allow_destructive=True,
        reason="why",
        started_by="arn:aws:iam::123456789012:user/ada",
        found_by_reconcile=True,
    )

    again = parse_request(asked.again(DIGEST, PUSHED_AT))

    expected = replace(asked, tag=None, image_tag="v2", digest=DIGEST, requested_at=PUSHED_AT)
    assert again == expected
    assert parse_request(again.again(DIGEST, PUSHED_AT)) == again


def test_a_push_that_was_missed_becomes_the_input_that_its_event_would_have_been() -> None:
    image = PushedImage(digest=DIGEST, tag="latest", pushed_at=PUSHED_AT)

    missed = parse_request(missed_request("crops-backend", "crops-backend", image))

    push = parse_push(event("ecr-push"))
    assert push is not None
    heard = parse_request(push_request("crops-backend", push))
    reason = "push of crops-backend:latest, whose event never came"
    assert missed == replace(heard, reason=reason, found_by_reconcile=True)


@pytest.mark.parametrize("name", ["ecr-push-untagged", "ecr-push-pin"])
def test_a_push_without_a_tag_and_our_own_pin_are_no_release(name: str) -> None:
    assert parse_push(event(name)) is None


@pytest.mark.parametrize(
    "detail",
    [
        {"action-type": "DELETE"},
        {"action-type": "UPDATE_STORAGE_CLASS"},
        {"action-type": ...},
        {"result": "FAILURE"},
        {"image-tag": ...},
        {"image-tag": None},
    ],
)
def test_only_successful_pushes_are_releases(detail: Json) -> None:
    assert parse_push(push_event(**detail)) is None


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"image-digest": ...}, "detail.image-digest: must be a string, not null"),
        ({"image-tag": 5}, "detail.image-tag: must be a string, not 5"),
        ({"image-tag": "a/b"}, 'detail.image-tag: "a/b" is not valid; allowed is an image tag'),
        ({"repository-name": ""}, "detail.repository-name: must not be empty"),
    ],
)
def test_a_push_of_another_shape_is_refused(detail: Json, expected: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_push(push_event(**detail))

    assert [expected] == list(caught.value.reasons)


@pytest.mark.parametrize("name", ["account", "region"])
@pytest.mark.parametrize("value", [None, ..., "", 123456789012])
def test_a_push_that_does_not_say_where_it_was_is_refused(name: str, value: Any) -> None:
    pushed = event("ecr-push") | {name: value}

    with pytest.raises(RequestError, match=rf"^{name}: "):
        parse_push({key: value for key, value in pushed.items() if value is not ...})


@pytest.mark.parametrize(
    ("event", "is_foreign"),
    [
        ({"account": "123456789012", "region": "eu-central-1"}, False),
        ({"account": "999999999999", "region": "eu-central-1"}, True),
        ({"account": "123456789012", "region": "us-east-1"}, True),
        ({"account": 123456789012, "region": "eu-central-1"}, True),
        ({"account": None}, True),
    ],
)
@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_an_event_of_another_account_or_region_is_foreign(
    partition: str, event: Json, is_foreign: bool
) -> None:
    home = Home.of_arn(f"arn:{partition}:states:eu-central-1:123456789012:stateMachine:a-release")

    assert home.is_foreign(event) is is_foreign


@pytest.mark.parametrize("detail", [None, [], "PUSH"])
def test_an_event_without_details_is_refused(detail: object) -> None:
    with pytest.raises(RequestError, match=r"^detail: must be an object, not "):
        parse_push({"id": "1", "detail": detail})


@pytest.mark.parametrize("time", BEYOND_TIME)
def test_a_request_from_before_or_after_all_time_is_refused(time: str) -> None:
    with pytest.raises(RequestError, match=r"^requestedAt: "):
        parse_request({"app": "crops", "requestedAt": time})
