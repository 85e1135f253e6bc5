"""Lightgate beside a script and a waiter: ``python -m benchmarks.alternatives``.

The same simulated account and virtual time as `benchmarks.releases`: snapshot 180 s, start of the
node 90 s, migration 20 s, 10 s from an open gate to a live version. Lightsail needs 90 s to give up
a deployment whose migration fails.

The script takes the snapshot, deploys, and prints the end; it checks every 30 s. The waiter does
the same with the pauses of Terraform: 5 s first, then twice as long each time, between 3 and 10 s.
Both leave the migration to the container.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from benchmarks import report
from benchmarks.releases import MIGRATION, NODE, WATCH, reference_world
from tests.component.lightsail_service import Course
from tests.workflow.reporting_gates import ENDS_AFTER, Gate, told_plan
from tests.workflow.world import APP, SUCCEEDED, World, spec

GIVES_UP = 90.0
_BAD = "the new version answers each request with 500"

_FAILED = {
    "event": "failed",
    "cause": "exit",
    "error": "ValueError: no crop",
    "migration": "a.0004",
    "exitCode": 1,
    "database": "unchanged",
    "lastLines": ["ValueError: no crop"],
}

type Pauses = Callable[[], Iterator[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds: until live, until success is reported, from the failed migration to the news, and
    for how long a version that is unhealthy stays live. None if nothing ends that.
    """

    name: str
    live: float
    reported: float
    news: float
    unhealthy: float | None


def script() -> Iterator[float]:
    while True:
        yield 30.0


def waiter() -> Iterator[float]:
    yield 5.0
    pause = 0.1
    while True:
        yield min(max(pause, 3.0), 10.0)
        pause *= 2


def measure() -> Iterator[Measured]:
    yield _of_lightgate()
    yield _of_other("a script that polls every 30 s", script)
    yield _of_other("a waiter as Terraform has it", waiter)


def _of_other(name: str, pauses: Pauses) -> Measured:
    takes = NODE + MIGRATION
    with reference_world() as world:
        good = Course(ends="ACTIVE", after=timedelta(seconds=takes) + ENDS_AFTER)
        began = world.clock.waited
        live = _deploy(world, good, pauses) + good.after - began
        reported = world.clock.waited - began
        failing = Course(ends="FAILED", after=timedelta(seconds=takes + GIVES_UP))
        created = _deploy(world, failing, pauses)
        news = (world.clock.waited - created).total_seconds() - takes
    return Measured(
        name=name,
        live=live.total_seconds(),
        reported=reported.total_seconds(),
        news=news,
        unhealthy=None,
    )


def _deploy(world: World, course: Course, pauses: Pauses) -> timedelta:
    """Snapshot and deployment, one after the other. When the deployment was created."""
    rds, name = world.cloud.client("rds"), f"by-hand-{world.clock.waited.total_seconds():.0f}"
    rds.create_db_snapshot(DBInstanceIdentifier="crops-db", DBSnapshotIdentifier=name)

    def is_available() -> bool:
        [found] = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
        return bool(found["Status"] == "available")

    _wait(world, is_available, pauses)
    created = world.clock.waited
    version = world.lightsail.deploy_by_somebody(APP, course)
    _wait(world, lambda: world.lightsail.deployments(APP)[version] != "ACTIVATING", pauses)
    return created


def _wait(world: World, is_over: Callable[[], bool], pauses: Pauses) -> None:
    for pause in pauses():
        if is_over():
            return
        world.clock.sleep(pause)


def _when_live(world: World) -> list[tuple[float, int]]:
    """Each change of the live version, with the seconds."""
    changes: list[tuple[float, int]] = []
    before = [world.lightsail.serving(APP)]

    def see() -> None:
        serving = world.lightsail.serving(APP)
        if serving != before[-1] and serving is not None:
            before.append(serving)
            changes.append((world.clock.waited.total_seconds(), serving))

    world.clock.watch(see)
    return changes


def _of_lightgate() -> Measured:
    """The figures of an app that has been released before."""
    with reference_world() as world:
        world.put_spec(
            spec(
                pollSeconds=None,
                database={"instance": "crops-db"},
                verification={"watchSeconds": WATCH},
            )
        )
        _release(world, "a.0002")
        began, live = world.clock.waited.total_seconds(), _when_live(world)
        _release(world, "a.0003")
        reported = world.clock.waited.total_seconds() - began - WATCH
        at = live[0][0] - began
        news = _news(world)
        return Measured(
            name="Lightgate",
            live=at,
            reported=reported,
            news=news,
            unhealthy=_unhealthy(world, live),
        )


def _release(world: World, migration: str) -> None:
    Gate(world, plan=told_plan(migration), starts=NODE, takes=MIGRATION)
    ended = world.release()
    if ended.status != "SUCCEEDED":
        raise RuntimeError(f"the release has not succeeded: {ended.error}: {ended.cause}")


def _news(world: World) -> float:
    """From the failed migration to its message. Lightsail gives the deployment up later."""
    gate = Gate(world, plan=told_plan("a.0004"), starts=NODE, takes=MIGRATION)
    failed_at: list[timedelta] = []
    published: list[timedelta] = []

    def fail() -> None:
        if failed_at:
            return
        failed_at.append(world.clock.waited)
        gate.tell(_FAILED)
        version = max(world.lightsail.deployments(APP))
        world.lightsail.services[APP].later(
            timedelta(seconds=GIVES_UP), lambda service: service.failed(version)
        )

    gate._succeed = fail  # type: ignore[method-assign]
    world.cloud.faults.watch(
        lambda call: published.append(world.clock.waited) if call == "sns.Publish" else None
    )
    world.release()
    world.cloud.faults.watch_no_more()
    [failed] = failed_at
    return min(at - failed for at in published if at >= failed).total_seconds()


def _unhealthy(world: World, live: list[tuple[float, int]]) -> float:
    """For how long a version is live that is unhealthy from its start."""
    version = max(world.lightsail.deployments(APP)) + 1
    world.site.bad = {version: _BAD}
    Gate(world, plan=told_plan(), starts=NODE)
    opened = (NODE, *SUCCEEDED)
    back = Course(
        ends="ACTIVE",
        after=timedelta(seconds=NODE) + ENDS_AFTER,
        log=[(NODE, "migrate", told_plan()), opened],
    )
    world.lightsail.courses.append(back)
    ended = world.release()
    if ended.error != "ROLLED_BACK":
        raise RuntimeError(f"the release was not rolled back: {ended.error}: {ended.cause}")
    [began] = [at for at, serving in live if serving == version]
    return min(at for at, serving in live if serving > version) - began


_HEAD = ["", "live", "success reported", "failed migration to message", "unhealthy version live"]


def _row(one: Measured) -> list[str]:
    unhealthy = "until a person acts" if one.unhealthy is None else f"{one.unhealthy:.0f} s"
    return [
        one.name,
        f"{one.live:.0f} s",
        f"{one.reported:.0f} s",
        f"{one.news:.0f} s",
        unhealthy,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    report.progress("Lightgate, a script and a waiter")
    text = report.table(_HEAD, [_row(one) for one in measure()])
    print(text)
    if arguments.write:
        report.write("alternatives", text)


if __name__ == "__main__":
    main()
