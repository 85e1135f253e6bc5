"""What every test may rely on."""

import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run; and a machine that is busy with something else is no fault.
settings.register_profile(
    "lightgate",
    deadline=None,
    derandomize=True,
    database=None,
    # Twice as many would take a minute more of two cores.
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lightgate")


def pytest_configure() -> None:
    """A job in the background ignores INT, QUIT or HUP, and so would all that the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with `representatives(n)`, the first n cases stand for the rest, which is slow."""
    cases: Counter[str] = Counter()
    for item in items:
        test = item.nodeid.partition("[")[0]
        cases[test] += 1
        marker = item.get_closest_marker("representatives")
        if marker is not None and cases[test] > marker.args[0]:
            item.add_marker(pytest.mark.slow)
