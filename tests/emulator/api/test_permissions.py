"""With IAM enforced: a function's role, a user, root; what each may do, and in whose words not."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.cloud.engine import running_engine
from local.cloud.processes import free_port
from tests.emulator.emulator import Emulator
from tests.emulator.images import web
from tests.emulator.registry import Registry

ACCOUNT = "000000000000"
ANYONE = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
CALL_LIGHTSAIL = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    client = boto3.client("lightsail", endpoint_url=event["endpoint"])
    try:
        getattr(client, event["call"])(**event["with"])
    except ClientError as refusal:
        return {"refused": refusal.response["Error"]}
    return {"refused": None}
"""


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str, resource: str) -> dict[str, str]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("iam")
    port = free_port()
    with running_engine(
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        wait_scale=1,
        directory=directory,
        logs=directory,
    ) as url:
        yield url


@pytest.fixture(scope="module")
def guarded(registry: Registry, engine: str) -> Iterator[Emulator]:
    with Emulator("--registry", registry.url, "--iam", engine) as running:
        running.service("guarded")
        yield running


def client(service: str, endpoint: str, key: str = "test", signing_key: str = "") -> Any:
    connect: Any = boto3.client  # typed by the services' literal names only
    return connect(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=signing_key or "test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def call_as(engine: str, guarded: Emulator) -> Callable[..., dict[str, str] | None]:
    """Call Lightsail from a real function whose role has the given policy; returns the refusal."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", CALL_LIGHTSAIL)
    site = str(Path(boto3.__file__).parents[1])

    def call(name: str, statement: dict[str, str], operation: str, **arguments: Any) -> Any:
        iam, functions = client("iam", engine), client("lambda", engine)
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=policy({**ANYONE, "Action": "sts:AssumeRole"}),
        )["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(statement))
        functions.create_function(
            FunctionName=f"{name}-function",
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": packed.getvalue()},
            Environment={"Variables": {"PYTHONPATH": site}},
            Timeout=60,
        )
        event = {"endpoint": guarded.endpoint, "call": operation, "with": arguments}
        answer = functions.invoke(
            FunctionName=f"{name}-function", Payload=json.dumps(event).encode()
        )
        return json.load(answer["Payload"])["refused"]

    return call


def test_a_functions_role_may_read_only_with_a_statement_on_everything(
    call_as: Callable[..., dict[str, str] | None],
) -> None:
    read = "lightsail:GetContainerServices"
    assert call_as("reader", allow(read, "*"), "get_container_services") is None
    on_services = f"arn:aws:lightsail:us-east-1:{ACCOUNT}:ContainerService/*"
    refused = call_as("narrow", allow(read, on_services), "get_container_services")
    assert refused == {
        "Code": "AccessDeniedException",
        "Message": f"User: arn:aws:sts::{ACCOUNT}:assumed-role/narrow/narrow-function is not "
        f"authorized to perform: {read} on resource: * because no identity-based policy allows "
        f"the {read} action",
    }


def test_a_deployment_may_be_allowed_on_one_services_arn(
    call_as: Callable[..., dict[str, str] | None], guarded: Emulator
) -> None:
    found = guarded.api.get_container_services(serviceName="guarded")["containerServices"][0]
    create = "lightsail:CreateContainerServiceDeployment"
    request = {"serviceName": "guarded", "containers": {"web": web()}}
    operation = "create_container_service_deployment"
    refused = call_as("other", allow(create, found["arn"][:-4] + "0000"), operation, **request)
    assert refused is not None
    assert refused["Message"].endswith(
        f"on resource: {found['arn']} because no identity-based policy allows the {create} action"
    )
    assert call_as("deployer", allow(create, found["arn"]), operation, **request) is None


def test_a_deployment_may_be_refused_for_a_tag_of_the_service(
    call_as: Callable[..., dict[str, str] | None], guarded: Emulator
) -> None:
    create = "lightsail:CreateContainerServiceDeployment"
    of_stack = {"StringEqualsIfExists": {"aws:ResourceTag/lightgate:stack": "lightgate"}}
    statement: Any = {**allow(create, "*"), "Condition": of_stack}
    request = {"serviceName": "tagged", "containers": {"web": web()}}
    operation = "create_container_service_deployment"
    guarded.service("tagged")
    assert call_as("before", statement, operation, **request) is None

    tags = [{"key": "lightgate:stack", "value": "another"}]
    guarded.api.tag_resource(resourceName="tagged", tags=tags)

    refused = call_as("after", statement, operation, **request)
    assert refused is not None
    assert refused["Code"] == "AccessDeniedException"


def test_a_service_may_be_created_only_with_the_tags_that_the_policy_asks_for(
    call_as: Callable[..., dict[str, str] | None], guarded: Emulator
) -> None:
    create = "lightsail:CreateContainerService"
    with_tag = {"StringEquals": {"aws:RequestTag/lightgate:stack": "lightgate"}}
    statement: Any = {**allow(create, "*"), "Condition": with_tag}
    request = {"serviceName": "made", "power": "nano", "scale": 1}
    tags = [{"key": "lightgate:stack", "value": "lightgate"}]
    operation = "create_container_service"

    refused = call_as("untagged", statement, operation, **request)
    assert refused is not None
    assert refused["Code"] == "AccessDeniedException"
    wrong = [{"key": "lightgate:stack", "value": "another"}]
    assert call_as("wrongly", statement, operation, **request, tags=wrong) is not None
    assert call_as("creator", statement, operation, **request, tags=tags) is None
    [made] = guarded.api.get_container_services(serviceName="made")["containerServices"]
    assert made["tags"] == tags


def test_only_a_service_with_its_tag_may_be_deleted(
    call_as: Callable[..., dict[str, str] | None], guarded: Emulator
) -> None:
    guarded.service("kept")
    guarded.service("temporary")
    tags = [{"key": "lightgate:rehearsal", "value": "r1"}]
    guarded.api.tag_resource(resourceName="temporary", tags=tags)
    with_tag = {"StringLike": {"aws:ResourceTag/lightgate:rehearsal": "*"}}
    statement: Any = {
        **allow("lightsail:DeleteContainerService", "*"),
        "Condition": with_tag,
    }
    operation = "delete_container_service"

    assert call_as("sweeper-1", statement, operation, serviceName="kept") is not None
    assert call_as("sweeper-2", statement, operation, serviceName="temporary") is None


def user(engine: str, guarded: Emulator, name: str) -> Any:
    """A client of Lightsail for a new user."""
    iam = client("iam", engine)
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client("lightsail", guarded.endpoint, key["AccessKeyId"], key["SecretAccessKey"])


def test_an_explicit_deny_is_named(engine: str, guarded: Emulator) -> None:
    denied = user(engine, guarded, "denied")
    statement = {**allow("lightsail:*", "*"), "Effect": "Deny"}
    document = policy(allow("lightsail:*", "*"), statement)
    client("iam", engine).put_user_policy(
        UserName="denied", PolicyName="p", PolicyDocument=document
    )
    with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
        denied.get_container_service_powers()


def test_a_user_has_what_its_policies_say(engine: str, guarded: Emulator) -> None:
    anna = user(engine, guarded, "anna")
    with pytest.raises(ClientError, match=r"user/anna is not authorized to perform"):
        anna.get_container_services()
    document = policy(allow("lightsail:Get*", "*"))
    client("iam", engine).put_user_policy(UserName="anna", PolicyName="p", PolicyDocument=document)
    assert anna.get_container_services()["containerServices"]
    with pytest.raises(ClientError, match="DeleteContainerService"):
        anna.delete_container_service(serviceName="guarded")


@pytest.mark.parametrize("key", ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"])
def test_an_unknown_key_is_refused(guarded: Emulator, key: str) -> None:
    assert refusal(client("lightsail", guarded.endpoint, key)) == "UnrecognizedClientException"


def test_a_wrong_signature_is_refused(engine: str, guarded: Emulator) -> None:
    iam = client("iam", engine)
    iam.create_user(UserName="forger")
    key = iam.create_access_key(UserName="forger")["AccessKey"]["AccessKeyId"]
    forger = client("lightsail", guarded.endpoint, key, "not the secret")
    assert refusal(forger) == "InvalidSignatureException"


def refusal(lightsail: Any) -> str:
    with pytest.raises(ClientError) as refused:
        lightsail.get_container_services()
    assert refused.value.response["Error"]["Message"]
    return str(refused.value.response["Error"]["Code"])


@pytest.mark.slow
def test_an_iam_that_is_gone_is_an_error_of_the_service(registry: Registry) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with Emulator("--registry", registry.url, "--iam", nobody) as emulator:
        assert refusal(emulator.api) == "ServiceException"
