"""Scenarios that are no fault of one call: each has the whole world of a child to itself."""

import json
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NoReturn

from tests.faults.checks import Findings, find
from tests.faults.matrix import Case, printed
from tests.faults.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`act` does everything in the world it is given, and names the release: see `runs.Run`.

    `row` and `column` are its place in the printed table. With `ends`, the release has to end as
    one of these. `find` looks at what has become of it. `seconds` is how long it may take.
    `prepare` comes before, and once for all scenarios that share it.
    """

    row: str
    column: str
    act: Callable[[World], str]
    ends: Sequence[str | None] = ()
    check: Callable[[World, str], Iterable[str]] = lambda *_: ()
    find: Callable[[World, str, datetime, str], Findings] = find
    seconds: int = 60
    prepare: Callable[[World], None] | None = None


def carried_out(
    world: World, section: str, scenarios: Sequence[Scenario], jobs: int
) -> Iterator[Case]:
    """Each in a child of its own. The world of the caller stays as it is."""
    alone = [[each] for each in scenarios if each.prepare is None]
    sharing = {each.prepare: list[Scenario]() for each in scenarios if each.prepare is not None}
    for each in scenarios:
        if each.prepare is not None:
            sharing[each.prepare].append(each)
    with ThreadPool(jobs) as pool:
        groups = [*sharing.values(), *alone]
        for found in pool.imap(lambda group: _of_group(world, section, group), groups):
            yield from found


def carried_out_here(world: World, scenario: Scenario) -> list[str]:
    """What is wrong after it, in this process."""
    if scenario.prepare is not None:
        scenario.prepare(world)
    return _problems(world, scenario)


def _problems(world: World, scenario: Scenario) -> list[str]:
    began = world.clock.now()
    try:
        subject = scenario.act(world)
        found = scenario.find(world, subject, began, printed())
        problems = [*found.problems, *scenario.check(world, subject)]
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to the case
        return [traceback.format_exc()]
    status = found.ending.partition(" | ")[0] if found.ending else None
    if scenario.ends and status not in scenario.ends:
        allowed = " or ".join(map(str, scenario.ends))
        problems.append(f"it ended as {status}, and has to end as {allowed}")
    return problems


def _of_group(world: World, section: str, group: Sequence[Scenario]) -> list[Case]:
    """Prepared in one child, and then each in a child of that one."""
    [prepare] = {each.prepare for each in group}
    if prepare is None:
        return [_carried_out(world, section, each) for each in group]
    with NamedTemporaryFile("r") as file:
        child = os.fork()
        if child == 0:
            try:
                prepare(world)
                cases = [_carried_out(world, section, each) for each in group]
            except Exception:  # noqa: BLE001 - whatever it is, it belongs to the cases
                cases = [_case(section, each, [traceback.format_exc()]) for each in group]
            Path(file.name).write_text(json.dumps([asdict(case) for case in cases]))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        written = file.read()
    if not written:
        lost = [f"the process ended with {status}, without a result"]
        return [_case(section, each, lost) for each in group]
    return [Case(**case) for case in json.loads(written)]


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
    case = _case(section, scenario, _problems(world, scenario))
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
