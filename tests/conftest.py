"""Which tests share a worker when they run side by side, and what every test may rely on."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run; and a machine that is busy with something else is no fault.
settings.register_profile(
    "lightgate",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lightgate")

# A folder whose tests share something costly, or are judged together, stays in one process.
_TOGETHER = {"crops", "local", "workflow"}


def pytest_configure() -> None:
    """A shell's background job ignores INT, and so would all that the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Group by file, and by folder where the folder belongs together."""
    file = item.path.relative_to(Path(__file__).parent)
    group = file.parts[0] if file.parts[0] in _TOGETHER else str(file)
    item.add_marker(pytest.mark.xdist_group(group))
