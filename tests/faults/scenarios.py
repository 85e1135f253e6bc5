"""Scenarios that are no fault of one call: each has the whole world of a child to itself."""

import gc
import json
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NoReturn

from tests.faults.checks import problems, status_of
from tests.faults.matrix import Case, printed
from tests.faults.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`act` does everything in the world it is given, and names the release: see `runs.Run`.

    Scenarios that stand side by side and have the same `prepare` share it: it is done once.
    `row` and `column` are its place in the printed table. With `ends`, the release has to end as
    one of these. `seconds` is how long it may take.
    """

    row: str
    column: str
    act: Callable[[World], str]
    ends: Sequence[str | None] = ()
    check: Callable[[World, str], Iterable[str]] = lambda *_: ()
    seconds: int = 60
    prepare: Callable[[World], None] | None = None


def carried_out(
    world: World, section: str, scenarios: Sequence[Scenario], jobs: int
) -> Iterator[Case]:
    """Each in a child of this process. The world of the caller stays as it is."""
    groups = [
        list(found) for _, found in groupby(scenarios, key=lambda each: each.prepare or id(each))
    ]
    with ThreadPool(jobs) as pool:
        for cases in pool.imap(lambda group: _of_group(world, section, group), groups):
            yield from cases


def carried_out_here(world: World, scenario: Scenario) -> list[str]:
    """What is wrong after it, in this process."""
    if scenario.prepare is not None:
        scenario.prepare(world)
    return _acted(world, scenario)


def _acted(world: World, scenario: Scenario) -> list[str]:
    began = world.clock.now()
    try:
        subject = scenario.act(world)
        found = [*problems(world, subject, began, printed()), *scenario.check(world, subject)]
        status = status_of(world, subject)
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to the case
        return [traceback.format_exc()]
    if scenario.ends and status not in scenario.ends:
        allowed = " or ".join(map(str, scenario.ends))
        found.append(f"it ended as {status}, and has to end as {allowed}")
    return found


def _of_group(world: World, section: str, group: Sequence[Scenario]) -> list[Case]:
    """Each of them, in a child that has done what they have in common."""
    prepare = group[0].prepare
    if prepare is None:
        return [_carried_out(world, section, each) for each in group]
    with NamedTemporaryFile("r") as file:
        child = os.fork()
        if child == 0:
            _do_group(world, section, group, file.name)
        _, status = os.waitpid(child, 0)
        cases = [Case(**each) for each in json.loads(file.read() or "[]")]
    if not cases:
        why = f"what was prepared ended with {status}, without a result"
        return [_case(section, each, [why]) for each in group]
    return cases


def _do_group(world: World, section: str, group: Sequence[Scenario], result: str) -> NoReturn:
    try:
        assert group[0].prepare is not None
        group[0].prepare(world)
        gc.freeze()
        cases = [_carried_out(world, section, each) for each in group]
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to all of them
        cases = [_case(section, each, [traceback.format_exc()]) for each in group]
    Path(result).write_text(json.dumps([asdict(each) for each in cases]))
    os._exit(0)


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
    case = _case(section, scenario, _acted(world, scenario))
    Path(result).write_text(json.dumps(asdict(case)))
    os._exit(0)


def _case(section: str, scenario: Scenario, found: Sequence[str]) -> Case:
    return Case(
        run=section,
        place=scenario.row,
        call=scenario.row,
        fault=scenario.column,
        problems=found,
    )
