"""Compare the classes of random plans with what old code can do after them.

`python -m tests.compatibility_fuzz --seed 7 --cases 1200`
"""

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

import pytest

from tests.compatibility_fuzz.report import MISS, Results
from tests.compatibility_fuzz.run import Task, run, show_progress
from tests.compatibility_fuzz.servers import (
    ENGINES,
    LATEST,
    POSTGRESQL,
    PYTHONS,
    python_of,
    running_engine,
)


def main() -> int:
    options = arguments()
    engines = ENGINES if options.engine == "all" else (options.engine,)
    versions = tuple(PYTHONS) if options.django == "all" else (options.django,)
    first = options.case if options.case is not None else options.first
    end = first + (1 if options.case is not None else options.cases)
    found: list[Results] = []
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as directory:
            Path(directory).chmod(0o755)
            with running_engine(engine, Path(directory) / "server", options.jobs) as databases:
                for django in versions:
                    try:
                        python = python_of(django)
                    except pytest.skip.Exception as error:
                        print(f"Django {django} is left out: {error}", file=sys.stderr)
                        continue
                    task = Task(engine, django, python, options.seed, first, end, options.shrink)
                    results = run(task, databases, show_progress)
                    print(*results.text(), "", sep="\n", flush=True)
                    found.append(results)
                    if options.json:
                        options.json.write_text(
                            json.dumps([one.as_json() for one in found], indent=1)
                        )
    if not found:
        print("Nothing was compared.", file=sys.stderr)
        return 2
    crashed = any(one.crashes or not one.compared for one in found)
    return 1 if crashed or any(one.by_verdict(MISS) for one in found) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compatibility_fuzz", description=__doc__)
    seed = random.SystemRandom().randrange(10**6)
    parser.add_argument("--seed", type=int, default=seed, help="default: a new one")
    parser.add_argument("--cases", type=int, default=600, help="how many; default: 600")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--case", type=int, help="only this case")
    parser.add_argument("--engine", choices=(*ENGINES, "all"), default=POSTGRESQL)
    parser.add_argument("--django", choices=(*PYTHONS, "all"), default=LATEST)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="workers")
    parser.add_argument(
        "--shrink", type=int, default=200, help="the most tries for each kind of miss; 0: none"
    )
    parser.add_argument("--json", type=Path, help="write the counts and kinds to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
