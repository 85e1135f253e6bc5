"""The matrix of faults: `python -m tests.faults`."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.pool import ThreadPool

from tests.faults import crowds, database, forged, outages, service, settings
from tests.faults.faults import CALL_FAULTS, RUN_FAULTS, STATE_FAULTS
from tests.faults.figures import table, total, write
from tests.faults.matrix import (
    Case,
    Place,
    Recorded,
    carried_out_alone,
    new_world,
    printed,
    recorded,
    struck,
)
from tests.faults.runs import RUNS
from tests.faults.scenarios import Scenario, carried_out, carried_out_here
from tests.faults.selection import selected
from tests.faults.world import World

ALL_FAULTS = (*CALL_FAULTS, *STATE_FAULTS, *RUN_FAULTS)

CALLS = "calls"
# A dashboard calls the first. It reads records, and tests/report tests it. The others are the
# steps of a rehearsal, with a state machine of its own: tests/workflow/rehearsals stops each.
_OF_NO_RELEASE = {
    "ShowPageFunction",
    "AdmitRehearsalFunction",
    "PrepareRehearsalFunction",
    "RunRehearsalFunction",
    "RemoveRehearsalFunction",
    "RecordRehearsalFunction",
}
# Each gives its scenarios; a slice has fewer.
SECTIONS: Mapping[str, Callable[[bool], Sequence[Scenario]]] = {
    "crowds": crowds.scenarios,
    "outages": outages.scenarios,
    "database": database.scenarios,
    "service": service.scenarios,
    "forged": forged.scenarios,
    "settings": settings.settings,
}

type Wanted = Callable[[Place, str], bool]


def main() -> int:
    options = _options()
    began = time.perf_counter()
    world = new_world()
    for setting in options.setting:
        settings.change(world, setting)
    if options.case:
        return _alone(world, *options.case.split(": "))
    sections = options.section or [CALLS, *SECTIONS]
    if options.run or options.fault:
        sections = [CALLS]
    results: dict[str, list[Case]] = {}
    for section in sections:
        found = (
            _of_calls(world, options)
            if section == CALLS
            else list(carried_out(world, section, SECTIONS[section](options.slice), options.jobs))
        )
        results[section] = found
        for case in (case for case in found if case.problems):
            _say(f"\n{case.label}", *(f"    {problem}" for problem in case.problems))
        _say("", *table(section, found, ALL_FAULTS), "")
    seconds = time.perf_counter() - began
    if options.write:
        write(results, seconds, CALLS)
    cases = [case for found in results.values() for case in found]
    _say(total(cases, seconds))
    return 1 if any(case.problems for case in cases) else 0


def _alone(world: World, run: str, place: str, fault: str) -> int:
    """One case in this process, with all that the functions print."""
    if run in RUNS:
        return carried_out_alone(world, run, place, fault)
    [scenario] = [
        each for each in SECTIONS[run](False) if (each.row, each.column) == (place, fault)
    ]
    found = carried_out_here(world, scenario)
    print(printed(), file=sys.__stdout__)
    _say(*(found or ["all is well"]))
    return 1 if found else 0


def _of_calls(world: World, options: argparse.Namespace) -> list[Case]:
    """One fault at each call and state."""
    runs = {name: recorded(world, name) for name in options.run or RUNS}
    selection = selected(runs, is_slice=options.slice)

    def cases_of(name: str) -> list[Case]:
        def wanted(place: Place, fault: str) -> bool:
            return fault in selection[name].get(place, ()) and options.fault in (None, fault)

        found = list(struck(world, name, wanted, runs[name].ending))
        _say(f"  {name}: {len(found)} cases, {sum(bool(c.problems) for c in found)} failed")
        return found

    with ThreadPool(options.jobs) as pool:
        cases = [case for found in pool.map(cases_of, runs, chunksize=1) for case in found]
    if not (options.run or options.fault):
        cases += _left_out(world, runs, cases)
    return cases


def _left_out(world: World, runs: Mapping[str, Recorded], cases: Sequence[Case]) -> Iterator[Case]:
    """What no case strikes, each as a case that fails."""
    struck = {(case.run, case.place) for case in cases}
    left = {place.what: place for run in runs.values() for place in run.places}
    for name, run in runs.items():
        for place in run.places:
            if (name, str(place)) in struck:
                left.pop(place.what, None)
    for place in left.values():
        yield _missing(str(place), "was recorded, and no fault strikes it")
    callers = {place.caller for run in runs.values() for place in run.places}
    states = world.stack.definition["States"].items()
    working = {name for name, state in states if state["Type"] in ("Task", "Wait")}
    for name in sorted({*working, *world.stack.functions} - callers - _OF_NO_RELEASE):
        yield _missing(name, "is in the stack, and no run comes to it")


def _missing(what: str, problem: str) -> Case:
    return Case(run=CALLS, place=what, call=what, fault="a case of its own", problems=[problem])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--slice", action="store_true", help="one fault for each call and state")
    parser.add_argument(
        "--section", action="append", choices=[CALLS, *SECTIONS], help="only this part"
    )
    parser.add_argument("--run", action="append", choices=list(RUNS), help="only this run")
    parser.add_argument("--fault", choices=ALL_FAULTS, help="only this fault, at every place")
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a switch of the Lightsail emulator, for everything",
    )
    parser.add_argument("--case", help="only this case, by the label of its failure, with its log")
    parser.add_argument("--write", action="store_true", help="put the figures into the docs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at the same time")
    return parser.parse_args()


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
