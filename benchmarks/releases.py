"""What a release costs and how long it takes: ``python -m benchmarks.releases``.

Whole releases go through the real state machine in the simulated account of `tests/workflow`, in
virtual time. So the figures are those of the waits and calls, and the same on every machine.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from benchmarks import prices, report
from tests.component.running import running_cloud
from tests.workflow.reporting_gates import ENDS_AFTER, Gate, told_plan
from tests.workflow.world import APP, World, spec

EXPLANATION = """\
Three releases of one app, one after another: snapshot 180 s, start of the node 90 s, migration
20 s, watch period 120 s. The platform takes 10 s from an open gate to a live version.

  states     transitions that Step Functions bills: each state entered, each retry too
  calls      function calls
  live       seconds from the start of the release until the new version is live
  of all     the same as a part of snapshot, node, migration and platform one after another
  late       seconds after the moment at which the new version could have been live
  total      seconds from the start of the release to its outcome
  lists      how often the polls of the deployment read all 50 versions of the service
  dollars    what the release records as its cost
"""
SNAPSHOT, NODE, MIGRATION, WATCH = 180.0, 90.0, 20.0, 120
VERSIONS = 50
RELEASES = {"first": ["a.0002"], "second": ["a.0003"], "nothing pending": []}
MODES = ("always", "when-pending")
_LIST = "lightsail.GetContainerServiceDeployments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures of one release."""

    mode: str
    name: str
    transitions: int
    calls: Counter[str]
    live: float
    total: float
    lists: int
    dollars: float

    @property
    def without_overlap(self) -> float:
        return SNAPSHOT + NODE + MIGRATION + ENDS_AFTER.total_seconds()

    @property
    def late(self) -> float:
        """How much later than possible the new version was live."""
        is_pending = bool(RELEASES[self.name])
        # Without history the node starts after the snapshot, or the snapshot with the plan.
        is_one_by_one = self.name == "first" or self.mode == "when-pending"
        together = SNAPSHOT + NODE if is_one_by_one else max(SNAPSHOT, NODE)
        possible = together + MIGRATION if is_pending else NODE
        return self.live - possible - ENDS_AFTER.total_seconds()


def measure(modes: Sequence[str] = MODES) -> Iterator[Measured]:
    """Each release in each mode."""
    for mode in modes:
        with reference_world() as world:
            for name, migrations in RELEASES.items():
                report.progress(f"{mode}, {name}")
                yield _measure(world, mode, name, migrations)


@contextmanager
def reference_world() -> Iterator[World]:
    patch = pytest.MonkeyPatch()
    # It tells of each optional member that a state does not find.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    try:
        with running_cloud(patch) as cloud:
            world = World(cloud, patch)
            world.instance.snapshot_takes = timedelta(seconds=SNAPSHOT)
            for _ in range(VERSIONS - 1):
                world.lightsail.deploy_by_somebody(APP)
            yield world
    finally:
        patch.undo()


def _measure(world: World, mode: str, name: str, migrations: list[str]) -> Measured:
    database = {"instance": "crops-db", "backup": mode}
    watch = {"watchSeconds": WATCH}
    world.put_spec(spec(pollSeconds=None, database=database, verification=watch))
    previous, began = world.lightsail.serving(APP), world.clock.waited
    Gate(world, plan=told_plan(*migrations), starts=NODE, takes=MIGRATION)
    live: list[timedelta] = []

    def see() -> None:
        if not live and world.lightsail.serving(APP) != previous:
            live.append(world.clock.waited - began)

    lists: Counter[str | None] = Counter()
    world.cloud.faults.watch(
        lambda call: lists.update([world.functions.running] if call == _LIST else [])
    )
    world.clock.watch(see)
    calls = Counter(world.functions.invoked)
    ended = world.release()
    world.cloud.faults.watch_no_more()
    if ended.status != "SUCCEEDED" or not live:
        raise RuntimeError(f"the release has not succeeded: {ended.error}: {ended.cause}")
    return Measured(
        mode=mode,
        name=name,
        transitions=len(ended.states) + ended.retries,
        calls=Counter(world.functions.invoked) - calls,
        live=live[0].total_seconds(),
        total=(world.clock.waited - began).total_seconds(),
        lists=lists["check_deployment"],
        dollars=list(world.records().values())[-1]["cost"]["dollars"],
    )


HEAD = [
    *("release", "states", "calls", "live", "of all", "late", "total"),
    *("lists", "polls", "dollars"),
]


def row(one: Measured) -> list[str]:
    return [
        f"`{one.mode}`, {one.name}",
        str(one.transitions),
        str(one.calls.total()),
        f"{one.live:.0f} s",
        f"{one.live / one.without_overlap:.2f}",
        f"{one.late:.0f} s",
        f"{one.total:.0f} s",
        str(one.lists),
        str(one.calls["check_deployment"]),
        f"{one.dollars:.4f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    print(EXPLANATION)
    measured = list(measure())
    text = report.table(HEAD, [row(one) for one in measured])
    [usual] = [one for one in measured if (one.mode, one.name) == ("always", "second")]
    compared = prices.table(usual.total, usual.dollars)
    print(f"{text}\n\n{compared}")
    if arguments.write:
        report.write("releases", text)
        report.write("prices", compared)


if __name__ == "__main__":
    main()
