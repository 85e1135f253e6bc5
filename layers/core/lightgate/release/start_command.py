"""The AWS command that starts an execution of the state machine by hand."""

import json
import shlex
from collections.abc import Mapping


def start_command(execution: str, request: Mapping[str, object]) -> str:
    """The command that starts one with the input `request`, in the state machine of `execution`.

    `execution` is the ARN of an execution. The command can be copied to a shell.
    """
    machine = execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    text = json.dumps(request, ensure_ascii=False)
    return (
        f"aws stepfunctions start-execution --state-machine-arn {machine}"
        f" --input {shlex.quote(text)}"
    )
