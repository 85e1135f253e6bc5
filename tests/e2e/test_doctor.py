"""`lightgate doctor` on the local cloud: a healthy app has no finding, a planted fault has its own.

Each test plants one fault, and takes it out again.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lightgate.checks.finding import Check, Level
from lightgate.names import STACK_TAG
from lightgate_cli.main import main
from local.cloud import account as furnishing
from local.cloud import registry
from local.cloud.announcement import announced
from local.cloud.cloud import STACK
from local.cloud.registry import ImageConfig
from local.demo import crops
from tests.e2e.by_hand import begin, end
from tests.e2e.conftest import Ready, started
from tests.e2e.pushing import wait_until

pytestmark = pytest.mark.slow

APP, DATABASE = crops.APP, crops.spec()["database"]["instance"]
RANGE, EVERYONE = "172.26.0.0/16", "0.0.0.0/0"
type Planted = AbstractContextManager[None]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """A cloud of its own, in which v1 of the app is live."""
    with started() as ready, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        update(ready.cloud.client("lightsail"), {"power": "micro"})
        assert end(ready, begin(ready, "v1")).status == "SUCCEEDED"
        registry.push(ready.cloud.endpoint, APP, "v1", crops.image("v1"))
        with announced(ready.cloud.endpoint, STACK):
            yield ready


def doctor() -> tuple[int, list[Mapping[str, Any]]]:
    """The exit code, and what is not well."""
    answer = CliRunner().invoke(main, ["doctor", APP, "--local", "--json"])
    found = json.loads(answer.stdout)
    assert {one["check"] for one in found["findings"]} == {str(check) for check in Check}
    return answer.exit_code, [one for one in found["findings"] if one["level"] != Level.OK]


@pytest.mark.usefixtures("ready")
def test_a_healthy_app_has_no_finding() -> None:
    assert doctor() == (0, [])


@contextmanager
def changed_spec(ready: Ready, **changes: Any) -> Iterator[None]:
    ssm = ready.cloud.client("ssm")
    furnishing.put_app(ssm, APP, crops.spec() | changes)
    yield
    furnishing.put_app(ssm, APP, crops.spec())


@contextmanager
def changed_database(ready: Ready, **changes: Any) -> Iterator[None]:
    rds = ready.cloud.client("rds")
    [before] = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    change(rds, **changes)
    yield
    change(rds, **{name: before[name] for name in changes})


def change(rds: Any, **changes: Any) -> None:
    rds.modify_db_instance(DBInstanceIdentifier=DATABASE, ApplyImmediately=True, **changes)


@contextmanager
def changed_service(ready: Ready, before: Any, after: Any) -> Iterator[None]:
    lightsail = ready.cloud.client("lightsail")
    update(lightsail, after)
    yield
    update(lightsail, before)


def update(lightsail: Any, changes: Mapping[str, Any]) -> None:
    """Change the service, and wait until it has changed."""
    lightsail.update_container_service(serviceName=APP, **changes)

    def is_settled() -> bool:
        [found] = lightsail.get_container_services(serviceName=APP)["containerServices"]
        return found["state"] in ("READY", "RUNNING", "DISABLED")

    wait_until(is_settled, timedelta(seconds=60))


def disabled(ready: Ready) -> Planted:
    return changed_service(ready, {"isDisabled": False}, {"isDisabled": True})


@contextmanager
def service_of_another_stack(ready: Ready) -> Iterator[None]:
    lightsail = ready.cloud.client("lightsail")
    lightsail.tag_resource(resourceName=APP, tags=[{"key": STACK_TAG, "value": "second"}])
    yield
    lightsail.untag_resource(resourceName=APP, tagKeys=[STACK_TAG])


@contextmanager
def policy_with_the_role_of_the_containers(ready: Ready) -> Iterator[None]:
    ecr, lightsail = ready.cloud.client("ecr"), ready.cloud.client("lightsail")
    [service] = lightsail.get_container_services(serviceName=APP)["containerServices"]
    right = ecr.get_repository_policy(repositoryName=APP)["policyText"]
    role = service["privateRegistryAccess"]["ecrImagePullerRole"]["principalArn"]
    wrong = right.replace(role, service["principalArn"])
    ecr.set_repository_policy(repositoryName=APP, policyText=wrong)
    yield
    ecr.set_repository_policy(repositoryName=APP, policyText=right)


@contextmanager
def not_peered(ready: Ready) -> Iterator[None]:
    lightsail = ready.cloud.client("lightsail")
    lightsail.unpeer_vpc()
    yield
    lightsail.peer_vpc()


@contextmanager
def security_group(ready: Ready, source: str, *, is_open: bool) -> Iterator[None]:
    """Let this range in, or not any more."""
    ec2, rds = ready.cloud.client("ec2"), ready.cloud.client("rds")
    [database] = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    [group] = database["VpcSecurityGroups"]
    port = database["Endpoint"]["Port"]
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}
    wanted = {"GroupId": group["VpcSecurityGroupId"], "IpPermissions": [rule]}
    grant, revoke = ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress
    first, then = (grant, revoke) if is_open else (revoke, grant)
    first(**wanted)
    yield
    then(**wanted)


@contextmanager
def role_for_the_containers(ready: Ready) -> Iterator[None]:
    iam, lightsail = ready.cloud.client("iam"), ready.cloud.client("lightsail")
    [service] = lightsail.get_container_services(serviceName=APP)["containerServices"]
    principal = {"AWS": service["principalArn"]}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="uploads", AssumeRolePolicyDocument=document)
    yield
    iam.delete_role(RoleName="uploads")


@contextmanager
def snapshots_used_up(ready: Ready) -> Iterator[None]:
    rds = ready.cloud.client("rds")
    names = [f"by-hand-{number}" for number in range(100)]
    for name in names:
        wait_until(lambda: _is_taken(rds, name), timedelta(seconds=60))  # noqa: B023 - at once
    yield
    for name in names:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def _is_taken(rds: Any, name: str) -> bool:
    """Whether the database has begun the snapshot; it takes one at a time."""
    try:
        rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=DATABASE)
    except rds.exceptions.InvalidDBInstanceStateFault:
        return False
    return True


@contextmanager
def newest_image_for_arm(ready: Ready) -> Iterator[None]:
    arm = crops.image("v2", architecture="arm64")
    # Its push would be released, and refused for the same reason.
    with paused_pushes(ready):
        registry.push(ready.cloud.endpoint, APP, "v2", arm)
        yield
        ecr = ready.cloud.client("ecr")
        ecr.batch_delete_image(repositoryName=APP, imageIds=[{"imageDigest": arm.digest}])


@contextmanager
def paused_pushes(ready: Ready) -> Iterator[None]:
    events = ready.cloud.client("events")
    [rule] = [
        one for one in events.list_rules()["Rules"] if "aws.ecr" in one.get("EventPattern", "")
    ]
    events.disable_rule(Name=rule["Name"])
    yield
    events.enable_rule(Name=rule["Name"])


@contextmanager
def lifecycle_policy(ready: Ready) -> Iterator[None]:
    ecr = ready.cloud.client("ecr")
    selection = {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days"}
    rule = {
        "rulePriority": 1,
        "selection": {**selection, "countNumber": 14},
        "action": {"type": "expire"},
    }
    ecr.put_lifecycle_policy(repositoryName=APP, lifecyclePolicyText=json.dumps({"rules": [rule]}))
    yield
    ecr.delete_lifecycle_policy(repositoryName=APP)


@contextmanager
def secret_of_another_app(ready: Ready) -> Iterator[None]:
    secrets = ready.cloud.client("secretsmanager")
    secrets.tag_resource(SecretId="crops/db", Tags=[{"Key": "lightgate:app", "Value": "herd"}])
    yield
    secrets.tag_resource(SecretId="crops/db", Tags=[{"Key": "lightgate:app", "Value": APP}])


@contextmanager
def secret_without_its_key(ready: Ready) -> Iterator[None]:
    secrets = ready.cloud.client("secretsmanager")
    before = secrets.get_secret_value(SecretId="crops/db")["SecretString"]
    secrets.put_secret_value(SecretId="crops/db", SecretString="{}")
    yield
    secrets.put_secret_value(SecretId="crops/db", SecretString=before)


@contextmanager
def disabled_key(ready: Ready) -> Iterator[None]:
    secrets, kms = ready.cloud.client("secretsmanager"), ready.cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    secrets.update_secret(SecretId="crops/db", KmsKeyId=key)
    yield
    secrets.update_secret(SecretId="crops/db", KmsKeyId="alias/aws/secretsmanager")


@contextmanager
def nobody_subscribed(ready: Ready) -> Iterator[None]:
    """The local SNS confirms each address at once, so here none is left."""
    sns, topic = ready.cloud.client("sns"), ready.stack.topic_arn
    known = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    for one in known:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    yield
    for one in known:
        sns.subscribe(TopicArn=topic, Protocol=one["Protocol"], Endpoint=one["Endpoint"])


@contextmanager
def stack_with_the_same_apps(ready: Ready) -> Iterator[None]:
    cloudformation = ready.cloud.client("cloudformation")
    path = {"AppsPath": {"Value": ready.stack.apps_path}}
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    body = json.dumps({"Resources": topic, "Outputs": path})
    cloudformation.create_stack(StackName="second", TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="second", WaiterConfig={"Delay": 1}
    )
    yield
    cloudformation.delete_stack(StackName="second")


@contextmanager
def reserved_concurrency(ready: Ready) -> Iterator[None]:
    functions = ready.cloud.client("lambda")
    [name, *_] = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=998)
    yield
    functions.delete_function_concurrency(FunctionName=name)


@contextmanager
def another_version(_: Ready) -> Iterator[None]:
    """The command line is newer than the stack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightgate_cli.doctoring.plan.VERSION", "99.0.0")
        yield


type Plant = Callable[[Ready], Planted]
FAULTS: Mapping[str, tuple[Plant, Check, Level]] = {
    "the policy names the role of the containers": (
        policy_with_the_role_of_the_containers,
        Check.IMAGE_PULLER,
        Level.FAILURE,
    ),
    "no service": (
        lambda ready: changed_spec(ready, serviceName="nobody"),
        Check.SERVICE,
        Level.FAILURE,
    ),
    "the service is of another stack": (service_of_another_stack, Check.SERVICE, Level.FAILURE),
    "the repository has no image": (
        lambda ready: changed_spec(ready, tags=["nothing-*"]),
        Check.IMAGE,
        Level.FAILURE,
    ),
    "no such secret": (
        lambda ready: changed_spec(
            ready, secrets=crops.spec()["secrets"] | {"SENTRY_DSN": "ssm:/crops/sentry"}
        ),
        Check.SECRETS,
        Level.FAILURE,
    ),
    "the service is disabled": (disabled, Check.SERVICE, Level.FAILURE),
    "the smallest power": (
        lambda ready: changed_service(ready, {"power": "micro"}, {"power": "nano"}),
        Check.POWER,
        Level.WARNING,
    ),
    "the database is public": (
        lambda ready: changed_database(ready, PubliclyAccessible=True),
        Check.DATABASE,
        Level.FAILURE,
    ),
    "no peering": (not_peered, Check.PEERING, Level.WARNING),
    "Lightsail is kept out": (
        lambda ready: security_group(ready, RANGE, is_open=False),
        Check.SECURITY_GROUP,
        Level.WARNING,
    ),
    "everyone is let in": (
        lambda ready: security_group(ready, EVERYONE, is_open=True),
        Check.SECURITY_GROUP,
        Level.FAILURE,
    ),
    "a role trusts the containers": (role_for_the_containers, Check.ROLES, Level.WARNING),
    "no automated backups": (
        lambda ready: changed_database(ready, BackupRetentionPeriod=0),
        Check.BACKUPS,
        Level.FAILURE,
    ),
    "the snapshots are used up": (snapshots_used_up, Check.SNAPSHOTS, Level.FAILURE),
    "the newest image is for arm64": (newest_image_for_arm, Check.IMAGE, Level.FAILURE),
    "a lifecycle rule takes the live image": (lifecycle_policy, Check.LIFECYCLE, Level.WARNING),
    "a secret of another app": (secret_of_another_app, Check.SECRETS, Level.FAILURE),
    "a secret without its JSON key": (secret_without_its_key, Check.SECRETS, Level.FAILURE),
    "a key that is disabled": (disabled_key, Check.SECRETS, Level.FAILURE),
    "nobody is subscribed": (nobody_subscribed, Check.SUBSCRIPTION, Level.WARNING),
    "another stack with the same apps": (stack_with_the_same_apps, Check.STACKS, Level.FAILURE),
    "few functions may run at once": (reserved_concurrency, Check.CONCURRENCY, Level.WARNING),
    "a stack of another version": (another_version, Check.VERSION, Level.FAILURE),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_has_its_finding_and_no_other(ready: Ready, fault: str) -> None:
    plant, check, level = FAULTS[fault]

    with plant(ready):
        code, found = doctor()

    told = [(one["check"], one["level"]) for one in found if one["level"] != Level.SKIPPED]
    # The app of a disabled service does not answer either.
    also = [(Check.HEALTH_CHECK, Level.FAILURE)] if plant is disabled else []
    assert told == [(check, level), *also]
    assert code == (1 if level is Level.FAILURE else 0)
    assert doctor() == (0, [])


SERVE = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Login(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "/accounts/login/")
        self.end_headers()

HTTPServer(("0.0.0.0", 8000), Login).serve_forever()
"""


def test_a_health_check_behind_a_login_has_its_finding(ready: Ready, tmp_path: Path) -> None:
    """The last test: a version that a person has deployed is live from now on."""
    (tmp_path / "serve.py").write_text(SERVE)
    login = registry.build([tmp_path], ImageConfig(cmd=("python", "serve.py")))
    registry.push(ready.cloud.endpoint, APP, "login", login)
    lightsail = ready.cloud.client("lightsail")
    health = {"path": "/", "successCodes": "200-399"}
    lightsail.create_container_service_deployment(
        serviceName=APP,
        containers={
            "web": {
                "image": f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{APP}:login",
                "ports": {"8000": "HTTP"},
            }
        },
        publicEndpoint={"containerName": "web", "containerPort": 8000, "healthCheck": health},
    )
    wait_until(lambda: _live_image(lightsail).endswith(":login"), timedelta(seconds=60))

    _, found = doctor()

    assert (Check.HEALTH_CHECK, Level.WARNING) in [(one["check"], one["level"]) for one in found]


def _live_image(lightsail: Any) -> str:
    [service] = lightsail.get_container_services(serviceName=APP)["containerServices"]
    return str(service["currentDeployment"]["containers"]["web"]["image"])
