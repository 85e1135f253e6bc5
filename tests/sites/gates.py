"""The gate of a site, and what a release with it comes to."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightgate.migrations.compatibility import judge_plan
from lightgate.migrations.plan import read_plans
from tests.gate.programs import Program, Runner
from tests.gate.projects import Project

LONGEST = 1500.0  # seconds until a gate has ended, on a machine that is busy


@dataclass
class Node(Project):
    """A gate whose command is the `migrate` of a project that is there already."""

    call: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write nothing."""

    @property
    def manage(self) -> list[str]:
        return self.call


def start(
    runner: Runner,
    release: str,
    python: Path,
    manage: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *more: str,
) -> Program:
    own = {"python": str(python)}
    call = [own.get(manage[0], str(python.parent / manage[0])), *manage[1:]]
    whole = {"PYTHONPATH": "", **environment}
    node = Node(directory, {}, python=str(python), environment=whole, call=call)
    limits = {"databaseTimeoutSeconds": 60}
    return node.gate(runner, *more, release=release, timeoutSeconds=LONGEST, django=limits)


@dataclass(frozen=True)
class Ended:
    """What a gate planned and did."""

    plan: Mapping[str, Any]
    verdict: str
    last: Mapping[str, Any]
    seconds: float

    @property
    def count(self) -> int | None:
        found: int | None = self.plan.get("count")
        return found

    @property
    def planned(self) -> Sequence[str]:
        """The migrations that the plan lists."""
        return [one["name"] for one in self.plan.get("migrations", [])]

    @property
    def applied(self) -> Sequence[str]:
        found: Sequence[str] = self.last.get("migrations", self.last.get("migrationsApplied", []))
        return found

    @property
    def applied_count(self) -> int:
        """How many it has applied, with those that the event had no room for."""
        omitted = self.last.get("omitted", {})
        return len(self.applied) + int(omitted.get("migrations", 0))

    def cells(self) -> Sequence[str]:
        """Its cells in a table."""
        count, listed = self.count, len(self.planned)
        plan = "unknown" if count is None else str(count)
        if count:
            plan += f", {self.plan['class']}"
        if count and listed < count:
            plan += f"; {listed} of {count} listed"
        cause = [str(self.last[key]) for key in ("cause", "error") if key in self.last]
        left = [f"the database is {self.last['database']}"] if "database" in self.last else []
        return [
            plan,
            str(self.applied_count),
            self.verdict,
            "; ".join([": ".join(cause), *left]) if cause else "",
            f"{self.seconds:.0f}",
        ]


def end_of(gate: Program) -> Ended:
    """Wait for the end of the gate."""
    began = time.monotonic()
    while not (ends := gate.named("succeeded") or gate.named("failed")):
        assert time.monotonic() < began + LONGEST, gate.output[-2000:]
        assert gate.is_alive(), gate.output[-2000:] + gate.errors
        time.sleep(0.05)
    told = gate.named("plan")
    plans = read_plans(ends[0]["release"], "migrate", map(json.dumps, told))
    return Ended(
        plan=told[0] if told else {},
        verdict=judge_plan(plans[0]).verdict.value if plans else "UNKNOWN",
        last=ends[0],
        seconds=time.monotonic() - began,
    )
