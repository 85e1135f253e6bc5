"""The gate of a site, and what a release with it comes to."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightgate.gate.packaging import program_text
from lightgate.migrations.compatibility import judge_plan
from lightgate.migrations.plan import read_plans
from tests.gate.programs import Program, Runner, free_port

LONGEST = 900.0  # seconds until a gate has ended, on a machine that is busy


def start(
    runner: Runner,
    release: str,
    python: Path,
    manage: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *more: str,
    **django: Any,
) -> Program:
    """A gate whose command is the site's own `migrate`."""
    own = {"python": str(python)}
    first = own.get(manage[0], str(python.parent / manage[0]))
    call = [first, *manage[1:]]
    config = {
        "release": release,
        "container": "migrate",
        "after": [],
        "port": free_port(),
        "mode": "task",
        "timeoutSeconds": LONGEST,
        "graceSeconds": 0.2,
        "afterFailure": "hold",
        "healthCheck": None,
        "django": {
            "manage": call,
            "database": "default",
            "policy": "warn",
            "allowDestructive": False,
            "lockTimeoutSeconds": 2,
            "requireLock": True,
            "databaseTimeoutSeconds": 60,
            **django,
        },
    }
    command = [program_text("django_helper"), *call, "migrate", "--noinput", *more]
    options = {"cwd": directory, "env": {**os.environ, "PYTHONPATH": "", **environment}}
    source = program_text("supervisor")
    return runner.program(source, config, command, str(python), options)


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
