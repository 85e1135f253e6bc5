"""Whether a repository's policy lets a service pull."""

import json
from typing import Any

import pytest

from lightgate.diagnosis.puller import Puller, statement

ROLE = "arn:aws:iam::170441448102:role/amazon/lightsail/us-east-1/containers/crops/1a2b"


def allow(**changes: Any) -> dict[str, Any]:
    return {**json.loads(statement(ROLE)), **changes}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([allow()], True),
        (allow(), True),
        ([allow(Principal="*")], True),
        ([allow(Principal={"AWS": ["arn:aws:iam::1:root", ROLE]}, Action="ecr:*")], True),
        ([allow(Action="ecr:BatchGetImage"), allow(Action=["ecr:GetDownloadUrl*"])], True),
        ([], False),
        ([allow(Action=["ecr:BatchGetImage"])], False),
        ([allow(Principal={"AWS": "arn:aws:iam::1:role/other"})], False),
        ([allow(Principal={"Service": "lambda.amazonaws.com"})], False),
        ([allow(), allow(Effect="Deny")], None),
        ([allow(Condition={"StringEquals": {}})], None),
        ([allow(NotAction="ecr:PutImage")], None),
        ([allow(Principal={"AWS": "170441448102"})], None),
        ([allow(Principal={"AWS": "arn:aws:iam::170441448102:root"})], None),
        ([7], None),
        (None, None),
    ],
)
def test_a_policy_allows_forbids_or_is_unclear(statements: Any, expected: bool | None) -> None:
    puller = Puller(role=ROLE, policy=json.dumps({"Statement": statements}))

    assert puller.is_allowed is expected


@pytest.mark.parametrize("policy", ["", "[]", "{}", "null", "[" * 9000])
def test_a_policy_that_cannot_be_read_says_nothing(policy: str) -> None:
    assert Puller(role=ROLE, policy=policy).is_allowed is None


def test_without_a_role_or_a_policy_nothing_is_allowed() -> None:
    assert Puller(role=None, policy=json.dumps({"Statement": allow()})).is_allowed is False
    assert Puller(role=ROLE, policy=None).is_allowed is False


def test_the_statement_is_the_one_that_lightsail_asks_for() -> None:
    assert json.loads(statement(ROLE)) == {
        "Sid": "LightsailPull",
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }
