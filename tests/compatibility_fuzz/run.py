"""Start the workers of a run, and collect what they write."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.compatibility_fuzz.report import Results

ROOT = Path(__file__).parents[2]
PLANS = 6  # as in generate.py, which needs Django


@dataclass(frozen=True)
class Task:
    engine: str
    django: str
    python: str
    seed: int
    first: int
    end: int
    shrink: int
    """The most tries for each kind of miss; with 0 no miss is made smaller."""
    planted: str = ""


def run(
    task: Task, databases: Sequence[dict[str, Any]], progress: Callable[[Results], None]
) -> Results:
    """Compare the cases with one worker for each database."""
    results = Results(task.engine, task.django, task.seed)
    lines: queue.Queue[str | None] = queue.Queue()
    worlds = range(task.first // PLANS, -(-task.end // PLANS))
    workers = []
    for number, database in enumerate(databases):
        text = json.dumps(
            {
                "database": database,
                "seed": task.seed,
                "cases": [task.first, task.end],
                "worlds": list(worlds)[number :: len(databases)],
                "shrink": task.shrink,
                "planted": task.planted,
            }
        )
        command = [task.python, "-W", "ignore", "-m", "tests.compatibility_fuzz.worker", text]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        )
        thread = threading.Thread(target=pump, args=(process, lines), daemon=True)
        thread.start()
        workers.append((process, thread))
    try:
        waiting = len(workers)
        while waiting:
            line = lines.get()
            if line is None:
                waiting -= 1
                continue
            results.take(json.loads(line))
            progress(results)
    finally:
        for process, thread in workers:
            process.terminate()
            process.wait()
            thread.join()
            assert process.stdout is not None
            process.stdout.close()
    for process, _ in workers:
        if process.returncode not in (0, -15):
            results.crashes.append(f"a worker ended with exit code {process.returncode}")
    missing = (task.end - task.first) - len(results.cases)
    if missing:
        results.crashes.append(f"{missing} cases have no result")
    results.cases.sort(key=lambda one: int(one["case"]))
    return results


def pump(process: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    process.wait()
    lines.put(None)


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": f"{ROOT / 'layers/core'}:{ROOT}",
        "PYTHONHASHSEED": "0",  # the same order of sets in each run
        "PYTHONIOENCODING": "utf-8",
        **{k: v for k, v in os.environ.items() if k in ("HOME", "PYTHONPYCACHEPREFIX")},
    }


def show_progress(results: Results) -> None:
    if sys.stderr.isatty():
        misses = len(results.by_verdict("miss")) if len(results.cases) % 20 == 0 else None
        if misses is not None:
            print(f"\r  {len(results.cases)} cases, {misses} misses", end="", file=sys.stderr)
