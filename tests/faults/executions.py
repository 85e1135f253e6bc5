"""Executions of the state machine, in virtual time: Retry, Catch, Wait and time limits included.

It understands what the definition uses, and nothing else.
"""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tests.component.cloud import ACCOUNT, REGION
from tests.faults.account import Account
from tests.faults.clock import TimeIsUp
from tests.faults.stack import Json, Stack
from tests.faults.wire import Killed
from tests.support import wait_state
from tests.workflow.state_data import StateData, iso

_INTEGRATION = re.compile(r"arn:aws:states:::(\w+):(\w+)")
_FUNCTION = re.compile(r"arn:aws:lambda:.*:function:(\w+)")


class StoppedError(Exception):
    """The execution was stopped from outside."""


class TaskError(Exception):
    """A task has failed: with the name by which Retry and Catch know it, and why."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(name, cause)
        self.name, self.cause = name, cause


class Tasks:
    """Runs the functions, and the tasks that Step Functions does itself: `invoked` counts them."""

    def __init__(self, account: Account, stack: Stack) -> None:
        self.invoked: Counter[str] = Counter()
        self._account, self._stack = account, stack

    def invoke(self, name: str, event: Json) -> Json:
        """What the function returns.

        Raises:
            TaskError: it ends with an error, is killed, or reaches its time limit.
        """
        function, clock, wire = self._stack.functions[name], self._account.clock, self._account.wire
        wire.caller = name
        self.invoked[name] += 1
        clock.deadline = clock.now() + timedelta(seconds=function.seconds)
        try:
            with clock.of_functions():
                return function(event)
        except Killed:
            raise TaskError("Runtime.ExitError", "the runtime exited") from None
        except TimeIsUp:
            raise TaskError("Sandbox.Timedout", "the time limit is reached") from None
        except Exception as error:
            raise TaskError(type(error).__name__, _cause(error)) from error
        finally:
            wire.caller, clock.deadline = None, None

    def integrate(self, state: str, resource: str, parameters: Json) -> Json:
        """A call that Step Functions makes itself."""
        service, operation = _INTEGRATION.fullmatch(resource).groups()  # type: ignore[union-attr]
        client, wire = _client_without_retries(service), self._account.wire
        wire.caller = state
        self.invoked[state] += 1
        try:
            answer = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            raise TaskError(f"{service}.{type(error).__name__}", str(error)) from error
        except Exception as error:
            raise TaskError(f"{service}.SdkClientException", type(error).__name__) from error
        finally:
            wire.caller = None
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def invoke_by_event(self, name: str, event: Json) -> None:
        """As EventBridge does it: twice more after an error. What fails then is left."""
        for pause in (60, 120, None):
            try:
                self.invoke(name, event)
            except TaskError:
                if pause is not None:
                    self._account.clock.sleep(pause)
            else:
                return


@cache
def _client_without_retries(service: str) -> Any:
    """Nothing says that Step Functions tries again by itself: that is left to the definition."""
    untyped: Any = boto3
    return untyped.client(service, config=Config(retries={"total_max_attempts": 1}))


def _cause(error: Exception) -> str:
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})


class Execution:
    """One execution. `passed` are its states so far, `said` all that its history holds.

    It goes on from state to state, and not before `due`.
    """

    def __init__(self, executions: "Executions", arn: str, request: Any, started: datetime) -> None:
        self.arn = arn
        self.name = arn.rpartition(":")[2]
        self.passed: list[str] = []
        self.said: list[str] = [json.dumps(request)]
        self.error: str | None = None
        self.cause: str | None = None
        self.state: str | None = executions.definition["StartAt"]
        self.due = executions.clock.now()
        self._retries = 0
        self._all = executions
        context = {"Execution": {"Id": arn, "Name": self.name, "StartTime": iso(started)}}
        self._data = StateData(request, context)

    @property
    def status(self) -> str:
        return str(self._all.shown(self.arn).exec_status.value)

    def run(self) -> None:
        """Go on to the end, or to where it is stopped."""
        while self.state is not None:
            self._all.clock.sleep((self.due - self._all.clock.now()).total_seconds())
            self.step()

    def step(self) -> None:
        """Enter the next state, or try its task once more."""
        assert self.state is not None
        try:
            if self._retries == 0:
                self._all.before_state(self)
                self.passed.append(self.state)
            self._enter(self.state)
        except StoppedError:
            self._end(ExecutionStatus.ABORTED)

    def _enter(self, name: str) -> None:
        state: Json = self._all.definition["States"][name]
        match state["Type"]:
            case "Pass":
                result = state.get("Result", self._data.filled(state.get("Parameters")))
                self._data.put(state.get("ResultPath", "$"), result)
                self.state = state["Next"]
            case "Wait":
                self._wait(state)
            case "Choice":
                chosen = (each["Next"] for each in state["Choices"] if self._data.holds(each))
                self.state = next(chosen, state["Default"])
            case "Task":
                self._carry_out(name, state)
            case "Succeed":
                self._end(ExecutionStatus.SUCCEEDED)
            case "Fail":
                self.error = state.get("Error") or self._data.value(state["ErrorPath"])
                self.cause = state.get("Cause") or self._data.value(state["CausePath"])
                self._end(ExecutionStatus.FAILED)

    def _wait(self, state: Json) -> None:
        path: str = state["SecondsPath"]
        seconds: Any = None
        with contextlib.suppress(KeyError, TypeError):
            seconds = self._data.value(path)
        self.cause = wait_state.wait_seconds(path, seconds)
        if self.cause is not None:
            self.error = "States.Runtime"
            self._end(ExecutionStatus.FAILED)
            return
        self._rest(seconds)
        self.state = state["Next"]

    def _rest(self, seconds: float) -> None:
        self.due = self._all.clock.now() + timedelta(seconds=seconds)

    def _carry_out(self, name: str, state: Json) -> None:
        parameters = self._data.filled(state["Parameters"])
        self.said.append(json.dumps(parameters))
        try:
            answer = self._all.carry_out(name, state["Resource"], parameters)
        except TaskError as failure:
            self.said.append(f"{failure.name} {failure.cause}")
            if (pause := _pause(state, failure.name, self._retries)) is not None:
                self._retries += 1
                self._rest(pause)
                return
            self._retries = 0
            self._catch(state, failure)
            return
        self._retries = 0
        self.said.append(json.dumps(answer))
        if state.get("ResultPath", "$") is not None:
            self._data.put(state.get("ResultPath", "$"), answer)
        self.state = state["Next"]

    def _catch(self, state: Json, failure: TaskError) -> None:
        for catch in state.get("Catch", []):
            if _covers(catch, failure.name):
                self._data.put(catch["ResultPath"], {"Error": failure.name, "Cause": failure.cause})
                self.state = catch["Next"]
                return
        self.error, self.cause = failure.name, failure.cause
        self._end(ExecutionStatus.FAILED)

    def _end(self, status: ExecutionStatus) -> None:
        self.state = None
        shown = self._all.shown(self.arn)
        shown.exec_status, shown.stop_date = status, datetime.now(UTC)


class Executions:
    """All executions of the machine, which go on only when somebody runs them.

    `before_state` is told of every state before it is entered, and may stop the execution.
    `around` carries out a task's function, and may do it more than once. No event tells of the end
    of those in `unheard`.
    """

    def __init__(self, account: Account, stack: Stack, tasks: Tasks) -> None:
        self.clock = account.clock
        self.definition = stack.definition
        self.all: list[Execution] = []
        self.unheard: set[str] = set()
        self.before_state: Callable[[Execution], None] = lambda _: None
        self.around: Callable[[str, Callable[[], Json]], Json] = lambda _, once: once()
        self._account, self._stack, self._tasks = account, stack, tasks

    def start(self, request: Json, name: str) -> Execution:
        """As a person starts it from the console."""
        arn = self._account.client("stepfunctions").start_execution(
            stateMachineArn=self._stack.machine, name=name, input=json.dumps(request)
        )["executionArn"]
        self.discover()
        [found] = [each for each in self.all if each.arn == arn]
        return found

    def discover(self) -> list[Execution]:
        """All executions that have not ended."""
        known = {each.arn for each in self.all}
        for shown in self._shown():
            if shown.execution_arn not in known:
                data = shown.execution_input
                request = json.loads(data) if isinstance(data, str) else data
                self.all.append(Execution(self, shown.execution_arn, request, shown.start_date))
        return [each for each in self.all if each.state is not None]

    def run_all(self) -> None:
        """Every execution to its end, one after another, and then its event to CleanUp."""
        while going := self.discover():
            going[0].run()
            self.tell_of_end(going[0])

    def tell_of_end(self, execution: Execution) -> None:
        """As EventBridge tells of an execution that has not succeeded."""
        if execution.arn not in self.unheard and execution.status in ("FAILED", "ABORTED"):
            detail = {"executionArn": execution.arn, "status": execution.status}
            self._tasks.invoke_by_event("CleanUpFunction", {"detail": detail})

    def carry_out(self, state: str, resource: str, parameters: Json) -> Json:
        function = _FUNCTION.fullmatch(resource)
        if function is not None:
            return self.around(state, lambda: self._tasks.invoke(function[1], parameters))
        return self._tasks.integrate(state, resource, parameters)

    def shown(self, arn: str) -> Any:
        """What DescribeExecution reads."""
        [found] = [each for each in self._shown() if each.execution_arn == arn]
        return found

    def _shown(self) -> Iterator[Any]:
        backend = stepfunctions_parser_backends[ACCOUNT][REGION]
        yield from backend.describe_state_machine(self._stack.machine).executions


def _pause(state: Json, error: str, retries: int) -> float | None:
    """How long to wait before the task is tried again; None if it is not."""
    for rule in state.get("Retry", []):
        if _covers(rule, error):
            if retries >= rule.get("MaxAttempts", 3):
                return None
            pause = rule.get("IntervalSeconds", 1) * rule.get("BackoffRate", 2.0) ** retries
            return min(float(pause), float(rule.get("MaxDelaySeconds", pause)))
    return None


def _covers(rule: Json, error: str) -> bool:
    return bool({"States.ALL", error} & set(rule["ErrorEquals"]))
