"""What tests do with the local cloud, and the demo does not."""

import hashlib
import json
import time
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from local.cloud.cloud import LocalCloud
from local.cloud.executions import Execution, describe
from local.cloud.registry import Image
from local.demo import crops


def start(stepfunctions: Any, machine_arn: str, request: Mapping[str, Any]) -> str:
    """Start an execution and return its ARN."""
    text = json.dumps(request)
    return str(
        stepfunctions.start_execution(stateMachineArn=machine_arn, input=text)["executionArn"]
    )


def wait_for_end(stepfunctions: Any, arn: str, *, within: timedelta) -> Execution:
    deadline = time.monotonic() + within.total_seconds()
    while (execution := describe(stepfunctions, arn)).running:
        if time.monotonic() > deadline:
            raise AssertionError(f"{arn} is still running after {within.total_seconds():g} s")
        time.sleep(0.1)
    return execution


def set_switches(cloud: LocalCloud, service: str, **switches: object) -> None:
    """Change the emulator's switches for one container service."""
    _control(cloud, "PUT", f"services/{service}/switches", switches)


def lose_node(cloud: LocalCloud, service: str) -> None:
    """Let the host of the service's node fail. Lightsail then launches another node."""
    _control(cloud, "POST", f"services/{service}/replace-node", {"abrupt": True})


def _control(cloud: LocalCloud, method: str, path: str, wanted: Mapping[str, object]) -> None:
    request = urllib.request.Request(
        f"{cloud.lightsail_endpoint}/_control/{path}",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


def unpullable_image(release: str) -> Image:
    """The release as an image whose layer is truncated: it can be pushed, but not pulled."""
    image = crops.image(release)
    manifest = json.loads(image.manifest)
    [described] = manifest["layers"]
    layer = image.blobs[described["digest"]]
    layer = layer[: len(layer) // 2]
    described["digest"] = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    described["size"] = len(layer)
    configuration = manifest["config"]["digest"]
    blobs = {described["digest"]: layer, configuration: image.blobs[configuration]}
    return Image(json.dumps(manifest).encode(), blobs)
