"""Scenarios that are no fault of one call: each has the whole world of a child to itself."""

import gc
import json
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from multiprocessing.pool import ThreadPool
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
    Scenarios with the same `prepare` go on from one world that it has prepared.
    """

    row: str
    column: str
    act: Callable[[World], str]
    ends: Sequence[str | None] = ()
    check: Callable[[World, str], Iterable[str]] = lambda *_: ()
    find: Callable[[World, str, datetime, Callable[[], str]], Findings] = find
    seconds: int = 60
    prepare: Callable[[World], None] | None = None


def carried_out(
    world: World, section: str, scenarios: Sequence[Scenario], jobs: int
) -> Iterator[Case]:
    """Each in a child of this process. The world of the caller stays as it is."""
    groups: dict[object, list[Scenario]] = {}
    for each in scenarios:
        groups.setdefault(each.prepare or each, []).append(each)
    gc.freeze()
    with ThreadPool(jobs) as pool:
        found = pool.imap(lambda group: _carried_out(world, section, group), groups.values())
        for cases in found:
            yield from cases


def carried_out_here(world: World, scenario: Scenario, *, is_prepared: bool = False) -> list[str]:
    """What is wrong after it, in this process."""
    if scenario.prepare is not None and not is_prepared:
        scenario.prepare(world)
    began = world.clock.now()
    try:
        subject = scenario.act(world)
        found = scenario.find(world, subject, began, printed)
        problems = [*found.problems, *scenario.check(world, subject)]
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to the case
        return [traceback.format_exc()]
    status = found.ending.partition(" | ")[0] if found.ending else None
    if scenario.ends and status not in scenario.ends:
        allowed = " or ".join(map(str, scenario.ends))
        problems.append(f"it ended as {status}, and has to end as {allowed}")
    return problems


def _carried_out(world: World, section: str, group: Sequence[Scenario]) -> list[Case]:
    """All of one group, one after another."""

    def alone(scenario: Scenario) -> list[Case]:
        return [_case(section, scenario, carried_out_here(world, scenario, is_prepared=True))]

    def prepared() -> list[Case]:
        if group[0].prepare is not None:
            group[0].prepare(world)
            gc.freeze()
        found = (_in_child(partial(alone, each), each.seconds) for each in group)
        return [case for cases in found for case in cases]

    cases = _in_child(prepared)
    missing = [each for each in group if not any(_is_of(case, each) for case in cases)]
    return [*cases, *(_case(section, each, ["it ended without a result"]) for each in missing)]


def _is_of(case: Case, scenario: Scenario) -> bool:
    return (case.place, case.fault) == (scenario.row, scenario.column)


def _in_child(act: Callable[[], Sequence[Case]], seconds: int = 0) -> list[Case]:
    """What it comes to in a child of this process; nothing if that ends without a result."""
    with NamedTemporaryFile("r") as file:
        child = os.fork()
        if child == 0:
            _do(act, seconds, file.name)
        os.waitpid(child, 0)
        written = file.read()
    return [Case(**case) for case in json.loads(written)] if written else []


def _do(act: Callable[[], Sequence[Case]], seconds: int, result: str) -> NoReturn:
    def too_long(*_: object) -> None:
        raise TimeoutError(f"the case has taken {seconds} seconds")

    try:
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(seconds)
        cases = [asdict(case) for case in act()]
        with open(result, "w") as file:  # noqa: PTH123
            file.write(json.dumps(cases))
    except BaseException:  # noqa: BLE001 - nothing of the parent may go on here
        traceback.print_exc()
    os._exit(0)


def _case(section: str, scenario: Scenario, found: Sequence[str]) -> Case:
    return Case(
        run=section,
        place=scenario.row,
        call=scenario.row,
        fault=scenario.column,
        problems=found,
    )
