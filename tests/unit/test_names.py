"""Every name that Lightgate makes fits the limit of the service that takes it, for every app."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightgate.aws.s3_gate_channel import MESSAGES, GateAddress, GateChannels
from lightgate.aws.snapshots import is_of_app, tags_of
from lightgate.backup.restore_commands import restore_from_snapshot, restored_name
from lightgate.errors import SpecError
from lightgate.names import (
    COMMAND_CONTAINER,
    execution_name,
    is_snapshot_id,
    pin_tag,
    release_id,
    rollback_marker,
    snapshot_id,
    snapshot_id_after,
)
from lightgate.notifications.formats import subject_line
from lightgate.notifications.pruning import NOT_PRUNED
from lightgate.notifications.rehearsal_notice import NOT_REHEARSED
from lightgate.notifications.start_notice import STARTED
from lightgate.outcome.outcome import Outcome
from lightgate.runtime import METRICS_NAMESPACE
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.keys import Stage
from lightgate.spec.parser import LONGEST_APP_NAME, parse_app_name, parse_spec
from local.cloud import aws_rules
from tests.support.builders import DIGEST, EXECUTION, spec_document
from tests.support.template import read_template

TEMPLATE = read_template()
_SESSION = botocore.session.get_session()
# CreateDBSnapshot and CreateDBClusterSnapshot in the API reference: the model has no limits.
RDS_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
LONGEST_CLUSTER_SNAPSHOT = 63
LONGEST_RDS_DATABASE = 63
LIGHTSAIL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,253}[A-Za-z0-9])")
RDS_TAG = re.compile(r"[\w .:/=+\-@]*")
LONGEST_PIN_TAG, LONGEST_S3_KEY, LONGEST_SUBJECT = 128, 1024, 99
LONGEST_PARAMETER_ARN = 1011

APPS = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True).map(
    lambda name: name[:LONGEST_APP_NAME].rstrip("-")
)
MOMENTS = st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1))  # noqa: DTZ001
STACKS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,127}", fullmatch=True)
ODD = [
    *("a", "0", "a" * LONGEST_APP_NAME, "a-" * 19 + "a"),
    *("0-again", "crops-take3", "a" * 8 + "-b-c"),
]


def limits(service: str, shape: str) -> dict[str, Any]:
    found: dict[str, Any] = _SESSION.get_service_model(service).shape_for(shape).metadata
    return found


def fits(name: str, service: str, shape: str) -> bool:
    limit = limits(service, shape)
    assert limit
    pattern = re.compile(limit.get("pattern", ".*"), re.ASCII)
    is_long = limit.get("min", 0) <= len(name) <= limit.get("max", 10**6)
    return is_long and pattern.fullmatch(name) is not None


def release_of(started_at: datetime) -> str:
    return release_id(EXECUTION, started_at, DIGEST)


def snapshots_of(app: str, release: str) -> Iterator[str]:
    """The name of the release's snapshot, and of those that replace it."""
    name = snapshot_id(app, release)
    for _ in range(5):
        yield name
        name = snapshot_id_after(name)


@pytest.mark.parametrize("app", ODD)
def test_odd_names_are_names_of_apps(app: str) -> None:
    assert parse_app_name(app) == app


@given(APPS, MOMENTS)
@example("a" * LONGEST_APP_NAME, datetime(2026, 1, 1, tzinfo=UTC))
@example("a" * 8 + "-b" + "c" * 20, datetime(2026, 1, 1, tzinfo=UTC))
def test_a_snapshot_has_a_name_that_every_kind_of_database_takes(
    app: str, started_at: datetime
) -> None:
    for name in snapshots_of(app, release_of(started_at)):
        assert RDS_NAME.fullmatch(name)
        assert len(name) <= LONGEST_CLUSTER_SNAPSHOT
        assert LIGHTSAIL_NAME.fullmatch(name)
        assert fits(name, "lightsail", "ResourceName")
        # IAM lets Lightgate take and delete no other one.
        assert name.startswith("lightgate-")
        # RDS keeps a name in lower case.
        assert name == name.lower()
        for action, kind in aws_rules.SNAPSHOTS.items():
            assert aws_rules.snapshot({"Action": action, kind.snapshot: name}, None, None) is None


@given(APPS, APPS, MOMENTS)
@example("a" * 39 + "b", "a" * 39 + "c", datetime(2026, 1, 1, tzinfo=UTC))
@example("a" * 9 + "-b" * 8, "a" * 9 + "-c" * 8, datetime(2026, 1, 1, tzinfo=UTC))
def test_different_snapshots_have_different_names(
    app: str, other: str, started_at: datetime
) -> None:
    release = release_of(started_at)
    names = [*snapshots_of(app, release), *(snapshots_of(other, release) if other != app else ())]

    assert len(set(names)) == len(names)


@given(APPS, APPS, MOMENTS)
def test_a_snapshot_is_known_by_its_name_and_tags_as_that_of_its_app(
    app: str, other: str, started_at: datetime
) -> None:
    release = release_of(started_at)
    for name in snapshots_of(app, release):
        assert is_of_app(name, tags_of(app, release, "blue"), app, "blue")
        assert not is_of_app(name, tags_of(app, release, "green"), app, "blue")
        assert not is_of_app(name, {}, app, "blue")
        assert not is_of_app(f"{name}-mine", tags_of(app, release, "blue"), app, "blue")
        if other != app:
            assert not is_of_app(name, tags_of(other, release, "blue"), other, "blue")


@pytest.mark.parametrize("suffix", ["", "-again", "-again-again"])
def test_the_names_that_earlier_versions_gave_are_known(suffix: str) -> None:
    app, release = "a" * LONGEST_APP_NAME, release_of(datetime(2026, 1, 1, tzinfo=UTC))

    assert is_snapshot_id(f"lightgate-{app}-{release}{suffix}", app, release)


def test_a_short_app_name_stands_in_the_name_of_the_snapshot_as_it_is() -> None:
    release = release_of(datetime(2026, 1, 1, tzinfo=UTC))

    for app in ("crops-backend", "a" * 16):
        assert list(snapshots_of(app, release))[:3] == [
            f"lightgate-{app}-{release}",
            f"lightgate-{app}-{release}-again",
            f"lightgate-{app}-{release}-take3",
        ]


@given(APPS, MOMENTS, STACKS)
def test_the_tags_of_a_snapshot_are_ones_that_aws_takes(
    app: str, started_at: datetime, stack: str
) -> None:
    for key, value in tags_of(app, release_of(started_at), stack).items():
        assert len(key) <= 128
        assert 1 <= len(value) <= 256
        assert RDS_TAG.fullmatch(key)
        assert RDS_TAG.fullmatch(value)
        assert not key.startswith(("aws:", "rds:"))


def test_no_tag_is_empty() -> None:
    assert set(tags_of("crops", "r1", "")) == {"lightgate:app", "lightgate:release"}


_RDS = st.from_regex(r"[A-Za-z](-?[A-Za-z0-9]){0,62}", fullmatch=True).map(
    lambda n: n[:63].rstrip("-")
)
DATABASES = {
    DatabaseKind.INSTANCE: _RDS,
    DatabaseKind.CLUSTER: _RDS,
    DatabaseKind.LIGHTSAIL: st.from_regex(
        r"[A-Za-z0-9][A-Za-z0-9_-]{0,253}[A-Za-z0-9]", fullmatch=True
    ),
}


@pytest.mark.parametrize("kind", DatabaseKind)
@given(st.data(), MOMENTS)
def test_a_restored_database_has_a_name_that_aws_takes(
    kind: DatabaseKind, data: st.DataObject, started_at: datetime
) -> None:
    database = data.draw(DATABASES[kind])
    release = release_of(started_at)

    new = restored_name(database, release)

    assert new != database
    first = f"{new}-1"  # the first instance of a cluster
    if kind is DatabaseKind.LIGHTSAIL:
        assert fits(new, "lightsail", "ResourceName")
    else:
        assert RDS_NAME.fullmatch(first.lower())
    assert len(first) <= LONGEST_RDS_DATABASE
    commands = restore_from_snapshot(kind, database, release, snapshot_id("a" * 40, release))
    assert any(new in command for command in commands)


@pytest.mark.parametrize("name", ["dätabase", "data base", "-data", "data-", "d", "x" * 256])
def test_a_lightsail_database_with_a_name_that_lightsail_does_not_have_is_refused(
    name: str,
) -> None:
    with pytest.raises(SpecError, match=r"database\.lightsail"):
        parse_spec(json.dumps(spec_document(database={"lightsail": name})))


@given(APPS, st.text(max_size=50))
@example("a" * LONGEST_APP_NAME, "event")
def test_an_execution_has_a_name_that_step_functions_takes(app: str, event: str) -> None:
    for digest in (DIGEST, ""):  # a command, and an image that is not on record, have none
        name = execution_name(app, digest, event)
        assert fits(name, "stepfunctions", "Name")
        assert aws_rules.execution({"name": name}) is None


@given(APPS, MOMENTS)
@example("a" * LONGEST_APP_NAME, datetime(2026, 1, 1, tzinfo=UTC))
def test_the_keys_and_the_session_of_a_gate_channel_fit(app: str, started_at: datetime) -> None:
    release = release_of(started_at)
    container = "c" * limits("lightsail", "ContainerName")["max"]
    address = GateAddress(app=app, release=release, container=container)
    boxes = GateChannels(None, None, "b" * 63, "arn:aws-us-gov:iam::123456789012:role/r")

    assert all(len(address.key(name)) <= LONGEST_S3_KEY for name in ("permit", *MESSAGES))
    policy = json.dumps(boxes._session_policy(app, release))
    assert fits(policy, "sts", "sessionPolicyDocumentType")
    assert fits(release[:64], "sts", "roleSessionNameType")
    assert release[:64] == release


@given(APPS, MOMENTS, st.sampled_from(Stage))
@example("a" * LONGEST_APP_NAME, datetime(2026, 1, 1, tzinfo=UTC), Stage.DEVELOPMENT)
def test_a_subject_is_whole(app: str, started_at: datetime, stage: Stage) -> None:
    release = release_of(started_at)
    for status in (*(outcome.value for outcome in Outcome), STARTED, NOT_PRUNED, NOT_REHEARSED):
        subject = subject_line(stage.value, app, status, release)

        assert subject == f"[{stage.value}] {app} {status} {release}"
        assert len(subject) <= LONGEST_SUBJECT
        assert aws_rules.query({"Action": "Publish", "Subject": subject}) is None


@given(APPS, MOMENTS)
def test_keys_and_dimensions_fit(app: str, started_at: datetime) -> None:
    release = release_of(started_at)

    # "Constraints in Amazon DynamoDB": a partition key of 2048 bytes, a sort key of 1024.
    assert len(app) <= 2048
    assert len(f"release#{rollback_marker(release)}") <= 1024
    assert len(f"image#{DIGEST}") <= 1024
    assert fits(app, "cloudwatch", "DimensionValue")
    assert fits(METRICS_NAMESPACE, "cloudwatch", "Namespace")


@given(st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True))
def test_a_pin_tag_is_one_that_ecr_takes(digest: str) -> None:
    assert len(pin_tag(digest)) <= LONGEST_PIN_TAG
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", pin_tag(digest))


def test_the_container_of_a_command_has_a_name_that_lightsail_takes() -> None:
    assert fits(COMMAND_CONTAINER, "lightsail", "ContainerName")


def test_the_path_of_the_apps_leaves_room_for_the_name_of_every_app() -> None:
    path = f"/{'s' * 128}/apps/{'a' * LONGEST_APP_NAME}"

    assert TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["LIGHTGATE_APPS_PATH"] == {
        "Fn::Sub": "/${AWS::StackName}/apps"
    }
    arn = "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter"
    assert len(arn) + len(path) <= LONGEST_PARAMETER_ARN
