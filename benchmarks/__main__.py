"""Measures everything that docs/benchmarks.md shows, part by part: ``python -m benchmarks``."""

import argparse
import subprocess
import sys
import time

from benchmarks import report

PARTS = ("releases", "polls", "alternatives", "growth", "functions", "request", "gate")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="default: all of them")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    options = ["--write"] if arguments.write else []
    failed = []
    for part in arguments.only or PARTS:
        began = time.monotonic()
        report.progress(f"{part} begins")
        ran = subprocess.run([sys.executable, "-m", f"benchmarks.{part}", *options], check=False)
        failed += [part] if ran.returncode else []
        report.progress(f"{part} took {time.monotonic() - began:.0f} s")
    if failed:
        report.progress(f"above a limit, or failed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
