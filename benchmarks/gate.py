"""What the gate costs, side by side with the bare command: ``python -m benchmarks.gate``."""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import report
from local.cloud.postgres import running_database
from local.cloud.processes import free_port
from tests.gate.programs import (
    Runner,
    after,
    eventually,
    facts,
    resident_kilobytes,
    shell,
)
from tests.gate.projects import ADD_COLOUR, CREATE, Project, postgres
from tests.interpreters import INTERPRETERS

EXPLANATION = """\
Four questions, each asked once a round, so that a busy moment meets all of them alike:

  start    from the start of a container to that of its command: bare, behind the waiter with all
           that it waits for done, and under the supervisor; beside it, Python that does nothing
  open     from the end of a successful dependency to the start of the app
  memory   resident while idle: supervisor and waiter, on each Python found here (3.8 to 3.13)
  migrate  a Django app on PostgreSQL with nothing pending: `manage.py migrate` to its end, and
           the gate until it opens

The ratio is that of the medians, to the first line of the block. The exit code is 1 if a median
is above the limit that stands beside it.
"""
STAMP = ["date", "+%s.%N"]


@dataclass
class Case:
    """Something that is measured once a round."""

    question: str
    name: str
    unit: str
    measure: Callable[[], float]
    limit: float | None = None
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_above(self) -> bool:
        return self.limit is not None and self.median > self.limit


# In milliseconds


def start_bare() -> float:
    began = time.time()
    ran = subprocess.run(STAMP, stdout=subprocess.PIPE, check=True)
    return (float(ran.stdout) - began) * 1000


def start_python() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    return (time.monotonic() - began) * 1000


def start_behind_waiter() -> float:
    port = free_port()
    with closing(Runner()) as runner:
        runner.supervisor(["true"], port=port).event("succeeded")
        began = time.time()
        web = runner.waiter(STAMP, after=[after("migrate", port)])
        web.ends()
        return (float(web.command_output) - began) * 1000


def start_under_supervisor() -> float:
    with closing(Runner()) as runner:
        began = time.time()
        migrate = runner.supervisor(STAMP)
        migrate.event("succeeded")
        return (float(migrate.command_output) - began) * 1000


def success_to_start() -> float:
    port = free_port()
    with closing(Runner()) as runner, tempfile.TemporaryDirectory() as directory:
        go = Path(directory) / "go"
        script = f"while ! test -e {go}; do sleep 0.01; done; exec {' '.join(STAMP)}"
        migrate = runner.supervisor(shell(script), port=port)
        facts(port, "START")
        web = runner.waiter(STAMP, after=[after("migrate", port)])
        eventually(lambda: has_client(port), "the waiter does not connect")
        go.touch()
        web.ends()
        migrate.event("succeeded")
        return (float(web.command_output) - float(migrate.command_output)) * 1000


def has_client(port: int) -> bool:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def migrate_bare(project: Project) -> float:
    # What the gate of a project gets too.
    given = {"PYTHONDONTWRITEBYTECODE": "1", "DATABASES": json.dumps({"default": project.database})}
    command = [*project.manage, "migrate", "--noinput"]
    environment = os.environ | given
    began = time.monotonic()
    subprocess.run(command, cwd=project.directory, env=environment, capture_output=True, check=True)
    return (time.monotonic() - began) * 1000


def migrate_gated(project: Project) -> float:
    with closing(Runner()) as runner:
        began = time.time()
        done = project.gate(runner).event("succeeded")
        return (datetime.datetime.fromisoformat(done["at"]).timestamp() - began) * 1000


# In megabytes


def idle(program: str, python: str) -> float:
    port = free_port()
    with closing(Runner()) as runner:
        supervisor = runner.supervisor(["true"], python=python, port=port)
        waiter = runner.waiter(["true"], python=python, after=[after("migrate", port, "HEALTHY")])
        supervisor.event("succeeded")
        eventually(lambda: has_client(port), "the waiter does not connect")
        measured = supervisor if program == "supervisor" else waiter
        return resident_kilobytes(measured.process.pid) / 1024


# The run


def cases(project: Project) -> Iterator[Case]:
    yield Case("start", "bare command", "ms", start_bare)
    yield Case("start", "Python that does nothing", "ms", start_python)
    yield Case("start", "behind the waiter", "ms", start_behind_waiter)
    yield Case("start", "under the supervisor", "ms", start_under_supervisor)
    yield Case("open", "success to start", "ms", success_to_start, 100)
    for program, limit in (("supervisor", 16), ("waiter", 13)):
        for version, python in INTERPRETERS.items():
            if python:
                measure = partial(idle, program, python)
                yield Case("memory", f"{program}, Python {version}", "MB", measure, limit)
    yield Case("migrate", "manage.py migrate", "ms", partial(migrate_bare, project))
    yield Case("migrate", "the gate", "ms", partial(migrate_gated, project))


@contextmanager
def migrated_project() -> Iterator[Project]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        with running_database(root / "data", root) as database, closing(Runner()) as runner:
            project = Project(root / "app", postgres(database))
            project.migration(CREATE, name="initial")
            project.migration(ADD_COLOUR)
            project.gate(runner).event("succeeded")
            yield project


def table(measured: list[Case]) -> Iterator[str]:
    yield f"{'':32}{'min':>9}{'median':>9}{'max':>9}     {'ratio':>7}{'limit':>8}"
    question, first = "", measured[0]
    for case in measured:
        if case.question != question:
            question, first = case.question, case
            yield case.question
        numbers = (min(case.values), case.median, max(case.values))
        ratio = f"{case.median / first.median:.1f}" if case is not first and not case.limit else ""
        limit = f"{case.limit:g}" if case.limit else ""
        yield (
            f"  {case.name:30}{''.join(f'{n:9.1f}' for n in numbers)}  {case.unit:3}{ratio:>7}"
            f"{limit:>8}{'  above' if case.is_above else ''}"
        ).rstrip()


_HEAD = ["", "min", "median", "max", "limit"]


def _row(case: Case) -> list[str]:
    numbers = (min(case.values), case.median, max(case.values))
    limit = f"{case.limit:g} {case.unit}" if case.limit else ""
    return [f"{case.question}: {case.name}", *(f"{n:.1f} {case.unit}" for n in numbers), limit]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate",
        description="Measure what the gate costs on this machine.",
        epilog=EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    rounds = max(1, arguments.rounds)
    with migrated_project() as project:
        measured = list(cases(project))
        for number in range(rounds):
            report.progress(f"round {number + 1} of {rounds}")
            for case in measured:
                case.values.append(case.measure())
    print(f"{rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("\n".join(table(measured)))
    if arguments.write:
        report.write("gate", report.table(_HEAD, [_row(case) for case in measured]))
    return int(any(case.is_above for case in measured))


if __name__ == "__main__":
    sys.exit(main())
