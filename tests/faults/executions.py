"""Executions of the state machine, in virtual time: Retry, Catch, Wait and time limits included."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from moto.stepfunctions.parser.api import ExecutionStatus

from tests.faults.account import Account
from tests.faults.clock import TimeIsUp
from tests.faults.stack import Json, Stack
from tests.faults.wire import Killed
from tests.support import state_machine
from tests.support.state_machine import TaskError, call_service, covers


class StoppedError(Exception):
    """The execution was stopped from outside."""


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

    def call_service(self, state: str, service: str, operation: str, parameters: Json) -> Json:
        """A call that Step Functions makes itself."""
        wire = self._account.wire
        wire.caller = state
        self.invoked[state] += 1
        try:
            return call_service(_client_without_retries(service), service, operation, parameters)
        finally:
            wire.caller = None

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


class Execution(state_machine.Execution):
    """One execution. It goes on from state to state, and not before `due`."""

    _all: "Executions"

    def __init__(self, executions: "Executions", shown: Any) -> None:
        super().__init__(executions, shown)
        self.due = executions.clock.now()
        self._retries = 0

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
        retries = self._retries
        try:
            if retries == 0:
                self._all.before_state(self)
                self.passed.append(self.state)
            self.enter()
        except StoppedError:
            self.end(ExecutionStatus.ABORTED)
        if self._retries == retries:
            self._retries = 0

    def sleep(self, seconds: float) -> None:
        self.due = self._all.clock.now() + timedelta(seconds=seconds)

    def invoke(self, function: str, parameters: Json) -> Json:
        assert self.state is not None
        tasks = self._all.tasks
        return self._all.around(self.state, lambda: tasks.invoke(function, parameters))

    def call_service(self, service: str, operation: str, parameters: Json) -> Json:
        assert self.state is not None
        return self._all.tasks.call_service(self.state, service, operation, parameters)

    def tries_again(self, state: Json, failure: TaskError) -> bool:
        pause = _pause(state, failure.name, self._retries)
        if pause is not None:
            self._retries += 1
            self.sleep(pause)
        return pause is not None


class Executions(state_machine.Executions[Execution]):
    """All executions of the machine, which go on only when somebody runs them.

    `before_state` is told of every state before it is entered, and may stop the execution.
    `around` carries out a task's function, and may do it more than once. No event tells of the end
    of those in `unheard`.
    """

    def __init__(self, account: Account, stack: Stack, tasks: Tasks) -> None:
        super().__init__(
            stack.definition,
            stack.machine,
            account.client("stepfunctions"),
            lambda shown: Execution(self, shown),
        )
        self.clock, self.tasks = account.clock, tasks
        self.unheard: set[str] = set()
        self.before_state: Callable[[Execution], None] = lambda _: None
        self.around: Callable[[str, Callable[[], Json]], Json] = lambda _, once: once()

    def run_all(self) -> None:
        """Every execution to its end, one after another, and then its event to CleanUp."""
        while going := self.discover():
            going[0].run()
            self.tell_of_end(going[0])

    def tell_of_end(self, execution: Execution) -> None:
        """As EventBridge tells of an execution that has not succeeded."""
        if execution.arn not in self.unheard and execution.status in ("FAILED", "ABORTED"):
            detail = {"executionArn": execution.arn, "status": execution.status}
            self.tasks.invoke_by_event("CleanUpFunction", {"detail": detail})


def _pause(state: Json, error: str, retries: int) -> float | None:
    """How long to wait before the task is tried again; None if it is not."""
    for rule in state.get("Retry", []):
        if covers(rule, error):
            if retries >= rule.get("MaxAttempts", 3):
                return None
            pause = rule.get("IntervalSeconds", 1) * rule.get("BackoffRate", 2.0) ** retries
            return min(float(pause), float(rule.get("MaxDelaySeconds", pause)))
    return None
