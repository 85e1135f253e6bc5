"""The engine runs a state machine, and evaluates policies, as strictly as AWS."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from local.cloud.credentials import REGION
from local.cloud.executions import Execution
from tests.local.conftest import Account
from tests.support import local_cloud

type Run = Callable[[dict[str, object], dict[str, object]], Execution]

BY_PATH: dict[str, object] = {"SecondsPath": "$.seconds"}


@pytest.fixture(scope="module")
def run(account: Account, role: str) -> Run:
    """Run an execution of a machine with one Wait state to its end."""
    stepfunctions = account.client("stepfunctions")

    def run(wait: dict[str, object], request: dict[str, object]) -> Execution:
        states = {"Wait": {"Type": "Wait", **wait, "Next": "End"}, "End": {"Type": "Succeed"}}
        machine = stepfunctions.create_state_machine(
            name=f"waits-{uuid4().hex}",
            definition=json.dumps({"StartAt": "Wait", "States": states}),
            roleArn=role,
        )["stateMachineArn"]
        arn = local_cloud.start(stepfunctions, machine, request)
        return local_cloud.wait_for_end(stepfunctions, arn, within=timedelta(seconds=20))

    return run


@pytest.mark.representatives(1)
@pytest.mark.parametrize("seconds", [0, 1, 20])
def test_a_wait_of_whole_seconds_goes_on(run: Run, seconds: int) -> None:
    assert run(BY_PATH, {"seconds": seconds}).status == "SUCCEEDED"
    assert run({"Seconds": seconds}, {}).status == "SUCCEEDED"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("seconds", [90.0, 1.5, -1, True, "90", None, 100_000_000])
def test_a_wait_of_anything_else_ends_the_execution(run: Run, seconds: object) -> None:
    ended = run(BY_PATH, {"seconds": seconds})

    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
    assert f"$.seconds == {json.dumps(seconds)}" in ended.cause


def test_a_wait_without_a_value_ends_the_execution(run: Run) -> None:
    ended = run(BY_PATH, {})

    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")


def test_a_wait_whose_own_seconds_are_not_whole_ends_the_execution(run: Run) -> None:
    ended = run({"Seconds": 1.5}, {})

    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")


FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:missing"


@pytest.mark.parametrize(
    ("allowed", "error"),
    [
        (FUNCTION, "Lambda.AWSLambdaException"),
        (f"{FUNCTION}:*", "Lambda.ResourceNotFoundException"),
    ],
    ids=["without versions", "with versions"],
)
def test_a_task_calls_a_version_only_if_the_role_of_its_machine_may(
    account: Account, allowed: str, error: str
) -> None:
    stepfunctions, name = account.client("stepfunctions"), f"calls-{uuid4().hex}"
    states = {"Call": {"Type": "Task", "Resource": f"{FUNCTION}:3", "End": True}}
    machine = stepfunctions.create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "Call", "States": states}),
        roleArn=with_role(account, name, "lambda:InvokeFunction", allowed),
    )["stateMachineArn"]
    arn = local_cloud.start(stepfunctions, machine, {})

    ended = local_cloud.wait_for_end(stepfunctions, arn, within=timedelta(seconds=20))

    assert (ended.status, ended.error) == ("FAILED", error)


def with_role(
    account: Account, name: str, action: str, resource: str, condition: Any = None
) -> str:
    """A role that may do this to that, and nothing else."""
    iam = account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    may: Any = {"Effect": "Allow", "Action": action, "Resource": resource}
    if condition is not None:
        may["Condition"] = condition
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName=name,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]}),
    )
    return str(role)


def of_a_role(
    account: Account, service: Any, action: str, resource: str, condition: Any = None
) -> Any:
    """A client with a role that may do this to that, and nothing else."""
    name = f"may-{uuid4().hex}"
    role = with_role(account, name, action, resource, condition)
    session = account.client("sts").assume_role(RoleArn=role, RoleSessionName=name[:64])
    return boto3.client(
        service,
        endpoint_url=account.url,
        region_name=REGION,
        aws_access_key_id=session["Credentials"]["AccessKeyId"],
        aws_secret_access_key=session["Credentials"]["SecretAccessKey"],
        aws_session_token=session["Credentials"]["SessionToken"],
    )


def database(rds: Any) -> str:
    """The name of a new database that takes snapshots."""
    name = f"db-{uuid4().hex[:8]}"
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        MasterUsername="crops",
        MasterUserPassword=uuid4().hex,
        AllocatedStorage=20,
    )
    wait_until_available(rds, name)
    return name


def wait_until_available(rds: Any, database: str) -> None:
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=database, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def test_a_role_may_delete_those_snapshots_that_its_policy_names(account: Account) -> None:
    owner = account.client("rds")
    name = database(owner)
    snapshot = f"ours-{name}"
    owner.create_db_snapshot(DBSnapshotIdentifier=snapshot, DBInstanceIdentifier=name)
    ours = "arn:aws:rds:*:*:snapshot:ours-*"
    theirs = "arn:aws:rds:*:*:snapshot:theirs-*"

    with pytest.raises(ClientError, match="not authorized"):
        of_a_role(account, "rds", "rds:DeleteDBSnapshot", theirs).delete_db_snapshot(
            DBSnapshotIdentifier=snapshot
        )
    of_a_role(account, "rds", "rds:DeleteDBSnapshot", ours).delete_db_snapshot(
        DBSnapshotIdentifier=snapshot
    )

    left = owner.describe_db_snapshots(DBInstanceIdentifier=name)["DBSnapshots"]
    assert left == []


def test_a_role_may_read_several_parameters_below_the_path_that_its_policy_names(
    account: Account,
) -> None:
    owner, path = account.client("ssm"), f"/{uuid4().hex}/apps"
    names = [f"{path}/crops", f"{path}/weather"]
    for name in names:
        owner.put_parameter(Name=name, Value="{}", Type="String")
    ours = f"arn:aws:ssm:*:*:parameter{path}/*"
    theirs = "arn:aws:ssm:*:*:parameter/other/apps/*"

    with pytest.raises(ClientError, match="not authorized"):
        of_a_role(account, "ssm", "ssm:GetParameters", theirs).get_parameters(Names=names)
    found = of_a_role(account, "ssm", "ssm:GetParameters", ours).get_parameters(Names=names)

    assert sorted(each["Name"] for each in found["Parameters"]) == names


OF_STACK = {"StringEquals": {"aws:ResourceTag/lightgate:stack": "lightgate"}}


def test_a_role_may_delete_only_snapshots_with_the_tag_that_its_policy_names(
    account: Account,
) -> None:
    owner = account.client("rds")
    name = database(owner)
    tags = [{"Key": "lightgate:stack", "Value": "lightgate"}]
    # RDS takes one snapshot of a database at a time.
    other = database(owner)
    owner.create_db_snapshot(DBSnapshotIdentifier=f"a-{name}", DBInstanceIdentifier=name)
    owner.create_db_snapshot(
        DBSnapshotIdentifier=f"b-{name}", DBInstanceIdentifier=other, Tags=tags
    )
    deleter = of_a_role(account, "rds", "rds:DeleteDBSnapshot", "*", OF_STACK)

    with pytest.raises(ClientError, match="not authorized"):
        deleter.delete_db_snapshot(DBSnapshotIdentifier=f"a-{name}")
    deleter.delete_db_snapshot(DBSnapshotIdentifier=f"b-{name}")

    [left] = owner.describe_db_snapshots(DBInstanceIdentifier=name)["DBSnapshots"]
    assert left["DBSnapshotIdentifier"] == f"a-{name}"
    assert owner.describe_db_snapshots(DBInstanceIdentifier=other)["DBSnapshots"] == []


def test_a_snapshot_may_be_created_only_with_the_tag_that_the_policy_names(
    account: Account,
) -> None:
    owner = account.client("rds")
    name = database(owner)
    condition = {"StringEquals": {"aws:RequestTag/lightgate:stack": "lightgate"}}
    taker = of_a_role(account, "rds", "rds:CreateDBSnapshot", "*", condition)
    wanted = {"DBSnapshotIdentifier": f"a-{name}", "DBInstanceIdentifier": name}

    with pytest.raises(ClientError, match="not authorized"):
        taker.create_db_snapshot(**wanted)
    taker.create_db_snapshot(**wanted, Tags=[{"Key": "lightgate:stack", "Value": "lightgate"}])


def test_a_tag_is_removed_only_in_repositories_with_the_tag_that_the_policy_names(
    account: Account,
) -> None:
    ecr, names = account.client("ecr"), [f"r-{uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        ecr.create_repository(repositoryName=name)
        for tag in ("v1", "lightgate-1"):
            ecr.put_image(repositoryName=name, imageManifest="{}", imageTag=tag)
    [untagged, tagged] = names
    arn = ecr.describe_repositories(repositoryNames=[tagged])["repositories"][0]["repositoryArn"]
    tags = [{"Key": "lightgate:stack", "Value": "lightgate"}]
    ecr.tag_resource(resourceArn=arn, tags=tags)
    remover = of_a_role(account, "ecr", "ecr:BatchDeleteImage", "*", OF_STACK)
    pin = [{"imageTag": "lightgate-1"}]

    with pytest.raises(ClientError, match="not authorized"):
        remover.batch_delete_image(repositoryName=untagged, imageIds=pin)
    remover.batch_delete_image(repositoryName=tagged, imageIds=pin)

    [image] = ecr.describe_images(repositoryName=tagged)["imageDetails"]
    assert image["imageTags"] == ["v1"]
