"""What a release costs while others run: ``python -m benchmarks.growth``.

1, 10 and 50 apps are pushed at the same moment, in the simulated account of `tests/faults`. Each
number has a process of its own. A simulation says which limit of the account comes first, up to
10,000 apps.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks import report
from benchmarks.crowd import Used
from benchmarks.limits import LIMITS, MOST_APPS

APPS = (1, 10, 50)
# The most that a release may cost, as a part of that of one app.
LIMIT = 1.2
_SIZES = (100, 1000, MOST_APPS)
_HEAD = ["apps", "states", "calls", "requests", "dollars", "of one app", "longest"]


def measure(apps: int) -> Used:
    report.progress(f"{apps} apps at once")
    command = [sys.executable, "-m", "benchmarks.crowd", str(apps)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    # JSON has texts as keys.
    for name in ("entered", "running"):
        found[name] = {int(second): count for second, count in found[name].items()}
    found["requests"] = {
        name: {int(second): count for second, count in each.items()}
        for name, each in found["requests"].items()
    }
    return Used(**found)


def ratio(used: Used, one: Used) -> float:
    """The cost of a release as a part of that of one app, by the figure that grew most."""
    own = (used.transitions, used.calls, used.requested, used.dollars)
    of_one = (one.transitions, one.calls, one.requested, one.dollars)
    return max(mine / (used.apps * other) for mine, other in zip(own, of_one, strict=True))


def _row(used: Used, one: Used) -> list[str]:
    return [
        str(used.apps),
        f"{used.transitions / used.apps:.1f}",
        f"{used.calls / used.apps:.1f}",
        f"{used.requested / used.apps:.0f}",
        f"{used.dollars / used.apps:.4f}",
        f"{ratio(used, one):.2f}",
        f"{used.seconds:.0f} s",
    ]


def _limits(one: Used) -> str:
    head = ["limit", "waits from", *(f"{size:,}" for size in _SIZES)]
    firsts = [(limit.first(one), limit) for limit in LIMITS]
    ordered = sorted(firsts, key=lambda each: each[0] or MOST_APPS + 1)
    rows = [
        [
            limit.name,
            f"{first:,} apps" if first else "never",
            *(f"{limit.delay(one, size):,.0f} s" for size in _SIZES),
        ]
        for first, limit in ordered
    ]
    answers = [f"- **{limit.name.partition(':')[0]}.** {limit.answer}" for _, limit in ordered]
    return f"{report.table(head, rows)}\n\n" + "\n".join(answers)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument(
        "--apps", type=int, action="append", help=f"how many at once (default: {APPS})"
    )
    arguments = parser.parse_args()
    sizes: Sequence[int] = sorted({1, *(arguments.apps or APPS)})
    with ThreadPoolExecutor(2) as pool:
        # The largest first, because it takes as long as all others together.
        measured = {size: pool.submit(measure, size) for size in reversed(sizes)}
    found = [measured[size].result() for size in sizes]
    one = found[0]
    growth = report.table(_HEAD, [_row(used, one) for used in found])
    limits = _limits(one)
    print(f"{growth}\n\n{limits}")
    if arguments.write:
        report.write("growth", growth)
        report.write("limits", limits)
    return int(any(ratio(used, one) > LIMIT for used in found))


if __name__ == "__main__":
    sys.exit(main())
