"""The state machine of a release, the real file, in moto's interpreter."""

import io
import json
import marshal
import re
from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.evaluation_details import ExecutionDetails
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker, SyncExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.cloud import aws_rules
from tests.component import table
from tests.component.cloud import ACCOUNT, REGION, Cloud
from tests.support.state_machine import iso, with_pages
from tests.workflow.functions import Functions

STACK = "lightgate"
DEFINITION = Path(__file__).parents[2] / "statemachine" / "release.asl.json"
_SLEEPING = "moto.stepfunctions.parser.asl.component.common.retry.retrier_decl"
_STATE_TASK = "moto.stepfunctions.parser.asl.component.state.exec.state_task"
_LAMBDA = f"{_STATE_TASK}.lambda_eval_utils"
_CALLING = (
    f"{_STATE_TASK}.service.state_task_service_sns",
    f"{_STATE_TASK}.service.state_task_service_dynamodb",
)
# What these copy is JSON, for which the usual way to copy takes a sixth of all tests' time.
_PARSER = "moto.stepfunctions.parser.asl"
_COPYING = (
    f"{_PARSER}.component.common.path.result_path",
    f"{_PARSER}.component.common.string.string_expression",
    f"{_PARSER}.component.state.exec.execute_state",
    f"{_PARSER}.eval.environment",
    f"{_PARSER}.eval.states",
)
# A parsed definition keeps nothing of an execution, and a parsed path nothing of its data.
_PARSE = cache(AmazonStateLanguageParser.parse)
_PARSE_PATH = cache(json_path.parse)
_START = Execution.start
# What Step Functions carries; a larger answer or state ends the execution, past every Catch.
_LARGEST_BYTES = 256 * 1024
_ATTEMPTS = ("TaskScheduled", "LambdaFunctionScheduled")
_ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")

visited: set[str] = set()
# The states that only the tests of other folders go through.
ELSEWHERE: Mapping[str, set[str]] = {
    "gates": {"WaitForPermit"},
    "queue": {"NothingToDo", "NextNotStarted"},
}
"""Every state that an execution in this process has entered."""


def states() -> set[str]:
    """The states of the file."""
    return set(json.loads(DEFINITION.read_text())["States"])


def attempts(state: str) -> int:
    """How often the state machine tries a task: once, and again as its Retry rule says."""
    [retry] = json.loads(DEFINITION.read_text())["States"][state]["Retry"]
    return 1 + int(retry["MaxAttempts"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An execution that has ended, with the states it went through.

    `retries` counts the attempts of its tasks after the first ones.
    """

    arn: str
    status: str
    error: str | None
    cause: str | None
    states: list[str]
    retries: int
    history: str


class ReleaseMachine:
    """Executions run in the caller's thread; waiting and retrying cost no time."""

    def __init__(
        self, cloud: Cloud, functions: Functions, topic: str, patch: pytest.MonkeyPatch
    ) -> None:
        self._client = cloud.client("stepfunctions")
        self.caller: str | None = None
        cloud.clock.replace_sleep(patch, _SLEEPING)
        patch.setattr(WaitFunction, "_wait_interval", _waiting(cloud.clock.sleep))
        patch.setattr(AmazonStateLanguageParser, "parse", _PARSE)
        patch.setattr(json_path, "parse", _PARSE_PATH)
        patch.setattr(ExecutionWorker, "start", SyncExecutionWorker.start)
        patch.setattr(f"{_STATE_TASK.rpartition('.')[0]}.execute_state.Thread", _SameThread)
        patch.setattr(Execution, "start", _starting(cloud.clock.now))
        patch.setattr(Execution, "get_start_execution_details", _start_details)
        for module in _COPYING:
            patch.setattr(f"{module}.copy", SimpleNamespace(deepcopy=_copied))
        # The interpreter makes a new client for each task.
        patch.setattr(f"{_LAMBDA}.boto_client_for", lambda **_: _Lambda(functions))
        for module in _CALLING:
            patch.setattr(
                f"{module}.boto_client_for",
                lambda service, **_: _Calling(self, cloud.client(service)),
            )
        self.arn: str = self._client.create_state_machine(
            name=f"{STACK}-release",
            definition=definition(topic),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/release",
        )["stateMachineArn"]

    def run(self, request: object, name: str = "by-hand") -> Ended:
        arn = self._client.start_execution(
            stateMachineArn=self.arn, name=name, input=json.dumps(request)
        )["executionArn"]
        return self.ended(arn)

    def ended(self, arn: str) -> Ended:
        # The same that the API would tell, which takes seconds to parse a history.
        found = stepfunctions_parser_backends[ACCOUNT][REGION].describe_execution(arn)
        assert found.status in _ENDED
        events = found.to_history_output()["events"]
        entered = [
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if "stateEnteredEventDetails" in event
        ]
        visited.update(entered)
        types = Counter(event["type"] for event in events)
        return Ended(
            arn=arn,
            status=found.status,
            error=found.error,
            cause=found.cause,
            states=entered,
            retries=sum(types[name] for name in _ATTEMPTS) - types["TaskStateEntered"],
            history=json.dumps(events, default=str),
        )


def definition(topic: str) -> str:
    """The file with the ARNs that the template would fill in: functions named as their folders."""
    text = re.sub(
        r"\$\{(\w+)FunctionArn\}",
        lambda found: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{folder(found[1])}",
        DEFINITION.read_text(),
    )
    text = with_pages(text.replace("${TopicArn}", topic).replace("${TableName}", table.NAME))
    assert "${" not in text
    return text


class _SameThread:
    """A thread that is over when it has started: nothing here takes long, or waits."""

    def __init__(self, target: Callable[[], None], *, daemon: bool) -> None:  # noqa: ARG002
        self.start = target

    def join(self) -> None:
        pass


def _starting(now: Callable[[], datetime]) -> Callable[[Execution], None]:
    """An execution starts by the clock of the tests, so that later ones have later names."""

    def start(execution: Execution) -> None:
        execution.start_date = now()
        _START(execution)

    return start


def _start_details(execution: Execution) -> ExecutionDetails:
    """The context object with the start as text, as Step Functions has it."""
    return ExecutionDetails(
        arn=execution.exec_arn,
        name=execution.name,
        role_arn=execution.role_arn,
        inpt=execution.input_data,
        start_time=iso(execution.start_date),
    )


def _copied(value: Any) -> Any:
    try:
        return marshal.loads(marshal.dumps(value))  # noqa: S302 - what it has just written
    except ValueError:
        return deepcopy(value)


def state_of(function: str) -> str:
    """The state that calls the function of this folder."""
    return "".join(word.capitalize() for word in function.split("_"))


def folder(step: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", step).lower()


def _waiting(sleep: Callable[[float], None]) -> Callable[..., None]:
    def wait(state: Any, env: object, wait_seconds: int) -> None:  # noqa: ARG001
        # The interpreter itself lets true and far too long waits pass.
        if (
            cause := aws_rules.wait_seconds(state.string_sampler.literal_value, wait_seconds)
        ) is not None:
            pytest.fail(f"States.Runtime: {cause}")
        sleep(wait_seconds)

    return wait


class _Calling:
    """A client whose calls are those of the state machine itself."""

    def __init__(self, machine: ReleaseMachine, client: Any) -> None:
        self._machine, self._client = machine, client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**parameters: Any) -> Any:
            self._machine.caller = "ReleaseStateMachine"
            try:
                return method(**parameters)
            finally:
                self._machine.caller = None

        return call if callable(method) and not isinstance(method, type) else method


class _Lambda:
    """The client with which the interpreter invokes a function, without the HTTP in between."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - as in boto3
        name, body = FunctionName.rpartition(":")[2], Payload.decode()
        answer, is_error = self._functions.invoke(name, body)
        encoded = json.dumps(answer, ensure_ascii=False).encode()
        if (size := max(len(Payload), len(encoded))) > _LARGEST_BYTES:
            pytest.fail(f"States.DataLimitExceeded: {name} has or gives {size} bytes")
        error = {"FunctionError": "Unhandled"} if is_error else {}
        return {"StatusCode": 200, "Payload": io.BytesIO(encoded), **error}
