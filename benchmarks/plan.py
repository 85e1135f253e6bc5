"""What it costs to read the plan of a real project: ``python -m benchmarks.plan``."""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from local.cloud.postgres import running_database
from tests.gate.programs import Runner
from tests.gate.projects import postgres
from tests.sites.gates import Node
from tests.sites.sites import SITES, Site

EXPLANATION = """\
Each of them reads the plan of an empty PostgreSQL, so all migrations of the project are pending:

  bare   the project's own `migrate --plan`
  gate   a gate whose policy refuses the plan, to its end
  check  `lightgate check`, which asks no server

The numbers are seconds of processor time, so other work on the machine matters little. They include
all the processes, and the time to load the project. The exit code is 1 if gate or check need more
than 1.3 times the bare command.
"""
LIMIT = 1.3


@dataclass(frozen=True)
class Place:
    """A project in a directory, with its database."""

    site: Site
    directory: Path
    database: dict[str, Any]

    @property
    def own(self) -> dict[str, str]:
        databases = json.dumps({"default": self.database})
        return {"PYTHONPATH": "", **self.site.environment, "DATABASES": databases}

    @property
    def call(self) -> list[str]:
        python = self.site.python()
        first, *others = self.site.manage
        return [str(python if first == "python" else python.parent / first), *others]

    def bare(self) -> None:
        command = [*self.call, "migrate", "--plan"]
        environment = os.environ | self.own
        subprocess.run(
            command, cwd=self.directory, env=environment, check=True, capture_output=True
        )

    def gate(self) -> None:
        python = str(self.site.python())
        node = Node(self.directory, {}, python=python, environment=self.own, call=self.call)
        policy = {"policy": "block", "databaseTimeoutSeconds": 60}
        with closing(Runner()) as runner:
            gate = node.gate(runner, timeoutSeconds=600, afterFailure="exit", django=policy)
            gate.process.wait()
            if gate.event("failed")["cause"] != "refused":
                raise RuntimeError(gate.output.decode())

    def check(self) -> None:
        script = "manage.py" if self.site.manage[0] == "python" else self.call[0]
        words = ["check", script, "--python", str(self.site.python()), "--json"]
        paths = [self.site.environment.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]
        environment = os.environ | self.own | {"PYTHONPATH": ":".join(filter(None, paths))}
        command = [sys.executable, "-m", "lightgate_cli", *words]
        ran = subprocess.run(
            command, cwd=self.directory, env=environment, check=False, capture_output=True
        )
        if ran.returncode != 1:  # some of the migrations are not allowed
            raise RuntimeError(ran.stderr.decode())


def processor_seconds(work: Callable[[], None]) -> float:
    def used() -> float:
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        return now.ru_utime + now.ru_stime

    before = used()
    work()
    return used() - before


def measure(site: Site, rounds: int) -> Mapping[str, float]:
    """The medians in seconds."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        with running_database(root / "data", root) as database:
            place = Place(site, root / "site", postgres(database))
            site.write(place.directory)
            works = {"bare": place.bare, "gate": place.gate, "check": place.check}
            found: dict[str, list[float]] = {name: [] for name in works}
            for number in range(rounds + 1):
                for name, work in works.items():
                    seconds = processor_seconds(work)
                    if number:  # the first round compiles the modules
                        found[name].append(seconds)
    medians = {name: statistics.median(each) for name, each in found.items()}
    ratios = {name: each / medians["bare"] for name, each in medians.items()}
    print(f"{site.package} {site.version()}, Django {site.django()}, {rounds} rounds")
    for name, each in medians.items():
        print(f"  {name:8}{each:7.2f} s   {ratios[name]:.2f}")
    return medians


def _row(site: Site, medians: Mapping[str, float]) -> list[str]:
    return [site.name, *(f"{seconds:.1f} s" for seconds in medians.values())]


def main() -> int:
    names = [site.name for site in SITES]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan",
        description="Measure what it costs to read the plan of a real project.",
        epilog=EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--site", action="append", choices=names, help="default: all of them")
    parser.add_argument("--rounds", type=int, default=5, help="how often (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    given = parser.parse_args()
    chosen = [site for site in SITES if site.name in (given.site or names)]
    found = [measure(site, max(1, given.rounds)) for site in chosen]
    if given.write:
        rows = [_row(site, medians) for site, medians in zip(chosen, found, strict=True)]
        report.write("plan", report.table(["", "`migrate --plan`", "gate", "`check`"], rows))
    return int(any(max(each.values()) > LIMIT * each["bare"] for each in found))


if __name__ == "__main__":
    sys.exit(main())
