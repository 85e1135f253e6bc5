"""Every run, struck by every fault at every call and state that it was recorded to make.

One process prepares a world and acts. At each call it forks for every fault: the child meets the
fault, goes on to the end and checks what must hold; the parent goes on undisturbed. So all
children of a run share its past, and none disturbs another one.
"""

import gc
import io
import json
import os
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import FrameType

import pytest

from tests.faults.checks import Findings, find
from tests.faults.executions import Execution, StoppedError, TaskError
from tests.faults.faults import (
    CALL_FAULTS,
    OF_FUNCTIONS_ONLY,
    OF_TASKS_ONLY,
    RUN_FAULTS,
    STATE_FAULTS,
    fault,
    passes,
    strike,
)
from tests.faults.runs import RUNS, Run
from tests.faults.stack import Json
from tests.faults.wire import Call
from tests.faults.world import World

_LONGEST_CASE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A call in a run, or a state of it.

    It is in the `turn`-th invocation of `caller`, the `number`-th of its name. A state has no name
    of a call, and is its own caller. `faults` are those that there can be.
    """

    caller: str
    turn: int
    name: str
    number: int
    faults: Sequence[str]

    @property
    def call(self) -> tuple[str, str, int]:
        """The same in every invocation."""
        return self.caller, self.name, self.number

    @property
    def what(self) -> tuple[str, str]:
        """The state, or the call of the function, wherever in a run it is."""
        return self.caller, self.name

    def __str__(self) -> str:
        call = f", {self.name} {self.number}" if self.name else ""
        return f"{self.caller} {self.turn}{call}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run with one fault, and everything that was wrong then."""

    run: str
    place: str
    call: str
    fault: str
    problems: Sequence[str]

    @property
    def label(self) -> str:
        return f"{self.run}: {self.place}: {self.fault}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """All places of a run without a fault, and how its release ends, see `Findings`."""

    places: Sequence[Place]
    ending: str


class Striker:
    """Watches a run, and forks at each place for each fault that `wanted` has for it."""

    def __init__(
        self,
        world: World,
        run: str,
        results: Path,
        wanted: Callable[[Place, str], bool],
        *,
        expected: str | None = None,
        is_alone: bool = False,
    ) -> None:
        self._world, self._run, self._results, self._wanted = world, run, results, wanted
        self._is_alone, self._expected = is_alone, expected
        self._seen: Counter[tuple[str, int, str]] = Counter()
        self._entered: Counter[str] = Counter()
        self.places: list[Place] = []
        self.case: tuple[Place, str, str] | None = None

    def begin(self) -> None:
        """The next that happens in the world is looked at."""
        place = self._place("event", 1, "", RUN_FAULTS)
        for name in place.faults:
            if self._wanted(place, name) and self._fork(place, "event", name):
                strike(name, self._world)
                return
        self._world.account.wire.before = self._call
        self._world.executions.before_state = self._state

    def end(self, found: Findings) -> Sequence[str]:
        """What was wrong with the run that is over. A child writes it down, and is gone."""
        if self.case is None:
            return found.problems
        place, call, name = self.case
        problems = list(found.problems)
        if passes(name, *place.what) and found.ending != self._expected:
            problems.append(f"it ended: {found.ending}; and without the fault: {self._expected}")
        if self._is_alone:
            return problems
        self._write(place, call, name, problems)
        os._exit(0)

    def _call(self, call: Call) -> None:
        if self.case is not None or self._world.is_over:
            return
        faults = CALL_FAULTS
        if not call.caller.endswith("Function"):
            faults = tuple(name for name in faults if name not in OF_FUNCTIONS_ONLY)
        turn = self._world.tasks.invoked[call.caller]
        place = self._place(call.caller, turn, call.name, faults)
        for name in place.faults:
            if self._wanted(place, name) and self._fork(place, call.name, name):
                self._world.account.wire.fault = fault(name, self._world)
                return

    def _state(self, execution: Execution) -> None:
        if self.case is not None or self._world.is_over or execution.state is None:
            return
        state = execution.state
        self._entered[state] += 1
        is_task = self._world.stack.definition["States"][state]["Type"] == "Task"
        # Whoever stops it before it has done anything leaves nothing to clean up.
        has_begun = "Admit" in execution.passed
        faults = tuple(
            name
            for name in STATE_FAULTS
            if (is_task or name not in OF_TASKS_ONLY) and (has_begun or name != "stopped unheard")
        )
        place = self._place(state, self._entered[state], "", faults)
        for name in place.faults:
            if self._wanted(place, name) and self._fork(place, state, name):
                self._strike(name, execution)
                return

    def _strike(self, name: str, execution: Execution) -> None:
        if name == "stopped unheard":
            self._world.executions.unheard.add(execution.arn)
        if name.startswith("stopped"):
            raise StoppedError
        struck = [execution.state]

        def around(state: str, once: Callable[[], Json]) -> Json:
            if state not in struck:
                return once()
            struck.clear()
            answer = once()
            if name == "timed out":
                limit = self._world.stack.definition["States"][state]["TimeoutSeconds"]
                self._world.clock.sleep(limit)
                raise TaskError("States.Timeout", "the time limit of the state is reached")
            return once() if name == "delivered twice" else answer

        self._world.executions.around = around

    def _place(self, caller: str, turn: int, name: str, faults: tuple[str, ...]) -> Place:
        self._seen[caller, turn, name] += 1
        number = self._seen[caller, turn, name]
        place = Place(caller=caller, turn=turn, name=name, number=number, faults=faults)
        self.places.append(place)
        return place

    def _fork(self, place: Place, call: str, name: str) -> bool:
        """True in the child. The parent waits for it."""
        size = self._results.stat().st_size
        child = 0 if self._is_alone else os.fork()
        if child == 0:
            gc.disable()
            self.case = (place, call, name)
            signal.signal(signal.SIGALRM, _too_long)
            signal.alarm(_LONGEST_CASE_SECONDS)
            return True
        _, status = os.waitpid(child, 0)
        if status != 0 or self._results.stat().st_size == size:
            self._write(place, call, name, [f"the process ended with {status}, without a result"])
        return False

    def _write(self, place: Place, call: str, name: str, found: Sequence[str]) -> None:
        case = Case(run=self._run, place=str(place), call=call, fault=name, problems=found)
        with self._results.open("a") as file:
            file.write(json.dumps(asdict(case)) + "\n")


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"the case has taken {_LONGEST_CASE_SECONDS} seconds")


def new_world() -> World:
    """A world in this process, for good. What functions print is kept from the terminal."""
    warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork.*")
    sys.stdout = io.StringIO()
    return World(pytest.MonkeyPatch())


def carry_out(world: World, run: Run, striker: Striker) -> Findings:
    """What has become of the run."""
    run.prepare(world)
    began = world.clock.now()
    striker.begin()
    try:
        return find(world, run.act(world), began, printed)
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to the case
        return Findings(None, [traceback.format_exc()])


def printed() -> str:
    """What the functions have logged."""
    return sys.stdout.getvalue() if isinstance(sys.stdout, io.StringIO) else ""


def recorded(world: World, name: str) -> Recorded:
    """The run without a fault; it has to be right."""
    with NamedTemporaryFile("r") as file:
        child = os.fork()
        if child == 0:
            striker = Striker(world, name, Path(file.name), lambda *_: False)
            found = carry_out(world, RUNS[name], striker)
            document = [[asdict(place) for place in striker.places], asdict(found)]
            Path(file.name).write_text(json.dumps(document))
            os._exit(0)
        os.waitpid(child, 0)
        places, found = json.loads(Path(file.name).read_text())
    if found["problems"]:
        raise AssertionError(f"without any fault, {name}: " + "; ".join(found["problems"]))
    places = [Place(**{**place, "faults": tuple(place["faults"])}) for place in places]
    return Recorded(places=places, ending=found["ending"])


def struck(
    world: World, name: str, wanted: Callable[[Place, str], bool], expected: str
) -> Iterator[Case]:
    """The cases of a run. The world of the caller stays as it is."""
    with NamedTemporaryFile("r") as file:
        gc.freeze()
        child = os.fork()
        if child == 0:
            striker = Striker(world, name, Path(file.name), wanted, expected=expected)
            striker.end(carry_out(world, RUNS[name], striker))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        for line in Path(file.name).read_text().splitlines():
            yield Case(**json.loads(line))
        if status != 0:
            raise AssertionError(f"{name} itself ended with {status}")


def carried_out_alone(world: World, name: str, place: str, fault_name: str) -> int:
    """One case in this process, with all that the functions print."""

    def wanted(found: Place, fault: str) -> bool:
        return str(found) == place and fault == fault_name

    expected = recorded(world, name).ending
    with NamedTemporaryFile("r") as file:
        striker = Striker(world, name, Path(file.name), wanted, expected=expected, is_alone=True)
        problems = striker.end(carry_out(world, RUNS[name], striker))
    print(printed(), file=sys.__stdout__)
    print(*(problems or ["all is well"]), sep="\n", file=sys.stderr)
    return 1 if problems else 0
