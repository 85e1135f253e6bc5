"""What the gate of the example tells in its log."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local.demo import crops
from tests.e2e.conftest import Ready


def gate_lines(
    ready: Ready, since: datetime, container: str = "migrate"
) -> list[Mapping[str, Any]]:
    log = ready.cloud.client("lightsail").get_container_log(
        serviceName=crops.APP, containerName=container, startTime=since
    )
    lines = [event["message"] for event in log["logEvents"]]
    return [json.loads(line) for line in lines if line.startswith('{"lightgate"')]
