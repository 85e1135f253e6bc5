"""What Admit refuses before anything is touched: public databases, images without a puller."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lightgate.diagnosis.puller import statement
from tests.workflow.reporting_gates import released
from tests.workflow.world import APP, World, spec


def change_instance(world: World, **members: object) -> None:
    """Let RDS describe the instance so from now on; None leaves a member out."""

    def change(answer: dict[str, Any]) -> None:
        for found in answer.get("DBInstances", ()):
            found.update(members)
            for name in [name for name, value in members.items() if value is None]:
                del found[name]

    world.cloud.faults.change_answers("rds.DescribeDBInstances", change)


def untouched(world: World) -> bool:
    """No snapshot was taken, and no deployment was created."""
    return not world.instance.snapshots() and world.lightsail.deployments(APP) == {1: "ACTIVE"}


def test_each_release_warns_of_a_public_database(world: World) -> None:
    change_instance(world, PubliclyAccessible=True)

    assert world.release(course=released()).status == "SUCCEEDED"

    [warning] = [one for one in world.message().content["warnings"] if "crops-db" in one]
    assert warning == (
        "The database crops-db is publicly accessible. To make it private: aws rds "
        "modify-db-instance --db-instance-identifier crops-db --no-publicly-accessible "
        "--apply-immediately"
    )


@pytest.mark.parametrize(
    ("is_public", "words"),
    [(True, "crops-db is publicly accessible"), (None, "unknown is not private")],
)
def test_a_spec_that_requires_a_private_database_is_refused_with_another_one(
    world: World, is_public: bool | None, words: str
) -> None:
    world.put_spec(spec(requirePrivateDatabase=True))
    change_instance(world, PubliclyAccessible=is_public)

    assert world.release().error == "REFUSED"

    content = world.message().content
    assert content["code"] == "database-public"
    assert words in content["reasons"][0]
    assert untouched(world)


def test_a_spec_that_requires_a_private_database_is_released_with_one(world: World) -> None:
    world.put_spec(spec(requirePrivateDatabase=True))

    assert world.release(course=released()).status == "SUCCEEDED"


def test_a_rollback_by_hand_is_not_refused_because_of_a_public_database(two: World) -> None:
    two.put_spec(spec(requirePrivateDatabase=True))
    change_instance(two, PubliclyAccessible=True)

    assert two.release(course=released(), rollbackTo=2).status == "SUCCEEDED"


def test_a_service_that_cannot_pull_is_refused(world: World) -> None:
    runner = world.lightsail.services[APP]
    runner.change(lambda service: replace(service, puller_role=False))

    assert world.release().error == "REFUSED"

    content = world.message().content
    assert content["code"] == "image-puller"
    assert "ecrImagePullerRole={isActive=true}" in content["reasons"][0]
    assert untouched(world)


def test_a_repository_whose_policy_does_not_name_the_puller_role_is_refused(world: World) -> None:
    [found] = world.cloud.client("lightsail").get_container_services(serviceName=APP)[
        "containerServices"
    ]
    own = {"Statement": [json.loads(statement(found["principalArn"]))]}
    world.cloud.client("ecr").set_repository_policy(repositoryName=APP, policyText=json.dumps(own))

    assert world.release().error == "REFUSED"

    content = world.message().content
    assert content["code"] == "image-puller"
    assert "names the service's own role" in content["reasons"][0]
    assert f"aws ecr set-repository-policy --repository-name {APP}" in content["reasons"][0]
    assert untouched(world)


def test_a_long_policy_is_not_printed_where_it_would_be_cut(world: World) -> None:
    others = [{"Effect": "Allow", "Principal": {"Service": f"s{n}.amazonaws.com"},
               "Action": "ecr:*"} for n in range(40)]  # fmt: skip
    text = json.dumps({"Statement": others})
    world.cloud.client("ecr").set_repository_policy(repositoryName=APP, policyText=text)

    assert world.release().error == "REFUSED"

    [reason] = world.message().content["reasons"]
    assert reason.endswith(f"lightgate doctor {APP} prints the command that mends it.")
