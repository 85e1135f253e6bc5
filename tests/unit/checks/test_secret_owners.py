"""An app reads its own secrets only: by a tag, by the beginning of a name, or by its database."""

from typing import Any

import pytest

from lightgate.checks.app_secrets import (
    StoredSecret,
    foreign_secrets,
    stored_secrets,
    tag_command,
    tag_value,
    why_foreign,
)
from lightgate.checks.finding import Level
from lightgate.spec.keys import Database, SecretReference
from tests.support.builders import app_spec

PREFIX = "lightgate/secrets/"
ACCOUNT = "123456789012"
SECRET_ARN = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret"
RDS_ARN = f"arn:aws:rds:us-east-1:{ACCOUNT}"


def read(text: str) -> SecretReference:
    reference = SecretReference.read(text)
    assert reference is not None
    return reference


def stored(**tags: str) -> StoredSecret:
    return StoredSecret(tags={key.replace("_", ":"): value for key, value in tags.items()})


def of_rds(arn: str, tag: str = "aws:rds:primaryDBInstanceArn") -> StoredSecret:
    return StoredSecret(tags={"aws:secretsmanager:owningService": "rds", tag: arn})


def is_own(text: str, found: StoredSecret, database: Database | None = None) -> bool:
    return why_foreign(read(text), found, "crops", PREFIX, database) is None


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("secretsmanager:db", stored(lightgate_app="crops"), True),
        ("ssm:/key", stored(lightgate_app="crops"), True),
        ("secretsmanager:db", stored(lightgate_app="herd crops"), True),
        ("secretsmanager:db", stored(), False),
        ("secretsmanager:db", stored(lightgate_app=""), False),
        ("secretsmanager:db", stored(lightgate_app="crops-staging"), False),
        ("secretsmanager:db", stored(lightgate_app="herd"), False),
        ("secretsmanager:lightgate/secrets/crops/db", stored(), True),
        ("ssm:/lightgate/secrets/crops/key", stored(), True),
        (f"{SECRET_ARN}:lightgate/secrets/crops/db-AbC1d2:url::", stored(), True),
        ("secretsmanager:lightgate/secrets/crops-staging/db", stored(), False),
        ("secretsmanager:lightgate/secrets/crops", stored(), False),
        ("secretsmanager:other/lightgate/secrets/crops/db", stored(), False),
        ("ssm:/lightgate/apps/crops", stored(), False),
        # A name like that of RDS is not enough: it needs the tags that only AWS can set.
        ("secretsmanager:rds!db-1", stored(), False),
    ],
)
def test_a_secret_is_the_app_s_own_or_not(text: str, found: StoredSecret, expected: bool) -> None:
    assert is_own(text, found) is expected


@pytest.mark.parametrize(
    ("arn", "tag", "expected"),
    [
        (f"{RDS_ARN}:db:crops-db", "aws:rds:primaryDBInstanceArn", True),
        (f"{RDS_ARN}:cluster:crops-db", "aws:rds:primaryDBClusterArn", True),
        (f"{RDS_ARN}:db:herd-db", "aws:rds:primaryDBInstanceArn", False),
    ],
)
def test_the_secret_of_a_master_user_belongs_to_the_app_of_its_database(
    arn: str, tag: str, expected: bool
) -> None:
    database = Database(instance="crops-db")

    assert is_own("secretsmanager:rds!db-1:password", of_rds(arn, tag), database) is expected
    assert not is_own("secretsmanager:rds!db-1:password", of_rds(arn, tag))


def test_the_command_adds_the_app_to_those_that_may_read_it_already() -> None:
    found = stored(lightgate_app="herd")

    assert tag_value(found, "crops") == "herd crops"
    assert tag_command(read("secretsmanager:crops/db:url"), found, "crops") == (
        "aws secretsmanager tag-resource --secret-id crops/db "
        "--tags Key=lightgate:app,Value='herd crops'"
    )
    assert tag_command(read("ssm:/crops/key"), stored(), "crops") == (
        "aws ssm add-tags-to-resource --resource-type Parameter --resource-id /crops/key "
        "--tags Key=lightgate:app,Value=crops"
    )


def test_no_command_tags_what_belongs_to_aws() -> None:
    for text in ("secretsmanager:rds!db-1", "ssm:/aws/reference/secretsmanager/herd"):
        assert tag_command(read(text), stored(), "crops") is None


def spec_with(*texts: str) -> Any:
    return app_spec(secrets={f"S{number}": text for number, text in enumerate(texts)})


def test_a_secret_that_is_not_described_is_not_known_to_be_the_app_s() -> None:
    spec = spec_with("secretsmanager:db", "ssm:/gone")

    [(reference, why, command)] = foreign_secrets(spec, {read("ssm:/gone"): None}, "crops", PREFIX)

    assert reference == read("secretsmanager:db")
    assert "remains unknown" in why
    assert command is None


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"secretsmanager:db": stored(lightgate_app="crops")}, Level.OK),
        ({"secretsmanager:db": stored()}, Level.FAILURE),
        ({"secretsmanager:db": None}, Level.FAILURE),
        ({}, Level.UNKNOWN),
        ({"secretsmanager:db": StoredSecret(tags={"lightgate:app": "crops"}, rotates=True)},
         Level.WARNING),
    ],
)  # fmt: skip
def test_each_fault_of_a_secret_is_a_finding(
    described: dict[str, StoredSecret | None], expected: Level
) -> None:
    known = {read(text): found for text, found in described.items()}

    found = list(stored_secrets(spec_with("secretsmanager:db"), known, "crops", PREFIX))

    assert [one.level for one in found] == [expected]


@pytest.mark.parametrize(
    ("text", "name", "key", "stage"),
    [
        ("secretsmanager:rds!db-0a1b-2c:password", "rds!db-0a1b-2c", "password", None),
        (f"{SECRET_ARN}:crops/db-AbC1d2", f"{SECRET_ARN}:crops/db-AbC1d2", None, None),
        (f"{SECRET_ARN}:crops/db-AbC1d2:url::", f"{SECRET_ARN}:crops/db-AbC1d2", "url", None),
        (f"{SECRET_ARN}:crops/db-AbC1d2:url:AWSPREVIOUS:", f"{SECRET_ARN}:crops/db-AbC1d2", "url",
         "AWSPREVIOUS"),
        (f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/crops/key", "/crops/key", None, None),
    ],
)  # fmt: skip
def test_arns_and_the_secrets_of_rds_are_references(
    text: str, name: str, key: str | None, stage: str | None
) -> None:
    found = read(text)

    assert (found.name, found.json_key, found.version_stage) == (name, key, stage)


@pytest.mark.parametrize("text", [f"{SECRET_ARN}:a-AbC1d2::AWSPREVIOUS:", "secretsmanager:x!y",
                                  "arn:aws:s3:::bucket", f"{SECRET_ARN}:"])  # fmt: skip
def test_other_texts_are_no_references(text: str) -> None:
    assert SecretReference.read(text) is None
