"""Polls that learn from earlier releases, beside fixed ones: ``python -m benchmarks.polls``.

Each row has the means of 100 releases, of which each knows the last five. A fixed interval is ten
seconds, as `pollSeconds` has it by default.
"""

import argparse
import random

from benchmarks import report
from tests.unit.release.test_poll_interval import fixed, learning, releases

_RELEASES, _NOISE, _SEED = 100, 0.05, 7
_USUAL = (60, 90, 180, 600)
_HEAD = ["it takes", "late", "late, fixed", "polls", "polls, fixed"]


def rows() -> list[list[str]]:
    chance = random.Random(_SEED)  # noqa: S311 - the same in each run
    found = []
    for usual in _USUAL:
        durations = [chance.gauss(usual, usual * _NOISE) for _ in range(_RELEASES)]
        lag, count = releases(learning, durations)
        fixed_lag, fixed_count = releases(fixed, durations)
        found.append(
            [
                f"{usual} s",
                *(f"{each / _RELEASES:.1f} s" for each in (lag, fixed_lag)),
                *(f"{each / _RELEASES:.1f}" for each in (count, fixed_count)),
            ]
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    text = report.table(_HEAD, rows())
    print(text)
    if arguments.write:
        report.write("polls", text)


if __name__ == "__main__":
    main()
