"""`lightgate doctor`: a healthy app has no finding, and each planted fault has its own."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lightgate import VERSION
from lightgate.checks.finding import Check, Level
from lightgate.diagnosis.puller import statement
from lightgate.verification.health import HttpAnswer
from lightgate_cli import doctor as command
from lightgate_cli.connection import Connection
from tests.cli.golden import assert_golden
from tests.cli.test_schema import assert_valid
from tests.support.aws_answers import StubClient, Unchecked, error, operation_name
from tests.workflow.world import SPEC

APP = "crops-backend"
NOW = datetime.now(UTC)
DIGEST = f"sha256:{'a' * 64}"
OWN_ROLE = "arn:aws:iam::170441448102:role/amazon/lightsail/us-east-1/containers/crops/1a2b"
PULLER = f"{OWN_ROLE.rpartition('/')[0]}/private-repo-access/b2a1"
TOPIC = "arn:aws:sns:us-east-1:123456789012:outcomes"
TAG = {"Key": "lightgate:app", "Value": APP}
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 2,
            "digest": f"sha256:{'c' * 64}",
        },
        "layers": [],
    }
)


def stack(**changes: Any) -> dict[str, Any]:
    told = {
        "AppsPath": "/lightgate/apps",
        "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:lightgate-release",
        "TopicArn": TOPIC,
        "TableName": "releases",
        "Version": VERSION,
        **changes,
    }
    return {
        "StackName": "lightgate",
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/lightgate/1",
        "CreationTime": NOW,
        "StackStatus": "UPDATE_COMPLETE",
        "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in told.items() if v],
        "Parameters": [{"ParameterKey": "NotificationEmail", "ParameterValue": "ops@example.com"}],
    }


def parameter(**_: object) -> dict[str, Any]:
    found = {"Name": f"/lightgate/apps/{APP}", "Type": "String", "Value": json.dumps(SPEC)}
    return {"Parameter": {**found, "Version": 1, "LastModifiedDate": NOW}}


def config_url(architecture: str) -> str:
    document = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["gunicorn", "x"]}}
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return f"data:application/octet-stream;base64,{encoded}"


def service(**changes: Any) -> dict[str, Any]:
    deployment = {
        "version": 3,
        "state": "ACTIVE",
        "createdAt": NOW,
        "containers": {"web": {"image": "x", "environment": {"LIGHTGATE_STACK": "lightgate"}}},
        "publicEndpoint": {
            "containerName": "web",
            "containerPort": 8000,
            "healthCheck": {"path": "/healthz", "successCodes": "200"},
        },
    }
    told = {
        "containerServiceName": APP,
        "createdAt": NOW,
        "state": "RUNNING",
        "power": "micro",
        "scale": 1,
        "isDisabled": False,
        "url": "https://crops.example.com/",
        "principalArn": OWN_ROLE,
        "privateRegistryAccess": {"ecrImagePullerRole": {"isActive": True, "principalArn": PULLER}},
        "currentDeployment": deployment,
        **changes,
    }
    return {"containerServices": [told]}


def instance(**changes: Any) -> dict[str, Any]:
    told = {
        "DBInstanceIdentifier": "crops-db",
        "DBInstanceStatus": "available",
        "PubliclyAccessible": False,
        "BackupRetentionPeriod": 7,
        "DBSubnetGroup": {"VpcId": "vpc-1"},
        "Endpoint": {"Address": "db.example.com", "Port": 5432},
        "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
        **changes,
    }
    return {"DBInstances": [{k: v for k, v in told.items() if v is not None}]}


def group(*cidrs: str) -> dict[str, Any]:
    ranges = [{"CidrIp": each} for each in cidrs]
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": ranges}
    return {"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [rule]}]}


def quotas(used: int) -> dict[str, Any]:
    name = "ManualSnapshots"
    return {"AccountQuotas": [{"AccountQuotaName": name, "Used": used, "Max": 100}]}


def lambda_limit(free: int) -> dict[str, Any]:
    limit = {"ConcurrentExecutions": free, "UnreservedConcurrentExecutions": free}
    return {"AccountLimit": limit}


def subscription(arn: str) -> dict[str, Any]:
    told = {"SubscriptionArn": arn, "Protocol": "email", "Endpoint": "ops@example.com"}
    return {"Subscriptions": [told]}


def repository_policy(role: str) -> dict[str, Any]:
    return {"policyText": json.dumps({"Statement": [json.loads(statement(role))]})}


def lifecycle_policy(days: int) -> dict[str, Any]:
    selection = {"tagStatus": "any", "countType": "sinceImagePushed", "countNumber": days}
    rules = [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]
    return {"lifecyclePolicyText": json.dumps({"rules": rules})}


def trusting(principal: str) -> dict[str, Any]:
    document = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}}]}
    role = {
        "Path": "/",
        "RoleName": "uploads",
        "RoleId": "A" * 16,
        "CreateDate": NOW,
        "Arn": "arn:aws:iam::123456789012:role/uploads",
        "AssumeRolePolicyDocument": json.dumps(document),
    }
    return {"Roles": [role]}


def listed_parameters(**wanted: Any) -> dict[str, Any]:
    """The spec by its path, and the secret parameter by its name."""
    [asked] = wanted["ParameterFilters"]
    names = asked["Values"] if asked["Key"] == "Name" else [f"/lightgate/apps/{APP}"]
    found = [{"Name": name, "Version": 1, "LastModifiedDate": NOW} for name in names]
    return {"Parameters": [each for each in found if each["Name"] != "/gone"]}


def secret(**changes: Any) -> dict[str, Any]:
    told = {
        "Name": "crops/db",
        "Tags": [TAG],
        "KmsKeyId": KEY,
        "VersionIdsToStages": {"1" * 32: ["AWSCURRENT"]},
        **changes,
    }
    return {key: value for key, value in told.items() if value is not None}


def versions(**_: object) -> dict[str, Any]:
    return {"Items": []}


def healthy() -> dict[str, dict[str, Any]]:
    """What AWS answers where everything is as it should be."""
    image = {"imageDigest": DIGEST, "imageTags": ["v3"], "imagePushedAt": NOW - timedelta(days=2)}
    return {
        "cloudformation": {"describe_stacks": {"Stacks": [stack()]}},
        "ssm": {
            "describe_parameters": listed_parameters,
            "get_parameter": parameter,
            "list_tags_for_resource": {"TagList": [TAG]},
        },
        "secretsmanager": {
            "describe_secret": secret(),
            "get_secret_value": {"SecretString": json.dumps({"url": "postgres://x"})},
        },
        "kms": {"describe_key": {"KeyMetadata": {"KeyId": KEY, "KeyState": "Enabled"}}},
        "sns": {"list_subscriptions_by_topic": subscription(f"{TOPIC}:1")},
        "lambda": {"get_account_settings": lambda_limit(1000)},
        "lightsail": {
            "get_container_services": service(),
            "get_container_service_deployments": {"deployments": []},
            "get_container_service_powers": {"powers": [{"name": "micro", "ramSizeInGb": 1.0}]},
            "is_vpc_peered": {"isPeered": True},
        },
        "ecr": {
            "get_repository_policy": repository_policy(PULLER),
            "get_lifecycle_policy": error("LifecyclePolicyNotFoundException"),
            "describe_images": {"imageDetails": [image]},
            "batch_get_image": {
                "images": [
                    {
                        "registryId": "123456789012",
                        "imageId": {"imageDigest": DIGEST},
                        "imageManifest": MANIFEST,
                    }
                ]
            },
            "get_download_url_for_layer": {"downloadUrl": config_url("amd64")},
        },
        "rds": {
            "describe_db_instances": instance(),
            "describe_account_attributes": quotas(3),
        },
        "ec2": {
            "describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1", "IsDefault": True}]},
            "describe_security_groups": group("172.26.0.0/16"),
            "describe_vpc_peering_connections": {"VpcPeeringConnections": []},
        },
        "iam": {"list_roles": trusting("arn:aws:iam::123456789012:root")},
        "dynamodb": {"query": versions},
    }


class Account:
    """An account whose answers a test changes before the command asks."""

    def __init__(self) -> None:
        self.answers = healthy()
        self.app_answers = HttpAnswer(status=200, headers={}, body=b"", took=timedelta(0))

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(command.doctor, list(arguments))

    def findings(self, *arguments: str) -> dict[str, str]:
        """The worst level of each check."""
        found = json.loads(self.run("--json", *arguments).stdout)["findings"]
        order = [level.value for level in (Level.OK, Level.SKIPPED, *_BAD)]
        return {
            one["check"]: one["level"]
            for one in sorted(found, key=lambda x: order.index(x["level"]))
        }


_BAD = (Level.UNKNOWN, Level.WARNING, Level.FAILURE)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account()

    def client(_: Connection, service: str, *, attempts: int = 3) -> StubClient:  # noqa: ARG001
        return StubClient(service, account.answers[service])

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(Connection, "client", client)
    monkeypatch.setattr(
        "lightgate_cli.doctoring.plan.ask", lambda _url, _probe: account.app_answers
    )
    return account


def test_a_healthy_app_has_no_finding(account: Account) -> None:
    ran = account.run(APP)

    assert ran.exit_code == 0, ran.output
    assert {*account.findings().values()} == {"ok"}
    assert ran.stdout.splitlines()[-1] == f"{len(Check)} checks: nothing to mend"


def test_every_check_is_carried_out(account: Account) -> None:
    assert list(json.loads(account.run("--json").stdout)["findings"]) != []
    assert {*account.findings()} == {each.value for each in Check}


type Plant = Callable[[Account], None]


def answering(service_name: str, method: str, document: Any) -> Plant:
    def plant(account: Account) -> None:
        account.answers[service_name][method] = document

    return plant


def redirecting(account: Account) -> None:
    where = {"location": "/accounts/login/?next=/healthz"}
    account.app_answers = HttpAnswer(status=302, headers=where, body=b"", took=timedelta(0))


def without_the_spec(account: Account) -> None:
    found = parameter()["Parameter"] | {"Value": "{}"}
    account.answers["ssm"]["get_parameter"] = {"Parameter": found}


FAULTS: dict[str, tuple[Plant, Check, Level]] = {
    "puller role not active": (
        answering("lightsail", "get_container_services", service(privateRegistryAccess={})),
        Check.IMAGE_PULLER, Level.FAILURE,
    ),
    "policy without the puller role": (
        answering("ecr", "get_repository_policy", error("RepositoryPolicyNotFoundException")),
        Check.IMAGE_PULLER, Level.FAILURE,
    ),
    "policy with the role of the containers": (
        answering("ecr", "get_repository_policy", repository_policy(OWN_ROLE)),
        Check.IMAGE_PULLER, Level.FAILURE,
    ),
    "no service": (
        answering("lightsail", "get_container_services", error("NotFoundException")),
        Check.SERVICE, Level.FAILURE,
    ),
    "service disabled": (
        answering("lightsail", "get_container_services", service(isDisabled=True)),
        Check.SERVICE, Level.FAILURE,
    ),
    "service of another stack": (
        answering("lightsail", "get_container_services",
                  service(tags=[{"key": "lightgate:stack", "value": "second"}])),
        Check.SERVICE, Level.FAILURE,
    ),
    "too little power": (
        answering("lightsail", "get_container_service_powers",
                  {"powers": [{"name": "micro", "ramSizeInGb": 0.125}]}),
        Check.POWER, Level.WARNING,
    ),
    "secret without a tag": (
        answering("secretsmanager", "describe_secret", secret(Tags=[])),
        Check.SECRETS, Level.FAILURE,
    ),
    "parameter of another app": (
        answering("ssm", "list_tags_for_resource", {"TagList": [TAG | {"Value": "herd"}]}),
        Check.SECRETS, Level.FAILURE,
    ),
    "no such secret": (
        answering("secretsmanager", "describe_secret", error("ResourceNotFoundException")),
        Check.SECRETS, Level.FAILURE,
    ),
    "secret without the member": (
        answering("secretsmanager", "get_secret_value", {"SecretString": "{}"}),
        Check.SECRETS, Level.FAILURE,
    ),
    "KMS key that is disabled": (
        answering("kms", "describe_key", {"KeyMetadata": {"KeyId": KEY, "KeyState": "Disabled"}}),
        Check.SECRETS, Level.FAILURE,
    ),
    "secret that rotates": (
        answering("secretsmanager", "describe_secret", secret(RotationEnabled=True)),
        Check.SECRETS, Level.WARNING,
    ),
    "public database": (
        answering("rds", "describe_db_instances", instance(PubliclyAccessible=True)),
        Check.DATABASE, Level.FAILURE,
    ),
    "no database": (
        answering("rds", "describe_db_instances", error("DBInstanceNotFound")),
        Check.DATABASE, Level.FAILURE,
    ),
    "member of a cluster": (
        answering("rds", "describe_db_instances", instance(DBClusterIdentifier="aurora")),
        Check.DATABASE, Level.FAILURE,
    ),
    "no peering": (
        answering("lightsail", "is_vpc_peered", {"isPeered": False}),
        Check.PEERING, Level.WARNING,
    ),
    "another VPC": (
        answering("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-2", "IsDefault": True}]}),
        Check.PEERING, Level.WARNING,
    ),
    "open to everyone": (
        answering("ec2", "describe_security_groups", group("172.26.0.0/16", "0.0.0.0/0")),
        Check.SECURITY_GROUP, Level.FAILURE,
    ),
    "closed to Lightsail": (
        answering("ec2", "describe_security_groups", group("10.0.0.0/8")),
        Check.SECURITY_GROUP, Level.WARNING,
    ),
    "a role for the containers": (
        answering("iam", "list_roles", trusting(OWN_ROLE)), Check.ROLES, Level.WARNING,
    ),
    "no automated backups": (
        answering("rds", "describe_db_instances", instance(BackupRetentionPeriod=0)),
        Check.BACKUPS, Level.FAILURE,
    ),
    "snapshots used up": (
        answering("rds", "describe_account_attributes", quotas(100)),
        Check.SNAPSHOTS, Level.FAILURE,
    ),
    "no image": (
        answering("ecr", "describe_images", {"imageDetails": []}), Check.IMAGE, Level.FAILURE,
    ),
    "no repository": (
        answering("ecr", "describe_images", error("RepositoryNotFoundException")),
        Check.IMAGE, Level.FAILURE,
    ),
    "image for arm64": (
        answering("ecr", "get_download_url_for_layer", {"downloadUrl": config_url("arm64")}),
        Check.IMAGE, Level.FAILURE,
    ),
    "subscription not confirmed": (
        answering("sns", "list_subscriptions_by_topic", subscription("PendingConfirmation")),
        Check.SUBSCRIPTION, Level.WARNING,
    ),
    "another stack with the same apps": (
        answering("cloudformation", "describe_stacks",
                  {"Stacks": [stack(), stack() | {"StackName": "second"}]}),
        Check.STACKS, Level.FAILURE,
    ),
    "few concurrent functions": (
        answering("lambda", "get_account_settings", lambda_limit(2)),
        Check.CONCURRENCY, Level.WARNING,
    ),
    "health check behind a login": (redirecting, Check.HEALTH_CHECK, Level.FAILURE),
    "an older stack": (
        answering("cloudformation", "describe_stacks", {"Stacks": [stack(Version="0.0.1")]}),
        Check.VERSION, Level.FAILURE,
    ),
    "a broken spec": (without_the_spec, Check.SPEC, Level.FAILURE),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_finding(account: Account, fault: str) -> None:
    plant, check, level = FAULTS[fault]
    plant(account)

    assert account.findings()[check] == level
    assert account.run().exit_code == (1 if level is Level.FAILURE else 0)


def _every_answer() -> list[tuple[str, str]]:
    of_stack = {("cloudformation", "describe_stacks"), ("ssm", "describe_parameters")}
    all_calls = {(service, call) for service, calls in healthy().items() for call in calls}
    return sorted(all_calls - of_stack - {("ssm", "get_parameter")})


@pytest.mark.parametrize(("service_name", "call"), _every_answer())
def test_a_call_that_is_denied_makes_checks_unknown_and_none_ok_that_needs_it(
    account: Account, service_name: str, call: str
) -> None:
    before = account.findings()
    account.answers[service_name][call] = error("AccessDeniedException", call)

    changed = {check for check, level in account.findings().items() if level != before[check]}

    assert changed
    assert {account.findings()[check] for check in changed} == {"unknown"}
    assert account.run().exit_code == 2


@pytest.mark.parametrize(("service_name", "call"), _every_answer())
def test_an_empty_answer_makes_no_check_ok_that_needs_it(
    account: Account, service_name: str, call: str
) -> None:
    if (service_name, call) in _MAY_BE_EMPTY:
        pytest.skip("an answer without entries is an answer")
    before = account.findings()
    account.answers[service_name][call] = Unchecked()

    changed = {check for check, level in account.findings().items() if level != before[check]}

    assert changed
    assert "ok" not in {account.findings()[check] for check in changed}


# No version of the service is on record, and no peering connection shows an IPv6 range.
_MAY_BE_EMPTY = {
    ("dynamodb", "query"),
    ("lightsail", "get_container_service_deployments"),
}


def test_the_table_shows_each_level_with_its_command(account: Account) -> None:
    account.answers["rds"]["describe_db_instances"] = instance(PubliclyAccessible=True)
    account.answers["sns"]["list_subscriptions_by_topic"] = subscription("PendingConfirmation")
    account.answers["iam"]["list_roles"] = error("AccessDenied", "ListRoles")

    shown = account.run(APP).stdout.replace(VERSION, "VERSION")
    assert_golden("doctor-pipe", shown.splitlines())


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_each_command_acts_where_the_finding_is(account: Account, form: list[str]) -> None:
    for name in ("public database", "secret that rotates"):
        FAULTS[name][0](account)

    shown = account.run(APP, "--region", "eu-west-1", *form).stdout

    chosen = "--region eu-west-1"
    assert f"aws {chosen} rds modify-db-instance" in shown
    assert f"lightgate release {chosen} {APP}" in shown


def test_a_secret_that_is_missing_is_created_without_a_trace_in_the_shell(account: Account) -> None:
    FAULTS["no such secret"][0](account)

    assert (
        'read -rs VALUE && printf %s "$VALUE" | aws secretsmanager create-secret --name crops/db '
        "--secret-string file:///dev/stdin --tags Key=lightgate:app,Value=crops-backend\n"
    ) in account.run(APP).stdout


def test_an_app_that_does_not_exist_is_no_finding(account: Account) -> None:
    account.answers["ssm"]["get_parameter"] = error("ParameterNotFound")
    account.answers["ssm"]["describe_parameters"] = {"Parameters": []}

    with pytest.raises(Exception, match="There is no app nobody"):
        CliRunner().invoke(command.doctor, ["nobody"], catch_exceptions=False)


def test_tags_are_set_after_asking(account: Account) -> None:
    account.answers["secretsmanager"]["describe_secret"] = secret(Tags=[])
    tagged: list[dict[str, Any]] = []

    def tag(**wanted: Any) -> dict[str, Any]:
        tagged.append(wanted)
        return {}

    account.answers["secretsmanager"]["tag_resource"] = _nothing(tag)

    refused = CliRunner().invoke(command.doctor, [APP, "--fix-tags"], input="n\n")
    assert "aws secretsmanager tag-resource --secret-id crops/db" in refused.output
    assert tagged == []

    CliRunner().invoke(command.doctor, [APP, "--fix-tags", "--yes"])
    assert tagged == [{"SecretId": "crops/db", "Tags": [TAG]}]


def _nothing(call: Callable[..., dict[str, Any]]) -> Callable[..., Unchecked]:
    """TagResource has no answer."""
    return lambda **wanted: Unchecked(call(**wanted))


def test_no_tag_is_set_without_an_app_or_without_the_option(account: Account) -> None:
    assert account.run("--fix-tags").exit_code == 2
    assert account.run("--yes").exit_code == 2


def test_the_document_is_valid(account: Account) -> None:
    account.answers["rds"]["describe_db_instances"] = instance(PubliclyAccessible=True)

    assert_valid("doctor", json.loads(account.run("--json").stdout))


def test_the_docs_have_every_check_and_every_permission() -> None:
    page = (Path(__file__).parents[2] / "docs/command-line.md").read_text("utf-8")
    [section] = re.findall(r"^## doctor\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    checks = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    calls = {
        f"{_IAM_NAMES.get(service, service)}:{operation_name(service, call)}"
        for service, calls in healthy().items()
        for call in calls
    }

    assert checks == [each.value for each in Check]
    assert sorted(each for each in calls if f"`{each}`" not in page) == []


_IAM_NAMES = {"stepfunctions": "states"}
