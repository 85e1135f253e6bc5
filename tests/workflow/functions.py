"""Our Lambda functions in this process, invoked as Lambda invokes them."""

import contextlib
import importlib
import io
import json
import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from lightgate import runtime
from lightgate.runtime import Runtime
from tests.component.clock import Clock
from tests.workflow.site import Site

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a handler of its invocation."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:of-the-tests"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Invocation:
    """What CloudWatch counts of a function: that it ran, and whether an error ended it."""

    function: str
    at: datetime
    failed: bool


class Functions:
    """All functions by the names of their folders. `invocations` are those that have run.

    `log` is everything they have written. A fault is met by one invocation: it is cut off
    `before` it does anything, or `after` it has done everything, its result being lost.
    `is_down` says whether Lambda refuses to run a function, `running` names the one that runs.
    """

    def __init__(
        self, patch: pytest.MonkeyPatch, clock: Clock, site: Site, environment: Json
    ) -> None:
        self.twice = False
        self.is_down: Callable[[], bool] = lambda: False
        self.running: str | None = None
        self.invoked: Counter[str] = Counter()
        self.invocations: list[Invocation] = []
        self._clock = clock
        self._log = io.StringIO()
        self._faults: dict[str, deque[str]] = defaultdict(deque)
        self._events: dict[str, deque[Callable[[], object]]] = defaultdict(deque)
        for name, value in {**environment, "POWERTOOLS_TRACE_DISABLED": "1"}.items():
            patch.setenv(name, value)
        patch.setattr(Runtime, "now", lambda _self: clock.now())
        patch.setattr(Runtime, "pause", lambda _self, time: clock.sleep(time.total_seconds()))
        patch.setattr(Runtime, "ask", lambda _self, url, probe: site.answer(url, probe))
        runtime._runtime.cache_clear()
        # Powertools keeps its handler, and the stream in it, for the life of the process.
        Logger(service="lightgate").registered_handler.setStream(self._log)  # type: ignore[attr-defined]

    @property
    def log(self) -> str:
        return self._log.getvalue()

    def fail(self, name: str, *faults: str) -> None:
        self._faults[name].extend(faults)

    def before(self, name: str, event: Callable[[], object], *, call: int = 1) -> None:
        """What happens in the world just before the function is invoked for the n-th time."""
        self._events[name] = deque([*[lambda: None] * (call - 1), event])

    def call(self, name: str, event: Json) -> Json:
        """What the handler returns; every exception passes."""
        handler = importlib.import_module(f"functions.{name}.app").handler
        self.running, failed = name, True
        try:
            with contextlib.redirect_stdout(self._log):
                answer: Json = json.loads(json.dumps(handler(event, Context(name))))
            failed = False
        finally:
            self.running = None
            self.invocations.append(Invocation(name, self._clock.now(), failed))
        return answer

    def invoke(self, name: str, payload: str) -> tuple[Json, bool]:
        """The payload of the answer, and whether it is an error."""
        self.invoked[name] += 1
        if self._events[name]:
            self._events[name].popleft()()
        fault = self._faults[name].popleft() if self._faults[name] else None
        try:
            if self.is_down():
                raise RuntimeError("Lambda is down")
            if fault == "before":
                raise RuntimeError("cut off before")
            answer = self.call(name, json.loads(payload))
            if self.twice:
                answer = self.call(name, json.loads(payload))
            if fault == "after":
                raise RuntimeError("cut off after")
        except Exception as error:  # noqa: BLE001 - as Lambda does
            return {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": Context(name).aws_request_id,
                "stackTrace": traceback.format_tb(error.__traceback__),
            }, True
        return answer, False
