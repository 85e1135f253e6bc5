"""What the start of each function costs: ``python -m benchmarks.functions``.

A cold start imports the function and what its step uses. It is measured as the layer ships it, with
the bytecode of its modules and of the methods of its dataclasses, and as Lambda would run it
without: then it compiles all of it at each cold start.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "layers" / "core"
# Any function that calls AWS and writes a structured log imports these two.
BARE = "import boto3, aws_lambda_powertools; aws_lambda_powertools.Logger(service='bare')"
_IMPORT = """
import json, sys, time
began = time.process_time()
{statement}
took = time.process_time() - began
ours = [name for name in sys.modules if name.startswith("lightgate.")]
print(json.dumps([took * 1000, len(sys.modules), len(ours)]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Milliseconds of processor time with and without bytecode, and the loaded modules."""

    name: str
    compiled: float
    uncompiled: float
    modules: int
    ours: int


def measure(name: str, statement: str, rounds: int, layer: Path) -> Start:
    with tempfile.TemporaryDirectory() as folder:
        cached = [_run(statement, layer, folder) for _ in range(rounds + 1)][1:]
    uncached = []
    for _ in range(min(rounds, 3)):
        with tempfile.TemporaryDirectory() as folder:
            uncached.append(_run(statement, CORE, folder, "1"))
    return Start(
        name=name,
        compiled=statistics.median(each[0] for each in cached),
        uncompiled=statistics.median(each[0] for each in uncached),
        modules=int(cached[0][1]),
        ours=int(cached[0][2]),
    )


def build(folder: Path) -> Path:
    """The package with the bytecode of its dataclasses' methods, as the layer has it."""
    shutil.copytree(CORE / "lightgate", folder / "lightgate")
    command = [sys.executable, "-m", "build_methods", str(folder)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(CORE)}, check=True)
    return folder


def _run(statement: str, package: Path, bytecode: str, writes_none: str = "") -> list[float]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{package}:{ROOT}",
        "PYTHONPYCACHEPREFIX": bytecode,
        "PYTHONDONTWRITEBYTECODE": writes_none,
    }
    code = _IMPORT.format(statement=statement)
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, cwd=ROOT
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
        starts = [
            bare,
            *(
                measure(one, f"import functions.{one}.app", arguments.rounds, layer)
                for one in names
            ),
        ]
    rows = [
        [
            each.name,
            f"{each.compiled:.0f}",
            f"{each.compiled / bare.compiled:.2f}",
            f"{each.uncompiled / each.compiled:.1f}",
            str(each.modules),
            str(each.ours),
        ]
        for each in starts
    ]
    head = ["function", "ms", "of boto3 and Logger", "without bytecode", "modules", "Lightgate's"]
    text = report.table(head, rows)
    print(text)
    if arguments.write:
        report.write("functions", text)


if __name__ == "__main__":
    main()
