"""Apps that are pushed at the same moment, each with its own service and database.

The real functions and the real state machine run in the simulated account of `tests/faults`. Each
execution has a thread. One thread runs at a time, and the next one goes on while it waits. So a
function that waits within itself delays no other release. As in Lambda, an environment serves one
call at a time, and a new one remembers nothing.
"""

import heapq
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from types import ModuleType
from typing import Any

from lightgate.aws.dynamodb import as_values
from tests.faults.gate import Plan
from tests.faults.matrix import new_world
from tests.faults.wire import Call
from tests.faults.world import App, World

# What a call of AWS takes. It moves the clock of all by less: a function waits for the rest at its
# end, while others go on.
ROUND_TRIP, _CALL = timedelta(milliseconds=40), timedelta(milliseconds=1)
_SNAPSHOT, _WATCH = timedelta(seconds=180), 120
_LOOK = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the second releases of all apps have used together.

    `requests` counts the calls of AWS, `entered` the states and `running` the functions that ran,
    by the second since the pushes.
    """

    apps: int
    transitions: int
    calls: int
    environments: int
    dollars: float
    seconds: float
    requests: Mapping[str, Mapping[int, int]]
    entered: Mapping[int, int]
    running: Mapping[int, int]

    @property
    def requested(self) -> int:
        return sum(sum(each.values()) for each in self.requests.values())


def released(apps: int) -> Used:
    """Release so many apps at once, twice. For good: this process keeps the world and its clock.

    The first releases are the past from which the second ones know how long everything takes.

    Raises:
        RuntimeError: one of the releases has not succeeded.
    """
    world = new_world()
    world.clock.call_takes = _CALL
    for number in range(2, apps + 1):
        world.add_app(_app(number))
    world.account.database.snapshot_takes = _SNAPSHOT
    for app in world.apps:
        world.put_spec(
            {**app.spec, "pollSeconds": 10, "verification": {"watchSeconds": _WATCH}}, app
        )
    crowd = _Crowd(world)
    crowd.release("v1", "a.0001")
    crowd.forget()
    world.clock.sleep(3600)
    return crowd.release("v2", "a.0002")


def _app(number: int) -> App:
    name = f"shop-{number:02}"
    return App(
        name=name, database=f"{name}-db", secrets=f"of-{name}", canaries=(f"a-{name}", f"b-{name}")
    )


class _Crowd:
    def __init__(self, world: World) -> None:
        self._world = world
        self._invoke_one = world.tasks.invoke
        self._turns = _Turns(world)
        self.forget()
        for function in world.stack.functions.values():
            if (runtime := function.modules.get("lightgate.runtime")) is not None:
                # A client keeps nothing between two calls, and making one takes long.
                runtime.make_client = cache(runtime.make_client)  # type: ignore[attr-defined]
        world.tasks.invoke = self._invoke  # type: ignore[method-assign]
        world.account.wire.before = self._count
        world.executions.before_state = lambda _: self._entered.update([self._second()])

    def forget(self) -> None:
        """Begin to count anew, with new environments."""
        self._idle: Mapping[str, list[Any]] = defaultdict(list)
        self._environments = 0
        self._made: Counter[int] = Counter()
        self._calls: Counter[str] = Counter()
        self._requests: dict[str, Counter[int]] = defaultdict(Counter)
        self._entered: Counter[int] = Counter()
        self._running: Counter[int] = Counter()

    def release(self, tag: str, migration: str) -> Used:
        world = self._world
        before = {each.id for each in world.releases()}
        events = []
        for app in world.apps:
            digest = world.push_image(tag, Plan(migrations=(migration,)), app)
            events.append(world.push_event(tag, digest, app))
        self._began = world.clock.now()
        for event in events:
            self._turns.start(partial(self._invoke, "ReceivePushFunction", event))
        self._turns.run()
        ended = [each for each in world.releases() if each.id not in before]
        if [each.status for each in ended] != ["SUCCEEDED"] * len(world.apps):
            raise RuntimeError(f"not all have succeeded: {Counter(each.status for each in ended)}")
        new = {f"release#{each.id}" for each in ended}
        costs = [
            as_values(item)["outcome"]["cost"]["dollars"]
            for item in world.items()
            if item["item"]["S"] in new and "outcome" in item
        ]
        return Used(
            apps=len(world.apps),
            transitions=self._entered.total(),
            calls=self._calls.total(),
            environments=self._environments,
            dollars=sum(costs),
            seconds=(world.clock.now() - self._began).total_seconds(),
            requests={name: dict(seconds) for name, seconds in self._requests.items()},
            entered=dict(self._entered),
            running=dict(self._running),
        )

    def _count(self, call: Call) -> None:
        self._requests[call.name][self._second()] += 1
        self._made[threading.get_ident()] += 1

    def _second(self) -> int:
        return int((self._world.clock.now() - self._began).total_seconds())

    def _invoke(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        """Run the function in an environment that is idle, or in a new one."""
        function = self._world.stack.functions[name]
        runtime: Any = function.modules["lightgate.runtime"]
        idle, thread = self._idle[name], threading.get_ident()
        if idle:
            environment = idle.pop()
        else:
            self._environments += 1
            settings = runtime.Settings.from_environment({**os.environ, **function.environment})
            environment = runtime.Runtime(settings)
        runtime._runtime = lambda: environment
        self._calls[name] += 1
        self._made[thread] = 0
        began = self._second()
        try:
            return self._invoke_one(name, event)
        finally:
            self._world.clock.sleep(self._made[thread] * (ROUND_TRIP - _CALL).total_seconds())
            self._running.update(range(began, self._second() + 1))
            idle.append(environment)


class _Turns:
    """Work that waits by the virtual clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pass_time = world.clock.sleep
        self._numbers = itertools.count()
        self._waiting: list[tuple[datetime, int, threading.Event]] = []
        self._back, self._next_look = threading.Event(), world.clock.now()
        self._failures: list[BaseException] = []
        world.clock.sleep = self._sleep  # type: ignore[method-assign]
        time.sleep = self._sleep  # type: ignore[assignment]

    def start(self, work: Callable[[], object]) -> None:
        turn = self._turn(self._world.clock.now())

        def carry_out() -> None:
            turn.wait()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - the main thread raises it
                self._failures.append(error)
            finally:
                self._back.set()

        threading.Thread(target=carry_out, daemon=True).start()

    def run(self) -> None:
        """Everything to its end, also executions that are started meanwhile."""
        known: set[str] = set()
        while self._waiting:
            due, _, turn = heapq.heappop(self._waiting)
            self._pass_until(due)
            self._back.clear()
            turn.set()
            self._back.wait()
            if self._failures:
                raise self._failures[0]
            for execution in self._world.executions.discover():
                if execution.arn not in known:
                    known.add(execution.arn)
                    self.start(execution.run)

    def _pass_until(self, due: datetime) -> None:
        """Let gates act every two seconds only: they ask S3 each time."""
        clock = self._world.clock
        while clock.now() < due:
            if clock.now() >= self._next_look:
                clock._tell()
                self._next_look = clock.now() + _LOOK
            clock._pass(min(due, self._next_look) - clock.now())

    def _turn(self, due: datetime) -> threading.Event:
        turn = threading.Event()
        heapq.heappush(self._waiting, (due, next(self._numbers), turn))
        return turn

    def _sleep(self, seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            self._pass_time(seconds)
            return
        turn = self._turn(self._world.clock.now() + timedelta(seconds=max(0.0, seconds)))
        with self._put_away():
            self._back.set()
            turn.wait()

    @contextmanager
    def _put_away(self) -> Iterator[None]:
        """Keep what a function has in this process while others run."""
        wire, world_clock = self._world.account.wire, self._world.clock
        caller, deadline = wire.caller, world_clock.deadline
        variables, modules = dict(os.environ), _taken_out()
        wire.caller, world_clock.deadline = None, None
        sys.modules.update(_OWN)
        try:
            yield
        finally:
            _taken_out()
            sys.modules.update(modules)
            os.environ.clear()
            os.environ.update(variables)
            wire.caller, world_clock.deadline = caller, deadline


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "lightgate"]
    return {name: sys.modules.pop(name) for name in names}


_OWN = {
    name: module for name, module in sys.modules.items() if name.partition(".")[0] == "lightgate"
}


def main() -> None:
    used = released(int(sys.argv[1]))
    print(json.dumps(asdict(used)), file=sys.__stdout__)


if __name__ == "__main__":
    main()
