"""A spec that names a secret of another app is refused before anything is touched."""

import json
from typing import Any

import pytest

from lightgate.names import APP_TAG
from tests.workflow.reporting_gates import released
from tests.workflow.world import APP, SPEC, World, spec


def create(world: World, name: str, **tags: str) -> None:
    world.cloud.client("secretsmanager").create_secret(
        Name=name,
        SecretString=json.dumps({"url": "postgres://herd@db/herd"}),
        Tags=[{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()],
    )


def with_secret(reference: str) -> Any:
    return spec(secrets={**SPEC["secrets"], "HERD_URL": reference})


@pytest.mark.parametrize("tags", [{}, {"lightgate_app": "herd"}], ids=["untagged", "of-another"])
def test_a_secret_of_another_app_is_refused_with_the_command_that_tags_it(
    world: World, tags: dict[str, str]
) -> None:
    create(world, "herd/db", **tags)
    world.put_spec(with_secret("secretsmanager:herd/db:url"))

    assert world.release().error == "REFUSED"

    content = world.message().content
    [reason] = content["reasons"]
    assert content["code"] == "secret-foreign"
    assert "the secret secretsmanager:herd/db:url has" in reason
    assert f"aws secretsmanager tag-resource --secret-id herd/db --tags Key={APP_TAG}," in reason
    assert not world.instance.snapshots()
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}


def test_a_parameter_of_another_app_and_one_that_aws_keeps_are_refused(world: World) -> None:
    world.cloud.client("ssm").put_parameter(Name="/herd/key", Value="x", Type="SecureString")
    create(world, "herd", lightgate_app="herd")
    references = {"A": "ssm:/herd/key", "B": "ssm:/aws/reference/secretsmanager/herd"}
    world.put_spec(spec(secrets={**SPEC["secrets"], **references}))

    assert world.release().error == "REFUSED"

    key, kept = world.message().content["reasons"]
    assert "--resource-id /herd/key" in key
    assert "remains unknown" in kept


def test_a_secret_that_admit_may_not_describe_is_refused(world: World) -> None:
    world.cloud.faults.refuse("secretsmanager.DescribeSecret", "AccessDeniedException")

    assert world.release().error == "REFUSED"

    assert world.message().content["code"] == "secret-foreign"


def test_a_secret_below_the_prefix_of_the_stack_needs_no_tag(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTGATE_SECRET_PREFIX", "lightgate/secrets/")
    create(world, f"lightgate/secrets/{APP}/herd")
    world.put_spec(with_secret(f"secretsmanager:lightgate/secrets/{APP}/herd:url"))

    assert world.release(course=released()).status == "SUCCEEDED"


def test_a_command_by_hand_cannot_read_another_app_s_secret_either(good: World) -> None:
    create(good, "herd/db")
    good.put_spec(with_secret("secretsmanager:herd/db:url"))

    assert good.release(command=["env"], tag="latest").error == "REFUSED"

    assert good.message().content["code"] == "secret-foreign"
