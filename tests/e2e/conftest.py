"""A cloud with the deployed stack and an account that is ready for a first release."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from local.cloud import executions
from local.cloud.cloud import LocalCloud, Stack
from local.cloud.executions import Execution
from local.cloud.sns_inbox import NOT_EARLY, Inbox
from local.demo import crops
from tests.support import local_cloud

WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The stack in its cloud, with a subscriber of its topic."""

    cloud: LocalCloud
    stack: Stack
    inbox: Inbox
    url: str

    def release(self, request: Any) -> Execution:
        """Start an execution by hand and wait for its end."""
        machine = self.cloud.client("stepfunctions")
        arn = local_cloud.start(machine, self.stack.state_machine_arn, request)
        return local_cloud.wait_for_end(machine, arn, within=WITHIN)

    def executions(self) -> list[str]:
        machine = self.cloud.client("stepfunctions")
        return executions.all_of(machine, self.stack.state_machine_arn)


@contextmanager
def started() -> Iterator[Ready]:
    """A cloud of its own, with the stack and all that the example needs."""
    with LocalCloud() as cloud:
        stack = cloud.deploy()
        url = crops.furnish(cloud.client, cloud.database)
        inbox = Inbox(
            cloud.client("sns"), cloud.client("sqs"), stack.topic_arn, "people", NOT_EARLY
        )
        yield Ready(cloud=cloud, stack=stack, inbox=inbox, url=url)


@pytest.fixture(scope="session")
def ready() -> Iterator[Ready]:
    with started() as ready:
        yield ready
