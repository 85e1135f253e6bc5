"""AWS Step Functions: executions of the state machine `release`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code
from lightgate.release.lock import execution_name_of

# An execution that is about to be redriven is not over either.
_GOING_ON = {"RUNNING", "PENDING_REDRIVE"}
GONE = "GONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedExecution:
    """An execution that is over. One that AWS has forgotten is GONE, without start and input."""

    arn: str
    status: str
    started_at: datetime | None
    input: str | None


class Executions:
    def __init__(self, client: Any, state_machine: str) -> None:  # noqa: ANN401
        self._client = client
        self._state_machine = state_machine

    def start(self, name: str, request: Mapping[str, Any]) -> bool:
        """Start an execution of this name unless there has been one; whether it was new.

        While the first is running, starting it again with the same input succeeds
        without an effect, and that also counts as new.
        """
        return self._start(self._state_machine, name, request)

    def start_rehearsal(self, name: str, request: Mapping[str, Any]) -> bool:
        """The same for an execution of the state machine of rehearsals."""
        return self._start(
            f"{self._state_machine.removesuffix('-release')}-rehearsal", name, request
        )

    def rehearsal_arn(self, name: str) -> str:
        """The ARN of the rehearsal's execution of this name."""
        return f"{self.arn(name).removesuffix(f'-release:{name}')}-rehearsal:{name}"

    def _start(self, machine: str, name: str, request: Mapping[str, Any]) -> bool:
        try:
            self._client.start_execution(
                stateMachineArn=machine, name=name, input=json.dumps(request)
            )
        except ClientError as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise
            return False
        return True

    def arn(self, name: str) -> str:
        return self._state_machine.replace(":stateMachine:", ":execution:") + f":{name}"

    def has(self, arn: str) -> bool:
        """Whether the ARN is of an execution of this state machine, in this account and region."""
        name = execution_name_of(arn)
        return bool(name) and arn == self.arn(name)

    def ended(self, arn: str) -> EndedExecution | None:
        """The execution, if Step Functions says that it is over; None while it may still act.

        The answer may be seconds old: an execution that has just begun can be GONE, one that has
        just ended can still be running.
        """
        try:
            found = self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error_code(error) != "ExecutionDoesNotExist":
                raise
            return EndedExecution(arn=arn, status=GONE, started_at=None, input=None)
        if found["status"] in _GOING_ON:
            return None
        return EndedExecution(
            arn=arn,
            status=found["status"],
            started_at=found["startDate"],
            input=found.get("input"),
        )

    def was_redriven(self, arn: str, redrives: int) -> bool:
        """Whether the execution goes on because it was redriven more often than that."""
        found = self._client.describe_execution(executionArn=arn)
        again = int(found.get("redriveCount", 0)) > redrives
        return found["status"] == "PENDING_REDRIVE" or (found["status"] in _GOING_ON and again)
