"""What the start of each function costs: ``python -m benchmarks.functions``.

A cold start imports the function and what its step uses. It is measured as the layer ships it: with
the packages of the layer and no others, and with the bytecode of the modules and of the methods of
dataclasses. Beside it stands what Lambda would need without: it would compile all at each start.

Lambda gives a function with 1,769 MB one processor, and one with less its share. So the measured
processor time says how long a cold start takes with each size of memory.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from benchmarks import report
from lightgate.outcome.cost import GIGABYTE_SECOND

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "layers" / "core"
# Any function that calls AWS and writes a structured log imports these two.
BARE = "import boto3, aws_lambda_powertools; aws_lambda_powertools.Logger(service='bare')"
# A release calls these. Each call makes about ten requests, and waits 40 ms for each answer.
IN_A_RELEASE = (
    *("admit", "take_snapshot", "check_snapshot", "deploy", "check_deployment", "verify_release"),
    *("record_outcome", "start_next", "prune_snapshots"),
)
CALLS, REQUESTS, ROUND_TRIP = 23, 10, 0.04
SIZES, ONE_PROCESSOR = (256, 384, 512, 768, 1024, 1769), 1769
_IMPORT = """
import json, resource, sys, time
began = time.process_time()
{statement}
took = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
ours = [name for name in sys.modules if name.startswith("lightgate.")]
print(json.dumps([took * 1000, len(sys.modules), len(ours), peak]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Milliseconds of processor time with and without bytecode, loaded modules, and megabytes."""

    name: str
    compiled: float
    uncompiled: float
    modules: int
    ours: int
    peak: float


def measure(name: str, statement: str, rounds: int, layer: Path) -> Start:
    with tempfile.TemporaryDirectory() as folder:
        cached = [_run(statement, layer, folder) for _ in range(rounds + 1)][1:]
    uncached = []
    for _ in range(min(rounds, 2)):
        with tempfile.TemporaryDirectory() as folder:
            uncached.append(_run(statement, f"{CORE}:{layer}", folder, "1"))
    return Start(
        name=name,
        compiled=statistics.median(each[0] for each in cached),
        uncompiled=statistics.median(each[0] for each in uncached),
        modules=int(cached[0][1]),
        ours=int(cached[0][2]),
        peak=max(each[3] for each in cached),
    )


def build(folder: Path) -> Path:
    """Make the layer: the package, the methods of its dataclasses, and what the package needs."""
    shutil.copytree(CORE / "lightgate", folder / "lightgate")
    for name in re.findall(r"^([\w-]+).*==", (CORE / "requirements.txt").read_text(), re.MULTILINE):
        for file in distribution(name).files or ():
            source, target = Path(str(file.locate())), folder / str(file)
            if file.suffix != ".pyc" and ".." not in file.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source)
    command = [sys.executable, "-m", "build_methods", str(folder)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(CORE)}, check=True)
    return folder


def _sweep(started: Sequence[Start], bare: Start) -> str:
    """What a release of cold functions costs with each size, without the watch period."""
    rows = []
    for size in SIZES:
        slower = ONE_PROCESSOR / size
        seconds = [each.compiled / 1000 * slower for each in started]
        used = sum(seconds) + CALLS * REQUESTS * ROUND_TRIP
        rows.append(
            [
                f"{size} MB",
                f"{bare.compiled / 1000 * slower:.1f} s",
                f"{max(seconds):.1f} s",
                f"{sum(seconds):.1f} s",
                f"{used * size / 1024 * GIGABYTE_SECOND:.5f}",
            ]
        )
    head = ["memory", "boto3 and Logger", "slowest function", "all of a release", "dollars"]
    return report.table(head, rows)


def _run(statement: str, packages: object, bytecode: str, writes_none: str = "") -> list[float]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{packages}:{ROOT}",
        "PYTHONPYCACHEPREFIX": bytecode,
        "PYTHONDONTWRITEBYTECODE": writes_none,
    }
    code = _IMPORT.format(statement=statement)
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env=environment,
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    found: list[float] = json.loads(ran.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        layer = build(Path(folder))
        bare = measure("boto3 and Logger", BARE, arguments.rounds, layer)
        names = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
        starts = [bare]
        for one in names:
            report.progress(f"cold start of {one}")
            starts.append(measure(one, f"import functions.{one}.app", arguments.rounds, layer))
    rows = [
        [
            each.name,
            f"{each.compiled:.0f}",
            f"{each.compiled / bare.compiled:.2f}",
            f"{each.uncompiled / each.compiled:.1f}",
            str(each.modules),
            str(each.ours),
            f"{each.peak:.0f} MB",
        ]
        for each in starts
    ]
    memory = _sweep([each for each in starts if each.name in IN_A_RELEASE], bare)
    head = [
        "function",
        "ms",
        "of boto3 and Logger",
        "without bytecode",
        "modules",
        "Lightgate's",
        "peak",
    ]
    text = report.table(head, rows)
    print(f"{text}\n\n{memory}")
    if arguments.write:
        report.write("functions", text)
        report.write("memory", memory)


if __name__ == "__main__":
    main()
