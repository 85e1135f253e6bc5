"""Which faults each place of each run meets.

The first run meets everything. What a later run does exactly as the first one up to some point is
not struck again. At a call that is new there, it meets one fault of each family. At a call or
state that an earlier run has as well, it meets one fault if it does not end as the first run does,
as what follows is another thing then. A slice has one fault for each place of the first run, and
for each call and state that no earlier run makes anywhere.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, takewhile

from tests.faults.matrix import Place, Recorded

# What may go wrong with an answer, and what may go wrong with the effect of a call.
FAMILIES = (
    (
        *("denied to the end", "throttled once", "empty answer", "server error"),
        *("malformed answer", "throttled for two minutes", "denied", "not reached"),
    ),
    ("answer lost", "killed after", "killed before"),
)
_TELLING = ("denied to the end", "answer lost", "killed after", "throttled for two minutes")

type Selection = Mapping[Place, Sequence[str]]


def selected(runs: Mapping[str, Recorded], *, is_slice: bool) -> dict[str, Selection]:
    """By run and place, the faults to be met."""
    [(first, first_run), *_] = runs.items()
    known: set[tuple[tuple[str, str, int], Sequence[str]]] = set()
    known_anywhere: set[tuple[str, str]] = set()
    turns = count()
    found: dict[str, Selection] = {}
    for name, run in runs.items():
        own = run.places
        shared = 0 if name == first else _shared(own, first_run.places)
        calls = _calls_of_invocations(own)
        selection: dict[Place, Sequence[str]] = {}
        for place in _ends([own[0], *own[shared:]]):
            is_new = (place.call, calls[place.caller, place.turn]) not in known
            if not is_new and run.ending == first_run.ending:
                continue
            if is_slice and name != first and place.what in known_anywhere:
                continue
            faults = _faults(place, is_first=name == first, is_new=is_new, turn=next(turns))
            if is_slice:
                faults = [_turning(faults, next(turns), faults)]
            selection[place] = faults
        known |= {(place.call, calls[place.caller, place.turn]) for place in own}
        known_anywhere |= {place.what for place in own}
        found[name] = selection
    return found


def _faults(place: Place, *, is_first: bool, is_new: bool, turn: int) -> Sequence[str]:
    possible = place.faults
    if place.caller == "event" or is_first:
        return possible
    if not (is_new and place.name):
        return [_turning(possible, turn, _TELLING if place.name else possible)]
    return list(dict.fromkeys(_turning(possible, turn, family) for family in FAMILIES))


def _turning(possible: Sequence[str], turn: int, of: Sequence[str]) -> str:
    """One of these, if that is possible there; another one at the next place."""
    among = [name for name in of if name in possible] or possible
    return among[turn % len(among)]


def _calls_of_invocations(places: Sequence[Place]) -> Mapping[tuple[str, int], Sequence[str]]:
    calls: dict[tuple[str, int], tuple[str, ...]] = defaultdict(tuple)
    for place in places:
        calls[place.caller, place.turn] += (place.name,)
    return calls


def _ends(places: Sequence[Place]) -> Iterator[Place]:
    """Of those alike in many invocations the first and the last one."""
    alike: dict[tuple[str, str, int], list[Place]] = defaultdict(list)
    for place in places:
        alike[place.call].append(place)
    ends = {end for found in alike.values() for end in (found[0], found[-1])}
    return iter(dict.fromkeys(place for place in places if place in ends))


def _shared(own: Sequence[Place], others: Sequence[Place]) -> int:
    pairs = zip(own, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
