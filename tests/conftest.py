"""What every test may rely on."""

import gc
import os
import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.rights.session"]

# The same examples in every run; and a machine that is busy with something else is no fault.
# `make test` tries the first of the examples, `make test-slow` has the profile with all of them.
for profile, examples in {"few": 20, "many": 100}.items():
    settings.register_profile(
        profile,
        deadline=None,
        derandomize=True,
        database=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("few")


def pytest_configure() -> None:
    """Let what the tests start behave as it does anywhere else.

    A job in the background ignores INT, QUIT or HUP, and so would each process of a test. And each
    would compile Django for itself: what writes no bytecode finds none in a place of ours.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.pop("PYTHONPYCACHEPREFIX", None)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with `representatives(n)`, the first n that are not slow stand for the rest."""
    cases: Counter[str] = Counter()
    for item in items:
        if item.get_closest_marker("slow") is not None:
            continue
        test = item.nodeid.partition("[")[0]
        cases[test] += 1
        marker = item.get_closest_marker("representatives")
        if marker is not None and cases[test] > marker.args[0]:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which programs are missing: a test that was skipped has shown nothing."""
    reasons = Counter(
        report.longrepr[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and "is not installed" in report.longrepr[2]
    )
    for reason, count in reasons.items():
        terminalreporter.write_line(f"NOT TESTED: {count} tests: {reason}", red=True, bold=True)


def pytest_collection_finish() -> None:
    """All that is loaded by now stays: the garbage collector need not go through it each time."""
    gc.freeze()
