"""Executions of the state machine: find the one that a push started, and how far it is."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.cloud.errors import LocalCloudError

_POLL = timedelta(milliseconds=100)
type Client = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The present state of an execution. `output` is None unless it SUCCEEDED."""

    arn: str
    status: str
    started: datetime
    ended: datetime | None
    output: Mapping[str, Any] | None
    error: str = ""
    cause: str = ""

    @property
    def running(self) -> bool:
        return self.status == "RUNNING"


def describe(stepfunctions: Client, arn: str) -> Execution:
    found = stepfunctions.describe_execution(executionArn=arn)
    return Execution(
        arn=arn,
        status=found["status"],
        started=found["startDate"],
        ended=found.get("stopDate"),
        output=json.loads(found["output"]) if found.get("output") else None,
        error=found.get("error", ""),
        cause=found.get("cause", ""),
    )


def all_of(stepfunctions: Client, machine_arn: str) -> list[str]:
    """The ARNs of every execution of the machine, the newest first."""
    pages = stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=machine_arn)
    return [found["executionArn"] for page in pages for found in page["executions"]]


def wait_for_start(
    stepfunctions: Client, machine_arn: str, *, known: set[str], within: timedelta
) -> str:
    """Wait for an execution that is not in `known`, and return its ARN."""
    deadline = time.monotonic() + within.total_seconds()
    while time.monotonic() < deadline:
        if new := [arn for arn in all_of(stepfunctions, machine_arn) if arn not in known]:
            return new[0]
        time.sleep(_POLL.total_seconds())
    raise LocalCloudError(f"no execution was started within {within.total_seconds():g} s")


def history(stepfunctions: Client, arn: str) -> list[Mapping[str, Any]]:
    """Every event of the execution, the oldest first."""
    pages = stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]
