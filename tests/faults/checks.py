"""What must hold after every run, whatever has gone wrong."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.faults.gate import COMPATIBLE
from tests.faults.world import CROPS, FINAL, App, Release, World

RELIABILITY = Path(__file__).parents[2] / "docs" / "reliability.md"
_MOST_RECONCILED = 3
# Nothing was begun that anybody waits for.
_QUIET = ("DUPLICATE",)
_ARE_WELL = ("SUCCEEDED", "ROLLED_BACK")
_LONGEST = timedelta(hours=2)
_ROW = re.compile(r"\| (?P<status>[A-Z_]+) \| (?P<serves>[^|]+) \| (?P<applied>[^|]+) \|")


def allowed() -> set[tuple[str, str, str]]:
    """The table of docs/reliability.md: status, what serves, what is applied."""
    return {
        (row["status"], serves.strip(), applied.strip())
        for row in _ROW.finditer(RELIABILITY.read_text())
        for serves in row["serves"].split(",")
        for applied in row["applied"].split(",")
    }


@dataclass(frozen=True, slots=True)
class Findings:
    """How the release of a run has ended, and everything that is wrong.

    `ending` has its status, the version that is live and the migrations that are applied, as
    docs/reliability.md names them. None if nothing is on record.
    """

    ending: str | None
    problems: Sequence[str]


def find(world: World, subject: str, began: datetime, log: Callable[[], str]) -> Findings:
    """Let it all come to its end, and look: see `runs.Run` for `subject`.

    `log` is what the functions have printed by then.
    """
    world.is_over = True
    began += world.delay
    world.heal()
    looks = 0
    while looks < _MOST_RECONCILED and (_is_open(world, subject) or looks == 0):
        world.reconcile()
        looks += 1
    release = _release(world, subject)
    ending = None if release is None else " | ".join(stands(world, release))
    found = [*_of_release(world, subject, began), *_of_next(world)]
    found += [f"the secret {secret} is written" for secret in world.leaked(log())]
    found += world.account.rights.problems
    return Findings(ending, found)


def text_of(world: World, subject: str) -> str:
    """The text of its last final message."""
    release = _release(world, subject)
    told = [
        str(message["text"])
        for message in world.receive()
        if release is not None
        and message.get("release") == release.id
        and message["status"] in FINAL
    ]
    return told[-1] if told else ""


def _is_open(world: World, subject: str) -> bool:
    release = _release(world, subject)
    return release is None or not (release.status in _QUIET or final_messages(world, release))


def _release(world: World, subject: str) -> Release | None:
    """The release of this image, or of this execution. One that was queued begins anew."""
    digest = subject.removeprefix("sha256:")
    names = (f":{subject}", f":{CROPS.name}-{digest[:12]}-")
    found = [
        each
        for each in world.releases()
        if f"-{digest[:8]}-" in each.id or any(name in each.execution for name in names)
    ]
    return found[-1] if found else None


def final_messages(world: World, release: Release) -> list[tuple[str, str]]:
    """Id and status of the final messages, without repetitions."""
    told = [
        (str(message["messageId"]), str(message["status"]))
        for message in world.receive()
        if message.get("release") == release.id and message["status"] in FINAL
    ]
    return list(dict.fromkeys(told))


def _of_release(world: World, subject: str, began: datetime) -> Iterator[str]:
    release = _release(world, subject)
    if release is None:
        yield f"nothing is on record of {subject}"
        return
    yield from (f"{e.name} stands in {e.state}" for e in world.executions.all if e.state)
    finals = final_messages(world, release)
    if len(finals) != (release.status not in _QUIET):
        yield f"{len(finals)} final messages for {release.status}: {finals}"
    elif finals and finals[0][1] != release.status:
        yield f"the message says {finals[0][1]}, the record {release.status}"
    markers = list(world.markers().values())
    for marker in (release.id, f"{release.id}-back"):
        if markers.count(marker) > 1:
            yield f"{markers.count(marker)} deployments of {marker}"
    snapshots = [name for name in world.account.snapshots() if release.id in name]
    if len(snapshots) > 1 + sum(name.endswith("-again") for name in snapshots):
        yield f"{len(snapshots)} snapshots: {snapshots}"
    if (how := stands(world, release)) not in allowed():
        yield f"not allowed: {' | '.join(how)}"
    if release.status in _ARE_WELL and not world.does_well():
        yield f"{release.status} is said, and what serves answers badly"
    if world.clock.now() - began > _LONGEST:
        yield f"it took {world.clock.now() - began}"


def stands(world: World, release: Release, app: App = CROPS) -> tuple[str, str, str]:
    """Its row in the table of docs/reliability.md."""
    serves = "new" if world.live(app) == release.id else "old"
    return release.status, serves, _applied(world, release)


def _applied(world: World, release: Release) -> str:
    planned, applied = world.planned_by(release.id), world.applied_by(release.id)
    if not planned:
        return "nothing pending"
    if not applied:
        return "none"
    if set(applied) <= set(world.reversed_by(release.id)):
        return "reversed"
    kind = "compatible" if world.plan_of(release.id).effect == COMPATIBLE else "breaking"
    return f"all {kind}" if set(planned) <= set(applied) else f"some {kind}"


def _of_next(world: World) -> Iterator[str]:
    """The next push is released."""
    world.work_again()
    world.push("v99")
    for _ in range(_MOST_RECONCILED):
        if (live := world.live()) is not None and _is_newest(world, live):
            return
        world.reconcile()
    newest = world.releases()[-1]
    yield f"the next release does not serve: {newest.status}, {world.live()} serves of {CROPS.name}"


def _is_newest(world: World, live: str) -> bool:
    newest = world.releases()[-1]
    return newest.id == live and newest.status == "SUCCEEDED"
