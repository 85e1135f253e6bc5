"""Which policies of a repository certainly let the services of rehearsals pull."""

import json
from typing import Any

import pytest

from lightgate.names import rehearsal_name, rehearsal_names
from lightgate.rehearsal.pull_policy import admits, policy_with, statement

BEFORE = "arn:aws:iam::170441448102:role/amazon/lightsail/us-east-1/containers"
ROLE = f"{BEFORE}/crops-backend/private-repo-access/3EXAMPLE"
NAMES = rehearsal_names("arn:aws:cloudformation:us-east-1:1:stack/lightgate/77", "crops")
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
ACCOUNT = {"AWS": "arn:aws:iam::170441448102:root"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal: Any = ACCOUNT, action: Any = PULL, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, **more}


def like(pattern: str, operator: str = "ArnLike", key: str = "aws:PrincipalArn") -> dict[str, Any]:
    return {operator: {key: pattern}}


@pytest.mark.parametrize(
    "found",
    [
        policy(statement(ROLE, NAMES)),
        policy(allow()),
        policy(allow("*", "ecr:*")),
        policy(allow(Condition=like(f"{BEFORE}/lightgate-rehearsal-*", "StringLike"))),
        policy(allow(action=PULL[0]), allow(action=PULL[1])),
        policy_with(None, ROLE, NAMES),
        policy_with("no JSON", ROLE, NAMES),
        policy_with(policy(allow({"AWS": ROLE})), ROLE, NAMES),
    ],
)
def test_a_policy_that_admits_them(found: str) -> None:
    assert admits(found, ROLE, NAMES)


@pytest.mark.parametrize(
    "found",
    [
        None,
        "no JSON",
        "[]",
        policy(allow({"AWS": ROLE})),
        policy(allow({"AWS": "arn:aws:iam::1:root"})),
        policy(allow(action=PULL[0])),
        policy(allow(Condition=like(f"{BEFORE}/another-*"))),
        policy(allow(Condition=like(f"{BEFORE}/*", "ArnNotLike"))),
        policy(allow(Condition=like(f"{BEFORE}/*", key="aws:SourceArn"))),
        policy({**allow(), "Effect": "Deny"}),
        policy(statement(ROLE, rehearsal_names("another stack", "crops"))),
        policy(statement(ROLE, rehearsal_names("arn:aws:cloudformation", "other-app"))),
    ],
)
def test_a_policy_that_does_not_or_perhaps(found: str | None) -> None:
    assert not admits(found, ROLE, NAMES)


def test_the_printed_policy_keeps_what_was_there_and_has_its_statement_once() -> None:
    own = allow({"AWS": ROLE}, Sid="LightsailPull")

    once = policy_with(policy(own), ROLE, NAMES)
    twice = policy_with(once, ROLE, NAMES)

    assert once == twice
    assert json.loads(once)["Statement"] == [own, statement(ROLE, NAMES)]


def test_a_name_is_short_enough_for_rds_and_lightsail_and_is_one_of_the_app() -> None:
    name = rehearsal_name("stack/77", "x" * 40, "arn:aws:states:…:execution:lightgate-rehearsal:a")

    assert name.startswith(rehearsal_names("stack/77", "x" * 40))
    assert len(name) <= 63
    assert "--" not in name
    assert name.islower()
