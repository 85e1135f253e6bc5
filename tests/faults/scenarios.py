"""Scenarios that are no fault of one call: each has the whole world of a child to itself."""

import json
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.pool import ThreadPool
from tempfile import NamedTemporaryFile
from typing import NoReturn

from tests.faults.checks import find
from tests.faults.matrix import Case, printed
from tests.faults.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`act` does everything in the world it is given, and names the release: see `runs.Run`.

    `row` and `column` are its place in the printed table. With `ends`, the release has to end as
    one of these. `seconds` is how long it may take.
    """

    row: str
    column: str
    act: Callable[[World], str]
    ends: Sequence[str | None] = ()
    check: Callable[[World, str], Iterable[str]] = lambda *_: ()
    seconds: int = 60


def carried_out(
    world: World, section: str, scenarios: Sequence[Scenario], jobs: int
) -> Iterator[Case]:
    """Each in a child of this process. The world of the caller stays as it is."""
    with ThreadPool(jobs) as pool:
        yield from pool.imap(lambda each: _carried_out(world, section, each), scenarios)


def carried_out_here(world: World, scenario: Scenario) -> list[str]:
    """What is wrong after it, in this process."""
    began = world.clock.now()
    try:
        subject = scenario.act(world)
        found = find(world, subject, began, printed())
        problems = [*found.problems, *scenario.check(world, subject)]
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to the case
        return [traceback.format_exc()]
    status = found.ending.partition(" | ")[0] if found.ending else None
    if scenario.ends and status not in scenario.ends:
        allowed = " or ".join(map(str, scenario.ends))
        problems.append(f"it ended as {status}, and has to end as {allowed}")
    return problems


def _carried_out(world: World, section: str, scenario: Scenario) -> Case:
    with NamedTemporaryFile("r") as file:
        child = os.fork()
        if child == 0:
            _do(world, section, scenario, file.name)
        _, status = os.waitpid(child, 0)
        written = file.read()
    if not written:
        return _case(section, scenario, [f"the process ended with {status}, without a result"])
    return Case(**json.loads(written))


def _do(world: World, section: str, scenario: Scenario, result: str) -> NoReturn:
    def too_long(*_: object) -> None:
        raise TimeoutError(f"the case has taken {scenario.seconds} seconds")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(scenario.seconds)
    case = _case(section, scenario, carried_out_here(world, scenario))
    with open(result, "w") as file:  # noqa: PTH123
        file.write(json.dumps(asdict(case)))
    os._exit(0)


def _case(section: str, scenario: Scenario, found: Sequence[str]) -> Case:
    return Case(
        run=section,
        place=scenario.row,
        call=scenario.row,
        fault=scenario.column,
        problems=found,
    )
