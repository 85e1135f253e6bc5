"""Executions that are walked through the real definition one task at a time.

The interpreter of `release_machine` runs an execution to its end in one go. Here the test
decides whose turn it is after every task, when an execution is stopped, and whether it is
redriven. It understands what the definition uses, and nothing else.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tests.component.cloud import ACCOUNT, REGION
from tests.support import wait_state
from tests.workflow.release_machine import definition, visited
from tests.workflow.state_data import StateData, iso
from tests.workflow.world import World

type Json = dict[str, Any]

_INTEGRATION = re.compile(r"arn:aws:states:::(\w+):(\w+)")
_FUNCTION = re.compile(r"arn:aws:lambda:.*:function:(\w+)")


class Walk:
    """One execution on its way. `state` is what it enters next, None when it has ended."""

    def __init__(self, stepper: "Stepper", arn: str, request: object, started: datetime) -> None:
        self._stepper = stepper
        self.arn = arn
        self.name = arn.rpartition(":")[2]
        self.state: str | None = stepper.machine["StartAt"]
        self.passed: list[str] = []
        self.stopped_at = ""
        self.error: str | None = None
        self.cause: str | None = None
        context = {"Execution": {"Id": arn, "Name": self.name, "StartTime": iso(started)}}
        self._state_data = StateData(request, context)

    @property
    def data(self) -> Any:
        """What it carries from state to state."""
        return self._state_data.data

    @property
    def tasks(self) -> list[str]:
        """The tasks that were carried out."""
        return [name for name in self.passed if self._definition(name)["Type"] == "Task"]

    def step(self) -> None:
        """Go on until a task has been carried out, or to the end."""
        while self.state is not None:
            name = self.state
            is_task = self._definition(name)["Type"] == "Task"
            self._enter(name)
            if is_task:
                break
        # Where the task leads may not need any work.
        while self.state is not None and self._definition(self.state)["Type"] in _EFFORTLESS:
            self._enter(self.state)

    def run(self) -> "Walk":
        while self.state is not None:
            self.step()
        return self

    def run_to(self, state: str) -> "Walk":
        """Go on until the state is what comes next; it must come."""
        while self.state != state:
            assert self.state is not None, (state, self.passed)
            self._enter(self.state)
        return self

    def task_input(self) -> Json:
        """What the task it has come to gives to its function."""
        assert self.state is not None
        parameters: Json = self._state_data.filled(self._definition(self.state)["Parameters"])
        return parameters

    def replace_answer(self, step: str, answer: Json) -> None:
        """Let the state have another answer of the step than that which it gave."""
        self._state_data.put(f"$.{step}", answer)

    def stop(self) -> None:
        """As StopExecution: it goes nowhere from here."""
        assert self.state is not None
        self.stopped_at = self.state
        self._end(ExecutionStatus.ABORTED)

    def redrive(self) -> "Walk":
        """Go on where it was stopped: a second `Walk` for the same execution."""
        again = Walk(self._stepper, self.arn, self.data, datetime.now(UTC))
        again._state_data, again.state = self._state_data, self.stopped_at
        self._stepper.execution(self.arn).exec_status = ExecutionStatus.RUNNING
        return again

    def _enter(self, name: str) -> None:
        visited.add(name)
        self.passed.append(name)
        state = self._definition(name)
        match state["Type"]:
            case "Pass":
                result = state.get("Result", self._state_data.filled(state.get("Parameters")))
                self._state_data.put(state.get("ResultPath", "$"), result)
                self.state = state["Next"]
            case "Wait":
                self._wait(state)
            case "Choice":
                chosen = (c["Next"] for c in state["Choices"] if self._state_data.holds(c))
                self.state = next(chosen, state["Default"])
            case "Task":
                self._carry_out(state)
            case "Succeed":
                self._end(ExecutionStatus.SUCCEEDED)
            case "Fail":
                self.error = state.get("Error") or self._state_data.value(state["ErrorPath"])
                self.cause = state.get("Cause") or self._state_data.value(state["CausePath"])
                self._end(ExecutionStatus.FAILED)

    def _wait(self, state: Json) -> None:
        path: str = state["SecondsPath"]
        seconds: Any = None
        with contextlib.suppress(KeyError, TypeError):
            seconds = self._state_data.value(path)
        self.cause = wait_state.wait_seconds(path, seconds)
        if self.cause is not None:
            self.error = "States.Runtime"
            self._end(ExecutionStatus.FAILED)
            return
        self._stepper.world.clock.sleep(seconds)
        self.state = state["Next"]

    def _carry_out(self, state: Json) -> None:
        parameters = self.task_input()
        function = _FUNCTION.fullmatch(state["Resource"])
        if function is None:
            service, operation = _INTEGRATION.fullmatch(state["Resource"]).groups()  # type: ignore[union-attr]
            client = self._stepper.world.cloud.client(service)
            try:
                getattr(client, xform_name(operation))(**parameters)
            except ClientError as error:
                self._catch(state, type(error).__name__, str(error))
            else:
                self.state = state["Next"]
            return
        answer, is_error = self._stepper.world.functions.invoke(function[1], json.dumps(parameters))
        if is_error:
            self._catch(state, answer["errorType"], json.dumps(answer))
        else:
            self._state_data.put(state["ResultPath"], answer)
            self.state = state["Next"]

    def _catch(self, state: Json, error: str, cause: str) -> None:
        [catch] = state["Catch"]
        self._state_data.put(catch["ResultPath"], {"Error": error, "Cause": cause})
        self.state = catch["Next"]

    def _definition(self, name: str) -> Json:
        found: Json = self._stepper.machine["States"][name]
        return found

    def _end(self, status: ExecutionStatus) -> None:
        self.state = None
        execution = self._stepper.execution(self.arn)
        execution.exec_status, execution.stop_date = status, datetime.now(UTC)


_EFFORTLESS = ("Pass", "Choice", "Succeed", "Fail")


class Stepper:
    """All executions of the machine in a world where none goes on by itself."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.machine: Json = json.loads(definition(world.topic))
        self.walks: list[Walk] = []
        self._forgotten: set[str] = set()
        patch.setattr(ExecutionWorker, "start", _nothing)

    def start(self, request: object, name: str) -> Walk:
        """As StartExecution; the walk is at its beginning."""
        self.world.cloud.client("stepfunctions").start_execution(
            stateMachineArn=self.world.machine.arn, name=name, input=json.dumps(request)
        )
        return self.walk(name)

    def walk(self, name: str) -> Walk:
        """The execution of this name, also if another execution has started it."""
        self.discover()
        [found] = [walk for walk in self.walks if walk.name == name]
        return found

    def discover(self) -> list[Walk]:
        """Take up what somebody else has started; all that have not ended."""
        known = {*self._forgotten, *(walk.arn for walk in self.walks)}
        for execution in self._executions():
            if execution.execution_arn not in known:
                data = execution.execution_input
                request = json.loads(data) if isinstance(data, str) else data
                walk = Walk(self, execution.execution_arn, request, execution.start_date)
                self.walks.append(walk)
        return [walk for walk in self.walks if walk.state is not None]

    def run_all(self) -> None:
        """Every execution to its end, and those that they start."""
        while going := self.discover():
            going[0].run()

    def forget(self) -> None:
        """Take nothing up any more of what there is by now."""
        self._forgotten = {each.execution_arn for each in self._executions()}

    def clean_up(self, walk: Walk, **detail: object) -> None:
        """What EventBridge does when an execution has ended other than well."""
        event = {"detail": {"executionArn": walk.arn, "status": "ABORTED", **detail}}
        self.world.functions.call("clean_up", event)

    def erase(self, walk: Walk) -> None:
        """What AWS does to an execution that ended 90 days ago."""
        backend = stepfunctions_parser_backends[ACCOUNT][REGION]
        executions = backend.describe_state_machine(self.world.machine.arn).executions
        executions.remove(self.execution(walk.arn))

    def execution(self, arn: str) -> Any:
        [found] = [each for each in self._executions() if each.execution_arn == arn]
        return found

    def _executions(self) -> Iterator[Any]:
        backend = stepfunctions_parser_backends[ACCOUNT][REGION]
        yield from backend.describe_state_machine(self.world.machine.arn).executions


def _nothing(_: object) -> None:
    """An execution that has been started and does nothing yet."""
