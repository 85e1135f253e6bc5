"""Each function may do what it does, and nothing else."""

from collections.abc import Mapping

import pytest

from tests.support.rights.exceptions import BY_FUNCTION, OF_ALL, reason
from tests.support.rights.grants import ACCOUNT, REGION, Need, grants
from tests.support.rights.recorder import known
from tests.support.template import read_template


@pytest.mark.parametrize("function", sorted(grants()))
def test_a_function_has_no_right_that_it_never_uses(function: str) -> None:
    given = {grant.text for grant in grants()[function]}

    unused = given - known().get(function, frozenset())

    assert [one for one in sorted(unused) if reason(function, one) is None] == []


@pytest.mark.parametrize("function", sorted(grants()))
def test_a_function_uses_only_rights_that_it_has(function: str) -> None:
    given = {grant.text for grant in grants()[function]}

    assert sorted(known().get(function, frozenset()) - given) == []


def test_no_right_is_given_twice() -> None:
    for function, given in grants().items():
        texts = [grant.text for grant in given]
        assert sorted(set(texts)) == sorted(texts), function


def test_each_exception_is_needed() -> None:
    excepted = {
        (function, grant.text)
        for function, given in grants().items()
        for grant in given
        if reason(function, grant.text) is not None
    }

    for begin in OF_ALL:
        assert any(right.startswith(begin) for _, right in excepted), begin
    for function, rights in BY_FUNCTION.items():
        for right in rights:
            assert (function, right) in excepted
            assert right not in known().get(function, ()), (function, right)


def test_who_reads_the_table_or_publishes_may_use_the_key() -> None:
    resources = read_template()["Resources"]
    named = {role["Ref"] for role in resources["UseKey"]["Properties"]["Roles"]}

    needed = {
        f"{name}Role"
        for name, given in grants().items()
        if any(one.action.startswith(("dynamodb:", "sns:Publish")) for one in given)
    }

    assert sorted(named) == sorted(needed)


def allowed(function: str, action: str, resource: str, **tags: Mapping[str, str]) -> bool:
    arn = f"arn:aws:{action.partition(':')[0]}:{REGION}:{ACCOUNT}:{resource}"
    need = Need(
        action=action,
        resource=arn,
        resource_tags=tags.get("has", {}),
        request_tags=tags.get("gives", {}),
    )
    return any(grant.action == action and grant.allows(need) for grant in grants()[function])


OWN, OTHER = {"lightgate:stack": "lightgate"}, {"lightgate:stack": "lightgate-staging"}
SNAPSHOTS = {
    "rds:DeleteDBSnapshot": "snapshot:lightgate-crops-1",
    "rds:DeleteDBClusterSnapshot": "cluster-snapshot:lightgate-crops-1",
    "lightsail:DeleteRelationalDatabaseSnapshot": "RelationalDatabaseSnapshot/1",
}


@pytest.mark.parametrize(("action", "snapshot"), SNAPSHOTS.items())
def test_only_snapshots_of_this_stack_may_be_deleted(action: str, snapshot: str) -> None:
    assert allowed("PruneSnapshotsFunction", action, snapshot, has=OWN)
    for tags in ({}, OTHER, {"lightgate:app": "crops"}):
        assert not allowed("PruneSnapshotsFunction", action, snapshot, has=tags)


def test_only_snapshots_with_a_name_of_lightgate_may_be_deleted() -> None:
    for action in ("rds:DeleteDBSnapshot", "rds:DeleteDBClusterSnapshot"):
        assert not allowed("PruneSnapshotsFunction", action, "snapshot:by-hand", has=OWN)


@pytest.mark.parametrize("function", ["TakeSnapshotFunction", "CheckDeploymentFunction"])
def test_a_snapshot_is_taken_only_with_the_tag_of_this_stack(function: str) -> None:
    for action, resource in {
        "rds:CreateDBSnapshot": "snapshot:lightgate-crops-1",
        "rds:CreateDBClusterSnapshot": "cluster-snapshot:lightgate-crops-1",
        "rds:AddTagsToResource": "snapshot:lightgate-crops-1",
        "lightsail:CreateRelationalDatabaseSnapshot": "*",
        "lightsail:TagResource": "RelationalDatabaseSnapshot/1",
    }.items():
        assert allowed(function, action, resource, gives={**OWN, "lightgate:app": "crops"})
        assert not allowed(function, action, resource, gives=OTHER)
        assert not allowed(function, action, resource)


@pytest.mark.parametrize("function", ["TakeSnapshotFunction", "CheckDeploymentFunction"])
def test_no_database_is_tagged(function: str) -> None:
    assert not allowed(function, "rds:AddTagsToResource", "db:crops-db", gives=OWN)
    assert not allowed(function, "lightsail:TagResource", "ContainerService/1", gives=OWN)


@pytest.mark.parametrize("function", ["DeployFunction", "RollBackFunction"])
def test_nothing_is_deployed_to_a_service_with_the_tag_of_another_stack(function: str) -> None:
    create = "lightsail:CreateContainerServiceDeployment"

    assert allowed(function, create, "ContainerService/1")
    assert allowed(function, create, "ContainerService/1", has=OWN)
    assert not allowed(function, create, "ContainerService/1", has=OTHER)


def test_no_image_is_tagged_in_a_repository_with_the_tag_of_another_stack() -> None:
    assert allowed("DeployFunction", "ecr:PutImage", "repository/crops")
    assert allowed("DeployFunction", "ecr:PutImage", "repository/crops", has=OWN)
    assert not allowed("DeployFunction", "ecr:PutImage", "repository/crops", has=OTHER)


def test_tags_are_removed_only_in_repositories_with_the_tag_of_this_stack() -> None:
    remove = "ecr:BatchDeleteImage"

    assert {name for name in grants() if any(g.action == remove for g in grants()[name])} == {
        "ReconcileFunction"
    }
    assert allowed("ReconcileFunction", remove, "repository/crops", has=OWN)
    for tags in ({}, OTHER):
        assert not allowed("ReconcileFunction", remove, "repository/crops", has=tags)


REHEARSED = {**OWN, "lightgate:rehearsal": "crops-1"}
NOT_REHEARSED = ({}, OWN, {**OTHER, "lightgate:rehearsal": "crops-1"}, {"lightgate:rehearsal": "x"})
TEMPORARY = "db:lightgate-rehearsal-1"


@pytest.mark.parametrize("function", ["RemoveRehearsalFunction", "ReconcileFunction"])
def test_only_what_has_the_name_and_the_tags_of_a_rehearsal_may_be_deleted(function: str) -> None:
    for action, resource in {
        "rds:DeleteDBInstance": TEMPORARY,
        "lightsail:DeleteContainerService": "ContainerService/1",
    }.items():
        assert allowed(function, action, resource, has=REHEARSED)
        for tags in NOT_REHEARSED:
            assert not allowed(function, action, resource, has=tags)
    assert not allowed(function, "rds:DeleteDBInstance", "db:crops-db", has=REHEARSED)


def test_only_what_can_be_deleted_again_is_created() -> None:
    function = "PrepareRehearsalFunction"
    for action, resource in {
        "rds:RestoreDBInstanceFromDBSnapshot": TEMPORARY,
        "rds:AddTagsToResource": TEMPORARY,
        "lightsail:CreateContainerService": "ContainerService/1",
        "lightsail:TagResource": "ContainerService/1",
    }.items():
        assert allowed(function, action, resource, gives=REHEARSED)
        for tags in NOT_REHEARSED:
            assert not allowed(function, action, resource, gives=tags)
    for action in ("rds:RestoreDBInstanceFromDBSnapshot", "rds:AddTagsToResource"):
        assert not allowed(function, action, "db:crops-db", gives=REHEARSED)


def test_a_rehearsal_deploys_to_no_service_of_an_app() -> None:
    create = "lightsail:CreateContainerServiceDeployment"

    assert allowed("RunRehearsalFunction", create, "ContainerService/1", has=REHEARSED)
    for tags in NOT_REHEARSED:
        assert not allowed("RunRehearsalFunction", create, "ContainerService/1", has=tags)
