"""Executions of the state machine, one state at a time, as moto keeps them.

It understands what the definition uses, and nothing else. Whoever walks through it decides how a
task is carried out and how time passes.
"""

import contextlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.cloud import aws_rules
from tests.component.cloud import ACCOUNT, REGION

type Json = dict[str, Any]

_CONSOLE = f"https://{REGION}.console.aws.amazon.com"
EXECUTION_PAGES = f"{_CONSOLE}/states/home?region={REGION}#/v2/executions/details/"
DASHBOARD_PAGE = (
    f"{_CONSOLE}/cloudwatch/home?region={REGION}#dashboards/dashboard/lightgate-releases"
)
_INTEGRATION = re.compile(r"arn:aws:states:::(\w+):(\w+)")
_FUNCTION = re.compile(r"arn:aws:lambda:.*:function:(\w+)")


def with_pages(definition: str) -> str:
    """The definition with the pages of the console, as the template fills them in."""
    text = definition.replace("${ExecutionPages}", EXECUTION_PAGES)
    return text.replace("${DashboardPage}", DASHBOARD_PAGE)


class TaskError(Exception):
    """A task has failed: with the name by which Retry and Catch know it, and why."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(name, cause)
        self.name, self.cause = name, cause


class Execution:
    """One execution. `state` is what it enters next, None when it has ended.

    `passed` are its states so far, `said` all that its history holds.
    """

    def __init__(self, executions: "Executions[Any]", shown: Any) -> None:
        self.arn: str = shown.execution_arn
        self.name = self.arn.rpartition(":")[2]
        self.state: str | None = executions.definition["StartAt"]
        self.passed: list[str] = []
        self.error: str | None = None
        self.cause: str | None = None
        given = shown.execution_input
        request = json.loads(given) if isinstance(given, str) else given
        self.said: list[str] = [json.dumps(request)]
        execution = {"Id": self.arn, "Name": self.name, "StartTime": iso(shown.start_date)}
        self._data = StateData(request, {"Execution": execution})
        self._all = executions

    @property
    def data(self) -> Any:
        """What it carries from state to state."""
        return self._data.data

    def sleep(self, seconds: float) -> None:
        """What a Wait does."""
        raise NotImplementedError

    def invoke(self, function: str, parameters: Json) -> Json:
        """What the function of a task returns; a TaskError if it fails."""
        raise NotImplementedError

    def call_service(self, service: str, operation: str, parameters: Json) -> Json:
        """What a call that Step Functions makes itself answers; a TaskError if it fails."""
        raise NotImplementedError

    def tries_again(self, state: Json, failure: TaskError) -> bool:  # noqa: ARG002
        """Whether the task that has failed is what comes next again."""
        return False

    def definition(self, name: str) -> Json:
        found: Json = self._all.definition["States"][name]
        return found

    def enter(self) -> None:
        """Pass the next state, or try its task once."""
        assert self.state is not None
        state = self.definition(self.state)
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
                self._carry_out(state)
            case "Succeed":
                self.end(ExecutionStatus.SUCCEEDED)
            case "Fail":
                error = state.get("Error") or self._data.value(state["ErrorPath"])
                self._fail(error, state.get("Cause") or self._data.value(state["CausePath"]))

    def task_input(self) -> Json:
        """What the task that comes next gives to its function."""
        assert self.state is not None
        parameters: Json = self._data.filled(self.definition(self.state)["Parameters"])
        return parameters

    def end(self, status: ExecutionStatus) -> None:
        self.state = None
        shown = self._all.shown(self.arn)
        shown.exec_status, shown.stop_date = status, datetime.now(UTC)

    def _wait(self, state: Json) -> None:
        path: str = state["SecondsPath"]
        seconds: Any = None
        with contextlib.suppress(KeyError, TypeError):
            seconds = self._data.value(path)
        if (cause := aws_rules.wait_seconds(path, seconds)) is not None:
            self._fail("States.Runtime", cause)
            return
        self.sleep(seconds)
        self.state = state["Next"]

    def _carry_out(self, state: Json) -> None:
        parameters, resource = self.task_input(), state["Resource"]
        self.said.append(json.dumps(parameters))
        try:
            if (function := _FUNCTION.fullmatch(resource)) is not None:
                answer = self.invoke(function[1], parameters)
            else:
                service, operation = _INTEGRATION.fullmatch(resource).groups()  # type: ignore[union-attr]
                answer = self.call_service(service, xform_name(operation), parameters)
        except TaskError as failure:
            self.said.append(f"{failure.name} {failure.cause}")
            if not self.tries_again(state, failure):
                self._catch(state, failure)
            return
        self.said.append(json.dumps(answer))
        if state.get("ResultPath", "$") is not None:
            self._data.put(state.get("ResultPath", "$"), answer)
        self.state = state["Next"]

    def _catch(self, state: Json, failure: TaskError) -> None:
        for catch in state.get("Catch", []):
            if covers(catch, failure.name):
                self._data.put(catch["ResultPath"], {"Error": failure.name, "Cause": failure.cause})
                self.state = catch["Next"]
                return
        self._fail(failure.name, failure.cause)

    def _fail(self, error: str, cause: str) -> None:
        self.error, self.cause = error, cause
        self.end(ExecutionStatus.FAILED)


class Executions[Walked: Execution]:
    """All executions of the machine, of which none goes on by itself."""

    def __init__(
        self, definition: Json, machine: str, client: Any, make: Callable[[Any], Walked]
    ) -> None:
        self.definition = definition
        self.all: list[Walked] = []
        self._machine, self._client, self._make = machine, client, make

    def start(self, request: object, name: str) -> Walked:
        """As StartExecution; the execution is at its beginning."""
        arn = self._client.start_execution(
            stateMachineArn=self._machine, name=name, input=json.dumps(request)
        )["executionArn"]
        self.discover()
        [found] = [each for each in self.all if each.arn == arn]
        return found

    def discover(self) -> list[Walked]:
        """Take up what somebody else has started; all that have not ended."""
        known = {each.arn for each in self.all}
        new = [each for each in self.kept() if each.execution_arn not in known]
        self.all += [self._make(each) for each in new]
        return [each for each in self.all if each.state is not None]

    def shown(self, arn: str) -> Any:
        """What DescribeExecution reads."""
        [found] = [each for each in self.kept() if each.execution_arn == arn]
        return found

    def kept(self) -> list[Any]:
        """Everything that AWS has of the machine; a removed one is forgotten."""
        backend = stepfunctions_parser_backends[ACCOUNT][REGION]
        kept: list[Any] = backend.describe_state_machine(self._machine).executions
        return kept


def call_service(client: Any, service: str, operation: str, parameters: Json) -> Json:
    """The answer, or a failure by the name that Step Functions gives it."""
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as error:
        raise TaskError(f"{service}.{type(error).__name__}", str(error)) from error
    except Exception as error:
        raise TaskError(f"{service}.SdkClientException", type(error).__name__) from error
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def covers(rule: Json, error: str) -> bool:
    """Whether a rule of Retry or Catch is about the error."""
    return bool({"States.ALL", error} & set(rule["ErrorEquals"]))


class StateData:
    """The data of an execution and its context object, by the JSONPath that the definition uses."""

    def __init__(self, data: Any, context: Json) -> None:
        self.data = data
        self._context = context

    def value(self, path: str) -> Any:
        """What a path or an intrinsic function gives. A missing key is a KeyError."""
        if path.startswith("States.Format("):
            template, *values = path.removeprefix("States.Format('").rstrip(")").split("', ")
            return template.format(*(self.value(each) for each in values[0].split(", ")))
        if path.startswith("States.JsonToString("):
            return json.dumps(self.value(path.removeprefix("States.JsonToString(").rstrip(")")))
        value = self._context if path.startswith("$$") else self.data
        for key in path.lstrip("$").split(".")[1:]:
            value = value[key]
        return value

    def filled(self, template: Any) -> Any:
        """Parameters with their paths followed."""
        if not isinstance(template, dict):
            return template
        return {
            key.removesuffix(".$"): self.value(value) if key.endswith(".$") else self.filled(value)
            for key, value in template.items()
        }

    def put(self, path: str, value: Any) -> None:
        key = path.lstrip("$").lstrip(".")
        self.data = {**self.data, key: value} if key else value

    def holds(self, rule: Json) -> bool:
        """Whether a rule of a Choice holds."""
        if "Not" in rule:
            return not self.holds(rule["Not"])
        if "And" in rule:
            return all(self.holds(each) for each in rule["And"])
        if "Or" in rule:
            return any(self.holds(each) for each in rule["Or"])
        if "IsPresent" in rule:
            with contextlib.suppress(KeyError, TypeError):
                self.value(rule["Variable"])
                return bool(rule["IsPresent"])
            return not rule["IsPresent"]
        if "IsString" in rule:
            return isinstance(self.value(rule["Variable"]), str) is rule["IsString"]
        [expected] = [value for key, value in rule.items() if key.endswith("Equals")]
        return bool(self.value(rule["Variable"]) == expected)


def iso(moment: datetime) -> str:
    """The moment as the context object has it."""
    in_utc = moment.astimezone(UTC)
    return in_utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{in_utc.microsecond // 1000:03}Z"
