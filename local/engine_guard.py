"""Makes the engine refuse what Step Functions refuses while it runs a state machine.

The engine executes a state machine inside its own process, where the front sees nothing of it. So
this file is run in that process before the engine starts. Nothing else of ours is importable there.
"""

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ministack.services import stepfunctions  # type: ignore[import-untyped]

type _Wait = Callable[..., tuple[Any, str]]

_why_refused: Callable[[str, object], str | None] = runpy.run_path(
    str(Path(__file__).with_name("strict.py"))
)["wait_seconds"]


def _strict(execute: _Wait) -> _Wait:
    def execute_wait(
        state: Mapping[str, Any], data: object, context: Mapping[str, Any] | None = None
    ) -> tuple[Any, str]:
        cause = None
        if stepfunctions._state_query_language(state, context) != "JSONPath":
            pass  # the engine itself is strict with JSONata
        elif (path := state.get("SecondsPath")) is not None:
            cause = _why_refused(path, stepfunctions._resolve_path(path, data))
        elif "Seconds" in state:
            # Step Functions would not even create this state machine.
            cause = _why_refused("Seconds", state["Seconds"])
        if cause is not None:
            raise stepfunctions._ExecutionError("States.Runtime", cause)
        return execute(state, data, context)

    return execute_wait


stepfunctions._execute_wait = _strict(stepfunctions._execute_wait)
