"""Many apps that need nothing but their image: no database, one container."""

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.cloud import account, executions, registry
from local.cloud.ecr_events import Deliverer, Push
from local.cloud.registry import Image, ImageConfig
from tests.e2e.conftest import Ready

_POLL = 0.2


def spec(app: str) -> dict[str, Any]:
    return {
        "serviceName": app,
        "repository": app,
        "tags": ["latest", "v*"],
        "stage": "staging",
        "pollSeconds": 30,
        "containers": {"web": {"ports": {"8000": "HTTP"}}},
        "publicEndpoint": {"containerName": "web", "containerPort": 8000},
    }


def image(folder: Path, name: str) -> Image:
    """An image that answers on its port, and differs from the others."""
    folder.mkdir(parents=True)
    (folder / "name.txt").write_text(name)
    command = ("python", "-m", "http.server", "8000")
    return registry.build([folder], ImageConfig(cmd=command))


def furnish(ready: Ready, app: str) -> None:
    """The app with its repository and its service."""
    account.create_repository(ready.cloud.client("ecr"), app)
    account.create_container_service(ready.cloud.client("lightsail"), app)
    account.let_lightsail_pull(ready.cloud.client("ecr"), ready.cloud.client("lightsail"), app, app)
    account.put_app(ready.cloud.client("ssm"), app, spec(app))


def releases_of(ready: Ready, app: str) -> list[dict[str, Any]]:
    """Every release of the app on record, the oldest first."""
    found = ready.cloud.client("dynamodb").query(
        TableName=ready.stack.table_name,
        KeyConditionExpression="app = :app AND begins_with(#item, :release)",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":app": {"S": app}, ":release": {"S": "release#"}},
    )["Items"]
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in found]


def turn(ready: Ready, app: str) -> dict[str, Any]:
    found = ready.cloud.client("dynamodb").get_item(
        TableName=ready.stack.table_name, Key={"app": {"S": app}, "item": {"S": "lock"}}
    )
    known: dict[str, Any] = json.loads(found["Item"]["lock"]["S"]) if "Item" in found else {}
    return known


def deployed(ready: Ready, app: str) -> list[tuple[str, str]]:
    """The pin and the state of every deployment of the app's service, the oldest first."""
    found = ready.cloud.client("lightsail").get_container_service_deployments(serviceName=app)
    versions = sorted(found["deployments"], key=lambda each: each["version"])
    return [
        (each["containers"]["web"]["image"].rpartition("-")[2], each["state"]) for each in versions
    ]


def deliver(
    ready: Ready, app: str, tag: str, digest: str, at: datetime, identity: uuid.UUID
) -> None:
    """ECR's event of a push, delivered by EventBridge: when, and as often as, it likes."""
    manifest = "application/vnd.oci.image.manifest.v1+json"
    push = Push(
        repository=app,
        tag=tag,
        digest=digest,
        manifest_media_type=manifest,
        artifact_media_type="application/vnd.oci.image.config.v1+json",
    )
    assert Deliverer(ready.cloud.client).send(push.event(identity=identity, at=at)) == 1


def wait_until(holds: Callable[[], object], within: timedelta) -> None:
    deadline = time.monotonic() + within.total_seconds()
    while not holds():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(_POLL)


def running(ready: Ready) -> Iterator[str]:
    machine = ready.cloud.client("stepfunctions")
    for arn in executions.all_of(machine, ready.stack.state_machine_arn):
        if executions.describe(machine, arn).running:
            yield arn


def is_quiet(ready: Ready, apps: list[str]) -> bool:
    """Whether nothing goes on and nothing waits."""
    if any(running(ready)):
        return False
    turns = [turn(ready, app) for app in apps]
    return not any(each.get("holder") or each.get("waiting") for each in turns)


def has_entered(ready: Ready, arn: str, state: str) -> bool:
    history = executions.history(ready.cloud.client("stepfunctions"), arn)
    return any(event.get("stateEnteredEventDetails", {}).get("name") == state for event in history)


def stop(ready: Ready, arn: str) -> None:
    """Stop it, unless it has ended by itself meanwhile."""
    with contextlib.suppress(ClientError):
        ready.cloud.client("stepfunctions").stop_execution(executionArn=arn)


def is_settled(ready: Ready, app: str, digest: str) -> bool:
    """Whether a release of the image has come to its end."""
    ended = [r for r in releases_of(ready, app) if r["digest"] == digest and "outcome" in r]
    return any(not owes_message(ready, app, r["item"].partition("#")[2]) for r in ended)


def owes_message(ready: Ready, app: str, release: str) -> bool:
    """Whether the final message of a release that has ended is not out yet."""
    key = {"app": {"S": "#owed-messages"}, "item": {"S": f"{app}#{release}"}}
    table = ready.cloud.client("dynamodb")
    return "Item" in table.get_item(TableName=ready.stack.table_name, Key=key, ConsistentRead=True)
