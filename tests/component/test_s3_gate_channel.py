"""The gate channel on moto, which has conditional writes but neither IAM nor presigned URLs."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber

from lightgate.aws.s3_gate_channel import ContendedError, GateAddress, GateChannels
from lightgate.errors import UnreachableError
from lightgate.migrations.permit import Permit, PermitState, VoidCause, pending
from tests.component.cloud import ACCOUNT, Cloud

BUCKET = "mailbox"
RELEASE = "20261122t154106z-87ae2d53-5d93"
GATE = GateAddress(app="crops", release=RELEASE, container="migrate")
PERMIT = f"crops/{RELEASE}/migrate/permit.json"


@pytest.fixture
def mailboxes(cloud: Cloud) -> GateChannels:
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    role = f"arn:aws:iam::{ACCOUNT}:role/mailbox"
    return GateChannels(cloud.client("s3"), cloud.client("sts"), BUCKET, role)


@pytest.fixture
def put(cloud: Cloud) -> Callable[[str, bytes], None]:
    """Somebody writes into the folder."""

    def put(name: str, body: bytes) -> None:
        key = f"crops/{RELEASE}/migrate/{name}.json"
        cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)

    return put


def stored(cloud: Cloud) -> Permit | None:
    body = cloud.client("s3").get_object(Bucket=BUCKET, Key=PERMIT)["Body"].read()
    return Permit.from_text(body.decode())


def grant(mailboxes: GateChannels, cloud: Cloud, plan: str = "p") -> Permit:
    seen = mailboxes.permit(GATE)
    return mailboxes.grant(GATE, seen, plan, cloud.clock.now() + timedelta(minutes=5))


# The permit


def test_a_removed_permit_is_void_and_reading_makes_no_new_one(
    cloud: Cloud, mailboxes: GateChannels
) -> None:
    mailboxes.open(GATE, "classifier")
    assert mailboxes.permit(GATE) == pending(RELEASE)

    cloud.client("s3").delete_object(Bucket=BUCKET, Key=PERMIT)

    assert mailboxes.permit(GATE).state is PermitState.VOID
    assert cloud.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1  # the classifier


def test_a_gate_channel_opens_once_and_its_grant_names_release_and_plan(
    cloud: Cloud, mailboxes: GateChannels
) -> None:
    assert mailboxes.open(GATE, "classifier") == stored(cloud) == pending(RELEASE)
    assert mailboxes.messages(GATE) == []

    granted = grant(mailboxes, cloud)

    assert (granted.release, granted.plan, granted.state) == (RELEASE, "p", PermitState.GRANTED)
    assert mailboxes.open(GATE, "classifier") == granted == stored(cloud)


def test_a_plan_that_has_changed_can_be_granted_instead(
    cloud: Cloud, mailboxes: GateChannels
) -> None:
    mailboxes.open(GATE, "classifier")
    grant(mailboxes, cloud, "p")

    assert grant(mailboxes, cloud, "q").plan == "q"


def test_a_plan_is_not_granted_instead_of_one_that_was_granted_since_it_was_decided(
    cloud: Cloud, mailboxes: GateChannels
) -> None:
    seen = mailboxes.open(GATE, "classifier")
    first = grant(mailboxes, cloud, "p")

    assert mailboxes.grant(GATE, seen, "q", cloud.clock.now() + timedelta(minutes=5)) == first
    assert stored(cloud) == first


def test_void_is_for_good(cloud: Cloud, mailboxes: GateChannels) -> None:
    mailboxes.open(GATE, "classifier")
    void = mailboxes.void(GATE, VoidCause.ENDED, "another release took over")

    assert grant(mailboxes, cloud) == void
    assert mailboxes.void(GATE, VoidCause.ENDED, "again") == void
    assert mailboxes.open(GATE, "classifier") == void
    assert stored(cloud) == void


def test_a_gate_channel_voided_before_it_opened_never_opens(
    cloud: Cloud, mailboxes: GateChannels
) -> None:
    void = mailboxes.void(GATE, VoidCause.ENDED, "stopped by hand")

    assert mailboxes.open(GATE, "classifier") == grant(mailboxes, cloud) == stored(cloud) == void


@pytest.mark.parametrize(
    "held",
    [
        None,
        b"",
        b"\xff",
        b"{}",
        b"[" * 9000,
        b"x" * 100_000,
        pending("another-release").to_text().encode(),
    ],
    ids=lambda held: str(held)[:20],
)
def test_a_foreign_text_never_becomes_a_permit_but_can_be_voided(
    cloud: Cloud, mailboxes: GateChannels, put: Callable[[str, bytes], None], held: bytes | None
) -> None:
    if held is not None:
        put("permit", held)

    assert grant(mailboxes, cloud).state is PermitState.VOID
    objects = cloud.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert len(objects) == (held is not None)
    assert mailboxes.void(GATE, VoidCause.ENDED, "why") == stored(cloud)


def test_the_second_writer_sees_the_first_write(
    cloud: Cloud, mailboxes: GateChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailboxes.open(GATE, "classifier")
    between(mailboxes, monkeypatch, lambda: other.void(GATE, VoidCause.ENDED, "first"))
    other = GateChannels(cloud.client("s3"), cloud.client("sts"), BUCKET, "arn:aws:iam::1:role/x")

    granted = grant(mailboxes, cloud)

    assert granted.state is PermitState.VOID
    assert stored(cloud) == granted


def test_a_void_comes_after_a_grant_that_was_quicker(
    cloud: Cloud, mailboxes: GateChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailboxes.open(GATE, "classifier")
    other = GateChannels(cloud.client("s3"), cloud.client("sts"), BUCKET, "arn:aws:iam::1:role/x")
    between(mailboxes, monkeypatch, lambda: grant(other, cloud))

    assert mailboxes.void(GATE, VoidCause.ENDED, "second").state is PermitState.VOID
    assert stored(cloud) == mailboxes.void(GATE, VoidCause.ENDED, "")


def between(
    mailboxes: GateChannels, patch: pytest.MonkeyPatch, act: Callable[[], object], times: int = 1
) -> None:
    """Let something happen between the reading of a permit and its writing."""
    read, left = mailboxes._read, [act] * times

    def read_and_act(address: GateAddress) -> Any:
        found = read(address)
        if left:
            left.pop()()
        return found

    patch.setattr(mailboxes, "_read", read_and_act)


def test_a_permit_that_changes_all_the_time_is_left_alone(
    cloud: Cloud, mailboxes: GateChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailboxes.open(GATE, "classifier")
    other = GateChannels(cloud.client("s3"), cloud.client("sts"), BUCKET, "arn:aws:iam::1:role/x")
    plans = iter("abcdefghij")
    between(mailboxes, monkeypatch, lambda: grant(other, cloud, next(plans)), times=5)

    with pytest.raises(ContendedError):
        mailboxes.void(GATE, VoidCause.ENDED, "why")
    assert stored(cloud) == other.open(GATE, "classifier")


def test_without_the_bucket_every_permit_is_void_and_there_are_no_messages(
    cloud: Cloud, mailboxes: GateChannels
) -> None:
    cloud.client("s3").delete_bucket(Bucket=BUCKET)

    found = mailboxes.open(GATE, "classifier"), mailboxes.permit(GATE), grant(mailboxes, cloud)
    assert {permit.state for permit in found} == {PermitState.VOID}
    assert mailboxes.void(GATE, VoidCause.ENDED, "why").state is PermitState.VOID
    assert mailboxes.messages(GATE) == []


@pytest.mark.parametrize("act", ["open", "grant", "void"])
def test_a_write_whose_answer_is_lost_has_taken_effect_once(
    cloud: Cloud, mailboxes: GateChannels, act: str
) -> None:
    if act != "open":
        mailboxes.open(GATE, "classifier")
    cloud.faults.lose_answer("s3.PutObject")

    with pytest.raises((UnreachableError, ReadTimeoutError)):
        run(mailboxes, act)

    # What `open` writes first is the classifier, and its permit is then still missing.
    seen = None if act == "open" else stored(cloud)
    again = run(mailboxes, act)
    assert seen in (None, again)
    assert stored(cloud) == again


def run(mailboxes: GateChannels, act: str) -> Permit:
    if act == "grant":
        until = datetime(2026, 11, 22, 15, 46, 6, tzinfo=UTC)
        return mailboxes.grant(GATE, pending(RELEASE), "p", until)
    return (
        mailboxes.open(GATE, "classifier")
        if act == "open"
        else mailboxes.void(GATE, VoidCause.ENDED, "why")
    )


def one_request_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What S3 does for each key: moto's own store is not for several threads."""
    lock, process = Lock(), BotocoreStubber.process_request

    def locked(stubber: BotocoreStubber, request: object) -> object:
        with lock:
            return process(stubber, request)

    monkeypatch.setattr(BotocoreStubber, "process_request", locked)


def test_concurrent_writers_never_undo_a_void(
    cloud: Cloud, mailboxes: GateChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_request_at_a_time(monkeypatch)
    mailboxes.open(GATE, "classifier")

    def act(number: int) -> Permit | None:
        try:
            return (
                mailboxes.void(GATE, VoidCause.ENDED, "v")
                if number == 7
                else grant(mailboxes, cloud, str(number))
            )
        except ContendedError:
            return None

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, random.sample(range(16), 16)))

    assert mailboxes.void(GATE, VoidCause.ENDED, "later") == stored(cloud)
    assert grant(mailboxes, cloud).state is PermitState.VOID


def test_an_error_that_is_no_condition_passes(cloud: Cloud, mailboxes: GateChannels) -> None:
    cloud.faults.refuse("s3.GetObject", "AccessDenied")

    with pytest.raises(UnreachableError, match="AccessDenied"):
        grant(mailboxes, cloud)


# The messages


def test_messages_come_in_the_order_of_events(
    mailboxes: GateChannels, put: Callable[[str, bytes], None]
) -> None:
    for name in ("result", "status", "plan"):
        put(name, json.dumps({"event": name}).encode())

    events = [json.loads(line)["event"] for line in mailboxes.messages(GATE)]

    assert events == ["plan", "status", "result"]


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"x" * 20_000])
def test_a_message_that_is_too_long_or_no_text_is_ignored(
    mailboxes: GateChannels, put: Callable[[str, bytes], None], junk: bytes
) -> None:
    put("plan", junk)
    put("result", b"{}")

    assert mailboxes.messages(GATE) == ["{}"]


# The URLs


def test_each_gate_gets_one_url_and_a_signature_for_each_name(mailboxes: GateChannels) -> None:
    urls = mailboxes.urls("crops", RELEASE, ["migrate", "seed"])

    assert urls.keys() == {"migrate", "seed"}
    for gate, text in urls.items():
        box = json.loads(text)
        url = urlsplit(box["url"])
        assert url.scheme == "https"
        assert url.netloc == "mailbox.s3.us-east-1.amazonaws.com"
        assert url.path == f"/crops/{RELEASE}/{gate}/*.json"
        assert parse_qs(url.query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert parse_qs(url.query)["X-Amz-Expires"] == ["3600"]
        assert "X-Amz-Security-Token" in url.query
        assert box["url"].endswith("&X-Amz-Signature=")
        assert box["signatures"].keys() == {"permit", "classifier", "plan", "status", "result"}
        assert len(set(box["signatures"].values())) == 5
        assert len(text) < 3000


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-5"])
def test_the_urls_are_for_the_regions_own_host(
    cloud: Cloud, mailboxes: GateChannels, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boto3.DEFAULT_SESSION", boto3.Session(region_name=region))
    assert cloud.client("s3")

    [text] = mailboxes.urls("crops", RELEASE, ["migrate"]).values()

    assert urlsplit(json.loads(text)["url"]).netloc == f"mailbox.s3.{region}.amazonaws.com"
    assert f"%2F{region}%2Fs3%2Faws4_request" in text


def test_urls_signed_across_two_seconds_are_signed_again(
    mailboxes: GateChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign, times = mailboxes._url, iter("11222222222")

    def sign_later(presigner: Any, address: GateAddress, name: str) -> str:
        return sign(presigner, address, name).replace("X-Amz-Date=", f"X-Amz-Date={next(times)}")

    monkeypatch.setattr(mailboxes, "_url", sign_later)

    [text] = mailboxes.urls("crops", RELEASE, ["migrate"]).values()

    assert "X-Amz-Date=22" in text


def test_the_session_is_confined_to_what_the_urls_do(
    cloud: Cloud, mailboxes: GateChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    sts = Mock(wraps=cloud.client("sts"))
    monkeypatch.setattr(mailboxes, "_sts", sts)

    mailboxes.urls("crops", RELEASE, ["migrate"])

    [(_, asked)] = sts.assume_role.call_args_list
    folder = f"arn:aws:s3:::mailbox/crops/{RELEASE}/*"
    assert json.loads(asked["Policy"])["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": [f"{folder}/{name}.json" for name in ("plan", "status", "result")],
        },
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [f"{folder}/{name}.json" for name in ("permit", "classifier")],
        },
    ]
    assert len(asked["Policy"]) <= 2048
    assert asked["DurationSeconds"] == 3600
