"""The matrix of faults: `python -m tests.faults`."""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from multiprocessing.pool import ThreadPool

from tests.faults import settings
from tests.faults.faults import CALL_FAULTS, RUN_FAULTS, STATE_FAULTS
from tests.faults.matrix import (
    Case,
    Place,
    carried_out_alone,
    new_world,
    printed,
    recorded,
    struck,
)
from tests.faults.runs import RUNS
from tests.faults.scenarios import Scenario, carried_out, carried_out_here
from tests.faults.world import World

ALL_FAULTS = (*CALL_FAULTS, *STATE_FAULTS, *RUN_FAULTS)

CALLS = "calls"
# Each gives its scenarios; a slice has fewer.
SECTIONS: Mapping[str, Callable[[bool], Sequence[Scenario]]] = {
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
    cases: list[Case] = []
    for section in sections:
        found = (
            _of_calls(world, options)
            if section == CALLS
            else list(carried_out(world, section, SECTIONS[section](options.slice), options.jobs))
        )
        cases += found
        failed = [case for case in found if case.problems]
        for case in failed:
            _say(f"\n{case.label}", *(f"    {problem}" for problem in case.problems))
        _say("", *_table(section, found), "")
    failed = [case for case in cases if case.problems]
    seconds = time.perf_counter() - began
    _say(f"{len(cases) - len(failed)} passed, {len(failed)} failed in {seconds:.0f} s")
    return 1 if failed else 0


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
    names = options.run or list(RUNS)
    runs = {name: recorded(world, name) for name in names}
    places = {name: found for name, (found, _) in runs.items()}
    wanted = {
        name: _chosen(places, name, is_slice=options.slice, only=options.fault) for name in names
    }

    def cases_of(name: str) -> list[Case]:
        found = list(struck(world, name, wanted[name], runs[name][1]))
        _say(f"  {name}: {len(found)} cases, {sum(bool(c.problems) for c in found)} failed")
        return found

    with ThreadPool(options.jobs) as pool:
        return [case for found in pool.map(cases_of, names, chunksize=1) for case in found]


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
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at the same time")
    return parser.parse_args()


def _chosen(
    places: Mapping[str, Sequence[Place]], name: str, *, is_slice: bool, only: str | None
) -> Wanted:
    """Of many calls alike the first and the last one; none whose past the first run has, too."""
    own, first = places[name], next(iter(places))
    shared = 0 if name == first else _shared(own, places[first])
    alike: dict[tuple[str, str, int], list[Place]] = defaultdict(list)
    for place in own[shared:]:
        alike[place.caller, place.name, place.number].append(place)
    ends = {end for found in alike.values() for end in (found[0], found[-1])}
    ends.add(own[0])
    if not is_slice:
        return lambda place, fault: place in ends and only in (None, fault)
    faults = {
        place: _of_turn(place, turn) for turn, place in enumerate(p for p in own if p in ends)
    }
    return lambda place, fault: place in faults and fault == faults[place]


def _of_turn(place: Place, turn: int) -> str:
    """Each place of a slice has the next fault."""
    faults = CALL_FAULTS if place.name else STATE_FAULTS
    if place.caller == "event":
        faults = RUN_FAULTS
    return faults[turn % len(faults)]


def _shared(own: Sequence[Place], others: Sequence[Place]) -> int:
    pairs = zip(own, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _table(section: str, cases: Sequence[Case]) -> Iterator[str]:
    """What was struck, and by what: how many passed, of how many."""
    known = [name for name in ALL_FAULTS if any(case.fault == name for case in cases)]
    names = list(dict.fromkeys([*known, *(case.fault for case in cases)]))
    yield f"| {section} | " + " | ".join(names) + " |"
    yield "| --- |" + " --- |" * len(names)
    for row in sorted({case.call for case in cases}):
        yield f"| {row} | " + " | ".join(_cell(cases, row, name) for name in names) + " |"


def _cell(cases: Sequence[Case], call: str, fault: str) -> str:
    found = [case for case in cases if (case.call, case.fault) == (call, fault)]
    passed = sum(not case.problems for case in found)
    return f"{passed}/{len(found)}" if found else ""


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
