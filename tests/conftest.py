"""Which tests share a worker when they run side by side."""

from pathlib import Path

import pytest

# A folder whose tests share something costly, or are judged together, stays in one process.
_TOGETHER = {"crops", "local", "workflow"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Group by file, and by folder where the folder belongs together."""
    file = item.path.relative_to(Path(__file__).parent)
    group = file.parts[0] if file.parts[0] in _TOGETHER else str(file)
    item.add_marker(pytest.mark.xdist_group(group))
