"""A real `sam build` and `sam deploy` of a small stack, and that what it deployed works."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from local.cloud import account as accounts
from local.cloud import executions, registry, sam
from local.cloud.credentials import REGION
from local.cloud.ecr_events import Deliverer, Push
from local.cloud.errors import LocalCloudError
from local.cloud.registry import Image, ImageConfig
from local.cloud.sns_inbox import Inbox, Message
from tests.local.conftest import Account
from tests.local.waiting import eventually
from tests.support import local_cloud

type Connect = Callable[[str], Any]
SOURCE = Path(__file__).parent / "stack"
SOON = timedelta(seconds=20)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack") / "project"
    shutil.copytree(SOURCE, folder)
    return folder


@pytest.fixture(scope="module")
def outputs(account: Account, project: Path) -> dict[str, str]:
    template = sam.build(project, account.logs)
    return sam.deploy(project, template, "local-test", account.url, account.logs)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    (tmp_path / "main.py").write_text("print('hello')\n")
    return registry.build([tmp_path], ImageConfig(cmd=("python", "main.py")))


def said(client: Connect, outputs: dict[str, str], repository: str) -> list[dict[str, Any]]:
    """What the function logged about the pushes to this repository."""
    logs = client("logs")
    group = f"/aws/lambda/{outputs['FunctionName']}"
    try:
        events = logs.filter_log_events(logGroupName=group)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []  # it never ran
    lines = [json.loads(event["message"]) for event in events if event["message"].startswith("{")]
    return [
        line
        for line in lines
        if line["event"].get("detail", {}).get("repository-name") == repository
    ]


def test_a_push_runs_the_function_of_the_rule_but_a_push_of_a_pin_does_not(
    account: Account, client: Connect, outputs: dict[str, str], image: Image
) -> None:
    accounts.create_repository(client("ecr"), "pushed")
    registry.push(account.url, "pushed", "lightgate-0123456789ab", image)
    registry.push(account.url, "pushed", "latest", image)

    lines = eventually(lambda: said(client, outputs, "pushed"))

    assert [line["event"]["detail"]["image-tag"] for line in lines] == ["latest"]
    assert lines[0]["layer"] == "from the layer"
    assert lines[0]["endpoint"] == account.url


@pytest.mark.representatives(2)
@pytest.mark.usefixtures("outputs")
@pytest.mark.parametrize(
    ("origin", "delivered"),
    [({}, 1), ({"account": "999999999999"}, 0), ({"region": "eu-central-1"}, 0)],
    ids=["here", "another account", "another region"],
)
def test_a_rule_that_names_its_account_and_region_gets_no_event_of_another(
    client: Connect, origin: dict[str, str], delivered: int
) -> None:
    push = Push(
        repository="forwarded",
        tag="latest",
        digest="sha256:1",
        manifest_media_type="",
        artifact_media_type="",
    )
    event = push.event(identity=uuid4(), at=datetime(2026, 11, 22, 15, 0, 1, tzinfo=UTC))

    assert Deliverer(client).send(event | origin) == delivered


def test_a_function_has_the_packages_of_its_layers_and_no_others(
    client: Connect, outputs: dict[str, str]
) -> None:
    answer = client("lambda").invoke(FunctionName=outputs["FunctionName"], Payload=b"{}")

    assert json.load(answer["Payload"])["sees"] == []


def test_a_role_may_do_only_what_its_policies_say(
    account: Account, client: Connect, outputs: dict[str, str]
) -> None:
    role = client("sts").assume_role(
        RoleArn=outputs["FunctionRoleArn"], RoleSessionName="a-function"
    )["Credentials"]
    sqs = boto3.client(
        "sqs",
        endpoint_url=account.url,
        region_name=REGION,
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )

    with pytest.raises(ClientError, match="not authorized to perform: sqs:ListQueues"):
        sqs.list_queues()


def test_an_execution_waits_less_and_its_message_reaches_a_subscriber(
    client: Connect, outputs: dict[str, str]
) -> None:
    stepfunctions = client("stepfunctions")
    inbox = Inbox(client("sns"), client("sqs"), outputs["TopicArn"], "inbox")

    arn = local_cloud.start(stepfunctions, outputs["StateMachineArn"], {})
    ended = local_cloud.wait_for_end(stepfunctions, arn, within=SOON)
    [message] = inbox.receive(1, SOON)

    assert ended.status == "SUCCEEDED"
    assert ended.ended is not None
    assert ended.ended - ended.started < timedelta(seconds=30), "the machine waits 30 s on AWS"
    assert executions.all_of(stepfunctions, outputs["StateMachineArn"])[0] == arn
    assert ended.output is not None
    assert message == Message(
        "done", json.dumps(ended.output, separators=(",", ":")), {"app": "crops"}
    )
    assert executions.history(stepfunctions, arn)[-1]["type"] == "ExecutionSucceeded"


@pytest.mark.slow
def test_a_stack_that_cannot_be_deployed_says_which_resource_failed_and_why(
    account: Account, tmp_path: Path
) -> None:
    shutil.copy(SOURCE / "samconfig.toml", tmp_path)
    template = tmp_path / "template.yaml"
    missing = "arn:aws:lambda:us-east-1:000000000000:function:missing"
    custom = {"Type": "Custom::Thing", "Properties": {"ServiceToken": missing}}
    template.write_text(json.dumps({"Resources": {"Thing": custom}}))

    with pytest.raises(
        LocalCloudError, match=r"sam-deploy failed: .*: Thing CREATE_FAILED .*not found"
    ):
        sam.deploy(tmp_path, template, "broken", account.url, account.logs)


@pytest.mark.slow
@pytest.mark.usefixtures("outputs")
def test_a_build_is_used_again_until_a_source_changes(account: Account, project: Path) -> None:
    template = sam.build(project, account.logs)
    first = template.stat().st_mtime_ns
    again = sam.build(project, account.logs).stat().st_mtime_ns
    handler = project / "functions" / "receive_push" / "app.py"
    handler.write_text(handler.read_text() + "\n# changed\n")

    sam.build(project, account.logs)

    assert again == first
    built = template.parent / "ReceivePushFunction" / "app.py"
    assert built.read_text().endswith("# changed\n")
