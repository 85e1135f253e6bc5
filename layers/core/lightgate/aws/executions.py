"""AWS Step Functions: starting the state machine `release`."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code


class Executions:
    def __init__(self, client: Any, state_machine: str) -> None:  # noqa: ANN401
        self._client = client
        self._state_machine = state_machine

    def start(self, name: str, request: Mapping[str, str]) -> bool:
        """Start an execution of this name unless there has been one; whether it was new.

        While the first is running, starting it again with the same input succeeds
        without an effect, and that also counts as new.
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine, name=name, input=json.dumps(request)
            )
        except ClientError as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise
            return False
        return True
