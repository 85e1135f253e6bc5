"""Executions that are walked through the real definition one task at a time.

The interpreter of `release_machine` runs an execution to its end in one go. Here the test
decides which execution goes on after every task, when one is stopped, and whether it is redriven.
A task that fails is not tried again.
"""

import json

import pytest
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from tests.support.state_machine import Execution, Executions, Json, TaskError, call_service
from tests.workflow.release_machine import definition, visited
from tests.workflow.world import World


class Walk(Execution):
    _all: "Stepper"
    stopped_at = ""

    @property
    def tasks(self) -> list[str]:
        """The tasks that were carried out."""
        return [name for name in self.passed if self.definition(name)["Type"] == "Task"]

    def step(self) -> None:
        """Go on until a task has been carried out, or to the end."""
        is_task = False
        while self.state is not None and not is_task:
            is_task = self.definition(self.state)["Type"] == "Task"
            self.enter()
        # Where the task leads may not need any work.
        while self.state is not None and self.definition(self.state)["Type"] in _EFFORTLESS:
            self.enter()

    def run(self) -> "Walk":
        while self.state is not None:
            self.enter()
        return self

    def run_to(self, state: str) -> "Walk":
        """Go on until the state is what comes next; it must come."""
        while self.state != state:
            assert self.state is not None, (state, self.passed)
            self.enter()
        return self

    def enter(self) -> None:
        assert self.state is not None
        visited.add(self.state)
        self.passed.append(self.state)
        super().enter()

    def replace_answer(self, step: str, answer: Json) -> None:
        """Let the state have another answer of the step than that which it gave."""
        self._data.put(f"$.{step}", answer)

    def stop(self) -> None:
        """As StopExecution: it goes nowhere from here."""
        assert self.state is not None
        self.stopped_at = self.state
        self.end(ExecutionStatus.ABORTED)

    def redrive(self) -> "Walk":
        """Go on where it was stopped: a second `Walk` for the same execution."""
        shown = self._all.shown(self.arn)
        shown.exec_status = ExecutionStatus.RUNNING
        again = Walk(self._all, shown)
        again._data, again.state = self._data, self.stopped_at
        return again

    def sleep(self, seconds: float) -> None:
        self._all.world.clock.sleep(seconds)

    def invoke(self, function: str, parameters: Json) -> Json:
        answer, is_error = self._all.world.functions.invoke(function, json.dumps(parameters))
        if is_error:
            raise TaskError(answer["errorType"], json.dumps(answer))
        return answer

    def call_service(self, service: str, operation: str, parameters: Json) -> Json:
        machine = self._all.world.machine
        machine.caller = self._all.caller
        try:
            client = self._all.world.cloud.client(service)
            return call_service(client, service, operation, parameters)
        finally:
            machine.caller = None


_EFFORTLESS = ("Pass", "Choice", "Succeed", "Fail")


class Stepper(Executions[Walk]):
    """All executions of the machine in a world where none goes on by itself."""

    caller = "ReleaseStateMachine"

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        super().__init__(
            json.loads(definition(world.topic)),
            world.machine.arn,
            world.cloud.client("stepfunctions"),
            lambda shown: Walk(self, shown),
        )
        patch.setattr(ExecutionWorker, "start", lambda _: None)

    def walk(self, name: str) -> Walk:
        """The execution of this name, also if another execution has started it."""
        self.discover()
        [found] = [walk for walk in self.all if walk.name == name]
        return found

    def run_all(self) -> None:
        """Every execution to its end, and those that they start."""
        while going := self.discover():
            going[0].run()

    def clean_up(self, walk: Walk, **detail: object) -> None:
        """What EventBridge does when an execution has ended other than well."""
        event = {"detail": {"executionArn": walk.arn, "status": "ABORTED", **detail}}
        self.world.functions.call("clean_up", event)

    def erase(self, walk: Walk) -> None:
        """What AWS does to an execution that ended 90 days ago."""
        self.kept().remove(self.shown(walk.arn))
