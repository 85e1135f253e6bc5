"""Releases that a person begins, and what is heard of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from local.cloud import registry
from local.cloud.executions import Execution
from local.cloud.registry import Image
from local.demo import crops
from tests.e2e.conftest import Ready
from tests.support import local_cloud

RELEASE = timedelta(seconds=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A release as its subscribers and its execution know it."""

    execution: Execution
    message: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.message["status"])


def begin(ready: Ready, name: str, image: Image | None = None, **request: Any) -> str:
    """Begin a release of the example: nobody watches the tag of the image."""
    pushed = image or crops.image(name)
    registry.push(ready.cloud.endpoint, crops.APP, f"build-{name}", pushed)
    asked = {"app": crops.APP, "tag": f"build-{name}", **request}
    machine = ready.cloud.client("stepfunctions")
    return local_cloud.start(machine, ready.stack.state_machine_arn, asked)


def end(ready: Ready, arn: str, within: timedelta = RELEASE) -> Ended:
    machine = ready.cloud.client("stepfunctions")
    execution = local_cloud.wait_for_end(machine, arn, within=within)
    [message] = ready.inbox.receive(1, timedelta(seconds=20))
    return Ended(execution=execution, message=json.loads(message.text))
