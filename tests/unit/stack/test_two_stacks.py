"""Two stacks of the template in one account and region have no name in common."""

import tomllib
from pathlib import Path

import pytest

from local.cloud.cloudformation_names import NAMES
from tests.support.builders import deployed
from tests.unit.stack.transformed import transformed

ROOT = Path(__file__).parents[3]
PRODUCTION, STAGING = "lightgate", "lightgate-staging"
# Layers of one name are versions of one another: CloudFormation refuses none.
NAMED = {
    **NAMES,
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
}
# The name of an inline policy is one within its role, and a saved query is told by its id.
# An alias is named within its function.
FREE = ("AWS::IAM::Policy", "AWS::Logs::QueryDefinition", "AWS::Lambda::Alias")


def names(stack: str) -> dict[str, str]:
    """Each resource with a name that the template or SAM fixes."""
    return {
        logical_id: deployed(resource["Properties"][NAMED[resource["Type"]]], stack)
        for logical_id, resource in transformed().items()
        if NAMED.get(resource["Type"]) in resource.get("Properties", {})
    }


def test_every_fixed_name_has_the_name_of_the_stack_in_it() -> None:
    kinds = {transformed()[logical_id]["Type"] for logical_id in names(PRODUCTION)}

    assert {"AWS::Scheduler::Schedule", "AWS::StepFunctions::StateMachine"} <= kinds
    for logical_id, name in names(PRODUCTION).items():
        assert name.startswith(f"{PRODUCTION}-"), logical_id
        assert names(STAGING)[logical_id].startswith(f"{STAGING}-"), logical_id


def test_two_stacks_share_no_name() -> None:
    assert set(names(PRODUCTION).values()) & set(names(STAGING).values()) == set()


def test_every_kind_of_resource_with_a_fixed_name_is_checked() -> None:
    for logical_id, resource in transformed().items():
        kind = resource["Type"]
        fixed = {"Name", f"{kind.rpartition('::')[2]}Name"} & resource.get("Properties", {}).keys()
        assert kind in (*NAMED, *FREE) or not fixed, logical_id


def test_the_longest_name_of_a_stack_still_gives_names_that_aws_takes() -> None:
    longest = "x" * 54

    assert {len(name) <= 64 for name in names(longest).values()} == {True}


def test_a_stack_that_cannot_be_created_leaves_nothing_behind() -> None:
    """But for its protected table. The versions of a function go with the function."""
    kept = {
        logical_id: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for logical_id, resource in transformed().items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
        and resource["Type"] != "AWS::Lambda::Version"
    }

    assert kept == dict.fromkeys(
        ("ReleaseTable", "MailboxBucket", "EvidenceBucket"), ("RetainExceptOnCreate", "Retain")
    )


@pytest.mark.parametrize(
    ("stack", "path"),
    [(PRODUCTION, "/lightgate/apps"), (STAGING, "/lightgate-staging/apps")],
)
def test_each_stack_has_its_apps_below_a_path_of_its_own(stack: str, path: str) -> None:
    environments = [
        resource["Properties"]["Environment"]["Variables"]
        for resource in transformed().values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]

    for environment in environments:
        assert deployed(environment["LIGHTGATE_STACK"], stack) == stack
        assert deployed(environment["LIGHTGATE_APPS_PATH"], stack) == path


@pytest.mark.parametrize("stack", [PRODUCTION, STAGING])
def test_a_stack_reads_the_specs_of_its_own_apps_only(stack: str) -> None:
    """But for Deploy and RollBack, which read any parameter: the specs name the secrets."""
    read = {
        deployed(statement["Resource"], stack, SecretPrefix="crops/")
        for resource in transformed().values()
        for policy in resource.get("Properties", {}).get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] in ("ssm:GetParameter", "ssm:GetParameters")
    }

    parameters = "arn:aws:ssm:us-east-1:123456789012:parameter"
    assert read == {
        f"{parameters}/{stack}/apps/*",
        # With the tag of an app, or below the prefix of the secrets.
        f"{parameters}/*",
        f"{parameters}/crops/*",
    }


def test_no_environment_of_samconfig_needs_a_parameter_to_be_apart_from_the_others() -> None:
    """Parameters on the command line replace those of the file."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    deploys = [config[name]["deploy"]["parameters"] for name in ("local", "staging", "production")]

    assert len({deploy["stack_name"] for deploy in deploys}) == 3
    assert not [deploy for deploy in deploys if "parameter_overrides" in deploy]
