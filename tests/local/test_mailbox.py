"""The mailbox on the engine, which enforces the session's policy on every presigned URL."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest

from lightgate.aws.clients import make_presigner
from lightgate.aws.s3_gate_channel import GateAddress, GateChannels
from lightgate.gate.packaging import program_text
from lightgate.migrations.permit import PermitState
from tests.gate.mailbox_server import PATIENT
from tests.gate.programs import RELEASE, Runner, eventually, shell
from tests.local.conftest import Account

type Connect = Callable[[str], Any]
GATE = GateAddress(app="crops", release=RELEASE, container="migrate")


@pytest.fixture
def bucket(client: Connect) -> str:
    name = f"mailbox-{uuid4().hex}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def mailboxes(
    account: Account, client: Connect, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> GateChannels:
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    iam = client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=bucket,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    letters = [f"arn:aws:s3:::{bucket}/*/{name}.json" for name in ("plan", "status", "result")]
    may = [
        allow(
            "s3:GetObject",
            f"arn:aws:s3:::{bucket}/*/permit.json",
            f"arn:aws:s3:::{bucket}/*/classifier.json",
        ),
        allow("s3:PutObject", *letters),
    ]
    iam.put_role_policy(
        RoleName=bucket,
        PolicyName="mailbox",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may}),
    )
    return GateChannels(client("s3"), client("sts"), bucket, role)


def allow(action: str, *resources: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": action, "Resource": list(resources)}


def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, method="GET" if body is None else "PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def urls(mailboxes: GateChannels) -> dict[str, str]:
    box = json.loads(mailboxes.urls("crops", RELEASE, ["migrate"])["migrate"])
    return {
        name: box["url"].replace("*", name, 1) + signature
        for name, signature in box["signatures"].items()
    }


def test_the_urls_write_three_messages_and_read_two_objects(mailboxes: GateChannels) -> None:
    permit = mailboxes.open(GATE, "classifier")
    url = urls(mailboxes)

    answers = [ask(url[name], name.encode()) for name in ("plan", "status", "result")]

    assert [status for status, _ in answers] == [200] * 3
    assert mailboxes.messages(GATE) == ["plan", "status", "result"]
    assert ask(url["permit"]) == (200, permit.to_text().encode())
    assert ask(url["classifier"]) == (200, b"classifier")


def test_a_missing_permit_is_forbidden_as_on_aws(mailboxes: GateChannels) -> None:
    status, body = ask(urls(mailboxes)["permit"])

    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body


def test_the_urls_open_nothing_else(mailboxes: GateChannels) -> None:
    mailboxes.open(GATE, "classifier")
    url = urls(mailboxes)

    assert ask(url["permit"], b"{}")[0] == 403
    assert ask(url["classifier"], b"{}")[0] == 403
    assert ask(url["plan"])[0] == 403
    assert ask(url["plan"].replace("/plan.json", "/permit.json"), b"{}")[0] == 403
    assert ask(url["plan"].replace("/crops/", "/other/"), b"{}")[0] == 403
    assert mailboxes.open(GATE, "classifier").state is PermitState.PENDING


def test_the_session_that_signs_can_do_no_more_than_the_urls(
    mailboxes: GateChannels, client: Connect, bucket: str
) -> None:
    mailboxes.open(GATE, "classifier")
    answer = client("sts").assume_role(
        RoleArn=mailboxes._role,
        RoleSessionName="test",
        Policy=json.dumps(mailboxes._session_policy("crops", RELEASE)),
    )
    presigner = make_presigner(answer["Credentials"])

    def url(operation: str, key: str) -> str:
        signed: str = presigner.generate_presigned_url(
            operation, Params={"Bucket": bucket, "Key": key}
        )
        return signed

    assert ask(url("put_object", GATE.key("permit")), b"{}")[0] == 403
    assert ask(url("get_object", GATE.key("plan")))[0] == 403
    other = GateAddress(app="crops", release="another", container="migrate")
    assert ask(url("put_object", other.key("plan")), b"{}")[0] == 403
    assert ask(url("put_object", GATE.key("plan")), b"{}")[0] == 200


def test_a_url_that_has_expired_says_so(
    mailboxes: GateChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightgate.aws.s3_gate_channel._SIGNED_FOR", timedelta(seconds=1))
    mailboxes.open(GATE, "classifier")
    permit = urls(mailboxes)["permit"]

    eventually(lambda: ask(permit)[0] == 403, "the URL does not expire")

    assert b"Request has expired" in ask(permit)[1]


def test_a_gate_is_permitted_through_the_engine(mailboxes: GateChannels) -> None:
    mailboxes.open(GATE, "classifier")
    runner = Runner()
    try:
        migrate = runner.supervisor(
            [program_text("s3_client"), *shell("echo ran")],
            mailbox=PATIENT,
            options={"env": {"PATH": "/usr/bin:/bin", "LIGHTGATE_MAILBOX": env(mailboxes)}},
        )
        eventually(lambda: len(mailboxes.messages(GATE)) > 1, "no plan", migrate.output)
        assert migrate.named("permitted") == []

        until = datetime.now(UTC) + timedelta(minutes=1)
        mailboxes.grant(GATE, mailboxes.permit(GATE), "unknown", until)

        done = migrate.event("succeeded")
        eventually(lambda: len(mailboxes.messages(GATE)) == 3, "no result")
        assert json.loads(mailboxes.messages(GATE)[-1]) == done
    finally:
        runner.close()


def env(mailboxes: GateChannels) -> str:
    return mailboxes.urls("crops", RELEASE, ["migrate"])["migrate"]
